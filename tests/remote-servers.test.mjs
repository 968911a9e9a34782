// The servers that azulejo/remote is for. llama-cpp-python's is run, where it is installed. vLLM's, llama.cpp's own and
// Triton's exchanges are written from their published protocols, each with its source, and none of these was run: what is
// tried is that requests are as they are published, and published answers read. Behind Triton's stands a real model.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { CausalLM as LocalLM, Engine, ImageClassifier as LocalClassifier } from "../dist/index.js";
import { CausalLM, ImageClassifier, TextClassifier, TextEmbedder } from "../dist/remote.js";
import { proxy } from "../examples/recipes/proxy.js";
import { SMOLLM } from "./api-models.mjs";
import { deadline } from "./support/deadline.mjs";
import { serveHttp } from "./support/http.mjs";
import { startLlamaServer, whyNoLlamaServer } from "./support/llama-server.mjs";
import { assertNear } from "./support/near.mjs";
import { rejection } from "./support/rejections.mjs";
import { invalidity } from "./support/schemas.mjs";

deadline(15);

const MESSAGES = [{ role: "user", content: "What is the capital of France?" }];
const SCHEMA = { type: "object", properties: { city: { type: "string", maxLength: 20 } }, required: ["city"], additionalProperties: false };
const LOOK = { name: "look", description: "Looks.", parameters: SCHEMA };
const FUNCTION = { type: "function", function: LOOK };

async function tokensOf(generation) {
  const tokens = [];
  for await (const token of generation) tokens.push(token);
  return tokens;
}

