// Random sequences of calls to the public API, made of a seed. Each answer is what a fresh model gives, the beginning of it
// where it was aborted, or an error that what has happened meanwhile explains.

import { CausalLM, Engine, ImageClassifier, inspect, TextEmbedder } from "../../dist/index.js";
import { seeded } from "../support/tiny-model.mjs";
import { digest, PIXELS } from "./answers.mjs";
import { settled, turn } from "./oracle.mjs";

const OPS = 20;
const PROMPTS = [[5, 6, 7], [9], "the red house", Array.from({ length: 90 }, (_, at) => 5 + (at * 7) % 200), [5, 6, 7, 8, 9, 10]];
const OPTIONS = [
  { maxTokens: 5 },
  { maxTokens: 4, temperature: 0.9, seed: 3 },
  { maxTokens: 6, logprobs: 2 },
  { maxTokens: 3, temperature: 1, topK: 5, seed: 11, repetitionPenalty: 1.2 },
  { maxTokens: 0 },
  { maxTokens: 120 },
].map((options) => ({ ignoreEnd: true, ...options }));
const KINDS = { lm: CausalLM, bert: TextEmbedder, vit: ImageClassifier };

/** How often which step is taken. */
const WEIGHTS = {
  engine: 2, load: 6, badLoad: 1, abortedLoad: 2, inspect: 1, generate: 8, session: 2, talk: 6, encode: 2, compute: 4, abort: 3, leave: 2,
  disposeSession: 1, disposeModel: 1, disposeEngine: 1, kill: 1, cut: 1, mend: 2, wait: 4, rest: 2,
};
const NAMES = Object.entries(WEIGHTS).flatMap(([name, weight]) => Array(weight).fill(name));

/** The steps of a seed: [name, numbers that choose]. They mean something whichever of them are left out. */
export function sequence(seed) {
  const random = seeded(seed * 7919 + 1);
  for (let warm = 0; warm < 5; warm++) random();
  const step = () => [NAMES[Math.floor(random() * NAMES.length)], ...Array.from({ length: 3 }, () => Math.floor(random() * 1000))];
  return [["engine", seed, 0, 0], ["load", 0, seed, 0], ...Array.from({ length: OPS }, step)];
}

const pick = (list, at) => list[at % list.length];

/** One run: what there is, what has happened to it, and what is wrong. */
export class Run {
  wrongs = [];
  #engines = [];
  #models = [];
  #sessions = [];
  #running = [];
  #open = [];
  #isCut = false;
  #world;
  #oracle;

  /** `world`: { files, right, fetch(isCut), kill() }, `oracle`: the four questions'. */
  constructor(world, oracle) {
    this.#world = world;
    this.#oracle = oracle;
  }

