// Choosing and loading a model: the default checkpoint, files, or an address. Each view of the page has one.

import { AzulejoError, CausalLM, Engine, inspect, TextEmbedder } from "./azulejo/index.js";
import type { EngineOptions, LoadOptions, LoadProgress, ModelSource, ModelSummary } from "./azulejo/index.js";
import { byId } from "./dom.js";
import { hideError, showError, type Words } from "./errors.js";
import { hold } from "./held.js";
import { isKept } from "./kept.js";
import { describe } from "./model-card.js";
import { ProgressView } from "./progress.js";
import { initShelf } from "./shelf.js";

/** A source and what to call it. */
export interface Choice {
  source: ModelSource;
  name: string;
}

/** What the page asks of any model. */
interface Model {
  readonly summary: ModelSummary;
  readonly engine: Engine;
}

/** A view's kind of model, and what the view wants to know. */
export interface Kind<M extends Model> {
  /** What the ids of the view's elements begin with: `choose`, `loading`, `loaded` and what is in them. */
  prefix: string;
  /** What it is for; models for one of the others are taken as well. */
  tasks: [ModelSummary["task"], ...ModelSummary["task"][]];
  standard: Choice;
  /** It is so small that it is fetched unasked. */
  unasked?: boolean;
  load(source: ModelSource, options: LoadOptions): Promise<M>;
  engineOptions(): EngineOptions;
  /** What the card says of this kind. */
  facts(model: M): string[];
  /** Called as a load begins and ends; a screen reader hears the text. */
  status(state: "loading" | "ready" | "empty", text: string): void;
  /** What else to advise after an error. */
  words?: Words;
  /** The id of what to do next with a model. */
  next: string;
  onLoad(model: M): void;
  /** Called before a model goes: whatever uses it ends now. */
  onUnload(): void;
}

/** How one load goes: what ends it, who hears of it, which load must be over first. */
interface Way {
  signal: AbortSignal;
  onProgress: ((progress: LoadProgress) => void) | undefined;
  before: Promise<unknown> | undefined;
}

/** A view's one model. */
export class Models<M extends Model> {
  private readonly choose: HTMLElement;
  private readonly loading: HTMLElement;
  private readonly loaded: HTMLElement;
  private readonly card: HTMLElement;
  private readonly change: HTMLButtonElement;
  private readonly first: HTMLButtonElement;
  private model: M | undefined;
  private choice: Choice | undefined;
  /** Who waits for a model that the user has not asked for yet. */
  private waiting: ((model: M) => void)[] = [];
  private load: { choice: Choice; abort: AbortController; done: Promise<M | undefined> } | undefined;

  constructor(private readonly kind: Kind<M>) {
    const { prefix } = kind;
    this.choose = byId(`${prefix}choose`, HTMLElement);
    this.loading = byId(`${prefix}loading`, HTMLElement);
    this.loaded = byId(`${prefix}loaded`, HTMLElement);
    this.card = byId(`${prefix}model-card`, HTMLElement);
    this.change = byId(`${prefix}change-model`, HTMLButtonElement);
    this.first = byId(`${prefix}load-default`, HTMLButtonElement);
    this.first.addEventListener("click", () => void this.open(kind.standard));
    initShelf({ prefix, standard: kind.standard.name, words: kind.words, engineOptions: () => kind.engineOptions(), open: (choice) => void this.open(choice) });
    byId(`${prefix}cancel-load`, HTMLButtonElement).addEventListener("click", () => this.cancel());
    this.change.addEventListener("click", () => {
      this.choose.hidden = !this.choose.hidden;
      this.change.ariaExpanded = String(!this.choose.hidden);
      if (!this.choose.hidden) this.first.focus();
    });
  }

  /** What the present model is called. */
  get name(): string | undefined {
    return this.choice?.name;
  }

