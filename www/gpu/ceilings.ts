// What a GPU can do at most, by small kernels that do one thing: reading memory, multiplying and adding in registers (f32,
// f16, products of four bytes), and dispatching nothing. A multiplication with an addition counts as two operations.
// Nothing is imported: whoever has WebGPU can run it.

export interface Ceilings {
  /** By which clock: the GPU's own, or the page's, which counts the way to the GPU too. */
  clock: "gpu" | "page";
  bytesPerSecond: number;
  f32PerSecond: number;
  /** Where the adapter has shader-f16. */
  f16PerSecond?: number;
  /** Where the language has dot4I8Packed; one counts as eight operations. */
  dot8PerSecond?: number;
  /** Microseconds of one of many dispatches that do nothing: such as wait for each other, and such as do not. */
  dependentDispatch?: number;
  freeDispatch?: number;
}

/** More than the caches of most GPUs hold, where the adapter lets a buffer be so long. */
const READ_BYTES = 256 * 2 ** 20;
const READ_GROUPS = 4096;
const COMPUTE_GROUPS = 1024;
const ROUNDS = 512;
const MOST_RUNS = 64;
/** So long that neither a clock's grain nor the way to the GPU counts for much. */
const LONG_MS = 20;
const ATTEMPTS = 5;
/** After so long no attempt is begun any more: what takes that long is not disturbed by much. */
const MOST_MS = 1000;
const DISPATCHES = 200;
/** A GPU that was idle runs slowly at first. */
const WARM_MS = 600;

/** As the standard numbers them: GPUBufferUsage and GPUMapMode, of which TypeScript has no declaration. */
const MAP_READ = 1, COPY_SRC = 4, COPY_DST = 8, STORAGE = 0x80, QUERY_RESOLVE = 0x200;

const BINDINGS = (type: string) => `
@group(0) @binding(0) var<storage, read> data: array<${type}>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
`;

const READ = `${BINDINGS("vec4<f32>")}
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  var sum = vec4<f32>();
  for (var i = id.x; i < arrayLength(&data); i += ${256 * READ_GROUPS}u) {
    sum += data[i];
  }
  // All zeros: but the compiler does not know.
  if (sum.x + sum.y + sum.z + sum.w != 0.0) {
    out[0] = 1.0;
  }
}`;

/** Sums that do not wait for each other, in vectors of four. `real` is f32 or f16. */
const multiplyAdd = (real: "f32" | "f16") => `${real === "f16" ? "enable f16;" : ""}
alias real = ${real};
${BINDINGS("vec4<f32>")}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let factor = vec4<real>(data[0]);
  let term = vec4<real>(data[1]);
  var a = vec4<real>(real(id.x % 64u));
  var b = a + 1.0;
  var c = a + 2.0;
  var d = a + 3.0;
  for (var round = 0u; round < ${ROUNDS}u; round++) {
    a = a * factor + term;
    b = b * factor + term;
    c = c * factor + term;
    d = d * factor + term;
  }
  let sum = vec4<f32>(a + b + c + d);
  if (sum.x + sum.y + sum.z + sum.w != 0.0) {
    out[0] = 1.0;
  }
}`;

const DOT = `${BINDINGS("vec4<u32>")}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let factor = data[0];
  var a = vec4<i32>(i32(id.x));
  var b = a + 1;
  var c = a + 2;
  var d = a + 3;
  for (var round = 0u; round < ${ROUNDS}u; round++) {
${["a", "b", "c", "d"].flatMap((sum) => [..."xyzw"].map((lane) => `    ${sum}.${lane} += dot4I8Packed(u32(${sum}.${lane}), factor.${lane});`)).join("\n")}
  }
  let sum = a + b + c + d;
  // The data is zeros: the sums stay what they were, and are not this.
  if (sum.x + sum.y + sum.z + sum.w == -123456789) {
    out[0] = 1.0;
  }
}`;

