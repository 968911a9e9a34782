// A large model on WebGPU: its weights pass through wasm's memory and never lie there. Of half a GB; `npm run test:all`
// takes 2 GB.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { after, before, test } from "node:test";
import { WEBGPU_ARGUMENTS } from "../scripts/chromium.mjs";
import { ALL } from "../scripts/sample.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { ggufHeader, tensorBytes, u32 } from "./support/gguf.mjs";
import { startServer } from "./support/server.mjs";
import { tinyModel, VOCABULARY } from "./support/tiny-model.mjs";

deadline(10);

const WIDTH = 2048;
const FEED_FORWARD = 24576;
const LAYERS = ALL ? 12 : 3;
/** Room for the core itself, the tokenizer, and what is on its way to the GPU. */
const MOST_WASM = 64 * 2 ** 20;

/** A Llama of 170 MB a layer with the tiny model's tokenizer. Its tensors have a size, but no data. */
function largeModel() {
  const { metadata } = tinyModel();
  const sizes = {
    block_count: LAYERS, embedding_length: WIDTH, feed_forward_length: FEED_FORWARD,
    "attention.head_count": 32, "attention.head_count_kv": 8, "rope.dimension_count": 64,
  };
  for (const [key, value] of Object.entries(sizes)) metadata[`llama.${key}`] = u32(value);
  const tensor = (name, shape, type = "Q8_0") => ({ name, shape, type, size: tensorBytes(shape, type) });
  const block = (layer) => [
    tensor(`blk.${layer}.attn_norm.weight`, [WIDTH], "F32"),
    tensor(`blk.${layer}.attn_q.weight`, [WIDTH, WIDTH]),
    tensor(`blk.${layer}.attn_k.weight`, [512, WIDTH]),
    tensor(`blk.${layer}.attn_v.weight`, [512, WIDTH], "F16"),
    tensor(`blk.${layer}.attn_output.weight`, [WIDTH, WIDTH]),
    tensor(`blk.${layer}.ffn_norm.weight`, [WIDTH], "F32"),
    tensor(`blk.${layer}.ffn_gate.weight`, [FEED_FORWARD, WIDTH]),
    tensor(`blk.${layer}.ffn_up.weight`, [FEED_FORWARD, WIDTH]),
    tensor(`blk.${layer}.ffn_down.weight`, [WIDTH, FEED_FORWARD]),
  ];
  const tensors = [
    tensor("token_embd.weight", [VOCABULARY, WIDTH], "F32"),
    ...Array.from({ length: LAYERS }, (_, layer) => block(layer)).flat(),
    tensor("output_norm.weight", [WIDTH], "F32"),
  ];
  return { metadata, tensors };
}

/** Bytes that are fair weights in each type, over and over: a multiple of every block's size and of the alignment. */
const PATTERN = {
  F32: patternOf(4, (block, at) => new DataView(block.buffer).setFloat32(0, 0.25 + (at % 7) / 8, true)),
  F16: patternOf(2, (block, at) => block.set([at % 251, 0x20 | (at % 2) << 7])),
  Q8_0: patternOf(34, (block, at) => {
    for (let value = 0; value < 32; value++) block[2 + value] = (at * 7 + value * 31) % 255;
    block.set([0x00, 0x0c]); // a scale of 2^-12
  }),
};

function patternOf(bytes, fill) {
  const pattern = new Uint8Array(bytes * 32768);
  for (let at = 0; at < 32768; at++) {
    const block = new Uint8Array(bytes);
    fill(block, at);
    pattern.set(block, at * bytes);
  }
  return pattern;
}

/** The file in pieces, none of which is kept. */
function* piecesOf({ metadata, tensors }) {
  yield ggufHeader({ metadata, tensors });
  for (const { type, size } of tensors) {
    const pattern = PATTERN[type];
    for (let at = 0; at < size; at += pattern.length) yield pattern.subarray(0, Math.min(pattern.length, size - at));
    yield new Uint8Array((32 - (size % 32)) % 32);
  }
}

/** Serves it to whoever asks, for pages of any origin. */
async function serveModel(model) {
  let length = 0;
  for (const piece of piecesOf(model)) length += piece.length;
  const server = createServer(async (request, response) => {
    response.writeHead(200, { "content-length": length, "access-control-allow-origin": "*" });
    if (request.method === "HEAD") return response.end();
    await pipeline(Readable.from(piecesOf(model)), response).catch(() => {}); // the reader left
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const close = () => new Promise((done) => {
    server.close(done);
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${server.address().port}/large.gguf`, length, close };
}

let browser, pages, files;
before(async () => {
  browser = await launchBrowser({ args: WEBGPU_ARGUMENTS });
  pages = await startServer({ isolated: false, mounts: { "/": new URL("..", import.meta.url).pathname } });
  files = await serveModel(largeModel());
});
after(async () => {
  await browser?.close();
  await pages?.close();
  await files?.close();
});

test(`${LAYERS / 6} GB of weights reach the GPU through less than 64 MiB of wasm memory, and the model speaks`, async (t) => {
  assert(files.length > LAYERS * 167e6, `${files.length} bytes`);
  const page = await browser.newPage();
  await page.goto(new URL("/tests/support/page.html", pages.url).href);
  const { weights, wasmBytes, made, loadMs } = await page.evaluate(async (url) => {
    const { CausalLM, Engine } = await import("/dist/index.js");
    const engine = await Engine.create({ device: "webgpu" });
    const start = performance.now();
    const lm = await CausalLM.load(url, { engine, cache: false });
    const loadMs = performance.now() - start;
    const { tokens } = await lm.generate("in the", { maxTokens: 1, ignoreEnd: true });
    const { wasmBytes } = await engine.diagnostics();
    const { weights } = lm.summary.memory;
    await engine.dispose();
    return { weights, wasmBytes, made: tokens.length, loadMs };
  }, files.url);
  t.diagnostic(`${(files.length / 1e9).toFixed(2)} GB in ${(loadMs / 1000).toFixed(1)} s, wasm memory ${(wasmBytes / 2 ** 20).toFixed(1)} MiB`);
  assert(weights > LAYERS * 125e6, `${weights} bytes of weights`);
  assert(wasmBytes > 0 && wasmBytes < MOST_WASM, `${wasmBytes} bytes of wasm memory`);
  assert.equal(made, 1);
});