  /**
   * The loaded model, or the one that is being loaded. Where there is none, the default if it costs no download to speak of,
   * else whichever the user loads next: `ask` says so, and brings the choice into view. Undefined if a load failed, which was said.
   */
  async ready(ask = false): Promise<M | undefined> {
    const free = this.load || this.model || this.kind.unasked || (await isKept(this.kind.standard.source).catch(() => false));
    if (this.load) return this.load.done;
    if (this.model) return this.model;
    if (free) return this.open(this.kind.standard);
    this.show(this.choose);
    if (ask) {
      this.choose.scrollIntoView({ block: "nearest" });
      this.kind.status("empty", "Load a model first");
    }
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Loads the present model once more, or the one that is being loaded, with the settings of now. */
  async reload(): Promise<void> {
    const choice = this.load?.choice ?? this.choice;
    if (choice) await this.open(choice);
  }

  /** Ends the load that is going on. */
  cancel(): void {
    this.load?.abort.abort();
  }

  /**
   * Loads a model in place of the present one; `onProgress` hears of it besides the view. Errors are shown here; then
   * the promise is undefined.
   */
  open(choice: Choice, onProgress?: (progress: LoadProgress) => void): Promise<M | undefined> {
    const before = this.load;
    before?.abort.abort();
    const abort = new AbortController();
    const done = this.replace(choice, { signal: abort.signal, onProgress, before: before?.done });
    this.load = { choice, abort, done };
    return done;
  }

  private async replace(choice: Choice, { signal, onProgress, before }: Way): Promise<M | undefined> {
    await before;
    hideError();
    const { kind } = this;
    const view = new ProgressView(kind.prefix, choice.name);
    kind.status("loading", "Loading the model");
    this.show(this.loading);
    let engine: Engine | undefined;
    try {
      engine = await Engine.create(kind.engineOptions());
      // A model that works is not given up for one that cannot.
      if (this.model) await this.check(choice, engine, signal);
      await this.unload();
      const report = (progress: LoadProgress) => [view.report(progress), onProgress?.(progress)];
      const model = await kind.load(choice.source, { engine, signal, onProgress: report });
      this.model = model;
      this.choice = choice;
      const { summary, engine: { device } } = model;
      hold(kind.prefix, { choice, summary, ...((model instanceof CausalLM || model instanceof TextEmbedder) && { reader: model }) });
      describe(this.card, choice.name, { summary, device, own: kind.facts(model) });
      kind.onLoad(model);
    } catch (error) {
      await engine?.dispose().catch(() => {}); // the error that led here is the one to show
      if (!signal.aborted) showError(error, this.model ? "The model from before is still loaded." : "", kind.words);
    } finally {
      view.stop();
    }
    return this.settled(choice, signal);
  }

  private async check({ source, name }: Choice, engine: Engine, signal: AbortSignal): Promise<void> {
    const { task, architecture } = await inspect(source, { engine, signal });
    const { tasks } = this.kind;
    if (tasks.includes(task)) return;
    throw new AzulejoError("unsupported-model", `${name} is a model for ${task} (${architecture}), not for ${tasks[0]}`);
  }

  /** The page after a load, whatever its end; focus stays where the user can go on. */
  private settled(choice: Choice, signal: AbortSignal): M | undefined {
    if (this.load?.abort.signal !== signal) return undefined; // another load took its place
    this.load = undefined;
    const { loading, model, kind } = this;
    const hadFocus = loading.contains(document.activeElement) || document.activeElement === document.body;
    this.show(model ? this.loaded : this.choose);
    kind.status(model ? "ready" : "empty", model ? "Ready" : signal.aborted ? "Cancelled" : "No model yet");
    if (model) for (const resolve of this.waiting.splice(0)) resolve(model);
    if (hadFocus) (model ? byId(kind.next, HTMLElement) : this.first).focus({ preventScroll: true });
    return this.choice === choice ? model : undefined;
  }

  private async unload(): Promise<void> {
    if (!this.model) return;
    this.kind.onUnload();
    hold(this.kind.prefix, undefined);
    const { engine } = this.model;
    this.model = undefined;
    await engine.dispose();
  }

  private show(panel: HTMLElement): void {
    const { choose, loading, loaded } = this;
    const hadFocus = choose.contains(document.activeElement);
    for (const each of [choose, loading, loaded]) each.hidden = each !== panel;
    this.change.ariaExpanded = "false";
    if (hadFocus && panel === loading) byId(`${this.kind.prefix}cancel-load`, HTMLButtonElement).focus();
  }
}
