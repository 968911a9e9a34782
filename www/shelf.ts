// A shelf of models for each view: what its card says, and what this browser finds out: how large, whether it fits, how fast.

import { Engine, inspect, type EngineOptions } from "./azulejo/index.js";
import { announce, byId, make } from "./dom.js";
import { showError, type Words } from "./errors.js";
import * as format from "./format.js";
import type { Choice } from "./models.js";

/** A model of a family that the tests cover; this very file was not loaded by them. */
interface Entry extends Choice {
  source: string;
  /** Its card on the hub, where licence and languages are from. */
  card: string;
  licence: string;
  languages: string;
}

const hub = (name: string, card: string, licence: string, languages: string, file = ""): Entry => ({
  name, licence, languages, card: `https://huggingface.co/${card}`, source: `hf:${card}${file}`,
});
const gguf = (name: string, card: string, licence: string, languages: string, file: string): Entry => ({
  ...hub(name, card, licence, languages), source: `hf:${card}-GGUF/${file}`,
});

/** By the prefix of the view's ids. */
const SHELVES: Record<string, Entry[]> = {
  "": [
    gguf("SmolLM2 360M Instruct", "HuggingFaceTB/SmolLM2-360M-Instruct", "Apache-2.0", "English", "smollm2-360m-instruct-q8_0.gguf"),
    gguf("LFM2 350M", "LiquidAI/LFM2-350M", "LFM Open License 1.0", "8 languages", "LFM2-350M-Q4_K_M.gguf"),
    gguf("Qwen 2.5 0.5B Instruct", "Qwen/Qwen2.5-0.5B-Instruct", "Apache-2.0", "29 languages and more", "qwen2.5-0.5b-instruct-q4_k_m.gguf"),
    gguf("Qwen 3 0.6B", "Qwen/Qwen3-0.6B", "Apache-2.0", "100 languages and more", "Qwen3-0.6B-Q8_0.gguf"),
  ],
  "image-": [
    hub("DeiT tiny", "facebook/deit-tiny-patch16-224", "Apache-2.0", "1,000 classes, in English"),
    hub("ViT base", "google/vit-base-patch16-224", "Apache-2.0", "1,000 classes, in English"),
  ],
  "photos-": [
    hub("SigLIP base", "google/siglip-base-patch16-224", "Apache-2.0", "English"),
  ],
  "search-": [
    hub("bge-small-en-v1.5", "BAAI/bge-small-en-v1.5", "MIT", "English"),
  ],
};

const SPEEDS = "azulejo tokens a second";

/** How fast models wrote in this browser, by their names: tokens a second of the last answer. */
function speeds(): Record<string, number> {
  try {
    return JSON.parse(localStorage.getItem(SPEEDS) ?? "{}") as Record<string, number>;
  } catch {
    return {};
  }
}

/** Remembers how fast a model wrote. */
export function measured(name: string, tokensPerSecond: number): void {
  try {
    localStorage.setItem(SPEEDS, JSON.stringify({ ...speeds(), [name]: tokensPerSecond }));
  } catch {
    // nothing is kept there
  }
}

/** In words; nothing before it was measured. */
function speedOf(name: string): string[] {
  const speed = speeds()[name];
  return typeof speed === "number" ? [`${format.rate(speed)} tokens/s here`] : [];
}

/** What a shelf asks of its view. */
interface View {
  prefix: string;
  /** The name of the model that stands before the shelf. */
  standard: string;
  words: Words | undefined;
  engineOptions(): EngineOptions;
  open(choice: Choice): void;
}

/** Fills the view's shelf when it is opened. */
export function initShelf(view: View): void {
  byId(`${view.prefix}standard-speed`, HTMLElement).textContent = speedOf(view.standard).map((words) => ` · ${words}`).join("");
  const details = byId(`${view.prefix}shelf`, HTMLDetailsElement);
  const list = byId(`${view.prefix}shelf-models`, HTMLElement);
  details.addEventListener("toggle", () => {
    if (details.open) list.replaceChildren(...SHELVES[view.prefix]!.map((entry) => item(entry, view)));
  });
}

function item(entry: Entry, view: View): HTMLElement {
  const element = make("li");
  const link = make("a", "", entry.name);
  link.href = entry.card;
  const known = [entry.licence, entry.languages, ...speedOf(entry.name)];
  const facts = make("span", "quiet", known.join(" · "));
  const button = make("button", "", "How large?");
  button.type = "button";
  button.ariaLabel = `${entry.name}: how large?`;
  button.addEventListener("click", () => void look(entry, view, { facts, known, button }), { once: true });
  const words = make("p");
  words.append(link, make("br"), facts);
  element.append(words, button);
  return element;
}

/** Asks the file's beginning how large the model is and whether it fits; then the button loads it. */
async function look(entry: Entry, view: View, { facts, known, button }: { facts: HTMLElement; known: string[]; button: HTMLButtonElement }): Promise<void> {
  button.disabled = true;
  let engine: Engine | undefined;
  try {
    engine = await Engine.create(view.engineOptions());
    const { memory, fits, why } = await inspect(entry.source, { engine });
    const room = fits === false ? `does not fit on this device: ${why}` : "fits this device";
    const size = format.bytes(memory.weights);
    facts.textContent = [...known, size, room].join(" · ");
    button.textContent = `Load, ${size}`;
    button.ariaLabel = `Load ${entry.name}, ${size}`;
    button.addEventListener("click", () => view.open(entry));
    announce(`${entry.name}: ${size}, ${room}`);
  } catch (error) {
    showError(error, "", view.words);
    button.addEventListener("click", () => void look(entry, view, { facts, known, button }), { once: true });
  } finally {
    button.disabled = false;
    await engine?.dispose().catch(() => {}); // what it was made for is over, well or not
  }
}
