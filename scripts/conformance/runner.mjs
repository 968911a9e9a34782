// Family folders through Chromium: reads each case, asks a page, compares.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readSafetensors } from "../../tests/support/safetensors.mjs";
import { KINDS } from "./kinds.mjs";
import { toleranceOf } from "./verdict.mjs";

/** A family that has not answered by then hangs; the largest takes a few seconds. */
const PATIENCE = 120_000;

/** What a checkpoint is, by the class that transformers saved it from. */
const KIND_OF_CLASS = [
  [/ForCausalLM$|LMHeadModel$/, "causal"],
  [/ForSequenceClassification$|ForMaskedLM$/, "encoder"],
  [/ForTokenClassification$/, "tokens"],
  [/ForConditionalGeneration$|MTModel$/, "seq2seq"],
  [/ForImageClassification/, "vision"],
  [/^(CLIP|Siglip)Model$/, "dual"],
];

/** The kind of a family folder: as index.json beside it says, else by its configuration. */
export function kindOf(directory, family) {
  const index = join(directory, "index.json");
  const listed = existsSync(index) && JSON.parse(readFileSync(index, "utf8")).families?.[family]?.kind;
  if (listed) return listed;
  const [name = ""] = JSON.parse(readFileSync(join(directory, family, "config.json"), "utf8")).architectures ?? [];
  const known = KIND_OF_CLASS.find(([pattern]) => pattern.test(name));
  if (!known) throw new Error(`config.json: no kind is known for architecture "${name}"`);
  return known[1];
}

/** One page, and on it one engine, for any number of families: after a failure the next has a fresh one. */
export class Runner {
  #options;
  #page;

  /**
   * `server` serves `directory`, where the families are, under `/conformance/` and the repository under `/`; `device`
   * and `gpu` are the engine's options of these names.
   */
  constructor(options) {
    this.#options = options;
  }

  /**
   * Runs one family.
   * @returns {Promise<{ outcome: "passed" | "failed" | "unsupported", detail: string, failures: string[] }>}
   */
  async run(family) {
    try {
      return await patiently(this.#askAndCompare(family));
    } catch (error) {
      await this.close();
      return failed([error.message]);
    }
  }

  async close() {
    const page = this.#page;
    this.#page = undefined;
    await page?.then((page) => page.close(), () => {});
  }

  async #open() {
    const page = await this.#options.browser.newPage();
    await page.goto(this.#at("/scripts/conformance/page.html"));
    return page;
  }

  #at(path) {
    return new URL(path, this.#options.server.url).href;
  }

  async #askAndCompare(family) {
    const { directory, device, gpu } = this.#options;
    const kind = kindOf(directory, family);
    const { input, compare } = KINDS[kind];
    const tensors = readSafetensors(readFileSync(join(directory, family, "case.safetensors")));
    const config = JSON.parse(readFileSync(join(directory, family, "config.json"), "utf8"));
    this.#page ??= this.#open();
    const page = await this.#page;
    const answer = await page.evaluate(async ([script, request]) => {
      const { runFamily } = await import(script);
      return runFamily(request);
    }, [this.#at("/scripts/conformance/page.js"), {
      entry: this.#at("/dist/index.js"), kind, folder: this.#at(`/conformance/${encodeURIComponent(family)}/`),
      options: { device, gpu },
      input: input(tensors, config),
    }]);
    if (answer.unsupported) return { outcome: "unsupported", detail: answer.unsupported, failures: [] };
    if (answer.error) return failed([answer.error]);
    return judged(compare(tensors, answer.output, toleranceOf(directory, family)));
  }
}

function judged(verdict) {
  const detail = `largest error ${verdict.absolute.toExponential(1)}, ${(100 * verdict.relative).toPrecision(2)} % of the tolerance; ` +
    verdict.more;
  return verdict.failures.length ? failed(verdict.failures, detail) : { outcome: "passed", detail, failures: [] };
}

function failed(failures, detail = "") {
  return { outcome: "failed", detail, failures };
}

/** The promise, or a rejection where the page, or the whole browser, does not answer. */
async function patiently(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${PATIENCE / 1000} s`)), PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
