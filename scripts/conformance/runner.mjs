// One family folder through Chromium: reads the case, asks the page, compares.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readSafetensors } from "../../tests/support/safetensors.mjs";
import { causalInput, compareCausal, compareVision } from "./compare.mjs";

/** A family that has not answered by then hangs; the largest takes a few seconds. */
const PATIENCE = 120_000;

/** What a checkpoint is, by the class that transformers saved it from. */
const KIND_OF_CLASS = [
  [/ForCausalLM$|LMHeadModel$/, "causal"],
  [/ForSequenceClassification$|ForMaskedLM$/, "encoder"],
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

/** What a kind's case asks of the page, and what its answer is compared with. */
const CHECKS = {
  causal: { input: causalInput, compare: compareCausal },
  vision: {
    input: ({ pixel_values: { data, shape } }) => ({ data: Array.from(data), dims: shape }),
    compare: compareVision,
  },
};

/**
 * Runs one family of `directory`. `server` serves that directory under `/conformance/` and the repository under `/`.
 * `replaced` are files to load instead of the folder's own, as a record; `gpu` is the engine option of that name.
 * @returns {Promise<{ outcome: "passed" | "failed" | "unsupported", detail: string, failures: string[] }>}
 */
export async function runFamily(request) {
  try {
    return await patiently(askAndCompare(request));
  } catch (error) {
    return failed([error.message]);
  }
}

async function askAndCompare({ browser, server, directory, family, device, gpu, replaced }) {
  const page = await browser.newPage();
  try {
    const kind = kindOf(directory, family);
    const tensors = readSafetensors(readFileSync(join(directory, family, "case.safetensors")));
    const at = (path) => new URL(path, server.url).href;
    await page.goto(at("/scripts/conformance/page.html"));
    const answer = await page.evaluate(async ([script, request]) => {
      const { runFamily } = await import(script);
      return runFamily(request);
    }, [at("/scripts/conformance/page.js"), {
      entry: at("/dist/index.js"), kind, folder: at(`/conformance/${encodeURIComponent(family)}/`), replaced,
      options: { device, gpu },
      input: CHECKS[kind]?.input(tensors),
    }]);
    if (answer.unsupported) return { outcome: "unsupported", detail: answer.unsupported, failures: [] };
    if (answer.error) return failed([answer.error]);
    return judged(CHECKS[kind].compare(tensors, answer.output));
  } finally {
    await page.close();
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
