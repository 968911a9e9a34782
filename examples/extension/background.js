// The extension's service worker lives for half a minute at a time; a model lives in an offscreen document, opened here.

chrome.runtime.onMessage.addListener((message, sender, reply) => {
  open().then(() => reply("open"), (error) => reply(error.message));
  return true; // the reply comes later
});

let opening;

async function open() {
  if (await chrome.offscreen.hasDocument()) return opening;
  opening ??= chrome.offscreen.createDocument({ url: "offscreen.html", reasons: ["WORKERS"], justification: "runs a language model" });
  return opening;
}
