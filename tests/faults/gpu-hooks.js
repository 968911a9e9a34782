// The browser's WebGPU, of which one call can fail: in the page, or in a worker, which imports this first. Whoever arms it
// and asks what came of it is in the page.

/** What is counted, by name. */
const CALLS = {
  submit: [GPUQueue, "submit"],
  map: [GPUBuffer, "mapAsync"],
  view: [GPUBuffer, "getMappedRange"],
  pipeline: [GPUDevice, "createComputePipeline"],
  buffer: [GPUDevice, "createBuffer"],
};
const { popErrorScope } = GPUDevice.prototype;

const isPage = globalThis.document !== undefined;
const channel = new BroadcastChannel("faults of the GPU");
let counts = {};
/** { call, how, at }: of a worker that is to fail from the beginning, its address says it. */
let armed = isPage ? {} : JSON.parse(decodeURIComponent(globalThis.location.search.slice(1)));
let hits = 0;
let device;
/** The next scopes that are popped say so many times that there is no memory. */
let without = 0;

/** How a call fails. */
const FAULTS = {
  "destroyed-before": (call) => (device.destroy(), call()),
  "destroyed-after": (call) => {
    const result = call();
    device.destroy();
    return result;
  },
  // Chrome gives a GiB in one piece to nobody on SwiftShader: vkAllocateMemory fails, as on a GPU that is full.
  "too-large": (call, [descriptor]) => call({ ...descriptor, size: 2 ** 30 }),
  // No buffer may be mapped for reading and for writing.
  "invalid": (call, [descriptor]) => call({ ...descriptor, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.MAP_WRITE }),
  // The buffer is there, and its scope says that it is not.
  "said-to-be-none": (call, given) => (without++, call(...given)),
};

for (const [kind, [type, name]] of Object.entries(CALLS)) {
  const real = type.prototype[name];
  type.prototype[name] = function (...given) {
    const call = (...others) => real.apply(this, others.length > 0 ? others : given);
    counts[kind] = (counts[kind] ?? 0) + 1;
    if (armed.call !== kind || armed.at !== counts[kind]) return call();
    hits++;
    // The worker may end of it.
    channel.postMessage({ counts, hits });
    return FAULTS[armed.how](call, given);
  };
}
GPUDevice.prototype.popErrorScope = async function () {
  const lacks = without > 0;
  if (lacks) without--;
  const error = await popErrorScope.call(this);
  return lacks ? new GPUOutOfMemoryError("said to be none") : error;
};
const { requestDevice } = GPUAdapter.prototype;
GPUAdapter.prototype.requestDevice = async function (...given) {
  return (device = await requestDevice.apply(this, given));
};

/** The device that was opened last is no more. */
export async function loseDevice() {
  device?.destroy();
  await device?.lost;
}

/** From now on calls count anew, and one of them fails. */
function arm(point) {
  [counts, armed, hits, without] = [{}, point, 0, 0];
}

channel.onmessage = ({ data: { inPage, point } }) => {
  // What the others say to the one who asks.
  if (inPage !== isPage) return;
  if (point !== undefined) arm(point);
  channel.postMessage({ counts, hits });
};
