// A provider for Vercel's AI SDK, through the official `ai` package: under Node, and in Chromium on both devices.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { embed, embedMany, generateText, isStepCount, jsonSchema, Output, streamText, tool } from "ai";
import { z } from "zod";
import { WEBGPU_ARGUMENTS } from "../scripts/chromium.mjs";
import { CausalLM, Engine, TextEmbedder } from "../dist/index.js";
import { azulejo } from "../dist/ai-sdk.js";
import { endless } from "./api-models.mjs";
import { startApiServer } from "./api-server.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { idle } from "./support/idle.mjs";
import { CLOSING, writer } from "./support/writers.mjs";

deadline(5);

const TEMPLATE = "{# <tool_call> #}{% for m in messages %}{{ m.content }}{{ m.tool_calls[0].function.name if m.tool_calls }}{% endfor %}{{ '' if tools }}";
const MORE = { azulejo: { logitBias: Object.fromEntries(CLOSING.map((id) => [id, 3])) } };

let engine, lm, embedder, provider, model;
before(async () => {
  engine = await Engine.create({ threads: 1 });
  lm = await CausalLM.load({ ...writer("llama"), "chat_template.jinja": TEMPLATE }, { engine });
  embedder = await TextEmbedder.load(fileURLToPath(new URL("../models/all-MiniLM-L6-v2/", import.meta.url)), { engine });
  provider = azulejo({ writer: lm, minilm: embedder });
  model = provider("writer");
});
after(() => engine?.dispose());

const drawn = (seed, maxOutputTokens) => ({ model, temperature: 1, seed, maxOutputTokens, maxRetries: 0, providerOptions: MORE });

test("generateText gives the model's text, its usage and why it ended", async () => {
  const { text, usage, finishReason, response } = await generateText({ ...drawn(2, 12), system: "a", prompt: "b" });
  const expected = await lm.generate([{ role: "system", content: "a" }, { role: "user", content: "b" }], { temperature: 1, seed: 2, maxTokens: 12, logitBias: MORE.azulejo.logitBias });
  assert.equal(text, expected.text);
  assert.deepEqual([usage.inputTokens, usage.outputTokens], [expected.stats.promptTokens, expected.stats.generatedTokens]);
  assert.equal(finishReason, expected.finishReason === "length" ? "length" : "stop");
  assert.equal(response.modelId, "writer");
});

test("streamText streams the same text", async () => {
  const whole = await generateText({ ...drawn(3, 16), prompt: "ab" });
  const result = streamText({ ...drawn(3, 16), prompt: "ab" });
  let text = "";
  for await (const piece of result.textStream) text += piece;
  assert.equal(text, whole.text);
  assert.deepEqual((await result.usage).outputTokens, whole.usage.outputTokens);
});

test("thoughts are reasoning", async () => {
  const thinking = await CausalLM.load({ ...writer("llama"), "chat_template.jinja": "{{ messages[0].content }}{% if add_generation_prompt %}<think>{% endif %}" }, { engine });
  const { text, reasoningText } = await generateText({ ...drawn(1, 6), model: azulejo({ thinking })("thinking"), prompt: "a" });
  assert(reasoningText.length > 0);
  assert.equal(text, "");
  await thinking.dispose();
});

test("an object is of its schema, streamed too", async () => {
  const output = Output.object({ schema: z.object({ city: z.string().max(6), days: z.number().int().min(0).max(9) }) });
  const { output: whole } = await generateText({ ...drawn(4, 90), prompt: "a", output });
  assert(whole.city.length <= 6 && Number.isInteger(whole.days), JSON.stringify(whole));
  const streamed = streamText({ ...drawn(4, 90), prompt: "a", output });
  for await (const _ of streamed.textStream);
  assert.deepEqual(await streamed.output, whole);
});

test("tools are called and answered, step by step, streamed too", async () => {
  const seen = [];
  const tools = { look: tool({ description: "Looks.", inputSchema: jsonSchema({ type: "object", properties: { at: { type: "integer", minimum: 0, maximum: 99 } }, required: ["at"], additionalProperties: false }), execute: async ({ at }) => { seen.push(at); return { found: at + 1 }; } }) };
  // A model of random weights has to be told to call, and then not to.
  const prepareStep = ({ stepNumber }) => ({ toolChoice: stepNumber === 0 ? "required" : "none" });
  const params = { ...drawn(5, 60), prompt: "a", tools, stopWhen: isStepCount(2), prepareStep };
  const { steps } = await generateText(params);
  assert.equal(steps.length, 2);
  assert.equal(steps[0].finishReason, "tool-calls");
  const [{ toolName, input }] = steps[0].toolCalls;
  assert.deepEqual([toolName, input], ["look", { at: seen[0] }]);
  assert.deepEqual(steps[0].toolResults[0].output, { found: seen[0] + 1 });
  const result = streamText(params);
  const kinds = new Set();
  for await (const { type } of result.fullStream ?? result.stream) kinds.add(type);
  assert(["tool-input-start", "tool-call", "tool-result"].every((type) => kinds.has(type)), [...kinds].join());
  assert.equal(seen[1], seen[0]);
});

