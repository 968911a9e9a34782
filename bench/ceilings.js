// What a GPU can do at most, by two small kernels: how fast memory is read, and how many operations a second are done
// in registers, in f32. A multiplication with an addition counts as two. No kernel of ours in f32 is faster than both.

/** More than the caches of most GPUs hold. */
const READ_BYTES = 256 * 2 ** 20;
const READ_GROUPS = 4096;
const READ = `
@group(0) @binding(0) var<storage, read> data: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

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

/** Enough threads for a large GPU, each with sixteen sums that do not wait for each other. */
const COMPUTE_GROUPS = 1024;
const ROUNDS = 1024;
const COMPUTE_OPERATIONS = COMPUTE_GROUPS * 64 * ROUNDS * 16 * 2;
const COMPUTE = `
@group(0) @binding(0) var<storage, read> data: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let factor = data[0];
  let term = data[1];
  var a = vec4<f32>(f32(id.x));
  var b = a + 1.0;
  var c = a + 2.0;
  var d = a + 3.0;
  for (var round = 0u; round < ${ROUNDS}u; round++) {
    a = a * factor + term;
    b = b * factor + term;
    c = c * factor + term;
    d = d * factor + term;
  }
  let sum = a + b + c + d;
  if (sum.x + sum.y + sum.z + sum.w != 0.0) {
    out[0] = 1.0;
  }
}`;

/** Each run writes to a buffer of its own, or it would wait for the one before. */
const MOST_RUNS = 64;
/** So long that neither a clock's grain nor the way to the GPU counts for much. */
const LONG_MS = 20;
const ATTEMPTS = 5;

/** Of the adapter that the page gets: { bytesPerSecond, operationsPerSecond, timestamps }. */
export async function measureCeilings() {
  const adapter = await navigator.gpu.requestAdapter();
  const timestamps = adapter.features.has("timestamp-query");
  const bytes = Math.min(READ_BYTES, adapter.limits.maxStorageBufferBindingSize, adapter.limits.maxBufferSize);
  const device = await adapter.requestDevice({
    requiredFeatures: timestamps ? ["timestamp-query"] : [],
    requiredLimits: { maxStorageBufferBindingSize: bytes, maxBufferSize: bytes },
  });
  const storage = (size) => device.createBuffer({ size, usage: GPUBufferUsage.STORAGE });
  const data = storage(bytes);
  const outs = Array.from({ length: MOST_RUNS }, () => storage(256));
  const time = timestamps ? byTimestamps(device) : byClock(device);
  const best = (code, groups) => quickest(runner(device, code, groups, data, outs), time);
  const read = await best(READ, READ_GROUPS);
  const compute = await best(COMPUTE, COMPUTE_GROUPS);
  device.destroy();
  return { bytesPerSecond: (bytes * 1000) / read, operationsPerSecond: (COMPUTE_OPERATIONS * 1000) / compute, timestamps };
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
