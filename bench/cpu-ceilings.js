// What the machine itself can do in wasm, on one thread or several: how fast memory is read, and how many multiply-adds a
// second are done out of the first-level cache, in f32 and by the dot products of integers. No decoding is faster than
// its weights are read, no prompt faster than its products are made.
//
// The kernels are assembled by hand, so that no compiler's taste is in the figures. Each thread is a worker
// (cpu-ceilings-worker.js) with a memory of its own.

const I32 = 0x7f, V128 = 0x7b;
const READ_BYTES = 128 * 2 ** 20;
const ATTEMPTS = 5;
/** Of the products: so few weights that they stay in the first-level cache. */
const CACHED_BYTES = 8192;

const unsigned = (value) => (value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)]);
const signed = (value) => (value >= -64 && value < 64 ? [value & 127] : [(value & 127) | 128, ...signed(value >> 7)]);
const list = (items) => [...unsigned(items.length), ...items.flat()];
const section = (id, items) => [id, ...list([list(items)].flat())];
const name = (text) => list([...new TextEncoder().encode(text)].map((byte) => [byte]));

const get = (local) => [0x20, ...unsigned(local)];
const set = (local) => [0x21, ...unsigned(local)];
const simd = (opcode, ...immediates) => [0xfd, ...unsigned(opcode), ...immediates];
const load = (offset) => [...get(2), ...simd(0x00, 4, ...unsigned(offset))];
const add = simd(0xae);
const dot16 = simd(0xba);
const low = simd(0x87);
const high = simd(0x88);
const relaxedDot = simd(0x113);
const addFloats = simd(0xe4);
const multiplyFloats = simd(0xe6);

/** Accumulators lie in locals 4 to 11; local 3 is an activation that stays in its register. */
const CHAINS = 8;
const chain = (index) => 4 + index;
const BODIES = {
  read: (i) => [...get(chain(i)), ...load(16 * i), ...add, ...set(chain(i))],
  f32: (i) => [...get(chain(i)), ...load(16 * i), ...get(3), ...multiplyFloats, ...addFloats, ...set(chain(i))],
  dot16: (i) => [...get(chain(i)), ...load(16 * i), ...get(3), ...dot16, ...add, ...set(chain(i))],
  wide: (i) => [
    ...get(chain(i)),
    ...load(16 * i), ...low, ...get(3), ...dot16, ...add,
    ...load(16 * i), ...high, ...get(3), ...dot16, ...add, ...set(chain(i)),
  ],
  relaxed: (i) => [...load(16 * i), ...get(3), ...get(chain(i)), ...relaxedDot, ...set(chain(i))],
};

/** (bytes, times) → one lane of the sum: goes over `bytes` of memory `times` times. */
function kernel(body) {
  const step = CHAINS * 16;
  const steps = Array.from({ length: CHAINS }, (_, index) => body(index)).flat();
  const sum = Array.from({ length: CHAINS }, (_, index) => [...get(chain(index)), ...(index ? add : [])]).flat();
  const code = [
    ...list([[1, I32], [1 + CHAINS, V128]]),
    0x03, 0x40, // loop over times
    0x41, 0, ...set(2),
    0x03, 0x40, // loop over bytes
    ...steps,
    ...get(2), 0x41, ...signed(step), 0x6a, ...set(2),
    ...get(2), ...get(0), 0x49, 0x0d, 0, 0x0b,
    ...get(1), 0x41, 1, 0x6b, 0x22, 1, 0x0d, 0, 0x0b,
    ...sum, ...simd(0x1b, 0),
    0x0b,
  ];
  return list(code.map((byte) => [byte]));
}

function assemble() {
  const names = Object.keys(BODIES);
  const bytes = [
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, [[0x60, ...list([[I32], [I32]]), ...list([[I32]])]]),
    ...section(3, names.map(() => [0])),
    ...section(5, [[0, ...unsigned(READ_BYTES / 65536)]]),
    ...section(7, [[...name("memory"), 2, 0], ...names.map((text, index) => [...name(text), 0, index])]),
    ...section(10, names.map((text) => kernel(BODIES[text]))),
  ];
  return new Uint8Array(bytes);
}

/** The kernels by their names, over a memory that has been written: pages that never were are all the same one, in the cache. */
export async function kernels() {
  const { instance: { exports } } = await WebAssembly.instantiate(assemble());
  new Uint8Array(exports.memory.buffer).fill(1);
  return exports;
}

/** What each kernel goes over: so much of the memory, so often that it takes some 50 ms; and the bytes of one multiply-add. */
const WORK = {
  read: { bytes: READ_BYTES, times: 20, each: 1 },
  f32: { bytes: CACHED_BYTES, times: 800_000, each: 4 },
  dot16: { bytes: CACHED_BYTES, times: 800_000, each: 2 },
  wide: { bytes: CACHED_BYTES, times: 400_000, each: 1 },
  relaxed: { bytes: CACHED_BYTES, times: 800_000, each: 1 },
};

/**
 * Of so many threads at once, each a second: bytes that they `read`, multiply-adds in `f32`, in 16 bits (`dot16`), in 16
 * bits of bytes that each product widens (`wide`), and by the `relaxed` product of 8 by 7 bits. The best of some attempts.
 */
export async function measureCpuCeilings(threads) {
  const workers = await Promise.all(Array.from({ length: threads }, startWorker));
  const rates = {};
  for (const [name, { bytes, times, each }] of Object.entries(WORK)) {
    const run = () => Promise.all(workers.map(({ call }) => call([name, bytes, times])));
    await run(); // Compiled by now.
    let best = Infinity;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const start = performance.now();
      await run();
      best = Math.min(best, performance.now() - start);
    }
    rates[name] = (threads * bytes * times * 1000) / each / best;
  }
  for (const { worker } of workers) worker.terminate();
  return rates;
}

/** A worker that is ready: `call` runs a kernel in it. */
async function startWorker() {
  const worker = new Worker(new URL("cpu-ceilings-worker.js", import.meta.url), { type: "module" });
  const answer = () => new Promise((resolve, reject) => {
    worker.onmessage = resolve;
    worker.onerror = ({ message }) => reject(new Error(message));
  });
  await answer();
  return {
    worker,
    call(what) {
      const answered = answer();
      worker.postMessage(what);
      return answered;
    },
  };
}