const NOTHING = `${BINDINGS("vec4<f32>")}
@compute @workgroup_size(32)
fn main(@builtin(local_invocation_index) lane: u32) {
  if (lane == 0u) {
    out[0] += data[0].x;
  }
}`;

const OPERATIONS = { f32: COMPUTE_GROUPS * 64 * ROUNDS * 16 * 2, f16: COMPUTE_GROUPS * 64 * ROUNDS * 16 * 2, dot8: COMPUTE_GROUPS * 64 * ROUNDS * 16 * 8 };

type Time = (encode: (pass: GPUComputePassEncoder) => void) => Promise<number>;
type Run = (pass: GPUComputePassEncoder, times: number) => void;

/** Of this adapter; `over` says when to stop, and what is missing then was not measured. */
export async function measureCeilings(adapter: GPUAdapter, over: () => boolean = () => false): Promise<Partial<Ceilings>> {
  const features = (["timestamp-query", "shader-f16"] as const).filter((name) => adapter.features.has(name));
  const bytes = Math.min(READ_BYTES, adapter.limits.maxStorageBufferBindingSize, adapter.limits.maxBufferSize);
  const device = await adapter.requestDevice({
    requiredFeatures: features,
    requiredLimits: { maxStorageBufferBindingSize: bytes, maxBufferSize: bytes },
  });
  try {
    return await measure(device, bytes, over);
  } finally {
    device.destroy();
  }
}

async function measure(device: GPUDevice, bytes: number, over: () => boolean): Promise<Partial<Ceilings>> {
  const storage = (size: number) => device.createBuffer({ size, usage: STORAGE });
  const data = storage(bytes);
  const outs = Array.from({ length: MOST_RUNS }, () => storage(256));
  const stamped = device.features.has("timestamp-query");
  const time = stamped ? byTimestamps(device) : byClock(device);
  const run = (code: string, groups: number, into = outs) => runner(device, code, groups, data, into);
  const rate = async (code: string, operations: number) => (operations * 1000) / (await quickest(await run(code, COMPUTE_GROUPS), time, over));
  const found: Partial<Ceilings> = { clock: stamped ? "gpu" : "page" };
  const float = await run(multiplyAdd("f32"), COMPUTE_GROUPS);
  for (const end = performance.now() + WARM_MS; performance.now() < end && !over();) await time((pass) => float(pass, 4));
  found.bytesPerSecond = (bytes * 1000) / (await quickest(await run(READ, READ_GROUPS), time, over));
  found.f32PerSecond = (OPERATIONS.f32 * 1000) / (await quickest(float, time, over));
  if (!over() && device.features.has("shader-f16")) found.f16PerSecond = await rate(multiplyAdd("f16"), OPERATIONS.f16);
  const packed = navigator.gpu.wgslLanguageFeatures?.has("packed_4x8_integer_dot_product");
  if (!over() && packed) found.dot8PerSecond = await rate(DOT, OPERATIONS.dot8);
  if (!over()) found.dependentDispatch = await eachDispatch(await run(NOTHING, 1, outs.slice(0, 1)), time);
  if (!over()) found.freeDispatch = await eachDispatch(await run(NOTHING, 1), time);
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
async function quickest(run: Run, time: Time, over: () => boolean): Promise<number> {
  const attempt = (times: number) => time((pass) => run(pass, times));
  // What is done the first time, like filling the buffer, does not count.
  await attempt(1);
  const end = performance.now() + MOST_MS;
  const enough = () => over() || performance.now() > end;
  let times = 1;
  let best = await attempt(times);
  while (best * times < LONG_MS && times < MOST_RUNS) best = (await attempt((times *= 2))) / times;
  for (let more = 1; more < ATTEMPTS && !enough(); more++) best = Math.min(best, (await attempt(times)) / times);
  return best;
}

/** Microseconds. */
async function eachDispatch(run: Run, time: Time): Promise<number> {
  let best = Infinity;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) best = Math.min(best, await time((pass) => run(pass, DISPATCHES)));
  return (best * 1000) / DISPATCHES;
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
