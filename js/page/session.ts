// A conversation that keeps its KV cache in the worker.

import { disposed } from "../shared/errors.js";
import type { Calls, Prompt } from "../shared/protocol.js";
import type { ChatOptions, GenerateOptions, Generation, Message, Session } from "../shared/types.js";
import { asyncDispose } from "./dispose.js";
import { checkGenerate } from "./generate-options.js";
import { startGeneration } from "./generation.js";
import { checkChat, refuseChatOptions } from "./messages.js";
import type { Link, Model } from "./model.js";
import { checkCount, checkPrompt } from "./validate.js";

/** A generation with the model, in a session's cache where one is given. */
export function generate(
  model: Model,
  session: RemoteSession | undefined,
  prompt: string | Message[] | ArrayLike<number>,
  options?: GenerateOptions,
): Generation {
  const site = new Error();
  return startGeneration(async (signal, onTokens) => {
    const { wire: checked, answer, chat } = checkGenerate(options);
    const ready = readPrompt(prompt, chat);
    const isConversation = typeof ready === "object" && "chat" in ready;
    const wire = { prompt: ready, options: { ...checked, ...(isConversation && answer !== undefined && { answer }) } };
    session?.check();
    const connection = await model.reach(signal);
    const opened = session?.openAt(connection);
    const call = { signal, onTokens, owner: session ?? model, site };
    const generating = model.callAt(connection, "generate", { ...wire, session: session?.id }, call);
    const [{ result, sessionLength }] = await Promise.all([generating, opened]);
    if (sessionLength !== undefined) session!.length = sessionLength;
    return result;
  }, options?.signal);
}

function readPrompt(prompt: unknown, chat: ChatOptions): Prompt {
  const checked = checkPrompt(prompt);
  if (Array.isArray(checked)) return checkChat(checked, "prompt", chat);
  refuseChatOptions(chat);
  return checked;
}

export class RemoteSession implements Session {
  length = 0;
  readonly #model: Model;
  readonly #home: Home;
  /** On its way to `home`. */
  #opening?: { connection: Link; done: Promise<void> } | undefined;
  #disposed = false;

  constructor(model: Model) {
    this.#model = model;
    this.#home = { id: ++lastId, model: model.id };
    abandoned.register(this, this.#home, this.#home);
  }

  get id(): number {
    return this.#home.id;
  }

  generate(prompt: string | Message[] | ArrayLike<number>, options?: GenerateOptions): Generation {
    return generate(this.#model, this, prompt, options);
  }

  async save(): Promise<Blob> {
    const connection = await this.#reach();
    const { data } = await this.#model.callAt(connection, "saveSession", { session: this.id }, { owner: this });
    return new Blob([data as Uint8Array<ArrayBuffer>]);
  }

  /** Has it kept by name: see `sessions`. */
  async keep(name: string): Promise<void> {
    const connection = await this.#reach();
    await this.#model.callAt(connection, "saveSession", { session: this.id, name }, { owner: this });
  }

  async clone(): Promise<Session> {
    const connection = await this.#reach();
    return RemoteSession.made(this.#model, connection, "cloneSession", { of: this.id });
  }

  async truncate(length: number): Promise<void> {
    const checked = checkCount(length, "length", 0);
    const connection = await this.#reach();
    const takes = { session: this.id, length: checked };
    this.length = await this.#model.callAt(connection, "truncateSession", takes, { owner: this });
  }

  /** Made of another one, or of one that was saved. */
  static async made<K extends "cloneSession" | "restoreSession">(
    model: Model,
    connection: Link,
    name: K,
    takes: Omit<Calls[K]["takes"], "model" | "session">,
    transfer: Transferable[] = [],
  ): Promise<RemoteSession> {
    const session = new RemoteSession(model);
    session.#home.connection = connection;
    try {
      const whole = { ...takes, model: model.id, session: session.id } as Calls[K]["takes"];
      session.length = await connection.call(name, whole, { owner: session, transfer });
      return session;
    } catch (error) {
      await session.dispose();
      throw error;
    }
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    abandoned.unregister(this.#home);
    await this.#opening?.done.catch(() => {});
    await leave(this.#home);
  }

  [asyncDispose](): Promise<void> {
    return this.dispose();
  }

  check(): void {
    if (this.#disposed) throw disposed("the session");
  }

  /** Makes the cache, in a new worker a new one: the prompt is the whole conversation, so nothing is lost. */
  openAt(connection: Link): Promise<void> | undefined {
    this.check();
    if (this.#home.connection === connection) return undefined;
    if (this.#opening?.connection === connection) return this.#opening.done;
    this.length = 0;
    const opening = { connection, done: this.#open(connection) };
    this.#opening = opening;
    opening.done.catch(() => {
      // The next call tries again.
      if (this.#opening === opening) this.#opening = undefined;
    });
    return opening.done;
  }

  /** The worker that has its cache now. */
  async #reach(): Promise<Link> {
    this.check();
    const connection = await this.#model.reach();
    await this.openAt(connection);
    return connection;
  }

  async #open(connection: Link): Promise<void> {
    await this.#model.callAt(connection, "openSession", { session: this.id }, { owner: this });
    this.#home.connection = connection;
  }
}

/** Where a session's cache is: apart from it, to be found when it is gone. */
interface Home {
  readonly id: number;
  readonly model: number;
  connection?: Link;
}

async function leave({ id, model, connection }: Home): Promise<void> {
  // In a dead worker, or with the model gone, there is nothing left to free.
  await connection?.call("disposeSession", { model, session: id }).catch(() => {});
}

/** Sessions that nobody disposed of. */
const abandoned = /* @__PURE__ */ new FinalizationRegistry<Home>((home) => void leave(home));
let lastId = 0;
