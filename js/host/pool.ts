// The threads of the builds with shared memory: started by the host, each in a worker of its own.

import { AzulejoError } from "../shared/errors.js";
import type { FromThread, ThreadStart, ToThread } from "../shared/protocol.js";
import { startWorker, type WorkerHandle } from "../shared/workers.js";

export interface Pool {
  count: number;
  /** Why there are fewer than asked for. */
  reason?: string;
  /** Sends the threads to work; they never come back. */
  run(): void;
}

type Thread = WorkerHandle<ToThread>;

/** Some browsers let workers past a certain number wait, without a word. */
const LONGEST_START_MS = 10_000;
/** And so long for those that start beside one that has died: it may have been at something that they wait for. */
const LONGEST_BESIDE_DEATH_MS = 500;

/** Starts `wanted` threads from the script at `address`; those that fail are done without. */
export async function startThreads(
  shared: Omit<ThreadStart, "page">,
  wanted: number,
  address: string,
  announce: (port: MessagePort) => void,
): Promise<Pool> {
  const hurry = new AbortController();
  const starting = Array.from({ length: wanted }, () => startThread(shared, address, announce, hurry.signal));
  let first: Error | undefined;
  for (const each of starting) {
    each.catch((error: Error) => {
      first ??= error;
      setTimeout(() => hurry.abort(), LONGEST_BESIDE_DEATH_MS);
    });
  }
  const started = await Promise.allSettled(starting);
  const threads = started.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  return {
    count: threads.length,
    ...(first !== undefined && { reason: first.message }),
    run: () => threads.forEach((thread, at) => thread.post({ index: at + 1 })),
  };
}

async function startThread(
  shared: Omit<ThreadStart, "page">,
  address: string,
  announce: (port: MessagePort) => void,
  hurry: AbortSignal,
): Promise<Thread> {
  let ready = () => {};
  let failed: (why: Error) => void = () => {};
  const outcome = new Promise<void>((resolve, reject) => {
    ready = resolve;
    failed = reject;
  });
  const thread: Thread = await startWorker<ToThread, FromThread>(address, "azulejo thread", {
    message: (message) => (message.kind === "ready" ? ready() : failed(new AzulejoError(message.code, message.message))),
    failed,
  });
  const { port1, port2 } = new MessageChannel();
  hurry.addEventListener("abort", () => failed(new AzulejoError("internal", "a thread's worker waits for one that has died")));
  const late = setTimeout(
    () => failed(new AzulejoError("internal", `a thread's worker has said nothing for ${LONGEST_START_MS / 1000} seconds`)),
    LONGEST_START_MS,
  );
  try {
    thread.post({ ...shared, page: port2 }, [port2]);
    await outcome;
  } catch (error) {
    thread.close();
    port1.close();
    throw error;
  } finally {
    clearTimeout(late);
  }
  announce(port1);
  return thread;
}
