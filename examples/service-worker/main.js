// The page: starts the service worker, asks it, and shows what it answers.

const { body } = document;
await navigator.serviceWorker.register("./worker.js", { type: "module" });
const { active } = await navigator.serviceWorker.ready;
const { port1, port2 } = new MessageChannel();
port1.onmessage = ({ data: { text, ...facts } }) => {
  if (text !== undefined) document.getElementById("answer").append(text);
  Object.assign(body.dataset, facts);
};
active.postMessage(Object.fromEntries(new URLSearchParams(location.search)), [port2]);
