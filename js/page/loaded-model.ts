// What every class of models has in common: what it is, where it computes, and its end.

import type { ModelServer, ModelSummary } from "../shared/types.js";
import { asyncDispose } from "./dispose.js";
import type { Engine } from "./engine.js";

/** What is asked here of a `Model`. */
interface Held {
  readonly engine: Engine;
  readonly loaded: { summary: ModelSummary };
  readonly server?: ModelServer | undefined;
  dispose(): Promise<void>;
}

/** A checkpoint that was loaded, whatever it is for. */
export abstract class LoadedModel {
  readonly #held: Held;

  protected constructor(held: Held) {
    this.#held = held;
  }

  /** What it is, and what it needs. Throws "unsupported-model" where only a server knows. */
  get summary(): ModelSummary {
    return this.#held.loaded.summary;
  }

  /** Whose device it computes on. Throws "unsupported-model" where that is a server's. */
  get engine(): Engine {
    return this.#held.engine;
  }

  /** Where it computes, if not here, and why: on the `fallback` that `load` was given, or as "azulejo/remote" was told. */
  get server(): ModelServer | undefined {
    return this.#held.server;
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
