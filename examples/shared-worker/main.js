// A page: asks the worker that all pages of this origin share, and shows what it answers.

const { body } = document;
const { port } = new SharedWorker("./worker.js", { type: "module", name: "one model for all pages" });
port.onmessage = ({ data: { text, ...facts } }) => {
  if (text !== undefined) document.getElementById("answer").append(text);
  Object.assign(body.dataset, facts);
};
port.postMessage(Object.fromEntries(new URLSearchParams(location.search)));
