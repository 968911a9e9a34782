// Ties the page together: the message box, its keys and buttons, and who tells whom.

import { Chat } from "./chat.js";
import { byId } from "./dom.js";
import { showError } from "./errors.js";
import { Models } from "./models.js";
import { initSettings } from "./settings.js";
import { initSources } from "./sources.js";

const prompt = byId("prompt", HTMLTextAreaElement);
const send = byId("send", HTMLButtonElement);
const stop = byId("stop", HTMLButtonElement);

const models = new Models(() => chat.release());
const chat: Chat = new Chat(() => models.ready(), setBusy);

initSources((choice) => void models.open(choice));
initSettings(() => models.reload());

/** Send and stop take each other's place; focus never falls off the page. */
function setBusy(busy: boolean): void {
  const active = document.activeElement;
  const hadFocus = active === send || active === stop || active === document.body;
  send.hidden = busy;
  stop.hidden = !busy;
  if (!hadFocus) return;
  if (busy) stop.focus({ preventScroll: true });
  else prompt.focus({ preventScroll: true });
}

/** The box is as high as its text, up to the limit in the style sheet. */
function fitPrompt(): void {
  prompt.style.height = "auto";
  prompt.style.height = `${prompt.scrollHeight + prompt.offsetHeight - prompt.clientHeight}px`;
}

function submit(): void {
  const text = prompt.value;
  if (!text.trim() || !stop.hidden) return;
  prompt.value = "";
  fitPrompt();
  void chat.send(text).then(fitPrompt); // a message that could not be sent is back in the box
}

byId("composer", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
prompt.addEventListener("input", fitPrompt);
prompt.addEventListener("keydown", (event) => {
  // While an input method composes a word, Enter belongs to it.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  submit();
});
stop.addEventListener("click", () => chat.stop());
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !stop.hidden) chat.stop();
});
byId("new-chat", HTMLButtonElement).addEventListener("click", () => chat.clear());
for (const suggestion of document.querySelectorAll<HTMLButtonElement>("[data-suggestion]")) {
  suggestion.addEventListener("click", () => void chat.send(suggestion.textContent ?? "").then(fitPrompt));
}

// Whatever nobody caught is said too: no failure is silent.
addEventListener("unhandledrejection", (event) => showError(event.reason));
addEventListener("error", (event) => showError(event.error ?? event.message));
