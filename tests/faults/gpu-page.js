// In the page of the GPU's faults: the browser's WebGPU, of which one call can fail, and the play during which it does.

import { AzulejoError, CausalLM, Engine } from "/dist/index.js";

/** Holds the device, and what was compiled for it, from trial to trial. */
let keeper;

/** What is counted, by name. */
const CALLS = {
  submit: [GPUQueue, "submit"],
  map: [GPUBuffer, "mapAsync"],
  pipeline: [GPUDevice, "createComputePipeline"],
  buffer: [GPUDevice, "createBuffer"],
};
const { popErrorScope } = GPUDevice.prototype;

let counts = {};
/** { call, how, at } */
let armed = {};
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

const PROMPT = [5, 6, 7];
/** A cache begins with room for 256. */
const LONG = Array.from({ length: 250 }, (_, at) => 5 + (at * 7) % 200);
const OPTIONS = { maxTokens: 16, ignoreEnd: true };
/** Longer than anything here may take on a busy machine. */
const DEADLINE_MS = 30_000;

let outcomes, seen;

/** How a step ends, in what crosses to the test: { value }, { code, message } or { hangs }. */
async function step(name, work, say = () => "there") {
  const never = new Promise((resolve) => setTimeout(resolve, DEADLINE_MS, { hangs: true }));
  const ended = Promise.resolve().then(work).then(
    (value) => ({ value: say(value), kept: value }),
    (error) => ({ code: error instanceof AzulejoError ? error.code : "no AzulejoError", message: String(error?.message ?? error) }),
  );
  const { kept, ...outcome } = await Promise.race([ended, never]);
  outcomes[name] = outcome;
  return kept;
}

/** A generation's tokens, and on the way what was seen of them. */
async function tokens(name, generation) {
  seen[name] = [];
  for await (const { id } of generation) seen[name].push(id);
  return (await generation).tokens;
}

class Play {
  engine;
  neighbour;
  lm;
  session;
  /** Whether the caches grow, too. */
  #long;

  constructor(long) {
    this.#long = long;
  }

  async run() {
    [outcomes, seen] = [{}, {}];
    this.engine ??= await step("engine", () => Engine.create({ device: "webgpu", worker: false }));
    if (this.engine === undefined) return;
    this.lm ??= await step("load", () => this.#load());
    if (this.lm === undefined) return;
    await step("generate", () => tokens("generate", this.lm.generate(PROMPT, OPTIONS)), String);
    if (!this.#long) return;
    this.session ??= this.lm.createSession();
    await step("grow", () => tokens("grow", this.session.generate(LONG, OPTIONS)), String);
    await step("go on", () => tokens("go on", this.session.generate([...LONG, 9, 10, 11], OPTIONS)), String);
  }

  #load() {
    return CausalLM.load("/endless.gguf", { engine: this.engine, cache: false });
  }

  /** What compiles for itself is there, and a model that has compiled what others need. */
  async invite() {
    // After a loss it has a new device first.
    await keeper.diagnostics();
    this.engine = await Engine.create({ device: "webgpu", worker: false });
    this.neighbour = await this.#load();
  }

  /** What the neighbour says. */
  async ask() {
    [outcomes, seen] = [{}, {}];
    if (this.neighbour !== undefined) await step("neighbour", () => tokens("neighbour", this.neighbour.generate(PROMPT, OPTIONS)), String);
  }

  /** What is left when all is disposed of. */
  async end() {
    await this.session?.dispose();
    await this.lm?.dispose();
    await this.neighbour?.dispose();
    const { models, sessions, jobs, pulls, liveBytes, gpuAllocatedBytes } = (await this.engine?.diagnostics()) ?? {};
    await this.engine?.dispose();
    return { models, sessions, jobs, pulls, liveBytes, gpuAllocatedBytes };
  }
}

/**
 * With one call that fails: the play, the neighbour, and the play again, undisturbed. `fresh`: on a device of its own, with
 * nothing on it, and no neighbour; `long`: as long as caches grow.
 */
export async function trial({ fresh, long, ...point }) {
  if (fresh) {
    await keeper?.dispose();
    keeper = undefined;
    device?.destroy();
    await device?.lost;
  }
  const play = new Play(long);
  if (!fresh) {
    keeper ??= await Engine.create({ device: "webgpu", worker: false });
    await play.invite();
  }
  [counts, armed, hits, without] = [{}, point, 0, 0];
  await play.run();
  // Counted up to here: what follows is undisturbed.
  const faulty = { outcomes, seen, hits, counts: { ...counts } };
  armed = {};
  await play.ask();
  const neighbour = { outcomes, seen };
  await play.run();
  const again = { outcomes, seen };
  return { faulty, neighbour, again, left: await play.end() };
}
