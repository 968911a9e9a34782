// A realm where everything that a load touches is a stand-in: the network, the private file system, the locks, time.
// The package is the real one, driven through its public face; its host is in this same thread (`worker: false`), so that
// it sees the stand-ins. A neighbour lives beside it in the same engine, another in a worker of its own.

import { createHash } from "node:crypto";
import { getEventListeners } from "node:events";
import { tiny } from "../api-models.mjs";
import { AzulejoError, cache, CausalLM, Engine, inspect } from "../../dist/index.js";
import { Clock } from "./clock.mjs";
import { Folder, watchFileSystem } from "./folder.mjs";
import { Locks } from "./locks.mjs";
import { MODELS } from "./models.mjs";
import { Opfs } from "./opfs.mjs";
import { Oracle, settled } from "./oracle.mjs";
import { ORIGIN, refused, Server } from "./server.mjs";

const TOKENS = [5, 6, 7, 8, 9, 10, 11];

/** Bit by bit what a model says of some tokens, and what its tokenizer makes of a text. */
export async function answerOf(lm) {
  const { data, dims } = await lm.logits(TOKENS);
  const hash = createHash("sha1").update(`${dims}`).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  const read = await lm.tokenizer.encode("this cat, the red house").catch(({ code }) => code);
  return `${hash.digest("hex").slice(0, 12)} ${read}`;
}

/** What `inspect` says of a model. */
export async function inspected(world, model, options) {
  return JSON.stringify(await inspect(ORIGIN + model.address, { engine: world.engine, ...options }));
}

/** A browser's page or worker: a private file system, locks, and a browser that knows whether it is online. */
export const inBrowser = {
  knowsOffline: true,
  install(world) {
    const navigator = {
      onLine: true,
      hardwareConcurrency: 2,
      get storage() { return world.store.storage(); },
      get locks() { return world.locks.manager(); },
    };
    Object.defineProperty(globalThis, "navigator", { value: navigator, configurable: true });
  },
  begin(world, { sync = true }) {
    world.store = new Opfs({ sync, called: world.clock.stir });
    world.locks = new Locks(world.store.injector);
    navigator.onLine = true;
  },
  end() {},
};

/** Under Node: a folder of the real file system. */
export const underNode = {
  knowsOffline: false,
  install: watchFileSystem,
  begin(world) {
    world.store = new Folder(world.clock);
    world.locks = { count: 0 };
  },
  end: (world) => world.store.remove(),
};

export class World {
  clock = new Clock();
  server = new Server(this.clock.stir);
  store;
  locks;
  /** By model and version: the answers that are right; with those of a model whose tokenizer was not there. */
  right = {};
  bare = {};
  /** What `inspect` says of the first version. */
  inspected = {};
  #neighbours = [];
  #tidy = {};
  #place;

  constructor(place) {
    this.#place = place;
  }

  static async open(place = inBrowser) {
    const world = new World(place);
    // Its worker has a realm of its own: it is started before the stand-ins are here.
    const elsewhere = await Engine.create({ threads: 1 });
    await world.#welcome(elsewhere);
    place.install(world);
    globalThis.fetch = (...given) => world.server.fetch(...given);
    await world.#start();
    for (const model of Object.values(MODELS)) await world.#learn(model);
    return world;
  }

  async close() {
    for (const { engine } of this.#neighbours) await engine.dispose();
  }

  async #start() {
    this.engine = await Engine.create({ worker: false, threads: 1 });
    await this.#welcome(this.engine);
  }

