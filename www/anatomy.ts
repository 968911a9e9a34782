// The anatomy view: what a model is made of, from its header alone; and where it looks, if it is loaded and reads text.

import { Engine, inspect, type CausalLM, type ModelSummary } from "./azulejo/index.js";
import { formula } from "./blocks.js";
import { diagram } from "./diagram.js";
import { announce, byId, make } from "./dom.js";
import { hideError, isAbort, showError, type Words } from "./errors.js";
import * as format from "./format.js";
import { heldModels, onHeld } from "./held.js";
import { measure } from "./measures.js";
import { factsOf } from "./model-card.js";
import type { Choice, Models } from "./models.js";
import { ProgressView } from "./progress.js";
import { fromDrop, initSources, type Dropped } from "./sources.js";
import { STANDARD } from "./standard.js";
import { TokenMap } from "./token-map.js";
import { isShown } from "./views.js";

/** Well-known checkpoints that differ from each other. */
const HUB = [
  "openai-community/gpt2", "EleutherAI/pythia-160m", "bigscience/bloom-560m", "Qwen/Qwen3-0.6B", "HuggingFaceTB/SmolLM3-3B",
  "allenai/OLMo-2-0425-1B", "google-bert/bert-base-uncased", "answerdotai/ModernBERT-base", "google-t5/t5-small",
  "openai/clip-vit-large-patch14", "google/siglip-base-patch16-224", "google/vit-base-patch16-224", "facebook/dinov2-small",
].map((name): Choice => ({ source: `hf:${name}`, name }));

const TASKS: Record<ModelSummary["task"], string> = {
  "causal-lm": "continues a text", "image-classification": "classifies pictures", "text-embedding": "turns texts into vectors",
  "text-classification": "classifies texts", "token-classification": "finds names in texts",
  "seq2seq": "turns a text into another", "image-text-matching": "compares pictures with texts",
};

const WORDS: Words = {
  "unsupported-model": ["This kind of model is not supported", "Its header names something that this library lacks."],
  "unsupported-quantization": ["The weights are stored in a format this page cannot read", "Another file of the same model may do."],
  "corrupt-file": ["The file is damaged, or not what it should be", "Models are GGUF files, or folders with config.json and model.safetensors."],
  "missing-file": ["A file of the model is missing", "Choose config.json and model.safetensors together, or drop their folder."],
  "network": ["The header could not be read", "Check the address and your connection."],
  "disposed": ["The model was unloaded", "Choose another."],
  "invalid-argument": ["That cannot be done", "Try another prompt or model."],
};

const view = byId("anatomy-view", HTMLElement);
const line = byId("anatomy-status", HTMLElement);
const menu = byId("anatomy-model", HTMLSelectElement);
const body = byId("anatomy", HTMLElement);
const loading = byId("anatomy-loading", HTMLElement);
const load = byId("map-load", HTMLButtonElement);

function setStatus(state: "empty" | "loading" | "ready", words: string): void {
  view.dataset["state"] = state;
  if (line.textContent !== words) line.textContent = words;
}

class Anatomy {
  private readonly map = new TokenMap((error) => this.failed(error));
  private engine: Promise<Engine> | undefined;
  private reading: AbortController | undefined;
  private shown: { choice: Choice; summary: ModelSummary } | undefined;
  /** What the user brought. */
  private readonly own: Choice[] = [];
  private shelf: Choice[] = [];

  constructor(private readonly chat: Models<CausalLM>) {
    menu.addEventListener("change", () => {
      const choice = this.shelf[menu.selectedIndex];
      if (choice) void this.show(choice);
    });
    initSources("anatomy-", (choice) => this.add(choice));
    load.addEventListener("click", () => void this.load());
    byId("anatomy-cancel-load", HTMLButtonElement).addEventListener("click", () => this.chat.cancel());
    onHeld(() => {
      this.fillMenu();
      this.offerMap();
    });
    void this.show(heldModels()[0]?.choice ?? STANDARD.chat);
  }

  /** Puts a model of the user's own on the shelf, and looks at it. */
  add(choice: Choice): void {
    this.own.push(choice);
    void this.show(choice);
  }

  private async show(choice: Choice): Promise<void> {
    this.reading?.abort();
    const { signal } = (this.reading = new AbortController());
    hideError();
    this.fillMenu(choice);
    setStatus("loading", "Reading the header");
    try {
      const summary = heldModels().find((held) => held.choice === choice)?.summary ?? (await this.inspect(choice, signal));
      if (signal.aborted) return;
      this.present(choice, summary);
    } catch (error) {
      if (signal.aborted) return;
      this.fillMenu();
      setStatus(this.shown ? "ready" : "empty", "");
      showError(error, this.shown ? `${this.shown.choice.name} is still shown.` : "", WORDS);
    }
  }

  private async inspect({ source }: Choice, signal: AbortSignal): Promise<ModelSummary> {
    this.engine ??= Engine.create();
    const engine = await this.engine.catch((error: unknown) => {
      this.engine = undefined;
      throw error;
    });
    return inspect(source, { engine, signal });
  }

