// The GPU fails, in the page or in azulejo's worker: its device is destroyed at each submit, mapping, view and pipeline of a
// play, and each buffer of the play is one that cannot be had. What runs ends with a named error, and what was seen of its
// tokens is a beginning of the right ones; a model beside it answers as before, what is called next gives the same tokens,
// and nothing is left behind.

import { WEBGPU_ARGUMENTS } from "../../scripts/chromium.mjs";
import { AzulejoError } from "../../dist/index.js";
import { endless } from "../api-models.mjs";
import { startApiServer } from "../api-server.mjs";
import { launchBrowser } from "../support/browser.mjs";
import { numbered } from "./injector.mjs";
import { Oracle } from "./oracle.mjs";

/** A driver that is lost while it is opened may also seem to be none. */
const LOST_AT_ONCE = ["device-lost", "no-webgpu"];
const LOST = ["device-lost"];

/**
 * The plays: which calls of them fail, how, and what may be said of it. On a `fresh` device everything is compiled; where a
 * neighbour has compiled it before, what is counted is a load and its tokens; in a `long` one caches grow.
 */
const PLAYS = {
  fresh: { pipeline: { "destroyed-before": LOST_AT_ONCE } },
  short: {
    submit: { "destroyed-before": LOST },
    map: { "destroyed-before": LOST, "destroyed-after": LOST },
    view: { "destroyed-before": LOST },
  },
  long: { buffer: { "too-large": ["out-of-memory"], "said-to-be-none": ["out-of-memory"], invalid: ["internal"] } },
};

/** Every format of weights has kernels of its own, which take the most of a point's time to compile: this has one. */
const MODEL = endless({ plain: true });

export async function open(place) {
  const browser = await launchBrowser({ args: WEBGPU_ARGUMENTS });
  const server = await startApiServer({ isolated: false, files: { "/plain.gguf": { bytes: MODEL } } });
  const world = new Page(browser, server.url, place);
  // That compiles everything; the others find it compiled.
  world.right = { fresh: await world.load() };
  for (const name of Object.keys(PLAYS)) {
    world.right[name] ??= await world.run(name);
    for (const [step, { value, message }] of Object.entries(world.right[name].faulty.outcomes))
      if (value === undefined) throw new Error(`undisturbed, ${step}: ${message}`);
  }
  return {
    points: points(world),
    trial: (point) => trial(world, point),
    memory: () => 0,
    async close() {
      await browser.close();
      await server.close();
    },
  };
}

/** The page in which trials run; one that hangs is left for another. `place`: where azulejo is. */
class Page {
  stray = [];
  place;
  /** What was alive after the last trial, when all had been disposed of. */
  liveBytes;
  #browser;
  #url;
  #page;

  constructor(browser, url, place) {
    this.#browser = browser;
    this.#url = url;
    this.place = place;
  }

  /** What it gives the first time. */
  async load() {
    this.liveBytes = undefined;
    await this.#page?.close();
    this.#page = await this.#browser.newPage();
    this.#page.on("pageerror", (error) => this.stray.push(`an uncaught exception in the page: ${error?.stack ?? error}`));
    await this.#page.goto(this.#url);
    const first = await this.run("fresh");
    // What is made once stays: counted from the second time on.
    await this.run("long");
    return first;
  }

  run(name, fault = {}) {
    const point = { ...fault, inPage: this.place === "page", fresh: name === "fresh", long: name === "long" };
    return this.#page.evaluate(async (point) => (await import("/tests/faults/gpu-page.js")).trial(point), point);
  }
}

function points({ place, right }) {
  const found = [];
  for (const [name, calls] of Object.entries(PLAYS))
    for (const [call, faults] of Object.entries(calls))
      for (const [how, codes] of Object.entries(faults))
        for (let at = 1; at <= right[name].faulty.counts[call]; at++) {
          const kind = `gpu-${place}/${call}/${how}`;
          found.push({ play: name, call, how, at, codes, kind, slow: true, name: `${kind}/${numbered(at)}` });
        }
  return found;
}

async function trial(world, { play, call, how, at, codes }) {
  const oracle = new Oracle(AzulejoError);
  world.stray = [];
  const right = world.right[play];
  const { faulty, neighbour, again, left } = await world.run(play, { call, how, at });
  // How much is done between two calls depends on the clock: this time there may have been fewer.
  const due = faulty.hits === 0 && faulty.counts[call] < at ? 0 : 1;
  if (faulty.hits !== due) oracle.wrong(`the fault has come ${faulty.hits} times`);
  judge(oracle, "with the fault", faulty, right.faulty, codes);
  judge(oracle, "the neighbour", neighbour, right.neighbour);
  judge(oracle, "the next time", again, right.faulty);
  judgeLeft(oracle, world, left, right.left);
  oracle.wrongs.push(...world.stray);
  const hangs = [faulty, neighbour, again].some(({ outcomes }) => Object.values(outcomes).some((outcome) => outcome.hangs));
  if (hangs) await world.load();
  return oracle.wrongs;
}

/** What wgpu keeps of a device that is lost. */
const OF_A_DEVICE = 4096;

function judgeLeft(oracle, world, { liveBytes, ...left }, { liveBytes: _, ...right }) {
  if (JSON.stringify(left) !== JSON.stringify(right)) oracle.wrong(`left behind: ${JSON.stringify(left)} instead of ${JSON.stringify(right)}`);
  const more = liveBytes - (world.liveBytes ?? liveBytes);
  if (more > OF_A_DEVICE) oracle.wrong(`left behind: ${more} bytes`);
  world.liveBytes = liveBytes;
}

/** A fault costs one call; what was seen of its tokens is the beginning of the right ones. */
function judge(oracle, when, { outcomes, seen }, right, codes) {
  const lost = [];
  for (const [name, { code, message, ...outcome }] of Object.entries(outcomes)) {
    const ended = code === undefined ? outcome : { error: errorOf(code, message) };
    if (code !== undefined) lost.push(name);
    oracle.judge(`${when}, ${name}`, ended, { right: [right.outcomes[name].value], codes });
  }
  if (lost.length > 1) oracle.wrong(`${when}: it has cost ${lost.join(", ")}`);
  for (const [name, ids] of Object.entries(seen))
    if (String(ids) !== String(right.seen[name].slice(0, ids.length)))
      oracle.wrong(`${when}, ${name}: ${ids} was seen of ${right.seen[name]}`);
}

/** What was thrown in the page. */
const errorOf = (code, message) => (code === "no AzulejoError" ? new Error(message) : new AzulejoError(code, message));
