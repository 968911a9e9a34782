// What the extension's button shows: asks the offscreen document, and writes what it answers.

const { body } = document;
const opened = await chrome.runtime.sendMessage("open");
if (opened !== "open") throw new Error(opened);
const port = chrome.runtime.connect();
port.onMessage.addListener(({ text, ...facts }) => {
  if (text !== undefined) document.getElementById("answer").append(text);
  Object.assign(body.dataset, facts);
});
port.postMessage({ model: "/model.gguf", ...Object.fromEntries(new URLSearchParams(location.search)) });
