// What a GPU can do at most, by small kernels that do one thing: reading memory, multiplying and adding in registers (f32,
// f16, dot products of bytes), and dispatching nothing. A multiplication with an addition counts as two operations. No
// kernel of ours in f32 is faster than the first two allow.
// Nothing is imported: whoever has WebGPU can run it, as the benchmark and the lab do under Node.

export interface Ceilings {
  /** By which clock: the GPU's own, or the page's, which counts the way to the GPU too. */
  clock: "gpu" | "page";
  bytesPerSecond: number;
  operationsPerSecond: number;
  /** Where the adapter has shader-f16. */
  halfOperationsPerSecond?: number;
  /** Where the language has dot4I8Packed; one counts as eight operations. */
  byteOperationsPerSecond?: number;
  /** Of one of many dispatches that do nothing: such as wait for each other, and such as do not. */
  dependentDispatchMs?: number;
  independentDispatchMs?: number;
}

export interface CeilingOptions {
  /** Only the two that a floor needs: bytes and operations in f32. */
  few?: boolean;
  /** A GPU that was idle runs slowly at first: it is kept busy for so long before. */
  warmMs?: number;
  /** A part of the work, for a device that is software. */
  scale?: number;
  /** Once this says so, nothing more is begun but the two that a floor needs, and these are tried only once. */
  isOver?: () => boolean;
  /** Told of each at once. */
  onFound?: (name: keyof Ceilings, value: number) => void;
}

/** More than the caches of most GPUs hold, where the adapter lets a buffer be so long. */
const READ_BYTES = 256 * 2 ** 20;
const READ_GROUPS = 4096;
/** Enough threads for a large GPU, each with sixteen sums that do not wait for each other. */
const COMPUTE_GROUPS = 1024;
const ROUNDS = 1024;
const SUMS = 16;
/** Each run writes to a buffer of its own, or it would wait for the one before. */
const MOST_RUNS = 64;
/** So long that neither a clock's grain nor the way to the GPU counts for much. */
const LONG_MS = 20;
const ATTEMPTS = 5;
/** After so long no attempt is begun any more: what takes that long is not disturbed by much. */
const MOST_MS = 1000;
const DISPATCHES = 500;

/** As the standard numbers them: GPUBufferUsage and GPUMapMode, of which TypeScript has no declaration. */
const MAP_READ = 1, COPY_SRC = 4, COPY_DST = 8, STORAGE = 0x80, QUERY_RESOLVE = 0x200;

const BINDINGS = `
@group(0) @binding(0) var<storage, read> data: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
`;

const READ = `${BINDINGS}
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  var bits = vec4<u32>();
  for (var i = id.x; i < arrayLength(&data); i += ${256 * READ_GROUPS}u) {
    bits |= data[i];
  }
  // All zeros: but the compiler does not know.
  if (any(bits != vec4<u32>())) {
    out[0] = 1u;
  }
}`;

const NOTHING = `${BINDINGS}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (data[0].x == 12345u) {
    out[id.x] = 1u;
  }
}`;

/** `factor`: what is in `data`; `next(sum)`: how a sum goes on. */
const compute = (scalar: string, factor: string, next: (sum: string) => string, enable = "") => `${enable}${BINDINGS}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let factor = ${factor};
  var a = vec4<${scalar}>(${scalar}(id.x & 7u));
  var b = a + ${scalar}(1);
  var c = a + ${scalar}(2);
  var d = a + ${scalar}(3);
  for (var round = 0u; round < ${ROUNDS}u; round++) {
    ${["a", "b", "c", "d"].map((sum) => `${sum} = ${next(sum)};`).join("\n    ")}
  }
  let sum = a + b + c + d;
  if (sum.x + sum.y + sum.z + sum.w == ${scalar}(12345)) {
    out[0] = 1u;
  }
}`;
const multiplyAdd = (sum: string) => `${sum} * factor + factor`;
const dots = (sum: string) =>
  `vec4<i32>(${[..."xyzw"].map((part) => `${sum}.${part} + dot4I8Packed(bitcast<u32>(${sum}.${part}), factor.${part})`).join(", ")})`;

/** What is computed, and its operations a sum and round. */
const F32 = { code: compute("f32", "bitcast<vec4<f32>>(data[0])", multiplyAdd), operations: 2 };
const F16 = { code: compute("f16", "vec4<f16>(bitcast<vec4<f32>>(data[0]))", multiplyAdd, "enable f16;\n"), operations: 2 };
const BYTES = { code: compute("i32", "data[0] + vec4<u32>(id.x)", dots), operations: 8 };

type Time = (encode: (pass: GPUComputePassEncoder) => void) => Promise<number>;
type Run = (pass: GPUComputePassEncoder, times: number) => void;

export async function measureCeilings(adapter: GPUAdapter, options: CeilingOptions = {}): Promise<Partial<Ceilings>> {
  const features = (["timestamp-query", "shader-f16"] as const).filter((name) => adapter.features.has(name));
  const most = Math.min(READ_BYTES * (options.scale ?? 1), adapter.limits.maxStorageBufferBindingSize, adapter.limits.maxBufferSize);
  const bytes = Math.floor(most / 256) * 256;
  const device = await adapter.requestDevice({
    requiredFeatures: features,
    requiredLimits: { maxStorageBufferBindingSize: bytes, maxBufferSize: bytes },
  });
  try {
    return await measure(device, bytes, options);
  } finally {
    device.destroy();
  }
}

