// In the page of the GPU's faults: the play during which one call to the GPU fails, here or in azulejo's worker.

import { AzulejoError, CausalLM, Engine } from "/dist/index.js";
import { loseDevice } from "./gpu-hooks.js";

const PROMPT = [5, 6, 7];
/** A cache begins with room for 256. */
const LONG = Array.from({ length: 250 }, (_, at) => 5 + (at * 7) % 200);
const OPTIONS = { maxTokens: 16, ignoreEnd: true };
/** Longer than anything here may take on a busy machine: five seconds of compiling are minutes on one that twenty share. */
const DEADLINE_MS = 240_000;

/** Holds the device, and what was compiled for it, from trial to trial. */
let keeper;
let outcomes, seen;

// ---------------------------------------------------------------- the hooks, wherever they are

const channel = new BroadcastChannel("faults of the GPU");
/** What the next worker to start fails at. */
let ofNextWorker = {};

globalThis.Worker = class extends Worker {
  constructor(url, options) {
    super(`/tests/faults/gpu-worker.js?${encodeURIComponent(JSON.stringify(ofNextWorker))}`, options);
    ofNextWorker = {};
  }
};

/** What the hooks say next: by themselves when a call has failed, or because they are asked. */
function told(asked) {
  return new Promise((resolve) => {
    const hear = ({ data }) => {
      if (!("hits" in data)) return;
      channel.removeEventListener("message", hear);
      resolve(data);
    };
    channel.addEventListener("message", hear);
    if (asked !== undefined) channel.postMessage(asked);
  });
}

// ---------------------------------------------------------------- the play

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

const open = (inPage) => Engine.create({ device: "webgpu", worker: !inPage });
const load = (engine) => CausalLM.load("/plain.gguf", { engine, cache: false });

class Play {
  engine;
  neighbour;
  lm;
  session;
  #inPage;
  /** Whether the caches grow, too. */
  #long;

  constructor(inPage, long) {
    this.#inPage = inPage;
    this.#long = long;
  }

  async run() {
    [outcomes, seen] = [{}, {}];
    this.engine ??= await step("engine", () => open(this.#inPage));
    if (this.engine === undefined) return;
    this.lm ??= await step("load", () => load(this.engine));
    if (this.lm === undefined) return;
    await step("generate", () => tokens("generate", this.lm.generate(PROMPT, OPTIONS)), String);
    if (!this.#long) return;
    this.session ??= this.lm.createSession();
    await step("grow", () => tokens("grow", this.session.generate(LONG, OPTIONS)), String);
    await step("go on", () => tokens("go on", this.session.generate([...LONG, 9, 10, 11], OPTIONS)), String);
    const restored = await step("restore", async () => this.lm.restoreSession(await this.session.save()));
    if (restored !== undefined) {
      await step("restored", () => tokens("restored", restored.generate([...LONG, 9, 10, 11, 12], OPTIONS)), String);
      await restored.dispose();
    }
  }

  /** An engine that is there, and in it a model that has compiled what others need. */
  async invite() {
    this.engine = keeper ??= await open(this.#inPage);
    this.neighbour = await load(this.engine);
  }

  /** What the neighbour says. */
  async ask() {
    [outcomes, seen] = [{}, {}];
    if (this.neighbour !== undefined) await step("neighbour", () => tokens("neighbour", this.neighbour.generate(PROMPT, OPTIONS)), String);
  }

  /** What is left when all is disposed of but the engine. */
  async end() {
    await this.session?.dispose();
    await this.lm?.dispose();
    await this.neighbour?.dispose();
    keeper = this.engine;
    const { models, sessions, jobs, pulls, liveBytes, gpuAllocatedBytes } = (await keeper?.diagnostics()) ?? {};
    return { models, sessions, jobs, pulls, liveBytes, gpuAllocatedBytes };
  }
}

/**
 * With one call that fails: the play, the neighbour, and the play again, undisturbed. `inPage`: azulejo is; `fresh`: on a
 * device of its own, with nothing on it, and no neighbour; `long`: as long as caches grow.
 */
export async function trial({ inPage, fresh, long, ...point }) {
  if (fresh) {
    await keeper?.dispose();
    keeper = undefined;
    if (inPage) await loseDevice();
  }
  const play = new Play(inPage, long);
  if (!fresh) await play.invite();
  if (fresh && !inPage) ofNextWorker = point;
  else await told({ inPage, point });
  const hit = told();
  await play.run();
  // Counted up to here: what follows is undisturbed. Of a worker that is gone all is known.
  const { hits, counts } = await Promise.race([hit, told({ inPage })]);
  const faulty = { outcomes, seen, hits, counts };
  if (hits === 0) await told({ inPage, point: {} });
  await play.ask();
  const neighbour = { outcomes, seen };
  await play.run();
  const again = { outcomes, seen };
  return { faulty, neighbour, again, left: await play.end() };
}
