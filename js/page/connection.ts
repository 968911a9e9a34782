// A host as the page sees it: calls that become promises, until it dies.

import { aborted, AzulejoError, asError, fromWire, toWire, type WireError } from "../shared/errors.js";
import { isNode } from "../shared/platform.js";
import type { CallName, Calls, FromHost, FromThread, StartOptions, Stranger, ToHost } from "../shared/protocol.js";
import type { DeviceInfo, Fetch, GeneratedToken, LoadProgress } from "../shared/types.js";
import { sameVersion } from "../shared/version-check.js";
import { PageFetches } from "./page-fetch.js";
import type { Feed } from "./source.js";
import { openTransport, type Transport } from "./transport.js";
import { Watch } from "./watch.js";

export interface CallOptions {
  signal?: AbortSignal | undefined;
  feed?: Feed | undefined;
  /** The caller's own, for what the worker wants from the network. */
  fetch?: Fetch | undefined;
  /** Buffers that the call takes with it: ours, never the caller's. */
  transfer?: Transferable[];
  onProgress?: ((progress: LoadProgress) => void) | undefined;
  onTokens?: (tokens: GeneratedToken[]) => void;
  /** Kept from the garbage collector until the call is over. */
  owner?: object;
  /** Made where the caller called, if that is not where the call is sent from: errors show it. */
  site?: Error;
}

interface Pending extends CallOptions {
  resolve(value: unknown): void;
  reject(error: AzulejoError): void;
  /** Forgets the signal. */
  over(): void;
}

/** A worker that ends may say why so much later than its threads are gone. */
const LAST_WORDS_MS = 100;

export class Connection {
  device!: DeviceInfo;
  /** Of a dead one: resolves once its worker has let go of everything, where that is told. */
  gone: Promise<unknown> | undefined;
  #transport!: Transport;
  readonly #pending = new Map<number, Pending>();
  #last = 0;
  #dead?: AzulejoError;
  readonly #onDeath: () => void;
  readonly #strangers = new Watch();
  readonly #fetches = new PageFetches((message, transfer) => this.#post(message, transfer));
  readonly #watch = new AbortController();
  /** From the pool's threads. */
  readonly #ports: MessagePort[] = [];

  private constructor(onDeath: () => void) {
    this.#onDeath = onDeath;
  }