  async run(steps) {
    for (const [name, ...given] of steps) if (name === "engine" || this.#engines.length > 0) await this.#steps[name](...given);
    this.#isCut = false;
    await this.#rest();
    for (const model of this.#models) await model.it.dispose();
    await this.#judgeEnd();
    for (const { it } of this.#engines) await it.dispose();
  }

  async #judgeEnd() {
    for (const engine of this.#engines.filter(({ gone }) => !gone)) {
      const { models, sessions, jobs, pulls } = await engine.it.diagnostics();
      const left = { models, sessions, jobs, pulls };
      if (Object.values(left).some((count) => count > 0)) this.#oracle.wrong(`left behind: ${JSON.stringify(left)}`);
    }
  }

  /** A call under way: what may come of it depends on what happens to `on`, which it needs, until it ends. */
  #start(name, on, right, work, { signal = new AbortController(), say = String } = {}) {
    const call = { name, on, right, signal, events: new Set(), ended: false };
    if (this.#isCut) call.events.add("network");
    const gone = on.some((thing) => thing.gone);
    call.over = settled(Promise.resolve().then(() => work(signal.signal))).then((outcome) => {
      call.ended = true;
      this.#judge(call, "value" in outcome ? { value: say(outcome.value) } : outcome, gone);
      return outcome.value;
    });
    this.#running.push(call);
    return call;
  }

  #judge({ name, right, events }, outcome, gone) {
    const codes = gone ? ["disposed"] : [...events];
    const { value } = outcome;
    const isBeginning = typeof value === "string" && value.endsWith(" aborted") && events.has("aborted") &&
      `${right[0]},`.startsWith(`${value.slice(0, -" aborted".length)},`.replace(/^,$/, ""));
    if (gone && value !== undefined && !isBeginning) this.#oracle.wrong(`${name}: ${value} of what was disposed of`);
    else if (!isBeginning) this.#oracle.judge(name, outcome, { right, codes });
  }

  /** Something happens to what runs. */
  #happens(code, concerned = () => true) {
    for (const call of this.#running) if (!call.ended && concerned(call)) call.events.add(code);
  }

  async #rest() {
    for (const call of this.#running.splice(0)) await call.over;
    for (const close of this.#open.splice(0)) await close();
  }

  #alive(list) {
    return list.filter(({ gone }) => !gone);
  }

  #steps = {
    engine: async (worker) => {
      if (this.#alive(this.#engines).length >= 2) return;
      const inPage = worker % 3 === 0;
      const it = await Engine.create({ threads: 1, ...(inPage && { worker: false }) });
      this.#engines.push({ it, inPage, gone: false });
    },
    load: async (at, kind, file) => {
      if (this.#alive(this.#models).length >= 3) return;
      await this.#load(at, pick(["lm", "lm", "lm", "bert", "vit"], kind), file % 2 === 0).over;
    },
    badLoad: async (at, how) => {
      const engine = this.#engine(at);
      const files = pick([new Uint8Array(100), this.#world.files.lm.subarray(0, 3000), { "config.json": "{" }], how);
      const call = this.#start("a bad load", [engine], [], () => CausalLM.load(files, { engine: engine.it }));
      for (const code of ["corrupt-file", "missing-file", "unsupported-model"]) call.events.add(code);
      if (engine.gone) await call.over;
    },
    abortedLoad: async (at, turns) => {
      const call = this.#load(at, "lm", true);
      await this.#turns(turns % 40);
      this.#abort(call);
    },
    inspect: async (at) => {
      const engine = this.#engine(at);
      this.#start("inspect", [engine], ["llama"], () => inspect(this.#world.files.lm, { engine: engine.it }), { say: ({ architecture }) => architecture });
    },
    generate: async (at, prompt, options) => this.#generate(this.#model("lm", at), undefined, prompt, options),
    session: async (at) => {
      const model = this.#model("lm", at);
      if (model === undefined || this.#sessions.length >= 4) return;
      this.#sessions.push({ it: model.it.createSession(), model, gone: model.gone });
    },
    talk: async (at, prompt, options) => {
      const session = pick(this.#sessions, at);
      if (session !== undefined) this.#generate(session.model, session, prompt, options);
    },
    encode: async (at) => {
      const model = this.#model("lm", at);
      if (model) this.#start("encode", this.#of(model), [this.#world.right.encode], () => model.it.tokenizer.encode("the red house"));
    },
    compute: async (at, kind) => {
      const what = pick(["lm", "bert", "vit"], kind);
      const model = this.#model(what, at);
      if (model === undefined) return;
      const work = {
        lm: () => model.it.logits(PROMPTS[0]),
        bert: () => model.it.embed([PROMPTS[0]]),
        vit: () => model.it.logits(PIXELS),
      };
      this.#start(what, this.#of(model), [this.#world.right[what]], work[what], { say: digest });
    },
    abort: async (at) => {
      const call = pick(this.#running, at);
      if (call !== undefined) this.#abort(call);
    },
    leave: async (at, prompt, count) => {
      const model = this.#model("lm", at);
      if (model !== undefined) this.#leave(model, prompt, count % 7);
    },
    disposeSession: async (at) => {
      const session = pick(this.#sessions, at);
      if (session === undefined) return;
      this.#happens("disposed", ({ on }) => on.includes(session));
      session.gone = true;
      this.#open.push(() => session.it.dispose());
      void session.it.dispose();
    },
    disposeModel: async (at) => {
      const model = pick(this.#models, at);
      if (model !== undefined) this.#dispose(model, ({ on }) => on.includes(model));
    },
    disposeEngine: async (at) => {
      const engine = pick(this.#engines, at);
      if (engine !== undefined) this.#dispose(engine, ({ on }) => on.includes(engine));
    },
    kill: async () => {
      this.#happens("internal", ({ on }) => on.some(({ inPage }) => inPage === false));
      await this.#world.kill();
    },
    cut: async () => {
      this.#isCut = true;
      this.#happens("network");
    },
    mend: async () => {
      this.#isCut = false;
    },
    wait: async (turns) => this.#turns(turns % 60),
    rest: async () => this.#rest(),
  };

  async #turns(count) {
    for (let n = 0; n < count; n++) await turn();
  }

  #engine(at) {
    return pick(this.#engines, at);
  }

  #model(kind, at) {
    return pick(this.#models.filter((model) => model.kind === kind), at);
  }

  /** What a model's calls need. */
  #of(model) {
    return [model, model.engine];
  }

  #load(at, kind, byUrl) {
    const engine = this.#engine(at);
    const { files, url } = this.#world;
    const fetch = async () => {
      if (this.#isCut) throw new TypeError("the network is cut");
      return new Response(files.lm, { headers: { "content-length": `${files.lm.length}` } });
    };
    const remote = kind === "lm" && byUrl;
    const work = async (signal) => {
      const options = { engine: engine.it, signal, ...(remote && { fetch, cache: false, retries: 0 }) };
      const it = await KINDS[kind].load(remote ? url : files[kind], options);
      this.#models.push({ it, kind, engine, gone: engine.gone });
      return "there";
    };
    return this.#start(`load ${kind}`, [engine], ["there"], work);
  }

  #generate(model, session, prompt, options) {
    if (model === undefined) return;
    const [p, o] = [prompt % PROMPTS.length, options % OPTIONS.length];
    const on = [...this.#of(model), ...(session === undefined ? [] : [session])];
    const work = (signal) => (session ?? model).it.generate(PROMPTS[p], { ...OPTIONS[o], signal });
    this.#start(session ? "talk" : "generate", on, [this.#world.right.generate[p][o]], work, { say: said });
  }

  /** Breaks out of a `for await`. */
  #leave(model, prompt, count) {
    const p = prompt % PROMPTS.length;
    const work = async () => {
      const generation = model.it.generate(PROMPTS[p], OPTIONS.at(-1));
      let heard = 0;
      for await (const _ of generation) if (++heard > count) break;
      return generation;
    };
    this.#start("leave", this.#of(model), [this.#world.right.generate[p].at(-1)], work, { say: said }).events.add("aborted");
  }

  #abort(call) {
    if (!call.ended) call.events.add("aborted");
    call.signal.abort();
  }

  /** And all that is in it. */
  #dispose(thing, concerned) {
    this.#happens("disposed", concerned);
    thing.gone = true;
    for (const model of this.#models) if (model.engine === thing) model.gone = true;
    for (const session of this.#sessions) if (session.model.gone) session.gone = true;
    void thing.it.dispose();
  }
}

/** A generation in words. */
export function said({ tokens, finishReason }) {
  return finishReason === "aborted" ? `${tokens} aborted` : `${tokens}`;
}

/** What fresh models say, each once. */
export async function learn(files) {
  const engine = await Engine.create({ threads: 1 });
  const fresh = async (kind, work) => {
    const model = await KINDS[kind].load(files[kind], { engine });
    const answer = await work(model);
    await model.dispose();
    return answer;
  };
  const generate = [];
  for (const [at, prompt] of PROMPTS.entries()) {
    generate[at] = [];
    for (const options of OPTIONS) generate[at].push(await fresh("lm", async (lm) => said(await lm.generate(prompt, options))));
  }
  const right = {
    generate,
    encode: await fresh("lm", async (lm) => String(await lm.tokenizer.encode("the red house"))),
    lm: await fresh("lm", async (lm) => digest(await lm.logits(PROMPTS[0]))),
    bert: await fresh("bert", async (bert) => digest(await bert.embed([PROMPTS[0]]))),
    vit: await fresh("vit", async (vit) => digest(await vit.logits(PIXELS))),
  };
  await engine.dispose();
  return right;
}