test("vectors are the embedder's", async () => {
  const { data, dims } = await embedder.embed(["a cat", "ein Hund"]);
  const one = await embed({ model: provider.embeddingModel("minilm"), value: "a cat" });
  assert.deepEqual(Float32Array.from(one.embedding), data.slice(0, dims[1]));
  const { embeddings, usage } = await embedMany({ model: provider.embeddingModel("minilm"), values: ["a cat", "ein Hund"] });
  assert.deepEqual(embeddings.map((row) => Float32Array.from(row)), [data.slice(0, dims[1]), data.slice(dims[1])]);
  assert(usage.tokens > one.usage.tokens);
});

test("what is not supported is refused or warned of, and an abort ends it", async () => {
  assert.throws(() => provider("other"), /"other".*writer, minilm/);
  assert.throws(() => provider("minilm"), /writes texts/);
  assert.throws(() => provider.imageModel("writer"), /makes images/);
  const image = [{ role: "user", content: [{ type: "image", image: new Uint8Array([137, 80, 78, 71, 13, 10, 26, 10]) }] }];
  await assert.rejects(() => generateText({ ...drawn(1, 3), messages: image }), /"file" are not supported/);
  await assert.rejects(() => generateText({ ...drawn(1, 3), prompt: "a", providerOptions: { azulejo: { frobnicate: 1 } } }), /frobnicate/);
  const { warnings } = await model.doGenerate({ prompt: [{ role: "user", content: [{ type: "text", text: "a" }] }], maxOutputTokens: 1, reasoning: "high", tools: [{ type: "provider", id: "a.b", name: "search", args: {} }, { type: "function", name: "look", inputSchema: {}, strict: true, inputExamples: [{ input: {} }] }] });
  assert.deepEqual(warnings.map(({ feature }) => feature), ["reasoning", "tool search", "tool look: strict", "tool look: inputExamples"]);
  const controller = new AbortController();
  const long = { ...drawn(1, 200), prompt: "a", abortSignal: controller.signal, output: Output.object({ schema: z.object({ list: z.array(z.number().int()).min(90) }) }) };
  const waiting = generateText(long);
  controller.abort();
  await assert.rejects(waiting, /abort/i);
  const on = await CausalLM.load(endless(), { engine });
  const endlessly = { prompt: [{ role: "user", content: [{ type: "text", text: "a" }] }], providerOptions: { azulejo: { ignoreEnd: true } } };
  for (const pieces of [0, 1, 9]) {
    const reader = (await azulejo({ on })("on").doStream(endlessly)).stream.getReader();
    for (let piece = 0; piece < pieces; piece++) await reader.read();
    await reader.cancel();
    await idle(engine);
  }
  await on.dispose();
});

/** In the page: what the SDK makes of the model, whole and streamed, and of a schema. */
async function saidInPage({ device, names, more, schema }) {
  const [{ CausalLM, Engine }, { azulejo }, { generateText, streamText, jsonSchema, Output }] = await Promise.all(["/dist/index.js", "/dist/ai-sdk.js", "/ai.js"].map((path) => import(path)));
  const engine = await Engine.create({ device });
  const files = {};
  for (const name of names) files[name] = await (await fetch(`/model/${name}`)).arrayBuffer();
  const model = azulejo({ writer: await CausalLM.load(files, { engine }) })("writer");
  const params = { model, prompt: "ab", temperature: 1, seed: 3, maxRetries: 0, providerOptions: more };
  const { text } = await generateText({ ...params, maxOutputTokens: 16 });
  let streamed = "";
  for await (const piece of streamText({ ...params, maxOutputTokens: 16 }).textStream) streamed += piece;
  const { output } = await generateText({ ...params, maxOutputTokens: 90, output: Output.object({ schema: jsonSchema(schema) }) });
  await engine.dispose();
  return { kind: engine.device.kind, text, streamed, output };
}

test("in Chromium, on both devices", async () => {
  const contents = `export { generateText, streamText, jsonSchema, Output } from "ai";`;
  const { outputFiles: [{ contents: bundle }] } = await build({ stdin: { contents, resolveDir: fileURLToPath(new URL(".", import.meta.url)) }, bundle: true, write: false, format: "esm", platform: "browser", logLevel: "silent" });
  const browser = await launchBrowser({ args: WEBGPU_ARGUMENTS });
  const model = { ...writer("llama"), "chat_template.jinja": TEMPLATE };
  const served = Object.entries(model).map(([name, bytes]) => [`/model/${name}`, { bytes: Buffer.from(bytes) }]);
  const server = await startApiServer({ isolated: true, files: { ...Object.fromEntries(served), "/ai.js": { type: "ai.js", bytes: Buffer.from(bundle) } } });
  const schema = { type: "object", properties: { city: { type: "string", maxLength: 6 }, days: { type: "integer", minimum: 0, maximum: 9 } }, required: ["city", "days"], additionalProperties: false };
  try {
    const expected = await generateText({ ...drawn(3, 16), prompt: "ab" });
    for (const device of ["cpu", "webgpu"]) {
      const page = await browser.newPage();
      await page.goto(server.url);
      const { kind, text, streamed, output } = await page.evaluate(saidInPage, { device, names: Object.keys(model), more: MORE, schema });
      assert.deepEqual([kind, text, streamed], [device, expected.text, expected.text]);
      assert(output.city.length <= 6 && Number.isInteger(output.days), JSON.stringify(output));
      await page.close();
    }
  } finally {
    await browser.close();
    await server.close();
  }
});
