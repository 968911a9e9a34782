// SmolLM2 against what PyTorch makes of the same checkpoint (reference/smollm2), in both wasm builds, under Node
// and on WebGPU.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { WEBGPU_ARGUMENTS } from "../scripts/chromium.mjs";
import { ALL, PART } from "../scripts/sample.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { askEverything } from "./support/reference.js";
import { startServer } from "./support/server.mjs";

deadline(20);

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const MODEL = "models/SmolLM2-135M-Instruct.Q4_1.gguf";
const reference = JSON.parse(readFileSync(new URL("reference/smollm2/reference.json", import.meta.url), "utf8"));

/**
 * What is asked on WebGPU, where a stand-in for a GPU takes half a second for a token: a third of the texts, and the prompt
 * of whose continuation the reference is sure throughout.
 */
const some = { ...reference, texts: reference.texts.filter((_, at) => at % 3 === PART % 3), greedy: [reference.greedy[2]] };

/** Everything that the model is asked, in a page of its own. */
async function askInChromium(browser, { isolated, device }) {
  const server = await startServer({ mounts: { "/": ROOT }, isolated });
  const page = await browser.newPage();
  try {
    await page.goto(new URL("/tests/support/page.html", server.url).href);
    return await page.evaluate(async ({ entry, support, model, reference, device }) => {
      const { askEverything } = await import(support);
      return askEverything(await import(entry), model, reference, device);
    }, {
      entry: "/dist/index.js", support: "/tests/support/reference.js", reference: device === "webgpu" && !ALL ? some : reference, device,
      model: new URL(`/${MODEL}`, server.url).href,
    });
  } finally {
    await page.close();
    await server.close();
  }
}

async function askInNode() {
  const azulejo = await import(pathToFileURL(resolve(ROOT, "dist/index.js")).href);
  return askEverything(azulejo, resolve(ROOT, MODEL), reference, "cpu");
}

/** The mean loss over the positions of all texts, from their perplexities. */
function pooledLoss(texts, key) {
  const counts = texts.map(({ positions }) => positions - 1);
  const losses = texts.map((text, index) => counts[index] * Math.log(text[key]));
  return losses.reduce((total, loss) => total + loss) / counts.reduce((total, count) => total + count);
}

const sum = (rows, key) => rows.reduce((total, row) => total + row[key], 0);

describe("SmolLM2 as the reference implementation computes it", () => {
  let browser;
  before(async () => { browser = await launchBrowser({ args: WEBGPU_ARGUMENTS }); });
  after(() => browser?.close());

  const places = {
    "on an isolated page": () => askInChromium(browser, { isolated: true, device: "cpu" }),
    "on a page without isolation": () => askInChromium(browser, { isolated: false, device: "cpu" }),
    "under Node": askInNode,
    "on WebGPU": () => askInChromium(browser, { isolated: false, device: "webgpu" }),
  };
  for (const [place, ask] of Object.entries(places)) {
    describe(place, () => {
      let answers;
      before(async () => { answers = await ask(); });

      test("prompts and ugly texts become the same token ids, and back", () => {
        for (const { text, encoded, ids } of [...answers.texts, ...answers.greedy, ...answers.words]) {
          assert.deepEqual(encoded, ids, JSON.stringify(text));
        }
        for (const { text, expectedText, promptTokens, ids } of answers.greedy) {
          assert.equal(text, expectedText);
          assert.equal(promptTokens, ids.length);
        }
        for (const { back, decoded } of answers.words) assert.equal(back, decoded);
      });

      test("the perplexity of all texts is within 0.02 % of the reference's, and that of each within 0.05 %", (t) => {
        const error = ({ perplexity, expected }) => perplexity / expected - 1;
        for (const text of answers.texts) {
          const { positions, perplexity, expected } = text;
          t.diagnostic(`${answers.device}: ${positions} tokens, perplexity ${perplexity.toFixed(3)}, ` +
            `reference ${expected} (${(100 * error(text)).toFixed(3)} %)`);
        }
        const pooled = Math.exp(pooledLoss(answers.texts, "perplexity") - pooledLoss(answers.texts, "expected")) - 1;
        t.diagnostic(`${answers.device}: all texts together ${(100 * pooled).toFixed(3)} %`);
        const bound = answers.texts.length === reference.texts.length ? 0.0002 : 0.0005;
        assert.ok(Math.abs(pooled) <= bound, `all texts together: ${100 * pooled} %`);
        for (const text of answers.texts) {
          assert.ok(Math.abs(error(text)) <= 0.0005, `perplexity ${text.perplexity}, expected ${text.expected}`);
        }
      });

      test("the first choice is the reference's at all positions but one, and wherever the reference is sure", (t) => {
        const [same, positions] = [sum(answers.texts, "same"), sum(answers.texts, "positions")];
        const [sureSame, sure] = [sum(answers.texts, "sureSame"), sum(answers.texts, "sure")];
        t.diagnostic(`${answers.device}: ${same} of ${positions} first choices, ${sureSame} of ${sure} sure ones`);
        assert.ok(positions >= 80 && same >= positions - 1, `${same} of ${positions}`);
        assert.ok(sure >= 60 && sureSame === sure, `${sureSame} of ${sure}`);
      });

      test("along the reference's continuations each choice is the reference's where that is sure", (t) => {
        const steps = answers.greedy.flatMap(({ sure, choices, generated }) => sure.map((step) => [choices[step], generated[step]]));
        t.diagnostic(`${answers.device}: ${steps.length} sure steps of ${answers.greedy.length} continuations`);
        assert.ok(steps.length > 35 * answers.greedy.length, `${steps.length} steps to compare`);
        assert.deepEqual(steps.map(([choice]) => choice), steps.map(([, token]) => token));
      });

      test("greedy continuations are the reference's up to its first small margin", (t) => {
        for (const { text, tokens, generated, compared } of answers.greedy) {
          assert.deepEqual(tokens, generated.slice(0, compared), JSON.stringify(text));
        }
        const compared = sum(answers.greedy, "compared");
        t.diagnostic(`${answers.device}: ${compared} tokens compared`);
        assert.ok(compared >= 12, `${compared} tokens compared`);
      });
    });
  }
});
