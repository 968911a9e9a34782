// What a GPU can do at most, by small kernels: how fast memory is read, and how many operations a second are done in
// registers, in f32, in f16 and in dot products of bytes. A multiplication with an addition counts as two. And what a
// dispatch takes that does nothing. No kernel of ours in f32 is faster than both of the first.

/** More than the caches of most GPUs hold. */
const READ_BYTES = 256 * 2 ** 20;
const READ_GROUPS = 4096;
/** Enough threads for a large GPU, each with sixteen sums that do not wait for each other. */
const COMPUTE_GROUPS = 1024;
const ROUNDS = 1024;
const SUMS = 16;
const DISPATCHES = 500;

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

const EMPTY = `${BINDINGS}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (data[0].x == 12345u) {
    out[id.x] = 1u;
  }
}`;

/** `factor`: what is in `data`; `next(sum)`: how a sum goes on. */
const compute = (scalar, factor, next, enable = "") => `${enable}${BINDINGS}
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
const fma = (sum) => `${sum} * factor + factor`;
const dots = (sum) =>
  `vec4<i32>(${[..."xyzw"].map((part) => `${sum}.${part} + dot4I8Packed(bitcast<u32>(${sum}.${part}), factor.${part})`).join(", ")})`;

/** What is computed, its operations a sum and round, and what it needs: a feature of the device, or of the language. */
const RATES = {
  operationsPerSecond: { code: compute("f32", "bitcast<vec4<f32>>(data[0])", fma), operations: 2 },
  halfOperationsPerSecond: {
    code: compute("f16", "vec4<f16>(bitcast<vec4<f32>>(data[0]))", fma, "enable f16;\n"), operations: 2, feature: "shader-f16",
  },
  byteOperationsPerSecond: {
    code: compute("i32", "data[0] + vec4<u32>(id.x)", dots), operations: 8, language: "packed_4x8_integer_dot_product",
  },
};

/** Each run writes to a buffer of its own, or it would wait for the one before. */
const MOST_RUNS = 64;
/** So long that neither a clock's grain nor the way to the GPU counts for much. */
const LONG_MS = 20;
const ATTEMPTS = 5;

/**
 * Of the adapter that the page gets: { bytesPerSecond, operationsPerSecond, timestamps }. `all`: also
 * { halfOperationsPerSecond, byteOperationsPerSecond }, where it has those, and { dependentDispatchMs,
 * independentDispatchMs }. `spinMs`: it is kept busy for so long before, since an idle GPU has a low clock. `scale`: a part of
 * the work, for a device that is software. `onFound(name, value)` is told of each at once.
 */
export async function measureCeilings({ all = false, spinMs = 0, scale = 1, onFound = () => {} } = {}) {
  const adapter = await navigator.gpu.requestAdapter();
  const timestamps = adapter.features.has("timestamp-query");
  const most = Math.min(READ_BYTES * scale, adapter.limits.maxStorageBufferBindingSize, adapter.limits.maxBufferSize);
  const bytes = Math.floor(most / 256) * 256;
  const rates = Object.entries(RATES).filter(([name, { feature, language }]) =>
    name === "operationsPerSecond" || (all && (!feature || adapter.features.has(feature)) && (!language || knows(language))));
  const features = rates.flatMap(([, { feature }]) => feature ?? []);
  const device = await adapter.requestDevice({
    requiredFeatures: timestamps ? ["timestamp-query", ...features] : features,
    requiredLimits: { maxStorageBufferBindingSize: bytes, maxBufferSize: bytes },
  });
  const storage = (size) => device.createBuffer({ size, usage: GPUBufferUsage.STORAGE });
  const data = storage(bytes);
  const outs = Array.from({ length: MOST_RUNS }, () => storage(256));
  const time = timestamps ? byTimestamps(device) : byClock(device);
  const groups = Math.ceil(COMPUTE_GROUPS * scale);
  const best = (code, groups) => quickest(runner(device, code, groups, data, outs), time);
  for (const end = performance.now() + spinMs; performance.now() < end; ) await best(RATES.operationsPerSecond.code, groups);
  const found = { timestamps };
  const keep = (name, value) => onFound(name, (found[name] = value));
  keep("bytesPerSecond", (bytes * 1000) / (await best(READ, READ_GROUPS)));
  for (const [name, { code, operations }] of rates) {
    keep(name, (groups * 64 * ROUNDS * SUMS * operations * 1000) / (await best(code, groups)));
  }
  if (all) for (const [name, value] of Object.entries(await dispatches(device, data, outs, time))) keep(name, value);
  device.destroy();
  return found;
}

const knows = (language) => navigator.gpu.wgslLanguageFeatures?.has(language) ?? false;

/** Milliseconds of a dispatch that does nothing, where each waits for the one before and where none does. */
async function dispatches(device, data, outs, time) {
  const each = async (outs) => {
    const run = runner(device, EMPTY, 1, data, Array.from({ length: DISPATCHES }, (_, n) => outs[n % outs.length]));
    let best = Infinity;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) best = Math.min(best, await time((pass) => run(pass, DISPATCHES)));
    return best / DISPATCHES;
  };
  return { dependentDispatchMs: await each(outs.slice(0, 1)), independentDispatchMs: await each(outs) };
}

/** (pass, times) → encodes that many runs of a kernel. */
function runner(device, code, groups, data, outs) {
  const module = device.createShaderModule({ code });
  const pipeline = device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
  const bind = (out) => device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [data, out].map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  const bindings = outs.map(bind);
  return (pass, times) => {
    pass.setPipeline(pipeline);
    for (const binding of bindings.slice(0, times)) {
      pass.setBindGroup(0, binding);
      pass.dispatchWorkgroups(groups);
    }
  };
}

/** Milliseconds of one run, in the best of several attempts. */
async function quickest(run, time) {
  const attempt = (times) => time((pass) => run(pass, times));
  // What is done the first time, like filling the buffer, does not count.
  await attempt(1);
  let times = 1;
  let best = await attempt(times);
  while (best * times < LONG_MS && times < MOST_RUNS) best = (await attempt((times *= 2))) / times;
  for (let more = 1; more < ATTEMPTS; more++) best = Math.min(best, (await attempt(times)) / times);
  return best;
}

/** (encode) → milliseconds of one pass, by the GPU's own clock. */
function byTimestamps(device) {
  const querySet = device.createQuerySet({ type: "timestamp", count: 2 });
  const resolved = device.createBuffer({ size: 16, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
  const staging = device.createBuffer({ size: 16, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
  const timestampWrites = { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
  return async (encode) => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass({ timestampWrites });
    encode(pass);
    pass.end();
    encoder.resolveQuerySet(querySet, 0, 2, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, 16);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const [begin, end] = new BigUint64Array(staging.getMappedRange().slice(0));
    staging.unmap();
    return Number(end - begin) / 1e6;
  };
}

/** The same by ours, until the GPU says that it is done. */
function byClock(device) {
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
