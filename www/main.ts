// Ties the page together: its views, the message box, its keys and buttons, and who tells whom.

import { CausalLM } from "./azulejo/index.js";
import { Chat } from "./chat.js";
import { conversations, written } from "./conversations.js";
import { byId } from "./dom.js";
import { initEarlier, showKept } from "./earlier.js";
import { initErrors, showError } from "./errors.js";
import * as format from "./format.js";
import { initKept } from "./kept-list.js";
import { askedByLink } from "./link.js";
import { Models, type Choice } from "./models.js";
import { initOffline } from "./offline.js";
import { initPanels } from "./panel.js";
import { engineOptions, initSettings, modelLoaded } from "./settings.js";
import { measured } from "./shelf.js";
import { fromDrop, initDrop, initSources, type Dropped } from "./sources.js";
import { STANDARD } from "./standard.js";
import { setStatus } from "./status.js";
import { initViews, type View } from "./views.js";

const asked = askedByLink();
if (asked.model) offer(asked.model);
initPanels();

const prompt = byId("prompt", HTMLTextAreaElement);
const send = byId("send", HTMLButtonElement);
const stop = byId("stop", HTMLButtonElement);

const models = new Models<CausalLM>({
  prefix: "",
  tasks: ["causal-lm"],
  standard: asked.model ?? STANDARD.chat,
  load: (source, options) => CausalLM.load(source, options),
  engineOptions,
  facts: ({ summary }) => [`reads ${format.count(summary.contextLength)} tokens`],
  status: setStatus,
  next: "prompt",
  onLoad: () => modelLoaded(true),
  onUnload() {
    chat.release();
    modelLoaded(false);
  },
});
const chat: Chat = new Chat({
  ready: () => models.ready(true),
  onBusy: setBusy,
  onKept: showKept,
  onMeasured: (tokensPerSecond) => measured(models.name ?? "", tokensPerSecond),
});

initSources("", (choice) => void models.open(choice));
initSettings(() => void models.reload());

/** The other views' code comes when they are first looked at. */
const images = () => import("./images.js");
const search = () => import("./search.js");
const anatomy = () => import("./anatomy.js");

const SHOW: Record<View, () => Promise<void>> = {
  chat: async () => {},
  images: async () => (await images()).startImages(),
  search: async () => (await search()).startSearch(),
  anatomy: async () => (await anatomy()).startAnatomy(models),
};
const DROP: Record<View, (dropped: Dropped) => Promise<void>> = {
  chat: async (dropped) => void models.open(await fromDrop(dropped)),
  images: async (dropped) => (await images()).dropOnImages(dropped),
  search: async (dropped) => (await search()).dropOnSearch(dropped),
  async anatomy(dropped) {
    await SHOW.anatomy(); // its code may still be on its way
    await (await anatomy()).dropOnAnatomy(dropped);
  },
};
/** Where to go on after an error. */
const NEXT: Record<View, string> = { chat: "prompt", images: "picture-file", search: "query", anatomy: "anatomy-url" };

const view = initViews((shown: View) => void SHOW[shown]());
initDrop((dropped) => DROP[view()](dropped));
initErrors(() => NEXT[view()]);

/** The chat's panel offers the model of the page's address in place of the default. */
function offer({ source, name }: Choice): void {
  const { dataset } = byId("chat-view", HTMLElement).querySelector<HTMLElement>("[data-panel]")!;
  dataset["standard"] = name;
  dataset["about"] = `asked for by the link that you followed: ${String(source)}`;
  dataset["load"] = "Load";
}

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

/** Has the browser save a text as a file. */
function saveAs(name: string, text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/markdown" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
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
  if (event.key !== "Escape" || view() !== "chat") return;
  if (stop.hidden) chat.stopEditing();
  else chat.stop();
});
byId("new-chat", HTMLButtonElement).addEventListener("click", () => chat.clear());
for (const suggestion of document.querySelectorAll<HTMLButtonElement>("[data-suggestion]")) {
  suggestion.addEventListener("click", () => void chat.send(suggestion.textContent ?? "").then(fitPrompt));
}

byId("export", HTMLButtonElement).addEventListener("click", () => saveAs("conversation.md", written(chat.said)));
initEarlier((conversation) => chat.open(conversation), (id) => {
  if (id === chat.name) chat.clear();
});
initKept();
// As it was before a reload, unless the address asks for something else.
const [latest] = conversations();
if (latest && !location.search) chat.open(latest);
prompt.value = asked.prompt;
fitPrompt();
void initOffline(() => document.body.dataset["state"] === "empty" && !chat.busy && prompt.value === asked.prompt);

// Whatever nobody caught is said too: no failure is silent.
addEventListener("unhandledrejection", (event) => showError(event.reason));
addEventListener("error", (event) => showError(event.error ?? event.message));
