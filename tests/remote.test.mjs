// Models on a server, by the same classes: over our own OpenAI API served over HTTP, whose answers have to be those of the
// model behind it; the fallback of `load`; and servers that fail in every way. Under Node, and from a page in Chromium.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { AzulejoError, CausalLM, Engine, ImageClassifier, Seq2SeqLM, sessions, TextEmbedder } from "../dist/index.js";
import { openai } from "../dist/openai.js";
import * as remote from "../dist/remote.js";
import { listener } from "../examples/recipes/proxy.js";
import { endless, tiny, tooLarge } from "./api-models.mjs";
import { startApiServer } from "./api-server.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { serveHttp } from "./support/http.mjs";
import { idle } from "./support/idle.mjs";
import { assertNear } from "./support/near.mjs";
import { rejection } from "./support/rejections.mjs";
import { invalidity } from "./support/schemas.mjs";
import { CLOSING, writer } from "./support/writers.mjs";

deadline(10);

const TEMPLATE = "{# <tool_call> <think> #}{% for m in messages %}{{ m.content }}{{ m.tool_calls[0].function.name if m.tool_calls }}{% endfor %}{{ '' if tools }}";
const MESSAGES = [{ role: "system", content: "a" }, { role: "user", content: [{ type: "text", text: "b" }] }];
const DRAWN = { temperature: 1, seed: 4, maxTokens: 12, logitBias: Object.fromEntries(CLOSING.map((id) => [id, 3])) };
const SCHEMA = { type: "object", properties: { city: { type: "string", maxLength: 6 }, days: { type: "integer", minimum: 0, maximum: 9 } }, required: ["city", "days"], additionalProperties: false };
const TOOLS = [{ name: "look", description: "Looks.", parameters: SCHEMA }];

async function tokensOf(generation) {
  const tokens = [];
  for await (const token of generation) tokens.push(token);
  return tokens;
}

