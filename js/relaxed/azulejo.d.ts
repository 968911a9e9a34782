// The relaxed build exports what the threads build does.

export * from "../threads/azulejo.js";
export { default } from "../threads/azulejo.js";
