// Loads under Node from a real server, with a cache of their own: what came of them, what was asked, what is kept.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cache, CausalLM, Engine, inspect } from "../../dist/index.js";
import { startApiServer } from "../api-server.mjs";

/** A folder in Hugging Face's layout: what of it is there. */
export function llamaFolder(under = "/m/") {
  const read = (name) => new Uint8Array(readFileSync(new URL(`../conformance/llama/${name}`, import.meta.url)));
  return Object.fromEntries(["config.json", "model.safetensors"].map((name) => [under + name, { bytes: read(name), etag: `"${name}"` }]));
}

export class Loads {
  #engine;

  static async start() {
    const loads = new Loads();
    loads.server = await startApiServer({ isolated: false });
    loads.#engine = await Engine.create({ worker: false, device: "cpu", threads: 1 });
    return loads;
  }

  async stop() {
    await this.#engine?.dispose();
    await this.server?.close();
    this.#forget();
  }

  /** Nothing is served, nothing is kept, nothing was asked. */
  clear() {
    this.#forget();
    this.folder = process.env.AZULEJO_CACHE = mkdtempSync(join(tmpdir(), "azulejo-cache-"));
    for (const path of Object.keys(this.server.files)) delete this.server.files[path];
    this.server.log.length = 0;
  }

  /** `retries: 0` unless given: a failing load is over at once. */
  async load(path, { onNote = () => {}, ...options } = {}) {
    this.server.log.length = 0;
    const stages = new Set();
    const notes = [];
    const totals = {};
    const onProgress = ({ stage, file, note, totalBytes }) => {
      stages.add(stage);
      if (note !== undefined) {
        notes.push(`${file}: ${note}`);
        onNote(note);
      } else if (file !== undefined) totals[file] = totalBytes;
    };
    const source = typeof path === "string" && path.startsWith("/") ? new URL(path, this.server.url) : path;
    const outcome = await CausalLM.load(source, { retries: 0, ...options, engine: this.#engine, onProgress }).then(
      async (lm) => {
        const { data } = await lm.logits([3, 4, 5]);
        await lm.dispose();
        return { logits: [...data.slice(0, 4)] };
      },
      ({ code, message }) => ({ code, message }),
    );
    return { ...outcome, stages: [...stages], notes, totals, asked: [...this.server.log] };
  }

  inspect(path, options = {}) {
    this.server.log.length = 0;
    return inspect(new URL(path, this.server.url), { retries: 0, ...options, engine: this.#engine });
  }

  async kept() {
    return (await cache.list()).map(({ url, bytes, complete }) => ({ path: new URL(url).pathname, bytes, complete }))
      .sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** The names of the files of data and of notes in the cache's folder. */
  files() {
    const names = readdirSync(this.folder);
    return { data: names.filter((name) => !name.endsWith(".json")), notes: names.filter((name) => name.endsWith(".json")) };
  }

  /** Changes the only data file, or the only notes. */
  damage(kind, change) {
    const [name, ...others] = this.files()[kind];
    if (name === undefined || others.length > 0) throw new Error(`there should be one file of ${kind}`);
    const path = join(this.folder, name);
    writeFileSync(path, change(readFileSync(path)));
  }

  #forget() {
    if (this.folder !== undefined) rmSync(this.folder, { recursive: true, force: true });
  }
}
