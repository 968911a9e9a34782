// WebAssembly's memory ends at each page between what a core begins with and what a play takes, so that every growth is
// refused once: in this thread, in a worker, and with a pool. Each call gives what it always gives, or "out-of-memory" with
// the size that was asked for; a model that has answered before answers afterwards; what is called next is no worse off.

import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { endless, tiny } from "../api-models.mjs";
import { AzulejoError, CausalLM, Engine, ImageClassifier, TextEmbedder } from "../../dist/index.js";
import { memoryBegins, memoryEnds } from "../support/wasm.mjs";
import { afterRestoring, digest, PIXELS } from "./answers.mjs";
import { numbered } from "./injector.mjs";
import { bert, vit } from "./models.mjs";
import { Oracle, settled } from "./oracle.mjs";

const DIST = fileURLToPath(new URL("../../dist/", import.meta.url));
const MOST_PAGES = 65536;
const PROMPT = [5, 6, 7];
/** Longer than any tokenizer's first room. */
const TEXT = "the red house in the ".repeat(2000);

/** Where the core lives, how its memory is made to end, and at each how many-th page: threads take their time to start. */
const PLACES = {
  here: { options: { worker: false }, build: "simd", limit: ownMemory, every: 1 },
  worker: { options: { threads: 1 }, build: "threads", limit: sharedMemory, every: 4 },
  pool: { options: { threads: 3 }, build: "threads", limit: sharedMemory, every: 12 },
};

/** The module says it. */
function ownMemory(folder, build, pages) {
  const file = join(folder, build, "azulejo_bg.wasm");
  writeFileSync(file, memoryEnds(readFileSync(file), pages));
}

/** The host makes it, and asks for no less at first than it may have. */
function sharedMemory(folder, build, pages) {
  const begins = memoryBegins(readFileSync(join(folder, build, "azulejo_bg.wasm")));
  const ends = `{
    const { Memory } = WebAssembly;
    WebAssembly.Memory = class extends Memory {
      constructor({ shared }) {
        super({ initial: ${begins}, maximum: ${pages}, shared });
      }
    };
  }\n`;
  const file = join(folder, "worker.js");
  writeFileSync(file, ends + readFileSync(file, "utf8"));
}

/** A copy of the package's files whose memory ends so: of its own, or it would share what this process has loaded. */
function assetsOf({ limit }, pages) {
  const folder = mkdtempSync(join(tmpdir(), "azulejo-faults-"));
  for (const file of ["worker.js", "thread.js"]) copyFileSync(join(DIST, file), join(folder, file));
  for (const build of ["simd", "threads", "relaxed"]) {
    mkdirSync(join(folder, build));
    copyFileSync(join(DIST, build, "azulejo_bg.wasm"), join(folder, build, "azulejo_bg.wasm"));
  }
  for (const build of limit === ownMemory ? ["simd"] : ["threads", "relaxed"]) limit(folder, build, pages);
  return folder;
}

const FILES = { tiny: tiny(), endless: endless(), bert: bert(), vit: vit() };

/** What is asked for, each by itself, in this order; the neighbour is there first. */
class Play {
  outcomes = {};
  #models = {};
  #options;

  constructor(options) {
    this.#options = options;
  }

  async run() {
    this.outcomes = {};
    this.engine ??= await this.#step("engine", () => Engine.create(this.#options), () => "there");
    if (this.engine === undefined) return;
    await this.#load("neighbour", CausalLM, FILES.tiny);
    await this.ask("neighbour, first");
    await this.#load("endless", CausalLM, FILES.endless);
    await this.#load("bert", TextEmbedder, FILES.bert);
    await this.#load("vit", ImageClassifier, FILES.vit);
    const { endless: lm, bert: embedder, vit: classifier } = this.#models;
    if (lm) await this.#talk(lm);
    if (embedder) await this.#step("embed", () => embedder.embed([PROMPT]), digest);
    if (classifier) await this.#step("classify", () => classifier.logits(PIXELS), digest);
    await this.ask("neighbour, in the crowd");
    for (const name of ["endless", "bert", "vit"]) {
      await this.#models[name]?.dispose();
      delete this.#models[name];
    }
    await this.ask("neighbour, alone");
  }

