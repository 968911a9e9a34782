// What every class of models has in common: what it is, where it computes, and its end.

import type { ModelSummary } from "../shared/types.js";
import { asyncDispose } from "./dispose.js";
import type { Engine } from "./engine.js";

/** What is asked here of the model as the page holds it (remote.ts). */
interface Held {
  readonly engine: Engine;
  readonly loaded: { summary: ModelSummary };
  dispose(): Promise<void>;
}

/** A checkpoint that was loaded, whatever it is for. */
export abstract class LoadedModel {
  readonly #held: Held;

  protected constructor(held: Held) {
    this.#held = held;
  }

  /** What it is, and what it needs. */
  get summary(): ModelSummary {
    return this.#held.loaded.summary;
  }

  /** Whose device it computes on. */
  get engine(): Engine {
    return this.#held.engine;
  }

  /** Frees the model. What waits for it rejects with code "disposed". */
  dispose(): Promise<void> {
    return this.#held.dispose();
  }

  /** `dispose`, for `await using`. */
  [asyncDispose](): Promise<void> {
    return this.dispose();
  }
}
