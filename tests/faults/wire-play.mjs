// A play of calls to a worker: an engine, three models, a session, tokens, an abort, vectors, classes; and what may be said of
// it where the worker, or a thread of its pool, has ended meanwhile.

import { getEventListeners } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endless, tiny } from "../api-models.mjs";
import { startApiServer } from "../api-server.mjs";
import { CausalLM, Engine, ImageClassifier, inspect, TextEmbedder } from "../../dist/index.js";
import { afterRestoring, digest, PIXELS } from "./answers.mjs";
import { bert, vit } from "./models.mjs";
import { settled } from "./oracle.mjs";

const PROMPT = [5, 6, 7];
const ON_AND_ON = { ignoreEnd: true };
/** What a worker's end is to those who wait for it. */
const KILLED = ["internal"];

/** Held here: a model is read again from the bytes it came from only as long as the caller has them. */
const FILES = { bert: bert(), vit: vit() };

/** The models of a play, and what is asked of them; each by itself, in this order. */
class Play {
  engine;
  models = {};
  outcomes = {};
  #url;
  #options;
  #signal = new AbortController().signal;
  #session;

  /** `url`: of a server that has the endless model; `options`: the engine's. */
  constructor(url, options) {
    this.#url = url;
    this.#options = options;
  }

  async run() {
    this.outcomes = {};
    this.engine ??= await this.#step("engine", () => Engine.create(this.#options), () => "there");
    // A worker that dies at its start: the next one does not.
    if (this.engine === undefined) return;
    const { engine } = this;
    await this.#load("lm", () => CausalLM.load(`${this.#url}endless.gguf`, { engine, signal: this.#signal, onProgress() {} }));
    await this.#load("bert", () => TextEmbedder.load(FILES.bert, { engine }));
    await this.#load("vit", () => ImageClassifier.load(FILES.vit, { engine }));
    const { lm, bert: embedder, vit: classifier } = this.models;
    this.#session ??= lm?.createSession();
    await this.#step("inspect", () => inspect(`${this.#url}endless.gguf`, { engine }), JSON.stringify);
    if (embedder) await this.#step("embed", () => embedder.embed([PROMPT]), digest);
    if (classifier) await this.#step("classify", () => classifier.logits(PIXELS), digest);
    if (lm) await this.#talk(lm, embedder);
  }

  async #talk(lm, embedder) {
    await this.#step("encode", () => lm.tokenizer.encode("the red house"), String);
    await this.#step("session", () => this.#session.generate(PROMPT, { maxTokens: 5, ...ON_AND_ON }), ({ tokens }) => String(tokens));
    await this.#step("restored", () => afterRestoring(lm, this.#session, [...PROMPT, 9]), String);
    await Promise.all([
      this.#step("together", () => lm.logits(PROMPT), digest),
      this.#step("together with", () => lm.generate(PROMPT, { maxTokens: 3, ...ON_AND_ON }), ({ tokens }) => String(tokens)),
      embedder && this.#step("together too", () => embedder.hidden([PROMPT]), digest),
    ]);
    await this.#step("stream", () => streamed(lm), String);
    await this.#step("abort", () => abortedAfter(lm, 2), (right) => right);
  }

  async #load(name, load) {
    this.models[name] ??= await this.#step(`load ${name}`, load, () => "there");
  }

  async #step(name, work, say) {
    const outcome = await settled(Promise.resolve().then(work));
    const { value } = outcome;
    this.outcomes[name] = "value" in outcome ? { value: say(value) } : outcome;
    return value;
  }

  /** Of the signal that the load was given. */
  get listeners() {
    return getEventListeners(this.#signal, "abort").length;
  }

  async forget() {
    await this.#session?.dispose();
    this.#session = undefined;
    for (const model of Object.values(this.models)) await model?.dispose();
    this.models = {};
  }

  async end() {
    await this.forget();
    const { models, sessions, jobs } = (await this.engine?.diagnostics()) ?? {};
    await this.engine?.dispose();
    return { models, sessions, jobs };
  }
}

async function streamed(lm) {
  const ids = [];
  for await (const { id } of lm.generate(PROMPT, { maxTokens: 5, ...ON_AND_ON })) ids.push(id);
  return ids;
}

