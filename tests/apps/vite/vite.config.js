// azulejo's worker loads the build that suits the page, so it needs more than one chunk: a module worker.
export default { worker: { format: "es" } };
