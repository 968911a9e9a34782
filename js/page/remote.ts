// A model as the page holds it: in the worker that lives now, loaded again where that is another one.

import { aborted, AzulejoError, disposed, invalid } from "../shared/errors.js";
import type { Calls, CallName, Loaded, Task, WireModelOptions } from "../shared/protocol.js";
import type { CallOptions, Connection } from "./connection.js";
import type { Engine } from "./engine.js";
import type { Link, Model, ModelCall, Reading, TakesOf } from "./model.js";
import { orAborted, pause, SharedWork } from "./shared-work.js";
import type { Source } from "./source.js";
import { throwIfAborted } from "./validate.js";

/** All that a model needs to be loaded, and loaded again. */
export interface Recipe extends Reading {
  task: Task;
  options: WireModelOptions;
  /** The source is an adapter's, which stands beside this model's weights by that scale. */
  beside?: { model: RemoteModel; scale: number };
}

/**
 * How long is waited before a model is loaded again whose worker has died since its last answer, reload by reload; after
 * so many it is given up. The first comes at once: it may have been another model's fault.
 */
const PAUSES_MS = [0, 250, 1000, 4000];

/** Calls that a model answers without computing anything. */
const PROVES_NOTHING: ReadonlySet<CallName> = /* @__PURE__ */ new Set([
  "encode",
  "decode",
  "applyChatTemplate",
  "openSession",
  "disposeSession",
  "cloneSession",
  "truncateSession",
] satisfies CallName[]);

export class RemoteModel implements Model {
  readonly engine: Engine;
  readonly #recipe: Recipe;
  readonly #home: Home;
  #loaded!: Loaded;
  /** How often it was loaded again since it last answered, and what the last worker died of. */
  #reloads = 0;
  #death?: AzulejoError | undefined;
  #reloading?: SharedWork | undefined;
  #disposed = false;

  private constructor(engine: Engine, recipe: Recipe) {
    this.engine = engine;
    this.#recipe = recipe;
    this.#home = { id: ++lastId };
  }

