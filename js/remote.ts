// A model as the page holds it: in the worker that lives now, loaded again where that is another one.

import type { CallOptions, Connection } from "./connection.js";
import { AzulejoError, disposed } from "./errors.js";
import type { Engine } from "./engine.js";
import type { Calls, CallName, Loaded, Task, WireDownloadOptions, WireModelOptions } from "./protocol.js";
import type { Source } from "./source.js";
import type { LoadProgress } from "./types.js";

export interface Recipe {
  task: Task;
  source: Source;
  options: WireModelOptions;
  download: WireDownloadOptions;
}

/** Calls about a model, without the model's own id. */
type ModelCall = { [K in CallName]: Calls[K]["takes"] extends { model: number } ? K : never }[CallName];
type TakesOf<K extends ModelCall> = Omit<Calls[K]["takes"], "model">;

export class RemoteModel {
  readonly engine: Engine;
  readonly #recipe: Recipe;
  readonly #home: Home;
  #loaded!: Loaded;
  #reloading?: Promise<void>;
  #disposed = false;

  private constructor(engine: Engine, recipe: Recipe) {
    this.engine = engine;
    this.#recipe = recipe;
    this.#home = { id: ++lastId };
  }

  static async load(
    engine: Engine,
    recipe: Recipe,
    signal?: AbortSignal,
    onProgress?: (progress: LoadProgress) => void,
  ): Promise<RemoteModel> {
    const model = new RemoteModel(engine, recipe);
    await model.#load(await engine.connect(), { signal, onProgress });
    abandoned.register(model, model.#home, model.#home);
    return model;
  }

  /** What the model has said of itself. */
  get loaded(): Loaded {
    return this.#loaded;
  }

  /** Where the model is; after a death it is loaded again first. */
  async reach(): Promise<Connection> {
    this.#check();
    const connection = await this.engine.connect();
    if (this.#home.connection !== connection) {
      await (this.#reloading ??= this.#reload(connection).finally(() => {
        this.#reloading = undefined;
      }));
    }
    this.#check();
    return connection;
  }

  async call<K extends ModelCall>(name: K, takes: TakesOf<K>, options?: CallOptions): Promise<Calls[K]["gives"]> {
    return this.callAt(await this.reach(), name, takes, options);
  }

  /** At once, for who has reached it already. */
  callAt<K extends ModelCall>(
    connection: Connection,
    name: K,
    takes: TakesOf<K>,
    options?: CallOptions,
  ): Promise<Calls[K]["gives"]> {
    return connection.call(name, { ...takes, model: this.#home.id } as Calls[K]["takes"], { ...options, owner: this });
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    abandoned.unregister(this.#home);
    await this.#reloading?.catch(() => {});
    await leave(this.#home);
  }

  #check(): void {
    if (this.#disposed) throw disposed("the model");
  }

  async #reload(connection: Connection): Promise<void> {
    if (this.#recipe.source.once) {
      throw new AzulejoError(
        "disposed",
        "the worker had to be started again, and the stream this model came from cannot be read twice: load it again",
      );
    }
    await this.#load(connection, {});
  }

  async #load(connection: Connection, how: Pick<CallOptions, "signal" | "onProgress">): Promise<void> {
    const { source, ...recipe } = this.#recipe;
    const { wire, feed } = source.open();
    try {
      this.#loaded = await connection.call(
        "load",
        { ...recipe, model: this.#home.id, source: wire },
        { ...how, feed, owner: this },
      );
    } finally {
      source.close();
    }
    this.#home.connection = connection;
  }
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
const abandoned = new FinalizationRegistry<Home>((home) => void leave(home));
let lastId = 0;
