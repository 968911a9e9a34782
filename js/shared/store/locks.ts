// Who may write a kept file, and who reads it: Web Locks, and where there are none a list in this realm.

export type Mode = "shared" | "exclusive";
/** Resolves once it is free. */
export type Release = () => Promise<void>;

export interface LockOptions {
  mode: Mode;
  signal?: AbortSignal;
  /** `undefined` at once where somebody has it. */
  ifFree?: boolean;
}

/** Resolves once it is held. */
export function takeLock(name: string, options: LockOptions): Promise<Release | undefined> {
  const locks = globalThis.navigator?.locks;
  return locks === undefined ? takeHere(name, options) : takeWebLock(locks, name, options);
}

function takeWebLock(locks: LockManager, name: string, { mode, signal, ifFree }: LockOptions): Promise<Release | undefined> {
  return new Promise((resolve, reject) => {
    // The two cannot be given together.
    const options: LockOptions2 = ifFree ? { mode, ifAvailable: true } : { mode, ...(signal && { signal }) };
    const held = (lock: Lock | null) =>
      lock === null
        ? resolve(undefined)
        : new Promise<void>((release) => {
            resolve(() => {
              release();
              return over;
            });
          });
    const over = locks.request(name, options, held).then(
      () => {},
      (error: unknown) => reject(signal?.aborted ? signal.reason : error),
    );
  });
}
type LockOptions2 = { mode: Mode; ifAvailable?: boolean; signal?: AbortSignal };

// ---------------------------------------------------------------- in this realm

interface Here {
  readers: number;
  writer: boolean;
  waiting: { mode: Mode; go(): void }[];
}
/** The page's modules and the host's are two bundles, which may be in one realm: they share this. */
const SHARED = Symbol.for("azulejo's locks");
const here = ((globalThis as { [SHARED]?: Map<string, Here> })[SHARED] ??= new Map());

async function takeHere(name: string, { mode, signal, ifFree }: LockOptions): Promise<Release | undefined> {
  signal?.throwIfAborted();
  const lock = here.get(name) ?? { readers: 0, writer: false, waiting: [] };
  here.set(name, lock);
  if (lock.waiting.length > 0 || !isFree(lock, mode)) {
    if (ifFree) return undefined;
    await turn(lock, mode, signal);
  } else {
    enter(lock, mode);
  }
  let held = true;
  return async () => {
    if (!held) return;
    held = false;
    if (mode === "exclusive") lock.writer = false;
    else lock.readers--;
    letIn(lock);
    if (lock.readers === 0 && !lock.writer) here.delete(name);
  };
}

const isFree = ({ readers, writer }: Here, mode: Mode) => !writer && (mode === "shared" || readers === 0);

function enter(lock: Here, mode: Mode): void {
  if (mode === "exclusive") lock.writer = true;
  else lock.readers++;
}

function letIn(lock: Here): void {
  while (lock.waiting.length > 0 && isFree(lock, lock.waiting[0]!.mode)) {
    const next = lock.waiting.shift()!;
    enter(lock, next.mode);
    next.go();
  }
}

function turn(lock: Here, mode: Mode, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = () => {
      lock.waiting.splice(lock.waiting.indexOf(waiter), 1);
      reject(signal!.reason as Error);
      // Who waited behind may be let in now.
      letIn(lock);
    };
    const waiter = {
      mode,
      go() {
        signal?.removeEventListener("abort", leave);
        resolve();
      },
    };
    lock.waiting.push(waiter);
    signal?.addEventListener("abort", leave, { once: true });
  });
}