  static async load(engine: Engine, recipe: Recipe, signal?: AbortSignal, site?: Error): Promise<RemoteModel> {
    const model = new RemoteModel(engine, recipe);
    await model.#load(await orAborted(engine.connect(), signal), signal, site);
    if (signal?.aborted) {
      await leave(model.#home);
      throw aborted(signal);
    }
    abandoned.register(model, model.#home, model.#home);
    return model;
  }

  get id(): number {
    return this.#home.id;
  }

  adapted(adapter: Reading, scale: number, signal?: AbortSignal, site?: Error): Promise<RemoteModel> {
    this.#check();
    if (this.#recipe.beside !== undefined) throw invalid("this model has an adapter already: give another one to the model without it");
    const { task, options } = this.#recipe;
    return RemoteModel.load(this.engine, { ...adapter, task, options, beside: { model: this, scale } }, signal, site);
  }

  /** What the model has said of itself. */
  get loaded(): Loaded {
    return this.#loaded;
  }

  /** Where the model is; after a death it is loaded again first, which the signal ends for who gave it. */
  async reach(signal?: AbortSignal): Promise<Connection> {
    this.#check();
    for (;;) {
      const connection = await orAborted(this.engine.connect(), signal);
      this.#check();
      if (this.#home.connection === connection) return connection;
      const reloading = (this.#reloading ??= this.#startReload());
      if (reloading.isEnding) await orAborted(reloading.over, signal);
      else await reloading.join(signal).catch((error) => this.#explain(error));
    }
  }

  async call<K extends ModelCall>(name: K, takes: TakesOf<K>, options: CallOptions = {}): Promise<Calls[K]["gives"]> {
    const site = options.site ?? new Error();
    return this.callAt(await this.reach(options.signal), name, takes, { ...options, site });
  }

  async callAt<K extends ModelCall>(
    connection: Link,
    name: K,
    takes: TakesOf<K>,
    options?: CallOptions,
  ): Promise<Calls[K]["gives"]> {
    const whole = { ...takes, model: this.#home.id } as Calls[K]["takes"];
    const calling = connection.call(name, whole, { owner: this, ...options });
    const answer = await calling;
    if (!PROVES_NOTHING.has(name)) this.#reloads = 0;
    // The answer was on its way when it was called off; a generation's says so itself.
    if (name !== "generate") throwIfAborted(options?.signal);
    return answer;
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    abandoned.unregister(this.#home);
    this.#reloading?.end();
    await leave(this.#home);
  }

  #check(): void {
    if (this.#disposed) throw disposed("the model");
  }

  /** What ended the reload, to who still waits for it: nobody else called it off. */
  #explain(error: unknown): never {
    this.#check();
    throw error;
  }

  #startReload(): SharedWork {
    const work = new SharedWork((signal) => this.#reload(signal));
    void work.over.then(() => {
      if (this.#reloading === work) this.#reloading = undefined;
    });
    return work;
  }

  async #reload(signal: AbortSignal): Promise<void> {
    if (this.#recipe.source.once) {
      throw new AzulejoError(
        "disposed",
        "the worker had to be started again, and the stream this model came from cannot be read twice: load it again",
      );
    }
    this.#death ??= this.#home.connection?.death;
    const wait = PAUSES_MS[this.#reloads];
    if (wait === undefined) throw this.#givenUp();
    if (wait > 0) await pause(wait, signal);
    const connection = await orAborted(this.engine.connect(), signal);
    this.#reloads++;
    try {
      await this.#load(connection, signal);
      this.#death = undefined;
    } catch (error) {
      this.#death = connection.death ?? this.#death;
      if (connection.death !== undefined) throw error;
      // That says nothing against the model.
      this.#reloads--;
      if (signal.aborted) throw error;
      // Whoever called something else should know why it is read at all.
      const { code, message, where } = error as AzulejoError;
      const why = "while the model was loaded again, as its worker had died";
      throw new AzulejoError(code, `${message} (${why})`, where, { cause: error });
    }
  }

  #givenUp(): AzulejoError {
    const { code, message } = this.#death ?? new AzulejoError("internal", "it ended");
    const times = `${PAUSES_MS.length} times`;
    return new AzulejoError(code, `the model's worker died again and again, ${times} after a reload (${message}): load the model anew`);
  }

  async #load(connection: Connection, signal?: AbortSignal, site?: Error): Promise<void> {
    const { source, fetch, onProgress, beside, ...recipe } = this.#recipe;
    // After a death the model is loaded again first, whoever asks for it.
    const at = beside === undefined ? connection : await beside.model.reach(signal);
    const { wire, feed } = source.open();
    const how = { signal, feed, fetch, onProgress, owner: this, ...(site && { site }) };
    const takes = { model: this.#home.id, source: wire, download: recipe.download };
    try {
      this.#loaded =
        beside === undefined
          ? await at.call("load", { ...recipe, ...takes }, how)
          : await at.call("adapt", { ...takes, of: beside.model.id, scale: beside.scale }, how);
    } catch (error) {
      throw hinted(error, source);
    } finally {
      source.close();
    }
    this.#home.connection = at;
    // Disposed of meanwhile, when there was nothing to be freed yet.
    if (this.#disposed) await leave(this.#home);
  }
}

/** Where nothing was found, something else may have been meant. */
export function hinted(error: unknown, { hint }: Source): unknown {
  const { code, message, where } = error as AzulejoError;
  if (hint === undefined || code !== "missing-file") return error;
  return new AzulejoError(code, `${message}; ${hint}`, where, { cause: error });
}

/** Where a model is: apart from it, to be found when it is gone. */
interface Home {
  readonly id: number;
  connection?: Connection;
}

async function leave({ id, connection }: Home): Promise<void> {
  // In a dead worker there is nothing left to free.
  await connection?.call("disposeModel", { model: id }).catch(() => {});
}

/** Models that nobody disposed of. */
const abandoned = /* @__PURE__ */ new FinalizationRegistry<Home>((home) => void leave(home));
let lastId = 0;