  private present(choice: Choice, summary: ModelSummary): void {
    this.shown = { choice, summary };
    const { spec } = summary;
    body.hidden = false; // before anything is measured
    body.dataset["model"] = choice.name;
    body.dataset["stacks"] = String(spec.stacks.length);
    byId("anatomy-heading", HTMLElement).textContent = choice.name;
    byId("anatomy-facts", HTMLElement).replaceChildren(...factsOf(summary, [TASKS[summary.task], `reads ${format.count(summary.contextLength)} tokens`]));
    byId("anatomy-fits", HTMLElement).textContent = summary.fits === false ? `It does not fit on this device: ${summary.why}.` : "";
    const formulas = formula(spec.stacks[0]!);
    byId("diagram", HTMLElement).replaceChildren(diagram(spec, `The block of ${choice.name}: ${formulas.join(", then ")}`));
    byId("formula", HTMLElement).textContent = formulas.join("\n");
    measure(summary, spec);
    this.fillMenu();
    this.offerMap();
    setStatus("ready", "Ready");
    if (isShown("anatomy")) announce(`${choice.name}: ${summary.architecture}, ${format.parameters(summary.parameters)} parameters, ${summary.layers} layers`);
  }

  /** What can be looked at; `chosen` is, or what is shown. */
  private fillMenu(chosen = this.shown?.choice): void {
    const held = heldModels().map(({ choice }) => choice);
    const standard: Choice[] = Object.values(STANDARD);
    const onHub = ({ source }: Choice) => typeof source === "string" && source.startsWith("hf:");
    const groups: [string, Choice[]][] = [
      ["Loaded in this page", held],
      ["Opened here", this.own.filter((choice) => !held.includes(choice))],
      ["On this page’s server", standard.filter((choice) => !onHub(choice) && !held.includes(choice))],
      ["On the Hugging Face hub", [...standard.filter(onHub), ...HUB].filter((choice) => !held.includes(choice))],
    ];
    this.shelf = groups.flatMap(([, choices]) => choices);
    menu.replaceChildren(...groups.filter(([, choices]) => choices.length > 0).map(([label, choices]) => {
      const group = make("optgroup");
      group.label = label;
      group.append(...choices.map(({ name }) => make("option", "", name)));
      return group;
    }));
    menu.selectedIndex = chosen ? this.shelf.indexOf(chosen) : -1;
  }

  /** The attention of a prompt, or how to come by it. */
  private offerMap(): void {
    if (!this.shown) return;
    const { choice, summary } = this.shown;
    const reader = heldModels().find((held) => held.choice === choice)?.reader;
    const missing = byId("map-missing", HTMLElement);
    const loadable = summary.task === "causal-lm" && !reader;
    byId("map", HTMLElement).hidden = !reader;
    byId("map-offer", HTMLElement).hidden = !loadable || !loading.hidden;
    load.textContent = `Load ${choice.name}, ${format.bytes(summary.memory.weights)}`;
    missing.hidden = reader !== undefined;
    missing.replaceChildren(loadable ? "For this its weights are needed; it is loaded for the chat too." : "For a prompt this is shown of models that continue a text, and of encoders.");
    if (summary.task === "image-classification") missing.append(" Where a classifier looks in a picture, the ", link("#images", "images view"), " shows.");
    if (summary.task === "text-embedding") missing.append(" It is loaded in the ", link("#search", "search view"), ".");
    this.map.setModel(reader);
  }

  /** Loads the model that is shown, as the chat would. */
  private async load(): Promise<void> {
    const choice = this.shown?.choice;
    if (!choice) return;
    const progress = new ProgressView("anatomy-", choice.name);
    loading.hidden = false;
    this.offerMap();
    byId("anatomy-cancel-load", HTMLButtonElement).focus();
    announce(`Loading ${choice.name}`);
    const model = await this.chat.open(choice, (report) => progress.report(report));
    progress.stop();
    announce(model ? `${choice.name} is loaded` : `${choice.name} is not loaded`);
    const hadFocus = loading.contains(document.activeElement) || document.activeElement === document.body;
    loading.hidden = true;
    this.offerMap();
    if (hadFocus) (model ? byId("map-prompt", HTMLElement) : load).focus();
  }

  private failed(error: unknown): void {
    if (!isAbort(error)) showError(error, "", WORDS);
  }
}

function link(hash: string, text: string): HTMLElement {
  const element = make("a", "", text);
  element.href = hash;
  return element;
}

let anatomy: Anatomy | undefined;

/** Opens the view; the second time it is as it was. `chat` loads models that write. */
export function startAnatomy(chat: Models<CausalLM>): void {
  anatomy ??= new Anatomy(chat);
}

/** A drop while the view is shown. */
export async function dropOnAnatomy(dropped: Dropped): Promise<void> {
  anatomy?.add(await fromDrop(dropped));
}
