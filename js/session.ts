// A conversation that keeps its KV cache in the worker.

import type { Connection } from "./connection.js";
import { disposed, invalid } from "./errors.js";
import { startGeneration } from "./generation.js";
import { nothingMade } from "./protocol.js";
import type { RemoteModel } from "./remote.js";
import type { GenerateOptions, Generation, Message, Session } from "./types.js";
import { checkGenerate, checkPrompt } from "./validate.js";

/** A generation with the model, in a session's cache where one is given. */
export function generate(
  model: RemoteModel,
  session: RemoteSession | undefined,
  prompt: string | Message[] | ArrayLike<number>,
  options: GenerateOptions = {},
): Generation {
  return startGeneration(async (signal, onTokens) => {
    const wire = { prompt: checkPrompt(prompt), options: checkGenerate(options) };
    session?.check();
    if (signal.aborted) return nothingMade();
    const connection = await model.reach();
    const opened = session?.openAt(connection);
    const call = model.callAt(connection, "generate", { ...wire, session: session?.id }, { signal, onTokens });
    const [{ result, sessionLength }] = await Promise.all([call, opened]);
    if (sessionLength !== undefined) session!.length = sessionLength;
    return result;
  }, options?.signal);
}

export class RemoteSession implements Session {
  readonly id = ++lastId;
  length = 0;
  readonly #model: RemoteModel;
  #connection?: Connection;
  #disposed = false;

  constructor(model: RemoteModel) {
    this.#model = model;
  }

  generate(prompt: string | Message[] | ArrayLike<number>, options?: GenerateOptions): Generation {
    return generate(this.#model, this, prompt, options);
  }

  save(): Promise<Blob> {
    return Promise.reject(invalid("session.save: not supported yet"));
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    // In a dead worker, or with the model gone, there is nothing left to free.
    if (this.#connection !== undefined)
      await this.#model.callAt(this.#connection, "disposeSession", { session: this.id }).catch(() => {});
  }

  check(): void {
    if (this.#disposed) throw disposed("the session");
  }

  /** Makes the cache, in a new worker a new one: the prompt is the whole conversation, so nothing is lost. */
  openAt(connection: Connection): Promise<void> | undefined {
    this.check();
    if (this.#connection === connection) return undefined;
    this.#connection = connection;
    this.length = 0;
    return this.#model.callAt(connection, "openSession", { session: this.id });
  }
}
let lastId = 0;