describe("llama-cpp-python's server, run here", { skip: whyNoLlamaServer() ?? false }, () => {
  const KEY = "a-key-of-the-test's";
  const headers = { authorization: `Bearer ${KEY}` };
  let server, far, embedder;
  before(async () => {
    server = await startLlamaServer(SMOLLM, KEY);
    far = await CausalLM.load({ url: server.url, headers });
    embedder = await TextEmbedder.load({ url: server.url, headers });
  });
  after(() => server?.close());

  /** What it says to a plain request that does not stream. */
  async function said(path, body) {
    const neutral = { temperature: 0, top_p: 1, top_k: 0, min_p: 0, repeat_penalty: 1 };
    const response = await fetch(server.url + path, { method: "POST", headers: { ...headers, "content-type": "application/json" }, body: JSON.stringify({ ...neutral, ...body }) });
    return (await response.json()).choices[0];
  }

  test("it is known, and its answers are its own, best token by best token", async () => {
    assert.deepEqual(far.server, { url: server.url, model: "here", software: "llama-cpp-python" });
    const chat = await far.generate(MESSAGES, { maxTokens: 12 });
    assert.equal(chat.text, (await said("/chat/completions", { messages: MESSAGES, max_tokens: 12 })).message.content);
    const prompt = "Count: 1, 2, 3,";
    const { text, finishReason } = await far.generate(prompt, { maxTokens: 20 });
    assert.equal(text, (await said("/completions", { prompt, max_tokens: 20 })).text);
    assert.equal(finishReason, "length");
    // So sure a thing that our own kernels say the same.
    const engine = await Engine.create({ threads: 1 });
    const lm = await LocalLM.load(SMOLLM, { engine, contextLength: 128 });
    assert.equal(text, (await lm.generate(prompt, { maxTokens: 20 })).text);
    await engine.dispose();
  });

  test("its key is wanted, and a proxy has it in the page's place", async () => {
    await rejection(() => CausalLM.load({ url: server.url }), "network", /401.*it wants a key/);
    const own = await serveHttp(proxy({ server: server.url, key: KEY, allows: (request) => request.headers.get("cookie") === "session=1" }));
    try {
      await rejection(() => CausalLM.load({ url: own.url }), "network", /403/);
      const near = await CausalLM.load({ url: `${own.url}/v1`, headers: { cookie: "session=1" } });
      assert.equal((await near.generate(MESSAGES, { maxTokens: 12 })).text, (await far.generate(MESSAGES, { maxTokens: 12 })).text);
    } finally {
      await own.close();
    }
  });

  test("draws repeat with their seed, within what is left to draw from", async () => {
    const drawn = { maxTokens: 10, temperature: 1.5, seed: 3, topK: 5, topP: 0.9, minP: 0.1, repetitionPenalty: 1.1, presencePenalty: 0.2, frequencyPenalty: 0.1 };
    const { text } = await far.generate(MESSAGES, drawn);
    assert.equal((await far.generate(MESSAGES, drawn)).text, text);
    assert.equal((await far.generate(MESSAGES, { maxTokens: 10, temperature: 2, topK: 1 })).text, (await far.generate(MESSAGES, { maxTokens: 10 })).text);
    const first = (await tokensOf(far.generate("Count: 1, 2, 3,", { maxTokens: 2, logprobs: 2 })))[0];
    assert(first.logprob <= 0 && first.alternatives.length === 2 && first.alternatives[0].text === first.text);
    assert.equal((await far.generate("Count: 1, 2, 3,", { maxTokens: 30, stop: [" 6"] })).text, " 4, 5,");
    await far.generate(MESSAGES, { maxTokens: 3, useDefaults: true });
  });

  test("grammars, schemas and a forced call are kept", async () => {
    assert.match((await far.generate("Is it so?", { maxTokens: 9, grammar: 'root ::= "yes" | "no"' })).text, /^(yes|no)$/);
    const { text } = await far.generate(MESSAGES, { maxTokens: 60, jsonSchema: SCHEMA });
    assert.equal(invalidity(SCHEMA, JSON.parse(text)), undefined);
    const { toolCalls: [call], finishReason } = await far.generate(MESSAGES, { maxTokens: 60, tools: [LOOK], toolChoice: { name: "look" } });
    assert.deepEqual([call.name, invalidity(SCHEMA, call.arguments), finishReason], ["look", undefined, "tool-calls"]);
  });

  test("vectors of texts, of unit length or as they are", async () => {
    const texts = ["a cat", "a dog", "a cat"];
    const { data, dims } = await embedder.embed(texts);
    assert.deepEqual(dims, [3, 576]);
    assert(Math.abs(Math.hypot(...data.subarray(0, 576)) - 1) < 1e-5);
    assertNear(data.subarray(2 * 576), data.subarray(0, 576), "the same text");
    const plain = await embedder.embed(texts, { normalize: false });
    const length = Math.hypot(...plain.data.subarray(0, 576));
    assert(length > 2, `${length}`);
    assertNear(plain.data.subarray(0, 576).map((value) => value / length), data.subarray(0, 576), "made unit");
  });

  test("an abort ends it there: the next answer comes", async () => {
    const controller = new AbortController();
    const generation = far.generate("Count: 1, 2, 3,", { signal: controller.signal });
    for await (const _ of generation) controller.abort();
    assert.equal((await generation).finishReason, "aborted");
    assert.equal((await far.generate("Count: 1, 2, 3,", { maxTokens: 2 })).text, (await said("/completions", { prompt: "Count: 1, 2, 3,", max_tokens: 2 })).text);
  });

  test("what it lacks is refused by its name, and what it cannot is told", async () => {
    for (const [prompt, options, says] of [
      [[1, 2], {}, /^a prompt of token ids/], [MESSAGES, { regex: "a" }, /^regex for messages/], ["a", { jsonSchema: SCHEMA }, /^jsonSchema for a text/],
      [MESSAGES, { ignoreEnd: true }, /^ignoreEnd/], [MESSAGES, { tools: [LOOK] }, /^tools but for one/], [MESSAGES, { templateOptions: {} }, /^templateOptions/],
      [MESSAGES, { continueFinalMessage: true }, /^continueFinalMessage/], [MESSAGES, { noRepeatNgram: 2 }, /^noRepeatNgram/],
    ]) await rejection(() => far.generate(prompt, { maxTokens: 2, ...options }), "unsupported-model", says);
    await rejection(() => embedder.embed([[1]]), "unsupported-model", /^token ids/);
    const ranker = await TextClassifier.load({ url: server.url, headers });
    await rejection(() => ranker.classify([["a", "b"]]), "unsupported-model", /^reranking: not to be had of llama-cpp-python/);
    // It has begun its answer by then, and leaves without a word.
    await rejection(() => far.generate("on ".repeat(600), { maxTokens: 2 }), "network", /broke/);
    await rejection(() => CausalLM.load({ url: server.url.slice(0, -3), headers }), "missing-file", /does `url` end where/);
  });
});