  /** `onDeath` is called once, whether it failed or was closed. */
  static async open(options: StartOptions, onDeath: () => void): Promise<Connection> {
    const connection = new Connection(onDeath);
    connection.#transport = await openTransport(options, {
      message: (message) => connection.#heard(message),
      failed: (error) => connection.die(error),
    });
    // Node, and what acts like it, tells of a worker's end, and stays for whoever waits for a lock.
    const locks = isNode() ? undefined : globalThis.navigator?.locks;
    const alive = options.inPage || locks === undefined ? undefined : `azulejo ${Math.random()}`;
    try {
      const { version, device } = await connection.call("start", { ...options, alive });
      sameVersion("page", options.version, "worker", version);
      connection.device = device;
    } catch (error) {
      connection.die(asError(error));
      throw error;
    }
    if (alive !== undefined) connection.#watchLock(alive);
    return connection;
  }

  /** Why it ended, if it has. */
  get death(): AzulejoError | undefined {
    return this.#dead;
  }

  call<K extends CallName>(name: K, takes: Calls[K]["takes"], options: CallOptions = {}): Promise<Calls[K]["gives"]> {
    return new Promise((resolve, reject) => {
      if (this.#dead !== undefined) return reject(this.#dead);
      const id = ++this.#last;
      const { signal } = options;
      const abort = () => {
        this.#post({ kind: "abort", id, code: "aborted" });
        if (this.#strangers.current?.id === id) this.#leave(id);
      };
      const over = () => signal?.removeEventListener("abort", abort);
      const { site = new Error() } = options;
      this.#pending.set(id, { ...options, site, resolve: resolve as (value: unknown) => void, reject, over });
      this.#transport.ref(true);
      try {
        this.#post({ kind: "call", id, name, takes } as ToHost, options.transfer);
      } catch (error) {
        // Something in it cannot be cloned.
        return this.#finish(id, (pending) =>
          pending.reject(new AzulejoError("invalid-argument", (error as Error).message, undefined, { cause: error })),
        );
      }
      signal?.addEventListener("abort", abort, { once: true });
      if (signal?.aborted) abort();
    });
  }

  /** Everything that waits rejects with `error`, and nothing is heard any more. */
  die(error: AzulejoError): void {
    if (this.#dead !== undefined) return;
    this.#dead = error;
    this.#watch.abort();
    this.#strangers.over();
    this.#onDeath();
    for (const id of [...this.#pending.keys()]) this.#finish(id, (pending) => pending.reject(error));
    for (const port of this.#ports) port.close();
    this.gone = this.#transport?.close();
  }

  #heard(message: FromHost): void {
    switch (message.kind) {
      case "result":
        return this.#finish(message.id, (pending) => pending.resolve(message.value));
      case "error":
        return this.#finish(message.id, (pending) => pending.reject(errorOf(message.error, pending)));
      case "progress":
        return callback(this.#pending.get(message.id)?.onProgress, message.progress);
      case "tokens":
        return callback(this.#pending.get(message.id)?.onTokens, message.tokens);
      case "pull":
        return void this.#feed(message);
      case "fetch":
        return void this.#fetches.start(message, this.#pending.get(message.id)?.fetch);
      case "fetchPull":
        return void this.#fetches.pull(message.fetch);
      case "fetchCancel":
        return this.#fetches.cancel(message.fetch);
      case "stranger":
        if (message.stranger === undefined) return this.#strangers.over();
        return this.#watchStranger(message.stranger);
      case "died":
        return this.die(fromWire(message.error));
      case "thread":
        return this.#watchThread(message.port);
    }
  }

  #finish(id: number, settle: (pending: Pending) => void): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    pending.over();
    if (pending.fetch !== undefined) this.#fetches.endOf(id);
    settle(pending);
    if (this.#pending.size === 0) this.#transport?.ref(false);
  }

  async #feed({ id, pull, file, offset, length }: Extract<FromHost, { kind: "pull" }>): Promise<void> {
    const feed = this.#pending.get(id)?.feed;
    if (feed === undefined) return;
    try {
      const bytes = await feed.pull(file, offset, length);
      this.#post({ kind: "piece", pull, bytes }, bytes === undefined ? [] : [bytes.buffer]);
    } catch (error) {
      this.#post({ kind: "piece", pull, error: toWire(error) });
    }
  }

  #post(message: ToHost, transfer?: Transferable[]): void {
    if (this.#dead === undefined) this.#transport.post(message, transfer);
  }

  #watchStranger(stranger: Stranger): void {
    this.#strangers.begin(stranger, (error) => this.die(error));
    if (this.#pending.get(stranger.id)?.signal?.aborted) this.#leave(stranger.id);
  }

  /** The host does not hear of an abort before the stranger's program has ended; whoever called need not wait for it. */
  #leave(id: number): void {
    this.#finish(id, ({ signal, reject }) => reject(aborted(signal)));
  }

  #watchThread(port: MessagePort & { unref?(): void }): void {
    port.onmessage = ({ data }: MessageEvent<FromThread>) => {
      if (data.kind === "died") this.die(new AzulejoError(data.code, data.message));
    };
    // Without a word: whoever computes with it would wait for ever. If it is the whole worker that ends, that is heard too,
    // and says more.
    port.addEventListener("close", () => {
      if (this.#dead !== undefined) return;
      setTimeout(() => this.die(new AzulejoError("internal", "a thread of azulejo's worker has ended")), LAST_WORDS_MS);
    });
    this.#ports.push(port);
    port.unref?.();
  }

  #watchLock(name: string): void {
    const ended = () => this.die(new AzulejoError("internal", "azulejo's worker has ended"));
    navigator.locks.request(name, { signal: this.#watch.signal }, ended).catch(() => {});
  }
}

function errorOf(error: WireError, { site, signal }: Pending): AzulejoError {
  const made = fromWire(error, site);
  if (made.code !== "aborted" || !signal?.aborted) return made;
  // Why it was called off is the caller's, and was never sent.
  const { stack } = made;
  return Object.assign(aborted(signal), { stack });
}

/** A mistake in the caller's own function is the caller's to see, and not ours to stop at. */
export function callback<T extends unknown[]>(listener: ((...values: T) => void) | undefined, ...values: T): void {
  try {
    listener?.(...values);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