  async #talk(lm) {
    await this.#step("encode", () => lm.tokenizer.encode(TEXT), ({ length }) => `${length}`);
    const session = lm.createSession();
    const prompt = Array.from({ length: 300 }, (_, at) => 5 + (at * 7) % 200);
    await this.#step("generate", () => session.generate(prompt, { maxTokens: 8, ignoreEnd: true }), ({ tokens }) => String(tokens));
    await this.#step("restored", () => afterRestoring(lm, session, [...prompt, 9]), String);
    await this.#step("logits", () => lm.logits(prompt), digest);
    await session.dispose();
  }

  /** What the neighbour says. */
  async ask(name) {
    const { neighbour } = this.#models;
    if (neighbour) await this.#step(name, () => neighbour.logits(PROMPT), digest);
  }

  async #load(name, type, files) {
    const { engine } = this;
    this.#models[name] ??= await this.#step(`load ${name}`, () => type.load(files, { engine }), () => "there");
  }

  async #step(name, work, say) {
    const outcome = await settled(Promise.resolve().then(work));
    const { value } = outcome;
    this.outcomes[name] = "value" in outcome ? { value: say(value) } : outcome;
    return value;
  }

  async end() {
    const { wasmBytes } = (await this.engine?.diagnostics().catch(() => undefined)) ?? {};
    await this.engine?.dispose();
    return wasmBytes;
  }
}

export async function open() {
  const world = { right: {}, pages: {} };
  for (const name of Object.keys(PLACES)) await learn(world, name);
  return { points: points(world), trial: (point) => trial(world, point), memory: () => 0, close() {} };
}

/** What an undisturbed play says, and how many pages it takes. */
async function learn(world, name) {
  const folder = assetsOf(PLACES[name], MOST_PAGES);
  const play = new Play({ ...PLACES[name].options, assets: pathToFileURL(`${folder}/`) });
  await play.run();
  world.right[name] = play.outcomes;
  for (const [step, { error }] of Object.entries(play.outcomes)) if (error !== undefined) throw new Error(`undisturbed, ${step}`, { cause: error });
  world.pages[name] = (await play.end()) / 65536;
  rmSync(folder, { recursive: true });
}

function points({ pages }) {
  return Object.entries(PLACES).flatMap(([place, { build, every }]) => {
    const begins = memoryBegins(readFileSync(join(DIST, build, "azulejo_bg.wasm")));
    const kind = `memory/${place}`;
    const all = Array.from({ length: pages[place] - begins }, (_, at) => begins + at);
    return all.filter((_, at) => at % every === 0).map((pages) => ({ place, pages, kind, slow: true, name: `${kind}/${numbered(pages)}` }));
  });
}

async function trial({ right }, { place, pages }) {
  const oracle = new Oracle(AzulejoError);
  const folder = assetsOf(PLACES[place], pages);
  const play = new Play({ ...PLACES[place].options, assets: pathToFileURL(`${folder}/`) });
  for (const when of ["at first", "once more"]) {
    await play.run();
    judge(oracle, when, play.outcomes, right[place]);
  }
  await play.end();
  rmSync(folder, { recursive: true });
  return oracle.wrongs;
}

function judge(oracle, when, outcomes, right) {
  for (const [name, outcome] of Object.entries(outcomes)) {
    const { code, message } = outcome.error ?? {};
    // Whoever has answered before finds as much room again when all others are gone.
    const codes = name === "neighbour, alone" && outcomes["neighbour, first"]?.value !== undefined ? [] : ["out-of-memory"];
    oracle.judge(`${when}, ${name}`, outcome, { right: [right[name].value], codes });
    if (code === "out-of-memory" && !/\d (bytes|MiB|GiB)/.test(message)) oracle.wrong(`${when}, ${name}: no size in ${message}`);
  }
}
