// What the tests on WebGPU do in their page; some of it also in the worker.

/** The tokens of a greedy generation, or as the options say. */
export async function tokensOf(lm, prompt, options) {
  const tokens = [];
  for await (const token of lm.generate(prompt, { maxTokens: 16, ignoreEnd: true, ...options })) tokens.push(token);
  return tokens;
}

/** Their ids, as the result has them. */
export async function ids(lm, prompt, options) {
  const { tokens } = await lm.generate(prompt, { maxTokens: 16, ignoreEnd: true, ...options });
  return Array.from(tokens);
}

/** How many steps the first choice was clear of the second. */
export function sureSteps(tokens) {
  const unsure = tokens.findIndex(({ alternatives: [first, second] }) => first.logprob - second.logprob < 0.02);
  return unsure < 0 ? tokens.length : unsure;
}

/** `prompt` with one more id, such that its greedy continuation is clear for a while; and that continuation. */
export async function surePrompt(lm, prompt) {
  for (let id = 9; ; id++) {
    const fresh = await tokensOf(lm, [...prompt, id], { logprobs: 2 });
    if (sureSteps(fresh) >= 4 || id === 30) return { prompt: [...prompt, id], fresh };
  }
}

/** Two characters from the midst of a text. */
export function stopIn(text) {
  const [stop] = /[!-~]{2}/.exec(text.slice(4)) ?? [];
  if (stop === undefined) throw new Error(`nothing to stop at in ${JSON.stringify(text)}`);
  return stop;
}

/** A generation of ids 5 to 8 in `session` that ends by "stop", "abort" or "length". Gives its tokens. */
export async function endBy(end, session, lm) {
  const options = { temperature: 1, seed: 5, maxTokens: 64, ignoreEnd: true };
  if (end === "length") return (await session.generate([5, 6, 7, 8], { ...options, maxTokens: 6 })).tokens;
  if (end === "stop") {
    const stop = stopIn((await lm.generate([5, 6, 7, 8], options)).text);
    return (await session.generate([5, 6, 7, 8], { ...options, stop: [stop] })).tokens;
  }
  const generation = session.generate([5, 6, 7, 8], { ...options, maxTokens: 10_000 });
  let seen = 0;
  for await (const _ of generation) if (++seen === 4) break;
  return (await generation).tokens;
}

/** SwiftShader in this realm says that it is a GPU: "auto" takes no other. */
export function looksLikeHardware() {
  const said = { vendor: "nvidia", architecture: "hopper", device: "", description: "", isFallbackAdapter: false };
  for (const [name, value] of Object.entries(said)) Object.defineProperty(GPUAdapterInfo.prototype, name, { get: () => value });
}

/** Has `loseGpu` reach the devices that are made from now on in this realm. */
export function watchDevices() {
  const devices = [];
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function (...given) {
    const device = await requestDevice.apply(this, given);
    devices.push(device);
    return device;
  };
  new BroadcastChannel("gpu").onmessage = () => devices.at(-1)?.destroy();
}

/** Destroys the last device of each realm that watches its own. */
export async function loseGpu() {
  new BroadcastChannel("gpu").postMessage("lose");
}

/** Has `breakGpu` reach the commands that are given from now on in this realm: one of them will be refused. */
export function watchCommands() {
  let broken = false;
  new BroadcastChannel("commands").onmessage = () => { broken = true; };
  const { dispatchWorkgroups } = GPUComputePassEncoder.prototype;
  GPUComputePassEncoder.prototype.dispatchWorkgroups = function (x, y, z) {
    const groups = broken ? 65_536 : x;
    broken = false;
    return dispatchWorkgroups.call(this, groups, y, z);
  };
}

/** Makes the next command of each realm that watches its own one that no GPU takes. */
export async function breakGpu() {
  new BroadcastChannel("commands").postMessage("break");
}

/**
 * A queue as Firefox has it: it tells what is done when it is given something, or else at a tick every 100 ms. Counts
 * by what it came to tell, and submits of nothing.
 */
export function lateQueue() {
  const counts = { told: { submit: 0, tick: 0 }, empty: 0 };
  const waiting = [];
  const tell = (by) => {
    counts.told[by] += waiting.length;
    for (const go of waiting.splice(0)) go();
  };
  const late = (Class, method) => {
    const original = Class.prototype[method];
    Class.prototype[method] = async function (...given) {
      const value = await original.apply(this, given);
      return new Promise((resolve) => waiting.push(() => resolve(value)));
    };
  };
  late(GPUBuffer, "mapAsync");
  late(GPUQueue, "onSubmittedWorkDone");
  setInterval(() => tell("tick"), 100);
  countEmpty(counts, () => tell("submit"));
  return counts;
}

/** Counts submits of nothing. */
export function countEmpty(counts, then = () => {}) {
  const { submit } = GPUQueue.prototype;
  GPUQueue.prototype.submit = function (commands) {
    if (commands.length === 0) counts.empty++;
    submit.call(this, commands);
    then();
  };
  return counts;
}
