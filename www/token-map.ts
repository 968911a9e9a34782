// The attention between a prompt's tokens, of any layer and head.

import type { CausalLM, TextEmbedder } from "./azulejo/index.js";
import { byId, make } from "./dom.js";
import * as format from "./format.js";
import { gridCanvas, GridPicture } from "./grid-picture.js";
import { Latest } from "./latest.js";

/** Of a longer prompt the beginning is shown: more rows than this are no picture to read. */
const MOST_TOKENS = 64;

const prompt = byId("map-prompt", HTMLTextAreaElement);
const layer = byId("map-layer", HTMLInputElement);
const head = byId("map-head", HTMLInputElement);
const small = byId("map-heads", HTMLElement);
const words = byId("map-words", HTMLElement);

type Reader = CausalLM | TextEmbedder;

/** One layer's weights for a prompt: [heads, tokens, tokens]. */
interface Maps {
  model: Reader;
  text: string;
  layer: number;
  tokens: string[];
  weights: Float32Array;
}

export class TokenMap {
  private readonly picture = new GridPicture(byId("token-map", HTMLCanvasElement), byId("map-info", HTMLElement),
    "Point at a cell, or go there with the arrow keys.");
  private readonly following = new Latest(() => this.follow());
  private model: Reader | undefined;
  private maps: Maps | undefined;

  constructor(private readonly failed: (error: unknown) => void) {
    for (const field of [prompt, layer]) field.addEventListener("input", () => this.changed());
    head.addEventListener("input", () => this.chosen());
  }

  /** Looks at another model, or at none. */
  setModel(model: Reader | undefined): void {
    if (model === this.model) return;
    this.model = model;
    this.clear();
    if (!model) return;
    layer.max = String(model.summary.layers);
    head.max = String(model.summary.heads);
    const seen = model.summary.task === "causal-lm" ? "every token up to itself" : "every token";
    words.textContent = `Each row is a token, and shows how much it takes from ${seen}: the stronger the colour, the more.`;
    this.changed();
  }

  private changed(): void {
    this.describe();
    this.following.again();
  }

  private chosen(): void {
    this.describe();
    this.paint();
  }

  /** Makes and shows what is wanted. */
  private async follow(): Promise<void> {
    const { model } = this;
    const wanted = { text: prompt.value, layer: Number(layer.value) - 1 };
    if (!model || (this.maps?.model === model && this.maps.text === wanted.text && this.maps.layer === wanted.layer)) return;
    try {
      const { tokenizer } = model;
      const ids = (await tokenizer.encode(wanted.text, { addSpecial: true })).slice(0, MOST_TOKENS);
      if (ids.length === 0) return this.clear();
      const { data } = await model.attentionMaps(ids, { layer: wanted.layer });
      const tokens = await Promise.all([...ids].map((id) => tokenizer.decode([id])));
      if (model !== this.model) return;
      this.maps = { ...wanted, model, tokens: tokens.map(visible), weights: data };
      this.paintSmall();
      this.paint();
    } catch (error) {
      if (model === this.model) this.failed(error);
    }
  }

  private clear(): void {
    this.maps = undefined;
    this.picture.show(undefined);
    small.replaceChildren();
  }

  /** Every head by itself, small, to choose from. */
  private paintSmall(): void {
    const { tokens: { length }, weights, model: { summary: { heads } } } = this.maps!;
    small.replaceChildren(...Array.from({ length: heads }, (_, at) => {
      const item = make("li");
      const button = make("button");
      button.type = "button";
      button.ariaLabel = button.title = `Head ${at + 1}`;
      button.append(gridCanvas(length, length, weights.subarray(at * length ** 2, (at + 1) * length ** 2).map(Math.sqrt), getComputedStyle(small).color));
      button.addEventListener("click", () => {
        head.value = String(at + 1);
        this.chosen();
      });
      item.append(button);
      return item;
    }));
    this.describe();
  }

  private paint(): void {
    if (!this.maps) return;
    const { tokens, weights, model: { summary: { heads } } } = this.maps;
    const count = tokens.length;
    const one = Number(head.value) - 1;
    const chosen = one < 0 ? Array.from({ length: heads }, (_, at) => at) : [one];
    const shares = new Float32Array(count * count);
    for (const each of chosen) {
      for (let at = 0; at < shares.length; at++) shares[at]! += weights[each * shares.length + at]! / chosen.length;
    }
    const causal = this.model?.summary.task === "causal-lm";
    this.picture.show({
      rows: count, columns: count,
      // Most weights are small: the root brings them out.
      values: shares.map(Math.sqrt),
      labels: { rows: tokens, columns: tokens },
      describe: (row, column) => causal && column > row && shares[row * count + column] === 0
        ? `“${tokens[row]}” does not see “${tokens[column]}”, which comes later.`
        : `“${tokens[row]}” takes ${format.percent(shares[row * count + column]!)} from “${tokens[column]}”.`,
    });
  }

  private describe(): void {
    const of = Number(head.value);
    say(layer, "map-layer-value", `${layer.value} of ${layer.max}`);
    say(head, "map-head-value", of === 0 ? "mean of all" : `${of} of ${head.max}`);
    for (const [at, button] of [...small.querySelectorAll("button")].entries()) button.ariaPressed = String(at + 1 === of);
  }
}

/** A token as it can be read: spaces and line ends are part of it. */
const visible = (token: string) => token.replace(/^ (?=.)/, "").replace(/^ $/, "␣").replaceAll("\n", "↵").replaceAll("\t", "⇥") || "∅";

function say(slider: HTMLInputElement, output: string, text: string): void {
  byId(output, HTMLOutputElement).textContent = text;
  slider.setAttribute("aria-valuetext", text);
}
