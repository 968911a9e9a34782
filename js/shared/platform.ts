// Where this runs, asked when needed and never at import time.

/** What is used of Node's modules; its own types would become a dependency of every user's. */
interface NodeModules {
  "node:worker_threads": {
    Worker: new (url: URL, options?: object) => NodeWorker;
    parentPort: MessagePort | null;
    workerData: unknown;
  };
  "node:fs/promises": {
    readFile(path: string | URL): Promise<Uint8Array<ArrayBuffer>>;
    readFile(path: string | URL, encoding: "utf8"): Promise<string>;
    readdir(path: string): Promise<string[]>;
    stat(path: string): Promise<{ size: number; isDirectory(): boolean }>;
    open(path: string, flags: "r" | "a"): Promise<NodeFile>;
    mkdir(path: string, options: { recursive: true }): Promise<unknown>;
    writeFile(path: string, bytes: Uint8Array): Promise<void>;
    rename(from: string, to: string): Promise<void>;
    rm(path: string, options: { force: true }): Promise<void>;
  };
  "node:os": { availableParallelism?(): number; cpus(): unknown[]; homedir(): string };
  "node:path": {
    resolve(...parts: string[]): string;
    join(...parts: string[]): string;
    basename(path: string): string;
    dirname(path: string): string;
  };
  "node:url": { fileURLToPath(url: string): string };
}

export interface NodeFile {
  read(into: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }>;
  write(bytes: Uint8Array, offset: number): Promise<{ bytesWritten: number }>;
  stat(): Promise<{ size: number }>;
  close(): Promise<void>;
}

export interface NodeWorker {
  postMessage(message: unknown, transfer?: readonly unknown[]): void;
  on(event: string, listener: (value: never) => void): void;
  terminate(): Promise<number>;
  ref(): void;
  unref(): void;
}

interface NodeGlobals {
  /** `type`: Electron's. */
  process?: { versions?: { node?: string }; env?: Record<string, string | undefined>; platform?: string; type?: string };
  setImmediate?(task: () => void): void;
}

export const globals = globalThis as NodeGlobals;

/** Node, and what acts like it; not Electron's pages and their workers, which may have both worlds. */
export function isNode(): boolean {
  const { process } = globals;
  if (process?.versions?.node === undefined || PAGES_OF_ELECTRON.has(process.type)) return false;
  return typeof window === "undefined" || typeof Worker === "undefined";
}
const PAGES_OF_ELECTRON: ReadonlySet<string | undefined> = new Set(["renderer", "worker", "service-worker"]);

/** A module of Node's, in a way that bundlers for the browser leave alone. */
export function nodeModule<K extends keyof NodeModules>(name: K): Promise<NodeModules[K]> {
  const specifier: string = name;
  return import(/* @vite-ignore */ /* webpackIgnore: true */ specifier) as Promise<NodeModules[K]>;
}

/** All cores. */
export async function cores(): Promise<number> {
  if (!isNode()) return navigator.hardwareConcurrency || 1;
  const os = await nodeModule("node:os");
  return os.availableParallelism?.() ?? os.cpus().length;
}

/**
 * Lets whatever waits on this thread run: messages above all, so that an abort is heard between two steps.
 * A timer would cost 4 ms each time in a browser; a message costs microseconds. But Firefox prefers our own messages to
 * those of a worker's owner, for as long as there are any: now and then it has to be a timer.
 */
export function nextTurn(): Promise<void> {
  if (globals.setImmediate !== undefined && isNode()) return new Promise((resolve) => globals.setImmediate!(resolve));
  // Pages in the background wait a second for each timer; they own nothing of ours but such channels.
  if (globalThis.document === undefined && performance.now() - lastTimer > LONGEST_WITHOUT_TIMER_MS) {
    return new Promise((resolve) => {
      const done = () => {
        lastTimer = performance.now();
        resolve();
      };
      setTimeout(done, 0);
    });
  }
  return new Promise((resolve) => {
    if (turns === undefined) {
      turns = new MessageChannel();
      turns.port1.onmessage = () => waiting.shift()?.();
    }
    waiting.push(resolve);
    turns.port2.postMessage(null);
  });
}
const LONGEST_WITHOUT_TIMER_MS = 20;
let lastTimer = 0;
let turns: MessageChannel | undefined;
const waiting: (() => void)[] = [];

/**
 * Frees our own buffers at once, by posting them to nobody. The garbage collector comes when there are many small
 * objects: large ones that few refer to would pile up to hundreds of megabytes before.
 */
export function release(buffers: ArrayBufferLike[]): void {
  const { port1, port2 } = new MessageChannel();
  port2.close();
  port1.postMessage(null, buffers as ArrayBuffer[]);
  port1.close();
}
