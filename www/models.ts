// Choosing and loading a model: the default checkpoint, a file, or an address.

import { CausalLM, Engine, inspect } from "/azulejo/index.js";
import type { ModelSource, ModelSummary } from "/azulejo/index.js";
import { byId, make } from "./dom.js";
import { hideError, showError } from "./errors.js";
import * as format from "./format.js";
import { ProgressView } from "./progress.js";
import { engineOptions, modelLoaded } from "./settings.js";
import { setStatus } from "./status.js";

/** A source and what to call it. */
export interface Choice {
  source: ModelSource;
  name: string;
}

const DEFAULT: Choice = { source: "/models/SmolLM2-135M-Instruct.Q4_1.gguf", name: "SmolLM2 135M Instruct" };

const choose = byId("choose", HTMLElement);
const loading = byId("loading", HTMLElement);
const loaded = byId("loaded", HTMLElement);
const card = byId("model-card", HTMLElement);
const change = byId("change-model", HTMLButtonElement);

/** The page's one model. */
export class Models {
  private lm: CausalLM | undefined;
  private choice: Choice | undefined;
  private load: { abort: AbortController; done: Promise<CausalLM | undefined> } | undefined;

  /** `onUnload` is called before a model goes: whatever uses it ends now. */
  constructor(private readonly onUnload: () => void) {
    byId("load-default", HTMLButtonElement).addEventListener("click", () => void this.open(DEFAULT));
    byId("cancel-load", HTMLButtonElement).addEventListener("click", () => this.load?.abort.abort());
    change.addEventListener("click", () => {
      choose.hidden = !choose.hidden;
      change.ariaExpanded = String(!choose.hidden);
      if (!choose.hidden) byId("load-default", HTMLButtonElement).focus();
    });
  }

  /** The loaded model, the one that is being loaded, or else the default; undefined if that failed, which was said. */
  ready(): Promise<CausalLM | undefined> {
    if (this.load) return this.load.done;
    return this.lm ? Promise.resolve(this.lm) : this.open(DEFAULT);
  }

  /** Loads the present model once more, with the settings of now. */
  reload(): void {
    if (this.choice) void this.open(this.choice);
  }

  /** Loads a model in place of the present one. Errors are shown here; then the promise is undefined. */
  open(choice: Choice): Promise<CausalLM | undefined> {
    const before = this.load;
    before?.abort.abort();
    const abort = new AbortController();
    const done = this.replace(choice, abort.signal, before?.done);
    this.load = { abort, done };
    return done;
  }

  private async replace(choice: Choice, signal: AbortSignal, before?: Promise<unknown>): Promise<CausalLM | undefined> {
    await before;
    hideError();
    const view = new ProgressView(choice.name);
    this.show(loading);
    let engine: Engine | undefined;
    try {
      engine = await Engine.create(engineOptions());
      // A model that works is not given up for one that cannot.
      if (this.lm) await inspect(choice.source, { engine, signal });
      await this.unload();
      const lm = await CausalLM.load(choice.source, { engine, signal, onProgress: (p) => view.report(p) });
      this.lm = lm;
      this.choice = choice;
      describe(card, choice.name, lm.summary, lm.engine.device);
      modelLoaded(true);
    } catch (error) {
      await engine?.dispose().catch(() => {}); // the error that led here is the one to show
      if (!signal.aborted) showError(error, this.lm ? "The model from before is still loaded." : "");
    } finally {
      view.stop();
    }
    return this.settled(choice, signal);
  }

  /** The page after a load, whatever its end; focus stays where the user can go on. */
  private settled(choice: Choice, signal: AbortSignal): CausalLM | undefined {
    if (this.load?.abort.signal !== signal) return undefined; // another load took its place
    this.load = undefined;
    const hadFocus = loading.contains(document.activeElement) || document.activeElement === document.body;
    this.show(this.lm ? loaded : choose);
    setStatus(this.lm ? "ready" : "empty", this.lm ? "Ready" : signal.aborted ? "Cancelled" : "No model yet");
    if (hadFocus) byId(this.lm ? "prompt" : "load-default", HTMLElement).focus({ preventScroll: true });
    return this.choice === choice ? this.lm : undefined;
  }

  private async unload(): Promise<void> {
    if (!this.lm) return;
    this.onUnload();
    const { engine } = this.lm;
    this.lm = undefined;
    modelLoaded(false);
    await engine.dispose();
  }

  private show(panel: HTMLElement): void {
    const hadFocus = choose.contains(document.activeElement);
    for (const each of [choose, loading, loaded]) each.hidden = each !== panel;
    change.ariaExpanded = "false";
    if (hadFocus && panel === loading) byId("cancel-load", HTMLButtonElement).focus();
  }
}

/** Writes what the model is and where it runs. */
function describe(element: HTMLElement, name: string, summary: ModelSummary, device: Engine["device"]): void {
  const { memory } = summary;
  const features = device.features
    .map((feature) => feature.replace("relaxed-simd", "relaxed SIMD"))
    .filter((feature) => !device.description.toLowerCase().includes(feature.toLowerCase()));
  const where = device.kind === "webgpu" ? `WebGPU: ${device.description}` : device.description;
  const facts = [
    summary.architecture,
    `${format.parameters(summary.parameters)} parameters`,
    quantization(summary),
    `${summary.layers} layers × ${format.count(summary.width)} wide`,
    `reads ${format.count(summary.contextLength)} tokens`,
    `${format.bytes(memory.total)} memory`,
    [where, ...features].join(", ") + (device.reason ? ` (${device.reason})` : ""),
  ];
  element.replaceChildren(make("strong", "", name));
  for (const fact of facts) element.append(" ", make("span", "fact", fact));
  element.title = `weights ${format.bytes(memory.weights)}, conversation up to ${format.bytes(memory.kvCache)}, working space ${format.bytes(memory.activations)}`;
}

/** Q4_1, or Q4_K + Q6_K: types of the weights, the most frequent first. Small float tensors do not count. */
function quantization(summary: ModelSummary): string {
  const types = Object.entries(summary.quantization).sort((a, b) => b[1] - a[1]).map(([type]) => type);
  const packed = types.filter((type) => type !== "F32");
  return (packed.length > 0 ? packed : types).join(" + ");
}
