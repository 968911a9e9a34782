// A model in numbers: its parts, its layers, and the memory that a context takes.

import type { ModelSummary } from "./azulejo/index.js";
import { byId, make } from "./dom.js";
import * as format from "./format.js";
import { attentions, distinct, stacksOf, type Attention, type Spec, type Stack } from "./spec.js";

const length = byId("cache-length", HTMLInputElement);
/** What the slider starts at, if the model reads that much. */
const CONTEXT = 2048;

/** What is shown at present. */
let summary: ModelSummary | undefined;
length.addEventListener("input", showMemory);

/** Shows the numbers of a model. */
export function measure(model: ModelSummary, spec: Spec): void {
  summary = model;
  showParts(model);
  showRule(model, spec);
  byId("layer-strips", HTMLElement).replaceChildren(...stacksOf(spec).flatMap(({ name, stack }) => strip(name, stack)));
  byId("cache-card", HTMLElement).hidden = model.memory.kvCache === 0;
  length.max = String(model.contextLength);
  length.value = String(Math.min(CONTEXT, model.contextLength));
  showMemory();
}

function showParts({ parts, parameters }: ModelSummary): void {
  const largest = Math.max(1, ...parts.map((part) => part.parameters));
  const rows = [...parts].sort((a, b) => b.parameters - a.parameters).map((part) => {
    const numbers = `${format.parameters(part.parameters)} · ${format.percent(part.parameters / parameters)} · ${format.bytes(part.bytes)}`;
    return bar(part.name, numbers, part.parameters / largest);
  });
  byId("parts", HTMLElement).replaceChildren(...rows);
}

/** A line with two texts above a bar. */
function bar(name: string, numbers: string, part: number): HTMLElement {
  const item = make("li");
  const line = make("span", "bar");
  line.style.setProperty("--part", String(part));
  item.append(make("span", "label", name), make("span", "numbers quiet", numbers), line);
  return item;
}

/** Attention has 4 · width² weights and a feed-forward network of the usual size 8 · width². */
function showRule({ parameters }: ModelSummary, spec: Spec): void {
  const terms = stacksOf(spec).map(({ stack: { blocks: { length: layers }, width } }) => ({ words: `12 · ${layers} · ${format.count(width)}²`, value: 12 * layers * width ** 2 }));
  const sum = terms.reduce((total, { value }) => total + value, 0);
  byId("rule-of-thumb", HTMLElement).textContent =
    `Rule of thumb, 12 · layers · width²: ${terms.map(({ words }) => words).join(" + ")} = ${format.parameters(sum)}. ` +
    `Counted: ${format.parameters(parameters)}, exactly ${format.count(parameters)}.`;
}

/** What tells one layer from another. */
interface LayerKind {
  words: string;
  look: "whole" | "window" | "placeless";
}

/** `bases`: those of all layers' RoPE. */
function kindOf({ window, rope }: Attention, bases: Set<number>): LayerKind {
  const sight = window === null ? "sees the whole context" : `looks ${format.count(window)} tokens back`;
  const placeless = bases.size > 0 && !rope;
  const positions = placeless ? ", without positions" : bases.size > 1 && rope ? `, RoPE of base ${format.count(rope.theta)}` : "";
  return { words: sight + positions, look: placeless ? "placeless" : window === null ? "whole" : "window" };
}

/** A cell for each layer, and what the kinds are; `name` of the stack, if there are two. */
function strip(name: string, { blocks }: Stack): HTMLElement[] {
  const bases = new Set(attentions(blocks).flatMap(({ rope }) => rope?.theta ?? []));
  const kinds = blocks.map(({ mixer }): LayerKind =>
    mixer.type === "attention" ? kindOf(mixer, bases) : { words: `convolves the last ${mixer.taps} tokens`, look: "window" });
  const all = distinct(kinds, ({ words }) => words);
  const cells = make("div", "strip");
  cells.setAttribute("role", "img");
  cells.ariaLabel = kinds.map(({ words }, layer) => `${layer + 1}: ${words}`).join("; ");
  cells.append(...kinds.map(({ words, look }, layer) => {
    const cell = make("span", `layer ${look}`);
    cell.title = `Layer ${layer + 1}: ${words}`;
    return cell;
  }));
  const legend = make("ul", "strip-legend quiet");
  legend.append(...all.map(({ words, look }) => {
    const item = make("li");
    const count = kinds.filter((kind) => kind.words === words).length;
    item.append(make("span", `layer ${look}`), make("span", "", `${count === kinds.length ? `all ${count}` : count}: ${words}`));
    return item;
  }));
  return [...(name ? [make("h3", "quiet", name)] : []), cells, legend];
}

function showMemory(): void {
  if (!summary) return;
  const { memory, contextLength } = summary;
  const tokens = Number(length.value);
  const rate = memory.kvCache / contextLength;
  const words = `${format.count(tokens)} of ${format.count(contextLength)} tokens`;
  byId("cache-length-value", HTMLOutputElement).textContent = words;
  length.setAttribute("aria-valuetext", words);
  const rows: [string, number][] = [
    ["weights", memory.weights],
    ["keys and values of the context", rate * tokens],
    ["working space", memory.activations],
  ];
  const largest = Math.max(memory.weights, memory.kvCache, memory.activations);
  byId("memory", HTMLElement).replaceChildren(...rows.map(([name, bytes]) => bar(name, format.bytes(bytes), bytes / largest)));
  byId("cache-rate", HTMLElement).textContent =
    `${format.bytes(rate)} for each token; ${format.bytes(memory.kvCache)} for the ${format.count(contextLength)} tokens it can read.`;
}