async function measure(
  device: GPUDevice, bytes: number, { few = false, warmMs = 0, scale = 1, isOver = () => false, onFound }: CeilingOptions,
): Promise<Partial<Ceilings>> {
  const storage = (size: number) => device.createBuffer({ size, usage: STORAGE });
  const data = storage(bytes);
  const outs = Array.from({ length: MOST_RUNS }, () => storage(256));
  const stamped = device.features.has("timestamp-query");
  const time = stamped ? byTimestamps(device) : byClock(device);
  const run = (code: string, groups: number, into = outs) => runner(device, code, groups, data, into);
  const found: Partial<Ceilings> = { clock: stamped ? "gpu" : "page" };
  const keep = (name: Exclude<keyof Ceilings, "clock">, value: number) => {
    found[name] = value;
    onFound?.(name, value);
  };
  const groups = Math.ceil(COMPUTE_GROUPS * scale);
  const rate = async ({ code, operations }: typeof F32) =>
    (groups * 64 * ROUNDS * SUMS * operations * 1000) / (await quickest(await run(code, groups), time, isOver));
  const warm = await run(F32.code, groups);
  for (const end = performance.now() + warmMs; performance.now() < end && !isOver();) await time((pass) => warm(pass, 4));
  keep("bytesPerSecond", (bytes * 1000) / (await quickest(await run(READ, READ_GROUPS), time, isOver)));
  keep("operationsPerSecond", await rate(F32));
  const goesOn = () => !few && !isOver();
  if (goesOn() && device.features.has("shader-f16")) keep("halfOperationsPerSecond", await rate(F16));
  const packed = navigator.gpu.wgslLanguageFeatures?.has("packed_4x8_integer_dot_product");
  if (goesOn() && packed) keep("byteOperationsPerSecond", await rate(BYTES));
  if (goesOn()) keep("dependentDispatchMs", await eachDispatch(await run(NOTHING, 1, outs.slice(0, 1)), time));
  if (goesOn()) keep("independentDispatchMs", await eachDispatch(await run(NOTHING, 1), time));
  return found;
}

/** (pass, times) → encodes that many runs of a kernel, each to the next of `outs`. */
async function runner(device: GPUDevice, code: string, groups: number, data: GPUBuffer, outs: GPUBuffer[]): Promise<Run> {
  const module = device.createShaderModule({ code });
  const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute: { module, entryPoint: "main" } });
  const layout = pipeline.getBindGroupLayout(0);
  const bindings = outs.map((out) => device.createBindGroup({
    layout,
    entries: [data, out].map((buffer, binding) => ({ binding, resource: { buffer } })),
  }));
  return (pass, times) => {
    pass.setPipeline(pipeline);
    for (let at = 0; at < times; at++) {
      pass.setBindGroup(0, bindings[at % bindings.length]!);
      pass.dispatchWorkgroups(groups);
    }
  };
}

/** Milliseconds of one run, in the best of several attempts; fewer of them where the time is over. */
async function quickest(run: Run, time: Time, isOver: () => boolean): Promise<number> {
  const attempt = (times: number) => time((pass) => run(pass, times));
  // What is done the first time, like filling the buffer, does not count.
  await attempt(1);
  const end = performance.now() + MOST_MS;
  const enough = () => isOver() || performance.now() > end;
  let times = 1;
  let best = await attempt(times);
  while (best * times < LONG_MS && times < MOST_RUNS) best = (await attempt((times *= 2))) / times;
  for (let more = 1; more < ATTEMPTS && !enough(); more++) best = Math.min(best, (await attempt(times)) / times);
  return best;
}

/** Milliseconds of one dispatch of many. */
async function eachDispatch(run: Run, time: Time): Promise<number> {
  let best = Infinity;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) best = Math.min(best, await time((pass) => run(pass, DISPATCHES)));
  return best / DISPATCHES;
}

/** Milliseconds of one pass, by the GPU's own clock. */
function byTimestamps(device: GPUDevice): Time {
  const querySet = device.createQuerySet({ type: "timestamp", count: 2 });
  const resolved = device.createBuffer({ size: 16, usage: QUERY_RESOLVE | COPY_SRC });
  const staging = device.createBuffer({ size: 16, usage: COPY_DST | MAP_READ });
  const timestampWrites = { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
  return async (encode) => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass({ timestampWrites });
    encode(pass);
    pass.end();
    encoder.resolveQuerySet(querySet, 0, 2, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, 16);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(MAP_READ);
    const [begin = 0n, end = 0n] = new BigUint64Array(staging.getMappedRange().slice(0));
    staging.unmap();
    // A grain of 100 µs, as browsers have it, makes nothing of what is shorter.
    return Math.max(Number(end - begin) / 1e6, 1e-3);
  };
}

/** The same by the page's, until the GPU says that it is done. */
function byClock(device: GPUDevice): Time {
  return async (encode) => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    encode(pass);
    pass.end();
    const start = performance.now();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    return performance.now() - start;
  };
}