describe("over our own API", () => {
  let engine, lm, on, embedder, server, far, farOn, farEmbedder;
  const requests = [];
  before(async () => {
    engine = await Engine.create({ threads: 1 });
    lm = await CausalLM.load({ ...writer("llama"), "chat_template.jinja": TEMPLATE }, { engine });
    on = await CausalLM.load(endless(), { engine });
    embedder = await TextEmbedder.load(fileURLToPath(new URL("../models/all-MiniLM-L6-v2/", import.meta.url)), { engine });
    const { fetch } = openai({ lm, on, minilm: embedder });
    server = await serveHttp((request) => {
      requests.push(request.headers.get("authorization"));
      return fetch(request);
    });
    const url = `${server.url}/v1`;
    far = await remote.CausalLM.load({ url, model: "lm" });
    farOn = await remote.CausalLM.load({ url, model: "on" });
    farEmbedder = await remote.TextEmbedder.load({ url: new URL(url), model: "minilm" });
  });
  after(async () => {
    await server?.close();
    await engine?.dispose();
  });

  test("it is the package's own class, and says where it is", async () => {
    assert(far instanceof CausalLM && farEmbedder instanceof TextEmbedder);
    assert.deepEqual(far.server, { url: `${server.url}/v1`, model: "lm", software: "OpenAI's API" });
    assert.equal(lm.server, undefined);
    assert.deepEqual(far.defaults, {});
  });

  test("messages are answered as the model here does, best token by best token and drawn", async () => {
    for (const options of [{ maxTokens: 9 }, DRAWN, { ...DRAWN, topP: 0.7, presencePenalty: 0.5, frequencyPenalty: 0.25 }, { ...DRAWN, stop: [(await lm.generate(MESSAGES, DRAWN)).text[4]] }]) {
      const [here, there] = await Promise.all([lm.generate(MESSAGES, options), far.generate(MESSAGES, options)]);
      assert.equal(there.text, here.text);
      // A server's "stop" may be either.
      assert.equal(there.finishReason, here.finishReason === "stop" ? "end" : here.finishReason);
      for (const count of ["promptTokens", "generatedTokens", "cachedTokens"]) assert.equal(there.stats[count], here.stats[count]);
      assert.equal(there.tokens.length, 0);
    }
  });

  test("the pieces are the whole, as tokens and as a stream", async () => {
    const generation = far.generate(MESSAGES, DRAWN);
    let streamed = "";
    for await (const piece of generation.stream()) streamed += piece;
    const tokens = await tokensOf(generation);
    assert(tokens.length > 4 && tokens.every(({ id, kind }) => id === -1 && kind === "text"));
    assert.deepEqual([tokens.map(({ text }) => text).join(""), streamed, await generation.text()], Array(3).fill((await lm.generate(MESSAGES, DRAWN)).text));
  });

  test("texts and token ids are gone on with", async () => {
    const here = await lm.generate("ab", DRAWN);
    assert.equal((await far.generate("ab", DRAWN)).text, here.text);
    assert.equal((await far.generate(await lm.tokenizer.encode("ab"), DRAWN)).text, here.text);
  });

  test("log-probabilities come with their tokens", async () => {
    const probable = ({ text, logprob, alternatives }) => ({ text, logprob, alternatives: alternatives.map(({ text, logprob }) => ({ text, logprob })) });
    for (const prompt of [MESSAGES, "ab"]) {
      const options = { ...DRAWN, logprobs: 2 };
      const [here, there] = await Promise.all([tokensOf(lm.generate(prompt, options)), tokensOf(far.generate(prompt, options))]);
      assert.deepEqual(there.map(probable), here.map(probable));
    }
    assert((await tokensOf(far.generate(MESSAGES, { ...DRAWN, logprobs: 0 }))).every(({ logprob, alternatives }) => logprob <= 0 && alternatives.length === 0));
  });

  test("an answer of a schema parses; a tool is called, and its answer goes back", async () => {
    const { text } = await far.generate(MESSAGES, { ...DRAWN, jsonSchema: SCHEMA, maxTokens: 60 });
    assert.equal(invalidity(SCHEMA, JSON.parse(text)), undefined);
    for (const toolChoice of ["required", { name: "look" }]) {
      const asked = { ...DRAWN, tools: TOOLS, toolChoice, maxTokens: 90 };
      const generation = far.generate(MESSAGES, asked);
      const [here, there] = await Promise.all([lm.generate(MESSAGES, asked), generation]);
      assert.equal(there.finishReason, "tool-calls");
      const [call] = there.toolCalls;
      assert.deepEqual({ ...call, id: "" }, { ...here.toolCalls[0], id: "" });
      const told = (await tokensOf(generation)).filter(({ toolCall }) => toolCall !== undefined);
      assert.deepEqual(told.map(({ kind, toolCall }) => [kind, toolCall]), [["tool-call", { id: call.id, name: "look" }], ["tool-call", call]]);
      const messages = [...MESSAGES, { role: "assistant", content: null, toolCalls: there.toolCalls }, { role: "tool", name: "look", toolCallId: call.id, content: "c" }];
      assert.equal((await far.generate(messages, DRAWN)).text, (await lm.generate(messages, DRAWN)).text);
    }
  });

  test("adapters take it as a model of the page's", async () => {
    const { choices: [{ message }] } = await openai({ far }).chat.completions.create({ model: "far", messages: MESSAGES, seed: 4, max_tokens: 12, logit_bias: DRAWN.logitBias });
    assert.equal(message.content, (await lm.generate(MESSAGES, DRAWN)).text);
  });

  test("a session is its prompts, and what only a cache here could do is refused", async () => {
    const session = far.createSession();
    const { text, stats } = await session.generate(MESSAGES, DRAWN);
    assert.equal(text, (await lm.generate(MESSAGES, DRAWN)).text);
    assert.equal(session.length, stats.promptTokens + stats.generatedTokens);
    const clone = await session.clone();
    assert.equal(clone.length, session.length);
    await rejection(() => session.save(), "unsupported-model", /^save: the model is on a server/);
    await rejection(() => session.truncate(1), "unsupported-model", /^truncate: /);
    await rejection(() => sessions.save("far", session), "unsupported-model", /^save: /);
    await rejection(() => far.restoreSession(new ArrayBuffer(4)), "unsupported-model", /^restoreSession: /);
    await Promise.all([session.dispose(), clone.dispose()]);
    await rejection(() => session.generate(MESSAGES), "disposed", /session/);
  });

  test("vectors are the embedder's", async () => {
    const here = await embedder.embed(["a cat", "ein Hund", ""]);
    const there = await farEmbedder.embed(["a cat", "ein Hund", ""]);
    assert.deepEqual(there.dims, here.dims);
    assertNear(there.data, here.data, "vectors", 1e-6);
    assertNear((await farEmbedder.embed("cat", { prompt: "a " })).data, here.data.slice(0, here.dims[1]), "with what stands before", 1e-6);
    const ids = await embedder.tokenizer.encode("a cat");
    assertNear((await farEmbedder.embed([ids])).data, here.data.slice(0, here.dims[1]), "of ids", 1e-6);
    const many = Array.from({ length: 70 }, (_, at) => `text ${at}`);
    const seen = [];
    assert.deepEqual((await farEmbedder.embed(many, { onProgress: (done) => seen.push(done) })).dims, [70, here.dims[1]]);
    assert.deepEqual(seen, [64, 70]);
    assert.deepEqual((await farEmbedder.embed([])).dims, [0, here.dims[1]]);
  });

  test("what the server lacks is refused by its name", async () => {
    for (const [what, says] of [
      [{ topK: 3 }, /^topK: not to be had of OpenAI's API$/],
      [{ minP: 0.1 }, /^minP/], [{ repetitionPenalty: 1.1 }, /^repetitionPenalty/], [{ ignoreEnd: true }, /^ignoreEnd/],
      [{ minTokens: 3 }, /^minTokens/], [{ noRepeatNgram: 2 }, /^noRepeatNgram/], [{ regex: "a" }, /^regex for messages/],
      [{ grammar: 'root ::= "a"' }, /^grammar \(GBNF\)/], [{ grammar: { lark: 'start: "a"' } }, /^grammar \(Lark\)/],
      [{ templateOptions: {} }, /^templateOptions/], [{ allowSpecial: true }, /^allowSpecial/], [{ continueFinalMessage: true }, /^continueFinalMessage/],
    ]) await rejection(() => far.generate(MESSAGES, { maxTokens: 2, ...what }), "unsupported-model", says);
    // What changes nothing is had everywhere.
    await far.generate(MESSAGES, { maxTokens: 2, topK: 0, minP: 0, repetitionPenalty: 1, ignoreEnd: false, minTokens: 0, noRepeatNgram: 0 });
    await rejection(() => far.generate("a"), "unsupported-model", /^a text without maxTokens/);
    await rejection(() => far.generate("a", { maxTokens: 2, jsonSchema: {} }), "unsupported-model", /^jsonSchema for a text/);
    await rejection(() => far.generate("a", { tokens: 2 }), "invalid-argument", /maxTokens/);
    for (const [call, says] of [
      [() => far.logits([1]), /^logits: the model is on a server \(OpenAI's API at http/], [() => far.attentionMaps("a"), /^attentionMaps: /],
      [() => far.tokenizer.encode("a"), /^tokenizer\.encode: /], [() => far.tokenizer.applyChatTemplate(MESSAGES), /^tokenizer\.applyChatTemplate: /],
      [() => farEmbedder.hidden([[1]]), /^hidden: /], [() => farEmbedder.attentionMaps("a"), /^attentionMaps: /],
      [() => farEmbedder.embed("a", { pooling: "cls" }), /^pooling/], [() => farEmbedder.embed("a", { promptName: "query" }), /^promptName/],
      [() => farEmbedder.embed("a", { normalize: false }), /^normalize: false/],
      [async () => far.engine, /^engine: /], [async () => far.summary, /^summary: /],
    ]) await rejection(call, "unsupported-model", says);
    await rejection(() => farEmbedder.embed(["a", [1]]), "invalid-argument", /texts and token ids together/);
  });

  test("an abort ends it there, and what was made stays; so does leaving, and disposing", async () => {
    const endlessly = { maxTokens: 60_000, logitBias: { 0: -Infinity, 2: -Infinity } };
    const controller = new AbortController();
    const generation = farOn.generate("a", { ...endlessly, signal: controller.signal });
    let seen = "";
    for await (const { text } of generation) {
      seen += text;
      if (seen.length > 3) controller.abort();
    }
    const { text, finishReason, stats } = await generation;
    assert.equal(finishReason, "aborted");
    assert(text.startsWith(seen.slice(0, 4)) && text.length < 60_000);
    assert(Number.isNaN(stats.generatedTokens), "a server that was left says no numbers");
    await idle(engine);
    for await (const _ of farOn.generate("a", endlessly)) break;
    await idle(engine);
    await farOn.generate("a", endlessly).stream().cancel();
    await idle(engine);
    assert.equal((await far.generate("a", { ...DRAWN, signal: AbortSignal.abort() })).finishReason, "aborted");
    await rejection(() => farEmbedder.embed("a", { signal: AbortSignal.abort() }), "aborted");
    const gone = await remote.CausalLM.load({ url: `${server.url}/v1`, model: "on" });
    const pending = gone.generate("a", endlessly);
    for await (const _ of pending) {
      await gone.dispose();
      break;
    }
    await rejection(() => pending, "disposed");
    await rejection(() => gone.generate("a", endlessly), "disposed");
    await idle(engine);
  });

  test("headers go along, and a function is asked each time", async () => {
    let asked = 0;
    const own = await remote.CausalLM.load({ url: `${server.url}/v1`, model: "lm", headers: async () => ({ authorization: `Bearer ${++asked}` }) });
    await own.generate("a", DRAWN);
    assert.deepEqual(requests.slice(-2), ["Bearer 1", "Bearer 2"]);
    const failing = { url: `${server.url}/v1`, model: "lm", headers: () => Promise.reject(new Error("signed out")) };
    await rejection(() => remote.CausalLM.load(failing), "invalid-argument", /^headers: signed out$/);
  });

  test("what does not fit this device goes to the fallback, and says so; what fits stays", async () => {
    const fallback = { url: `${server.url}/v1`, model: "lm" };
    const notes = [];
    const elsewhere = await CausalLM.load(tooLarge(), { engine, fallback, onProgress: ({ stage, note }) => notes.push([stage, note]) });
    const why = /^needs \d.* GiB, and WebAssembly's memory ends at 4 GiB/;
    assert.match(elsewhere.server.why, why);
    assert.deepEqual({ ...elsewhere.server, why: "" }, { url: fallback.url, model: "lm", software: "OpenAI's API", why: "" });
    assert.deepEqual(notes, [["ready", `${elsewhere.server.why}: the model runs at ${fallback.url}`]]);
    assert.deepEqual([elsewhere.summary.fits, elsewhere.summary.architecture], [false, "llama"]);
    assert.equal((await elsewhere.generate(MESSAGES, DRAWN)).text, (await lm.generate(MESSAGES, DRAWN)).text);
    const stays = await CausalLM.load(tiny(), { engine, fallback: { url: "http://127.0.0.1:9/v1" } });
    assert.equal(stays.server, undefined);
    assert.equal((await stays.generate("a", { maxTokens: 3 })).tokens.length, 3);
    await stays.dispose();
    // The server is asked for at once.
    await rejection(() => CausalLM.load(tooLarge(), { engine, fallback: { ...fallback, model: "gone" } }), "missing-file", /there is no model "gone"/);
    await rejection(() => CausalLM.load(new Blob([tiny()]).stream(), { engine, fallback }), "invalid-argument", /^fallback: a stream/);
    await rejection(() => Seq2SeqLM.load(tiny(), { engine, fallback }), "unsupported-model", /seq2seq are not to be had/);
    await rejection(() => ImageClassifier.load(tiny(), { engine, fallback: { ...fallback, protocol: "openai" } }), "invalid-argument", /^protocol: /);
  });

  test("options that are none are refused where they are given", async () => {
    for (const [options, says] of [
      [{}, /^url is missing/], [{ url: 5 }, /^url should be an address/], [{ url: "ftp://a" }, /http or https/], [{ url: "http://a/v1?key=1" }, /keys go into headers/],
      [{ url: "http://a", model: "" }, /^model is empty/], [{ url: "http://a", key: "x" }, /unknown option "key"/], [{ url: "http://a", headers: { a: 1 } }, /headers/],
      [{ url: "http://a", protocol: "grpc" }, /^protocol/], [{ url: "http://a", protocol: "kserve" }, /^protocol: /], [{ url: "http://a", images: { mean: [1] } }, /go together/],
      [{ url: "http://a", images: {} }, /^images: for an ImageClassifier/], ["http://a", /should be an object/],
    ]) await rejection(() => remote.CausalLM.load(options), "invalid-argument", says);
    await rejection(() => CausalLM.load(tiny(), { engine, fallback: { model: "a" } }), "invalid-argument", /^fallback\.url is missing/);
    await rejection(() => remote.CausalLM.load({ url: `${server.url}/v1` }), "missing-file", /`model` should say which: there are lm, on, minilm/);
  });

  test("a page in Chromium is answered, and falls back by itself", async () => {
    const browser = await launchBrowser();
    // Behind the page's own origin, as a proxy is.
    const forward = listener((request) => fetch(server.url + new URL(request.url).pathname, { method: request.method, headers: { "content-type": "application/json" }, body: request.body, duplex: "half", signal: request.signal }));
    const api = { "/v1/models": forward, "/v1/chat/completions": forward, "/v1/embeddings": forward };
    const pages = await startApiServer({ isolated: false, files: { ...api, "/large.gguf": { bytes: Buffer.from(tooLarge()) } } });
    try {
      const page = await browser.newPage();
      await page.goto(pages.url);
      const found = await page.evaluate(async ({ messages, options }) => {
        const [{ CausalLM }, remote] = [await import("/dist/index.js"), await import("/dist/remote.js")];
        const far = await remote.CausalLM.load({ url: "/v1", model: "lm" });
        let streamed = "";
        for await (const { text } of far.generate(messages, options)) streamed += text;
        const fallen = await CausalLM.load("/large.gguf", { device: "cpu", cache: false, fallback: { url: "/v1", model: "lm" } });
        const { text } = await fallen.generate(messages, options);
        const { dims } = await (await remote.TextEmbedder.load({ url: "/v1", model: "minilm" })).embed("a");
        return { streamed, text, why: fallen.server.why, dims };
      }, { messages: MESSAGES, options: DRAWN });
      const { text } = await lm.generate(MESSAGES, DRAWN);
      assert.deepEqual({ ...found, why: "" }, { streamed: text, text, why: "", dims: [1, 384] });
      assert.match(found.why, /GiB/);
    } finally {
      await browser.close();
      await pages.close();
    }
  });
});

describe("servers that fail", () => {
  const MODELS = JSON.stringify({ object: "list", data: [{ id: "m", owned_by: "nobody" }] });
  const chunk = (content, finish = null) => `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content }, finish_reason: finish }] })}\n\n`;
  let server, far, answer;
  before(async () => {
    server = await serveHttp((request, response) => (request.method === "GET" ? response.end(MODELS) : answer(request, response)), { raw: true });
    far = await remote.CausalLM.load({ url: `${server.url}/v1/` });
  });
  after(() => server?.close());
  const events = (response) => response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
  const asked = () => far.generate([{ role: "user", content: "a" }]);

  test("an error's status says what it is, and its words are told", async () => {
    for (const [status, body, code, says] of [
      [401, '{"error":{"message":"no key"}}', "network", /401: no key \(it wants a key/],
      [403, "<html>Forbidden</html>", "network", /answered 403 \(it wants/],
      [404, '{"detail":"Not Found"}', "missing-file", /404: Not Found \(does `url` end/],
      [429, '{"error":{"message":"too often"}}', "network", /429: too often$/],
      [503, '{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}', "network", /503: Loading model/],
      [500, "", "network", /answered 500$/],
      [501, '{"error":{"message":"no embeddings"}}', "unsupported-model", /no embeddings/],
      [400, '{"error":{"message":"temperature is odd","code":null}}', "invalid-argument", /temperature is odd/],
      [422, '{"detail":[{"loc":["body","n"],"msg":"bad"}]}', "invalid-argument", /"msg":"bad"/],
      [400, '{"error":{"message":"x","code":"context_length_exceeded"}}', "context-full", /x/],
      [400, '{"error":{"message":"x","type":"exceed_context_size_error"}}', "context-full", /x/],
      [200, "<html>Sign in</html>", "network", /is no object of JSON, but "<html>Sign in/],
    ]) {
      answer = (_, response) => response.writeHead(status, { "content-type": "application/json" }).end(body);
      const error = await rejection(asked, code, says);
      assert(error instanceof AzulejoError && error.message.startsWith(server.url));
    }
  });

  test("nobody there, or gone in the midst of an answer", async () => {
    await rejection(() => remote.CausalLM.load({ url: "http://127.0.0.1:9/v1" }), "network", /the server is not there/);
    answer = (_, response) => {
      events(response).write(chunk("half"));
      setImmediate(() => response.destroy());
    };
    await rejection(asked, "network", /the connection broke/);
    answer = (_, response) => events(response).end(chunk("half"));
    await rejection(asked, "network", /broke off before its end/);
    answer = (_, response) => events(response).end(`${chunk("half")}data: {"error":{"message":"out of GPUs","type":"server_error"}}\n\n`);
    const generation = asked();
    let seen = "";
    await rejection(async () => { for await (const { text } of generation) seen += text; }, "network", /broke the answer off: out of GPUs/);
    assert.equal(seen, "half");
    answer = (_, response) => events(response).end("data: {half\n\n");
    await rejection(asked, "network", /is no object of JSON/);
  });

  test("an answer that is none of the API's fails as such", async () => {
    const embedder = await remote.TextEmbedder.load({ url: `${server.url}/v1` });
    for (const body of ["null", "5", "[]", "{}", '{"choices":5}', '{"choices":[null]}', '{"choices":[{"delta":5}]}', '{"choices":[{"delta":{"tool_calls":[null]}}]}', '{"data":[null]}', '{"data":[{"index":1e9,"embedding":[1]}]}', '{"data":[{"index":"length","embedding":[1]}]}', '{"data":[{"embedding":[[1]]}]}', '{"error":5}']) {
      answer = (_, response) => response.writeHead(200, { "content-type": "application/json" }).end(body);
      for (const call of [asked, () => embedder.embed("a")]) await assert.rejects(call, (error) => error instanceof AzulejoError && /network|internal/.test(error.code), body);
      answer = (_, response) => events(response).end(`data: ${body}\n\n`);
      await assert.rejects(asked, (error) => error instanceof AzulejoError && /network|internal/.test(error.code), body);
    }
  });

  test("events may be cut anywhere, spaced and commented in any way", async () => {
    const written = `: ping\r\n\r\nevent: message\r\nid: 1\r\n${chunk("grün ").replaceAll("\n", "\r\n")}data:${chunk("🌿", "stop").slice(6).replaceAll("\n", "\r")}data: [DONE]\n\n${chunk("never")}`;
    const bytes = Buffer.from(written);
    answer = async (_, response) => {
      events(response);
      for (const byte of bytes) await new Promise((sent) => response.write(Buffer.of(byte), sent));
      response.end();
    };
    assert.equal((await asked()).text, "grün 🌿");
    // No end but the body's, and one event in two lines of data.
    answer = (_, response) => events(response).end('data: {"choices":\ndata: [{"delta":{"content":"a"},"finish_reason":"length"}]}');
    const { text, finishReason, stats } = await asked();
    assert.deepEqual([text, finishReason], ["a", "length"]);
    assert(Number.isNaN(stats.promptTokens));
    // A server, or a proxy, that does not stream.
    answer = (_, response) => response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ choices: [{ index: 0, message: { content: "whole", reasoning_content: "hm" }, finish_reason: "stop" }] }));
    const { text: whole, reasoning } = await asked();
    assert.deepEqual([whole, reasoning], ["whole", "hm"]);
  });
});