/** A generation whose caller aborts it: what there is of it is the beginning of the whole. */
async function abortedAfter(lm, count) {
  const controller = new AbortController();
  const running = lm.generate(PROMPT, { ...ON_AND_ON, signal: controller.signal });
  let heard = 0;
  for await (const _ of running) if (++heard === count) controller.abort();
  const { tokens, finishReason } = await running;
  const whole = await lm.generate(PROMPT, { maxTokens: tokens.length, ...ON_AND_ON });
  const left = getEventListeners(controller.signal, "abort").length;
  return `${finishReason}, ${String(whole.tokens) === String(tokens) ? "a beginning" : "something else"}, ${left} listeners`;
}

/** Only those who waited when the worker ended may have lost: those who were at it together count as one. */
function judge(oracle, when, right, play, point) {
  const lost = new Set();
  for (const [name, outcome] of Object.entries(play.outcomes)) {
    if (outcome.error !== undefined) lost.add(name.split(" ")[0] === "together" ? "together" : name);
    oracle.judge(`${when}, ${name}`, outcome, { right: [right[name].value], codes: point === undefined ? [] : KILLED });
  }
  if (lost.size > 1 && !point?.onwards) oracle.wrong(`${when}: one worker's end cost ${[...lost].join(", ")}`);
}

/** What an undisturbed play says, how many messages it takes (`count` says), and what it leaves. */
async function learn(tap, url, options, count) {
  const folder = newFolder();
  const play = new Play(url, options);
  const alive = tap.alive.size;
  tap.arm({});
  await play.run();
  const counts = await count();
  for (const [name, { error }] of Object.entries(play.outcomes))
    if (error !== undefined) throw new Error(`undisturbed, ${name}`, { cause: error });
  const left = await leave(play, folder);
  await ended(tap, alive);
  rmSync(folder, { recursive: true });
  return { counts, right: play.outcomes, left };
}

/** Ends a play: what it leaves. */
async function leave(play, folder) {
  return JSON.stringify({ ...await play.end(), files: shapeOf(folder), listeners: play.listeners });
}

/** A group of such plays: `count` says how many messages of which kind have passed. */
export async function openWorld(tap, options, count) {
  const server = await startApiServer({ isolated: false, files: { "/endless.gguf": { bytes: endless() } } });
  const elsewhere = await Engine.create({ threads: 1 });
  const neighbour = await CausalLM.load(tiny(), { engine: elsewhere });
  const answer = digest(await neighbour.logits(PROMPT));
  tap.install();
  return {
    tap, url: server.url, options, neighbour, answer,
    ...await learn(tap, server.url, options, count),
    async close() {
      await elsewhere.dispose();
      await server.close();
    },
  };
}

/**
 * The play, during which something ends; then what is beside it, and the play again. `buried`: waits until what has ended
 * in a play is heard of.
 * `world`: { tap, url, options, neighbour, answer, right, left }
 */
export async function disturbed(world, oracle, point, buried) {
  const { tap, url, options, neighbour, answer, right } = world;
  const folder = newFolder();
  const play = new Play(url, options);
  const alive = tap.alive.size;
  tap.arm(point);
  await play.run();
  tap.disarm();
  await buried(play);
  // What has died again and again says so, and wants to be loaded anew.
  if (point.onwards) await play.forget();
  judge(oracle, "with the fault", right, play, point);
  oracle.judge("the neighbour", await settled(neighbour.logits(PROMPT).then(digest)), { right: [answer] });
  await play.run();
  judge(oracle, "the next time", right, play);
  const left = await leave(play, folder);
  if (left !== world.left) oracle.wrong(`left behind: ${left} instead of ${world.left}`);
  if (!(await ended(tap, alive))) oracle.wrong(`left behind: ${tap.alive.size - alive} workers`);
  rmSync(folder, { recursive: true });
}

/** Whether there are no more workers than so many, some time. */
async function ended(tap, count) {
  const exits = [...tap.alive].slice(count).map((worker) => new Promise((resolve) => worker.once("exit", resolve)));
  const outcome = await settled(Promise.all(exits));
  return !outcome.hangs && tap.alive.size <= count;
}

/** What is downloaded is kept in a folder of its own. */
function newFolder() {
  const folder = mkdtempSync(join(tmpdir(), "azulejo-faults-"));
  process.env.AZULEJO_CACHE = folder;
  return folder;
}

/** What is kept: names of files without what is random in them. */
function shapeOf(folder) {
  return readdirSync(folder).map((name) => (name.endsWith(".json") ? "notes" : "data")).sort().join(" ");
}