/** A server that answers each path by the next of its exchanges, whose request must be the one that is written. */
async function recorded(exchanges) {
  const left = Object.fromEntries(Object.entries(exchanges).map(([path, list]) => [path, [...list]]));
  const server = await serveHttp(async (request) => {
    const { pathname } = new URL(request.url);
    const { asked, answer, events } = left[pathname]?.shift() ?? {};
    try {
      assert.deepEqual(request.method === "POST" ? await request.json() : undefined, asked, pathname);
    } catch (error) {
      return Response.json({ error: { message: error.message } }, { status: 400 });
    }
    if (events === undefined) return Response.json(answer);
    const text = [...events.map((event) => JSON.stringify(event)), "[DONE]"].map((data) => `data: ${data}\n\n`).join("");
    return new Response(text, { headers: { "content-type": "text/event-stream" } });
  });
  return { ...server, isOver: () => assert.deepEqual(Object.values(left).flat(), []) };
}

/** Chunks of a chat's answer. */
const deltas = (list, finish, more = {}) => [...list.map((delta) => ({ choices: [{ index: 0, delta, finish_reason: null }] })), { choices: [{ index: 0, delta: {}, finish_reason: finish, ...more }] }];

describe("vLLM, by its published protocol; not run", () => {
  // vllm/entrypoints/openai/{chat_completion,completion,engine}/protocol.py and vllm/entrypoints/pooling/, at 002032ee2b18.
  const MODELS = { asked: undefined, answer: { object: "list", data: [{ id: "Qwen/Qwen3-8B", object: "model", created: 1, owned_by: "vllm", root: "Qwen/Qwen3-8B", parent: null, max_model_len: 40960, permission: [] }] } };
  const COMMON = { model: "Qwen/Qwen3-8B", stream: true, stream_options: { include_usage: true }, temperature: 0, top_k: 0, top_p: 1, min_p: 0, repetition_penalty: 1 };
  const USAGE = { choices: [], usage: { prompt_tokens: 14, total_tokens: 20, completion_tokens: 6, prompt_tokens_details: { cached_tokens: 8 } } };

  test("thoughts, an answer, and its numbers", async () => {
    const asked = { ...COMMON, messages: MESSAGES, temperature: 0.6, top_p: 0.95, top_k: 20, repetition_penalty: 1.1, seed: 7, max_tokens: 99, min_tokens: 2, stop: ["!"], ignore_eos: false, logit_bias: { 5: -100 }, chat_template_kwargs: { enable_thinking: true } };
    const events = [...deltas([{ role: "assistant", content: "" }, { reasoning: "France," }, { reasoning: " hm." }, { content: "Par" }, { content: "is" }], "stop", { stop_reason: "!" }), USAGE];
    const server = await recorded({ "/v1/models": [MODELS], "/v1/chat/completions": [{ asked, events }] });
    const lm = await CausalLM.load({ url: `${server.url}/v1` });
    assert.equal(lm.server.software, "vLLM");
    const generation = lm.generate(MESSAGES, { temperature: 0.6, topP: 0.95, topK: 20, repetitionPenalty: 1.1, seed: 7, maxTokens: 99, minTokens: 2, stop: ["!"], ignoreEnd: false, logitBias: { 5: -Infinity }, templateOptions: { enable_thinking: true } });
    assert.deepEqual((await tokensOf(generation)).map(({ kind, text }) => [kind, text]), [["reasoning", "France,"], ["reasoning", " hm."], ["text", "Par"], ["text", "is"]]);
    const { text, reasoning, finishReason, stats } = await generation;
    assert.deepEqual([text, reasoning, finishReason, stats.promptTokens, stats.cachedTokens, stats.generatedTokens], ["Paris", "France, hm.", "stop", 14, 8, 6]);
    server.isOver();
    await server.close();
  });

  test("calls come in fragments, and several; their answers go back", async () => {
    const call = (index, id, name, given) => ({ tool_calls: [{ index, ...(id && { id, type: "function" }), function: { ...(name && { name }), ...(given && { arguments: given }) } }] });
    const events = [...deltas([{ role: "assistant", content: null }, call(0, "chatcmpl-tool-1", "look"), call(0, null, null, '{"ci'), call(0, null, null, 'ty": "Paris"}'), call(1, "chatcmpl-tool-2", "look", '{"city": "Rome"}')], "tool_calls"), USAGE];
    const back = [
      ...MESSAGES,
      { role: "assistant", content: null, tool_calls: [["1", "Paris"], ["2", "Rome"]].map(([n, city]) => ({ id: `chatcmpl-tool-${n}`, type: "function", function: { name: "look", arguments: JSON.stringify({ city }) } })) },
      { role: "tool", content: "sun", name: "look", tool_call_id: "chatcmpl-tool-1" },
    ];
    const server = await recorded({
      "/v1/models": [MODELS],
      "/v1/chat/completions": [
        { asked: { ...COMMON, messages: MESSAGES, tools: [FUNCTION], tool_choice: "auto" }, events },
        { asked: { ...COMMON, messages: back, tools: [FUNCTION], tool_choice: { type: "function", function: { name: "look" } } }, events: deltas([{ content: "Sun." }], "stop", { stop_reason: null }) },
        { asked: { ...COMMON, messages: MESSAGES, tools: [FUNCTION, { ...FUNCTION, function: { ...LOOK, name: "see" } }], tool_choice: "required" }, events: deltas([call(0, "a", "see", '{"ci')], "length") },
      ],
    });
    const lm = await CausalLM.load({ url: `${server.url}/v1` });
    const generation = lm.generate(MESSAGES, { tools: [LOOK] });
    const { toolCalls, finishReason, text } = await generation;
    assert.deepEqual(toolCalls, [{ id: "chatcmpl-tool-1", name: "look", arguments: { city: "Paris" } }, { id: "chatcmpl-tool-2", name: "look", arguments: { city: "Rome" } }]);
    assert.deepEqual([finishReason, text], ["tool-calls", ""]);
    assert.deepEqual((await tokensOf(generation)).filter(({ toolCall }) => toolCall).map(({ toolCall }) => "arguments" in toolCall), [false, false, true, true]);
    const messages = [...MESSAGES, { role: "assistant", content: null, toolCalls }, { role: "tool", name: "look", toolCallId: toolCalls[0].id, content: "sun" }];
    assert.equal((await lm.generate(messages, { tools: [LOOK], toolChoice: { name: "look" } })).finishReason, "end");
    // What is cut in the midst of a call has called nothing.
    const cut = await lm.generate(MESSAGES, { tools: [LOOK, { ...LOOK, name: "see" }], toolChoice: "required" });
    assert.deepEqual([cut.toolCalls, cut.finishReason], [undefined, "length"]);
    server.isOver();
    await server.close();
  });

  test("texts, ids, log-probabilities and structured outputs", async () => {
    const ended = [{ choices: [{ index: 0, text: "b", logprobs: { text_offset: [0], token_logprobs: [-0.5], tokens: ["b"], top_logprobs: [{ b: -0.5, c: -1 }] }, finish_reason: "length", stop_reason: null }] }];
    const structured = (asked) => ({ asked: { ...COMMON, messages: MESSAGES, ...asked }, events: deltas([{ content: "x" }], "stop") });
    const server = await recorded({
      "/v1/models": [MODELS],
      "/v1/completions": [{ asked: { ...COMMON, prompt: "a", max_tokens: null, logprobs: 2 }, events: ended }, { asked: { ...COMMON, prompt: [1, 2], max_tokens: 3 }, events: ended }],
      "/v1/chat/completions": [
        structured({ response_format: { type: "json_schema", json_schema: { name: "answer", schema: SCHEMA } } }),
        structured({ structured_outputs: { regex: "a+" } }), structured({ structured_outputs: { grammar: 'root ::= "a"' } }), structured({ structured_outputs: { grammar: 'start: "a"' } }),
        structured({ continue_final_message: true, add_generation_prompt: false }),
      ],
    });
    const lm = await CausalLM.load({ url: `${server.url}/v1` });
    assert.deepEqual(await tokensOf(lm.generate("a", { logprobs: 2 })), [{ id: -1, text: "b", logprob: -0.5, alternatives: [{ id: -1, text: "b", logprob: -0.5 }, { id: -1, text: "c", logprob: -1 }] }]);
    await lm.generate(Uint32Array.of(1, 2), { maxTokens: 3 });
    for (const options of [{ jsonSchema: SCHEMA }, { regex: "a+" }, { grammar: 'root ::= "a"' }, { grammar: { lark: 'start: "a"' } }, { continueFinalMessage: true }]) assert.equal((await lm.generate(MESSAGES, options)).text, "x");
    server.isOver();
    await server.close();
  });

  test("vectors, and documents by how well they answer", async () => {
    const entry = (index, embedding) => ({ index, object: "embedding", embedding });
    const result = (index, text, score) => ({ index, document: { text, multi_modal: null }, relevance_score: score });
    const rerank = (query, documents, results) => ({ asked: { model: "Qwen/Qwen3-8B", query, documents, top_n: documents.length }, answer: { id: "score-1", model: "Qwen/Qwen3-8B", usage: { prompt_tokens: 9, total_tokens: 9 }, results } });
    const server = await recorded({
      "/v1/models": [MODELS, MODELS],
      "/v1/embeddings": [
        { asked: { model: "Qwen/Qwen3-8B", input: ["a", "b"], encoding_format: "float" }, answer: { object: "list", data: [entry(1, [0, 2]), entry(0, [3, 4])] } },
        { asked: { model: "Qwen/Qwen3-8B", input: [[7]], encoding_format: "float", use_activation: false }, answer: { object: "list", data: [entry(0, [3, 4])] } },
        { asked: { model: "Qwen/Qwen3-8B", input: ["a"], encoding_format: "float" }, answer: { object: "list", data: [] } },
      ],
      "/v1/rerank": [
        rerank("capital of France?", ["Paris", "fun"], [result(0, "Paris", 0.99), result(1, "fun", 0.01)]),
        rerank("fun?", ["Paris", "fun"], [result(1, "fun", 0.9), result(0, "Paris", 0.2)]),
      ],
    });
    const embedder = await TextEmbedder.load({ url: `${server.url}/v1` });
    const { data, dims } = await embedder.embed(["a", "b"]);
    assert.deepEqual([dims, [...data]], [[2, 2], [3 / 5, 4 / 5, 0, 1].map(Math.fround)]);
    assert.deepEqual([...(await embedder.embed([[7]], { normalize: false })).data], [3, 4]);
    await rejection(() => embedder.embed("a"), "network", /expected an entry for each of 1/);
    const ranker = await TextClassifier.load({ url: `${server.url}/v1` });
    const found = await ranker.classify([["capital of France?", "Paris"], ["capital of France?", "fun"], ["fun?", "Paris"], ["fun?", "fun"]]);
    assert.deepEqual(found.map(([{ label, score }]) => [label, score]), [["LABEL_0", 0.99], ["LABEL_0", 0.01], ["LABEL_0", 0.2], ["LABEL_0", 0.9]]);
    await rejection(() => ranker.classify("alone"), "unsupported-model", /^classes of single texts/);
    server.isOver();
    await server.close();
  });
});

