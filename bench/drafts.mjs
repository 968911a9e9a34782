// node bench/drafts.mjs [--threads 1,2] [--device cpu] [--adapter swiftshader] [--rounds 5] [--tokens 200] [--model FILE]
//
// What drafts out of the prompt bring (docs/speculation.md): edits of a given text and texts of which nothing was said
// before, in Chromium, with drafts ("prompt"), without ("off") and as the package does by itself ("itself"), in turns within each
// round. Of each: how much quicker than without; what a drafted row costs, as a share of a plain step; and how much of what
// that cost allows is reached. A kept token costs a row where it cost a step: no drafts could be quicker that keep as many.

import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ADAPTERS, RUNTIMES } from "./places.mjs";
import { median } from "./report.mjs";

const { values } = parseArgs({
  options: {
    threads: { type: "string", default: "1,2" },
    device: { type: "string", default: "cpu" },
    adapter: { type: "string", default: "swiftshader" },
    rounds: { type: "string", default: "5" },
    tokens: { type: "string", default: "200" },
    only: { type: "string" },
    model: { type: "string", default: fileURLToPath(new URL("../models/SmolLM2-135M-Instruct.Q4_1.gguf", import.meta.url)) },
  },
});
if (!ADAPTERS.includes(values.adapter)) throw new Error(`--adapter ${values.adapter}: expected ${ADAPTERS.join(" or ")}`);

const TOWN = `The harbour of the old town lies in the north of the bay, between the lighthouse and the fish market. Every morning at five the boats come back, and the auction begins before the sun is up. Tourists come to see it from all over the country, but few of them are awake at that hour. In the afternoon the quays are quiet: nets dry on the wall, cats sleep in the shade of the crates, and an old man mends a sail. The mayor wants to build a hotel where the ice house stands, and the fishermen are against it.`;
const CODE = `function total(items) {
  let sum = 0;
  for (const item of items) {
    if (item.price === undefined) continue;
    sum += item.price * item.count;
  }
  return sum;
}

function average(items) {
  let sum = 0;
  for (const item of items) {
    sum += item.price;
  }
  return sum / items.length;
}`;
const TEXTS = {
  "a text again": `Repeat this text word for word.\n\n${TOWN}`,
  "a word replaced": `Replace the word "mayor" with the word "governor" in this text. Write out the whole text.\n\n${TOWN}`,
  "the spelling corrected": `Correct the spelling of this text. Write out the whole text.\n\n${TOWN.replaceAll("the", "teh").replaceAll("and", "adn")}`,
  "a program's name changed": `Rename the variable sum to result in this program. Write out the whole program.\n\n${CODE}`,
  "a story": "Tell me a story about a dragon who is afraid of the dark.",
  "an explanation": "Explain in a few paragraphs how bread is made.",
};

const runtime = await RUNTIMES.browser({ models: [values.model], adapter: values.device === "webgpu" ? values.adapter : "default" });
const threads = values.device === "webgpu" ? ["1"] : values.threads.split(",");
for (const count of threads) {
  const place = await runtime.open();
  const settings = { url: runtime.address(values.model), threads: Number(count), device: values.device };
  const { description } = await place.call("load", "azulejo-drafts", settings);
  console.log(`\n${runtime.name}, ${description}, ${values.rounds} rounds`);
  for (const [name, request] of Object.entries(TEXTS)) {
    if (values.only !== undefined && !name.includes(values.only)) continue;
    const found = { off: [], itself: [], prompt: [] };
    // The first one warms up.
    for (let round = 0; round <= Number(values.rounds); round++)
      for (const [way, results] of Object.entries(found)) {
        const result = await place.call("measure", way, request, Number(values.tokens));
        if (round > 0 || Number(values.rounds) === 0) results.push(result);
      }
    tell(name, found);
  }
  await place.close();
}
await runtime.close();

function tell(name, { off, ...ways }) {
  console.log(`${name}: ${off[0].tokens} tokens, ${(median(off.map(({ ms }) => ms)) / off[0].tokens).toFixed(2)} ms each without`);
  for (const [way, results] of Object.entries(ways)) {
    const of = (what) => median(results.map((result, round) => what(result, off[round].ms / off[round].tokens)));
    const quicker = of(({ ms, tokens }, step) => (tokens * step) / ms);
    // Milliseconds beyond those of a step for each token that no draft has brought.
    const row = of(({ ms, tokens, accepted, drafted }, step) => (drafted === 0 ? NaN : (ms / step - (tokens - accepted)) / drafted));
    const reached = of(({ accepted, drafted, tokens, ms }, step) => (drafted === 0 ? NaN : (tokens - accepted + (accepted * (ms / step - (tokens - accepted))) / drafted) / (ms / step)));
    const same = results.every(({ text }) => text === off[0].text) ? "the same text" : "ANOTHER TEXT";
    const { drafted, accepted } = results.at(-1);
    console.log(`  ${way}: ×${quicker.toFixed(3)}; ${accepted} of ${drafted} drafts kept; a row ${row.toFixed(3)} of a step; ${(100 * reached).toFixed(0)} % of what that allows; ${same}`);
  }
}