  async #welcome(engine) {
    const lm = await CausalLM.load(tiny(), { engine });
    this.#neighbours.push({ engine, lm, answer: await answerOf(lm) });
  }

  /** What is right, and how tidy the store is after a load that nothing has disturbed. */
  async #learn(model) {
    this.right[model.name] = [];
    this.bare[model.name] = [];
    this.#tidy[model.name] = [];
    await this.begin({ model });
    this.inspected[model.name] = await inspected(this, model);
    for (const [at, files] of model.versions.entries()) {
      await this.begin({ model });
      this.server.files = files;
      this.right[model.name][at] = await this.attempt(model);
      this.#tidy[model.name][at] = this.#shape();
      await this.begin({ model });
      this.server.files = Object.fromEntries(Object.entries(files).filter(([path]) => !path.endsWith("tokenizer.json")));
      this.bare[model.name][at] = await this.attempt(model);
    }
    this.end();
    if (new Set(this.right[model.name]).size < 2) throw new Error(`${model.name}: both versions answer alike`);
  }

  // -------------------------------------------------------------- one trial

  /** A fresh store and server, in `state`: "first", "kept", "resumed" or "changed"; a page has no `sync` access to files. */
  async begin({ model, state = "first", sync }) {
    if (this.store !== undefined) this.end();
    this.clock.install();
    this.#place.begin(this, { sync });
    this.server.reset(model.versions[0]);
    if (state === "kept" || state === "changed") await this.attempt(model);
    if (state === "resumed") await this.#breakOff(model);
    this.server.reset(model.versions[state === "changed" ? 1 : 0]);
    this.store.injector.arm({ at: Infinity });
  }

  end() {
    this.clock.uninstall();
    this.#place.end(this);
    this.store = undefined;
  }

  /** Half of the largest file comes. */
  async #breakOff(model) {
    const sizes = Object.entries(model.versions[0]).map(([path, { bytes }]) => [path, bytes.length]);
    const [largest, size] = sizes.reduce((most, each) => (each[1] > most[1] ? each : most));
    const ends = { at: size >> 1, how: "broken" };
    this.server.twist = (answer, { path }) => (path === largest ? { ...answer, ends } : answer);
    const { error } = await settled(this.attempt(model, { retries: 0 }));
    if (error?.code !== "network")
      throw new Error(`a broken download ends with ${error?.code ?? "no error"}, not with "network"`, { cause: error });
  }

  /** Loads, asks, disposes. */
  async attempt(model, options = {}) {
    const lm = await CausalLM.load(ORIGIN + model.address, { engine: this.engine, ...options });
    try {
      return await answerOf(lm);
    } finally {
      await lm.dispose();
    }
  }

  /** A signal of a caller who gives up some time, where nothing else happens. */
  patience() {
    const controller = new AbortController();
    this.clock.patience(() => controller.abort());
    return controller;
  }

  heal() {
    this.store.injector.disarm();
    this.store.quota = Infinity;
    this.server.heal();
  }

  /** The network is gone; with `told` the browser knows, where there is one: then nothing may be asked. */
  cutOff(told) {
    if (this.knowsOffline) navigator.onLine = !told;
    this.server.log = [];
    this.server.twist = refused;
  }

  get knowsOffline() {
    return this.#place.knowsOffline;
  }

  reconnect() {
    if (this.knowsOffline) navigator.onLine = true;
    this.heal();
  }

  /** What a load may not leave behind. */
  async census(signal) {
    const { models, sessions, jobs, pulls } = await this.engine.diagnostics();
    return {
      models, sessions, jobs, pulls,
      handles: this.store.open,
      bodies: this.server.open,
      locks: this.locks.count,
      timers: this.clock.waiting,
      listeners: signal === undefined ? 0 : getEventListeners(signal, "abort").length,
    };
  }

  async memory() {
    return (await this.engine.diagnostics()).wasmBytes;
  }

  /** Whether the neighbours answer as before. */
  async askNeighbours(oracle) {
    for (const [at, { lm, answer }] of this.#neighbours.entries()) {
      // One has a worker, for which no time may pass meanwhile, however busy the machine is.
      const outcome = await settled(this.clock.during(answerOf(lm)));
      oracle.judge(at === 0 ? "the neighbour elsewhere" : "the neighbour", outcome, { right: [answer] });
    }
  }

  oracle() {
    return new Oracle(AzulejoError);
  }

  // -------------------------------------------------------------- what is kept

  /** Whether all of the model's files are said to be kept, complete. */
  async claims(model) {
    const kept = await cache.list();
    return Object.keys(this.server.files).every((path) => kept.some(({ url, complete }) => url === ORIGIN + path && complete));
  }

  /** The lengths of what is kept, and how many notes there are beside. */
  #shape() {
    const files = this.store.files();
    const data = files.filter(({ path }) => !path.endsWith(".json")).map(({ content }) => content.bytes.length);
    return { data: String(data.sort((a, b) => a - b)), notes: files.length - data.length };
  }

  /** The store holds this version of the model and nothing else, but that it may know more that is missing. */
  judgeTidiness(oracle, model, version) {
    const [is, should] = [this.#shape(), this.#tidy[model.name][version]];
    if (is.data !== should.data || is.notes < should.notes || is.notes > this.server.asked.size)
      oracle.wrong(`the store holds ${JSON.stringify(is)}, where an undisturbed load leaves ${JSON.stringify(should)}`);
  }

  async judgeDeletion(oracle) {
    const outcome = await settled(cache.delete());
    if (outcome.error !== undefined) return oracle.wrong(`cache.delete: ${outcome.error.message}`);
    if (this.store.used > 0) oracle.wrong(`cache.delete leaves ${JSON.stringify(this.#shape())}`);
    return undefined;
  }
}