describe("llama.cpp's own server, by its published protocol; not run", () => {
  // tools/server/README.md at 00dc8057ab28.
  const MODELS = { asked: undefined, answer: { object: "list", data: [{ id: "m.gguf", object: "model", created: 1735142223, owned_by: "llamacpp", meta: { n_ctx_train: 131072 } }] } };
  const COMMON = { model: "m.gguf", stream: true, stream_options: { include_usage: true }, repeat_last_n: -1, temperature: 0, top_k: 0, top_p: 1, min_p: 0, repeat_penalty: 1 };

  test("texts and messages, log-probabilities, what constrains them, documents", async () => {
    const content = [{ id: 5, token: "b", bytes: [98], logprob: -0.5, top_logprobs: [{ id: 5, token: "b", bytes: [98], logprob: -0.5 }] }];
    const usage = { choices: [], usage: { completion_tokens: 48, prompt_tokens: 44, total_tokens: 92, prompt_tokens_details: { cached_tokens: 0 } } };
    const events = deltas([{ content: "x" }], "stop");
    const server = await recorded({
      "/v1/models": [MODELS, MODELS],
      "/v1/completions": [
        { asked: { ...COMMON, prompt: "a", max_tokens: -1, logprobs: 1 }, events: [{ choices: [{ index: 0, text: "b", logprobs: { content }, finish_reason: null }] }, { choices: [{ index: 0, text: "", finish_reason: "stop" }] }] },
        { asked: { ...COMMON, prompt: "a", max_tokens: 5, json_schema: SCHEMA }, events: [{ choices: [{ index: 0, text: "{}", finish_reason: "length" }] }] },
      ],
      "/v1/chat/completions": [
        { asked: { ...COMMON, messages: MESSAGES, ignore_eos: true, repeat_penalty: 1.2, min_p: 0.1 }, events: [...deltas([{ role: "assistant", content: null }, { reasoning_content: "hm" }, { content: "x" }], "stop"), usage] },
        { asked: { ...COMMON, messages: MESSAGES, grammar: 'root ::= "x"' }, events }, { asked: { ...COMMON, messages: MESSAGES, response_format: { type: "json_schema", json_schema: { name: "answer", schema: SCHEMA } } }, events },
      ],
      "/v1/rerank": [{ asked: { model: "m.gguf", query: "What is panda?", documents: ["hi", "it is a bear"], top_n: 2 }, answer: { model: "m.gguf", object: "list", usage: {}, results: [{ index: 1, relevance_score: 4.5 }, { index: 0, relevance_score: -8 }] } }],
    });
    const lm = await CausalLM.load({ url: `${server.url}/v1` });
    assert.equal(lm.server.software, "llama.cpp");
    assert.deepEqual(await tokensOf(lm.generate("a", { logprobs: 1 })), [{ id: -1, text: "b", logprob: -0.5, alternatives: [{ id: -1, text: "b", logprob: -0.5 }] }]);
    await lm.generate("a", { maxTokens: 5, jsonSchema: SCHEMA });
    const { text, reasoning, stats } = await lm.generate(MESSAGES, { ignoreEnd: true, repetitionPenalty: 1.2, minP: 0.1 });
    assert.deepEqual([text, reasoning, stats.generatedTokens], ["x", "hm", 48]);
    for (const options of [{ grammar: { gbnf: 'root ::= "x"' } }, { jsonSchema: SCHEMA }]) assert.equal((await lm.generate(MESSAGES, options)).text, "x");
    for (const [options, says] of [[{ regex: "a" }, /^regex/], [{ grammar: { lark: "start: A" } }, /^grammar \(Lark\)/], [{ minTokens: 2 }, /^minTokens/]]) await rejection(() => lm.generate(MESSAGES, options), "unsupported-model", says);
    const ranker = await TextClassifier.load({ url: `${server.url}/v1` });
    assert.deepEqual((await ranker.classify([["What is panda?", "hi"], ["What is panda?", "it is a bear"]])).flat().map(({ score }) => score), [-8, 4.5]);
    server.isOver();
    await server.close();
  });
});

