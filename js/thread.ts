// A thread of the pool: starts on the host's memory, then computes for ever.

import { serveAs, type OwnPort } from "./host/serve.js";
import { readTrap } from "./host/traps.js";
import * as relaxed from "./relaxed/azulejo.js";
import type { FromThread, ThreadStart, ToThread } from "./shared/protocol.js";
import { sameVersion } from "./shared/version-check.js";
import { version } from "./shared/version.js";
import * as threads from "./threads/azulejo.js";

const CORES = { threads, relaxed };

serveAs<ToThread, FromThread>("azulejo thread", (port) => {
  let started: ThreadStart;
  return (message) => {
    if ("index" in message) return compute(started, message.index);
    started = message;
    void join(port, message);
  };
});

async function join(port: OwnPort<FromThread>, start: ThreadStart): Promise<void> {
  try {
    sameVersion("worker", start.version, "thread", version);
    const { module, memory, stack } = start;
    await CORES[start.build].default({ module_or_path: module, memory, thread_stack_size: stack });
    port.postMessage({ kind: "ready" });
  } catch (error) {
    // A trap: there is no room for its stack, most likely.
    const isTrap = error instanceof WebAssembly.RuntimeError;
    const why = isTrap ? readTrap(wordsOf(error), start) : { code: "internal" as const, message: wordsOf(error) };
    port.postMessage({ kind: "died", ...why });
  }
}

function compute({ build, memory, most, notesAt, page }: ThreadStart, index: number): void {
  try {
    CORES[build].threadMain(index);
  } catch (error) {
    // The host waits for this thread inside wasm and hears nothing: the page must end it.
    const { code, message } = readTrap(wordsOf(error), { memory, most, notesAt });
    page.postMessage({ kind: "died", code, message: `thread ${index}: ${message}` } satisfies FromThread);
  }
}

const wordsOf = (error: unknown) => String((error as Error)?.message ?? error);