describe("Triton, by KServe's published protocol; not run", () => {
  // https://github.com/kserve/open-inference-protocol: specification/protocol/inference_rest.md; Triton's extension:
  // https://github.com/triton-inference-server/server: docs/protocol/extension_classification.md.
  const folder = fileURLToPath(new URL("../www/models/fashion-mnist-vit/", import.meta.url));
  const IMAGES = { mean: [0.286], std: [0.353] };
  const LABELS = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"];
  let engine, vit, server, asked, metadata, answered;
  /** A grey picture with something in it, larger than the model's, and transparent in places. */
  const picture = (phase) => {
    const [width, height] = [45, 38];
    const data = new Uint8Array(4 * width * height);
    for (let y = 0, at = 0; y < height; y++) for (let x = 0; x < width; x++, at += 4) data.set([128 + 127 * Math.sin(x / 5 + phase), 128 + 127 * Math.cos(y / 7), (3 * x + phase) % 256, y < 3 ? 100 : 255], at);
    return { data, width, height };
  };
  before(async () => {
    engine = await Engine.create({ threads: 1 });
    vit = await LocalClassifier.load(folder, { engine });
    server = await serveHttp(async (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/v2") return Response.json({ name: "triton", version: "2.50.0", extensions: ["classification", "sequence"] });
      if (pathname === "/v2/models/vit") return Response.json({ name: "vit", versions: ["1"], platform: "onnxruntime_onnx", ...metadata });
      if (pathname !== "/v2/models/vit/infer") return Response.json({ error: `Request for unknown model: ${pathname}` }, { status: 404 });
      asked = await request.json();
      if (answered !== undefined) return Response.json(answered);
      const [{ name, datatype, shape, data }] = asked.inputs;
      assert.deepEqual([name, datatype], ["pixels", "FP32"]);
      const { data: logits, dims } = await vit.logits({ data: Float32Array.from(data), dims: shape });
      const [{ parameters }] = asked.outputs;
      if (parameters === undefined) return Response.json({ model_name: "vit", outputs: [{ name: "logits", datatype: "FP32", shape: dims, data: [...logits] }] });
      const ranked = [...logits].map((value, index) => [value, index]).sort((a, b) => b[0] - a[0]).slice(0, parameters.classification);
      return Response.json({ model_name: "vit", outputs: [{ name: "logits", datatype: "BYTES", shape: [1, ranked.length], data: ranked.map(([value, index]) => `${value}:${index}:${LABELS[index]}`) }] });
    });
  });
  const plain = () => {
    metadata = { inputs: [{ name: "pixels", datatype: "FP32", shape: [-1, 1, 28, 28] }], outputs: [{ name: "logits", datatype: "FP32", shape: [-1, 10] }] };
    answered = undefined;
  };
  after(async () => {
    await server?.close();
    await engine?.dispose();
  });

  test("pictures are what the model behind it says they are, by its names", async () => {
    plain();
    const far = await ImageClassifier.load({ url: server.url, model: "vit", images: IMAGES });
    assert(far instanceof LocalClassifier);
    assert.deepEqual(far.server, { url: server.url, model: "vit", software: "KServe v2" });
    assert.deepEqual(far.labels, LABELS);
    const pictures = [picture(0), picture(2), picture(4)];
    const [here, there] = [await vit.classify(pictures), await far.classify(pictures)];
    // Pillow rounds to 8 bits in between, which here nobody does.
    for (const [at, best] of here.entries()) {
      assert.deepEqual(there[at].map(({ label, index }) => [label, index]), best.map(({ label, index }) => [label, index]));
      assertNear(there[at].map(({ score }) => score), best.map(({ score }) => score), "scores", 0.02);
    }
    const [own, theirs] = [await vit.pixels(pictures), await far.pixels(pictures)];
    assert.deepEqual(theirs.dims, own.dims);
    // A step and a half of 255, where the one rounds and the other does not.
    assertNear(theirs.data, own.data, "pixels", 1.5 / 255 / 0.353);
    assertNear((await far.logits(own)).data, (await vit.logits(own)).data, "logits", 1e-5);
    assert.equal((await far.classify(picture(0), { topK: 2 })).length, 2);
    const map = await far.classifyPatches(picture(0), { size: 19, stride: 19 });
    assert.deepEqual([map.rows, map.columns], [2, 3]);
    assert.deepEqual(map.patches.map(({ best: [{ label }] }) => label), (await vit.classifyPatches(picture(0), { size: 19, stride: 19 })).patches.map(({ best: [{ label }] }) => label));
  });

  test("bytes, channels last, a distribution, nested data; labels of the caller's", async () => {
    plain();
    metadata.inputs = [{ name: "pixels", datatype: "UINT8", shape: [-1, 2, 2, 3] }];
    metadata.outputs = [{ name: "logits", datatype: "FP32", shape: [-1, -1] }];
    answered = { outputs: [{ name: "logits", datatype: "FP32", shape: [1, 3], data: [[0.25, 0.5, 0.25]] }] };
    const far = await ImageClassifier.load({ url: server.url, model: "vit", images: { labels: ["a", "b", "c"] } });
    const four = { data: new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]), width: 2, height: 2 };
    assert.deepEqual((await far.classify(four)).slice(0, 1), [{ label: "b", index: 1, score: 0.5 }]);
    assert.deepEqual(asked.inputs, [{ name: "pixels", datatype: "UINT8", shape: [1, 2, 2, 3], data: [...four.data] }]);
    await rejection(() => far.logits({ data: new Float32Array(12), dims: [1, 3, 2, 2] }), "unsupported-model", /^logits of pixels/);
    answered = { outputs: [{ name: "logits", data: ["a"] }] };
    await rejection(() => far.classify(four), "network", /expected numbers for 1 images/);
  });

  test("what the protocol leaves open has to be said, and what it lacks is refused", async () => {
    plain();
    await rejection(() => ImageClassifier.load({ url: server.url }), "invalid-argument", /`model` is missing/);
    await rejection(() => ImageClassifier.load({ url: server.url, model: "other" }), "missing-file", /unknown model/);
    const far = await ImageClassifier.load({ url: server.url, model: "vit" });
    await rejection(() => far.classify(picture(0)), "invalid-argument", /^images\.mean and images\.std: /);
    for (const [call, says] of [[() => far.features(picture(0)), /^features: /], [() => far.attention(picture(0)), /^attention: /], [() => far.attentionMaps({ data: new Float32Array(784), dims: [1, 1, 28, 28] }), /^attentionMaps: /]])
      await rejection(call, "unsupported-model", says);
    await rejection(() => ImageClassifier.load({ url: server.url, model: "vit", images: { mean: [0, 0, 0], std: [1, 1, 1] } }), "invalid-argument", /takes 1 channels/);
    await rejection(() => ImageClassifier.load({ url: server.url, model: "vit", images: { labels: ["a"] } }), "invalid-argument", /has 10 classes/);
    for (const wrong of [{ inputs: [{ name: "ids", datatype: "INT64", shape: [-1, -1] }] }, { inputs: [...metadata.inputs, ...metadata.inputs] }, { outputs: [{ name: "boxes", datatype: "FP32", shape: [-1, 100, 4] }] }, { outputs: [] }, { inputs: [{ name: "a", datatype: "FP32", shape: [-1, 3, 1e9, 1e9] }] }, { inputs: [{ name: "a", datatype: "FP32", shape: 5 }] }, { outputs: [{ name: "a", datatype: "FP32", shape: [-1, 1e15] }] }]) {
      plain();
      Object.assign(metadata, wrong);
      await rejection(() => ImageClassifier.load({ url: server.url, model: "vit" }), "unsupported-model", /expected one (input|output)/);
    }
  });
});
