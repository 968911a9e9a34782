// OpenAI's API over models in the page: as an object, and with the official `openai` package unchanged. In Chromium on both
// devices.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import OpenAI, { BadRequestError, NotFoundError } from "openai";
import { WEBGPU_ARGUMENTS } from "../scripts/chromium.mjs";
import { CausalLM, Engine, TextEmbedder } from "../dist/index.js";
import { openai } from "../dist/openai.js";
import { endless } from "./api-models.mjs";
import { startApiServer } from "./api-server.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { idle } from "./support/idle.mjs";
import { invalidity } from "./support/schemas.mjs";
import { CLOSING, writer } from "./support/writers.mjs";

deadline(10);

const TEMPLATE = "{# <tool_call> <think> #}{% for m in messages %}{{ m.content }}{% endfor %}{{ '' if tools }}";
const MESSAGES = [{ role: "system", content: "a" }, { role: "user", content: [{ type: "text", text: "b" }] }];
const ENDING = { logit_bias: Object.fromEntries(CLOSING.map((id) => [id, 3])), seed: 4 };
const SCHEMA = { type: "object", properties: { city: { type: "string", maxLength: 6 }, days: { type: "integer", minimum: 0, maximum: 9 } }, required: ["city", "days"], additionalProperties: false };
const TOOL = { type: "function", function: { name: "look", description: "Looks.", parameters: SCHEMA, strict: true } };

describe("with the official package", () => {
  let engine, lm, embedder, own, client;
  before(async () => {
    engine = await Engine.create({ threads: 1 });
    lm = await CausalLM.load({ ...writer("llama"), "chat_template.jinja": TEMPLATE }, { engine });
    embedder = await TextEmbedder.load(fileURLToPath(new URL("../models/all-MiniLM-L6-v2/", import.meta.url)), { engine });
    own = openai({ writer: lm, minilm: embedder });
    client = new OpenAI({ apiKey: "none", baseURL: "http://page.example/v1", fetch: own.fetch, maxRetries: 0 });
  });
  after(() => engine?.dispose());

  const chat = (params) => client.chat.completions.create({ model: "writer", messages: MESSAGES, ...ENDING, max_completion_tokens: 12, ...params });

  test("an answer has what the API says, and is what the model says", async () => {
    const answer = await chat();
    assert.match(answer.id, /^chatcmpl-/);
    assert.equal(answer.object, "chat.completion");
    assert.equal(answer.model, "writer");
    assert(Math.abs(answer.created - Date.now() / 1000) < 60);
    const [{ index, message, finish_reason, logprobs }] = answer.choices;
    const expected = await lm.generate([{ role: "system", content: "a" }, { role: "user", content: "b" }], { temperature: 1, seed: 4, maxTokens: 12, logitBias: ENDING.logit_bias });
    assert.deepEqual([index, message.role, message.content, message.refusal, logprobs], [0, "assistant", expected.text, null, null]);
    assert.equal(finish_reason, expected.finishReason === "length" ? "length" : "stop");
    const { promptTokens, generatedTokens } = expected.stats;
    assert.deepEqual(answer.usage, { prompt_tokens: promptTokens, completion_tokens: generatedTokens, total_tokens: promptTokens + generatedTokens, prompt_tokens_details: { cached_tokens: 0 } });
  });

  test("several choices, stop strings, a temperature of 0, log-probabilities", async () => {
    const { choices, usage } = await chat({ n: 3 });
    assert.deepEqual(choices.map(({ index }) => index), [0, 1, 2]);
    assert.equal(choices[0].message.content, (await chat()).choices[0].message.content);
    assert.equal(new Set(choices.map(({ message }) => message.content)).size, 3, "each has a seed of its own");
    assert.equal(usage.completion_tokens, usage.total_tokens - usage.prompt_tokens);
    const whole = (await chat({ temperature: 0, stop: null })).choices[0].message.content;
    const stopped = await chat({ temperature: 0, stop: whole[4] });
    assert.equal(stopped.choices[0].message.content, whole.slice(0, whole.indexOf(whole[4])));
    assert.equal(stopped.choices[0].finish_reason, "stop");
    const { content } = (await chat({ logprobs: true, top_logprobs: 2 })).choices[0].logprobs;
    assert(content.length > 0 && content.every(({ logprob, bytes, top_logprobs }) => logprob <= 0 && Array.isArray(bytes) && top_logprobs.length === 2));
  });

  test("a stream is the same in pieces, with its usage at the end", async () => {
    const whole = await chat({ n: 2 });
    const stream = await chat({ n: 2, stream: true, stream_options: { include_usage: true } });
    const [texts, finishes, usages, ids] = [["", ""], [], [], new Set()];
    for await (const { id, object, choices, usage } of stream) {
      assert.equal(object, "chat.completion.chunk");
      ids.add(id);
      if (usage) usages.push([usage, choices.length]);
      for (const { index, delta, finish_reason } of choices) {
        texts[index] += delta.content ?? "";
        if (finish_reason !== null) finishes[index] = finish_reason;
      }
    }
    assert.deepEqual(texts, whole.choices.map(({ message }) => message.content));
    assert.deepEqual(finishes, whole.choices.map(({ finish_reason }) => finish_reason));
    assert.deepEqual(usages, [[whole.usage, 0]]);
    assert.equal(ids.size, 1);
  });

  test("response_format: the answer parses", async () => {
    const { choices } = await chat({ response_format: { type: "json_schema", json_schema: { name: "x", schema: SCHEMA, strict: true } }, max_completion_tokens: 60 });
    assert.equal(invalidity(SCHEMA, JSON.parse(choices[0].message.content)), undefined);
    const { choices: [object] } = await chat({ response_format: { type: "json_object" }, max_completion_tokens: 100 });
    if (object.finish_reason === "stop") assert.equal(typeof JSON.parse(object.message.content), "object");
    assert.equal((await chat({ response_format: { type: "text" } })).choices[0].message.content, (await chat()).choices[0].message.content);
  });

  test("a tool is called, whole and in a stream, and its answer goes back", async () => {
    for (const tool_choice of ["required", { type: "function", function: { name: "look" } }]) {
      const params = { tools: [TOOL], tool_choice, max_completion_tokens: 90 };
      const { choices: [{ message, finish_reason }] } = await chat(params);
      assert.equal(finish_reason, "tool_calls");
      assert.equal(message.content, null);
      const [{ id, type, function: call }] = message.tool_calls;
      assert.deepEqual([type, call.name, invalidity(SCHEMA, JSON.parse(call.arguments))], ["function", "look", undefined]);
      assert.match(id, /^\w{9}$/);
      const calls = [];
      for await (const { choices } of await chat({ ...params, stream: true })) {
        for (const { index, id, function: { name, arguments: given } } of choices[0]?.delta.tool_calls ?? []) {
          calls[index] ??= { id, name, arguments: "" };
          calls[index].arguments += given ?? "";
        }
      }
      assert.deepEqual(calls.map(({ name, arguments: given }) => [name, given]), [[call.name, call.arguments]]);
    }
    const { choices: [{ message }] } = await chat({ tools: [TOOL], tool_choice: "none" });
    assert.equal(message.tool_calls, undefined);
  });

  test("thoughts are reasoning_content", async () => {
    const thinking = await CausalLM.load({ ...writer("llama"), "chat_template.jinja": "{{ messages[0].content }}{% if add_generation_prompt %}<think>{% endif %}" }, { engine });
    const { choices: [{ message }] } = await openai({ thinking }).chat.completions.create({ model: "thinking", messages: [{ role: "user", content: "a" }], max_tokens: 5, seed: 1 });
    assert(message.reasoning_content.length > 0);
    assert.equal(message.content, "");
    await thinking.dispose();
  });

  test("completions of texts and of ids, with echo, log-probabilities, and streams", async () => {
    const params = { model: "writer", prompt: ["ab", "c"], n: 2, max_tokens: 6, seed: 2 };
    const { object, choices, usage } = await client.completions.create(params);
    assert.equal(object, "text_completion");
    assert.deepEqual(choices.map(({ index }) => index), [0, 1, 2, 3]);
    const ids = [...(await lm.tokenizer.encode("ab"))];
    const { choices: [ofIds] } = await client.completions.create({ ...params, prompt: ids, n: 1 });
    assert.equal(ofIds.text, choices[0].text);
    assert.equal(usage.completion_tokens, usage.total_tokens - usage.prompt_tokens);
    const { choices: [echoed] } = await client.completions.create({ ...params, prompt: "ab", n: 1, echo: true });
    assert.equal(echoed.text, `ab${choices[0].text}`);
    const { choices: [{ logprobs }] } = await client.completions.create({ ...params, prompt: "ab", n: 1, logprobs: 1 });
    assert.equal(logprobs.tokens.join(""), choices[0].text);
    assert.deepEqual(logprobs.text_offset.slice(0, 2), [0, logprobs.tokens[0].length]);
    const texts = ["", "", "", ""];
    for await (const { choices } of await client.completions.create({ ...params, stream: true })) for (const { index, text } of choices) texts[index] += text;
    assert.deepEqual(texts, choices.map(({ text }) => text));
    // OpenAI's own default.
    assert((await client.completions.create({ model: "writer", prompt: "ab", seed: 1 })).usage.completion_tokens <= 16);
  });

  test("embeddings are the embedder's, as floats and in base64", async () => {
    const { data, dims } = await embedder.embed(["a cat", "ein Hund"]);
    const packed = await client.embeddings.create({ model: "minilm", input: ["a cat", "ein Hund"] });
    const floats = await client.embeddings.create({ model: "minilm", input: ["a cat", "ein Hund"], encoding_format: "float", dimensions: dims[1] });
    for (const { data: found } of [packed, floats]) {
      assert.deepEqual(found.map(({ index }) => index), [0, 1]);
      found.forEach(({ embedding }, row) => assert.deepEqual(Float32Array.from(embedding), data.slice(row * dims[1], (row + 1) * dims[1])));
    }
    assert.equal(packed.usage.prompt_tokens, (await embedder.tokenizer.encode("a cat")).length + (await embedder.tokenizer.encode("ein Hund")).length);
    assert.equal((await client.embeddings.create({ model: "minilm", input: "a cat" })).data.length, 1);
  });

  test("models are listed", async () => {
    assert.deepEqual((await client.models.list()).data.map(({ id }) => id), ["writer", "minilm"]);
    assert.equal((await client.models.retrieve("minilm")).id, "minilm");
    await assert.rejects(() => client.models.retrieve("other"), NotFoundError);
  });

  test("what is not supported is refused by its name", async () => {
    for (const [params, error, says] of [
      [{ model: "other" }, NotFoundError, /"other".*writer, minilm/],
      [{ model: "minilm" }, BadRequestError, /writes texts/],
      [{ frobnicate: 1 }, BadRequestError, /frobnicate: not supported/],
      [{ audio: { voice: "x" } }, BadRequestError, /audio: not supported/],
      [{ messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "x" } }] }] }, BadRequestError, /image_url/],
      [{ messages: [{ role: "user", content: "a".repeat(3000) }] }, BadRequestError, /context/],
      [{ messages: [] }, BadRequestError, /messages/],
      [{ n: 99 }, BadRequestError, /n should be/],
      [{ temperature: -1 }, BadRequestError, /temperature/],
      [{ response_format: { type: "json_schema", json_schema: { schema: { not: {} } } } }, BadRequestError, /not/],
      [{ response_format: { type: "grammar" } }, BadRequestError, /grammar/],
      [{ tools: [TOOL], tool_choice: { type: "function", function: { name: "x" } } }, BadRequestError, /no tool is called "x"/],
      [{ tools: [TOOL], tool_choice: { type: "allowed_tools", allowed_tools: {} } }, BadRequestError, /allowed_tools/],
      [{ tools: [TOOL], response_format: { type: "json_object" } }, BadRequestError, /response_format/],
      [{ tools: "look" }, BadRequestError, /tools should be/],
      [{ response_format: {} }, BadRequestError, /response_format/],
      [{ messages: [null] }, BadRequestError, /messages/],
      [{ messages: [{ role: "user", content: [null] }] }, BadRequestError, /parts/],
      [{ messages: [{ role: "assistant", content: null, tool_calls: [{ id: "a" }] }] }, BadRequestError, /tool_calls/],
      [{ frobnicate: 1, stream: true }, BadRequestError, /frobnicate/],
      [{ temperature: -1, stream: true }, BadRequestError, /temperature/],
      [{ messages: [{ role: "user", content: "a".repeat(3000) }], stream: true }, BadRequestError, /context/],
    ]) await assert.rejects(() => chat(params), (thrown) => thrown instanceof error && says.test(thrown.message), JSON.stringify(params).slice(0, 80));
    await assert.rejects(() => client.embeddings.create({ model: "minilm", input: "a", dimensions: 7 }), BadRequestError);
    for (const params of [{ suffix: "b" }, { echo: true, logprobs: 1 }, { echo: true, temperature: -1, stream: true }])
      await assert.rejects(() => client.completions.create({ model: "writer", prompt: "a", ...params }), BadRequestError);
    assert.equal((await own.fetch("http://page.example/models/a/b/v1/chat/completions", { method: "POST", body: JSON.stringify({ model: "writer", messages: MESSAGES, tool_choice: null, max_tokens: 1 }) })).status, 200);
    assert.equal((await own.fetch("http://page.example/v1/files", { method: "POST", body: "{}" })).status, 404);
    assert.equal((await own.fetch("http://page.example/v1/chat/completions", { method: "POST", body: "{" })).status, 400);
    assert.equal((await chat()).choices.length, 1);
  });

  test("an abort ends what is generated, before, in and instead of a stream", async () => {
    const long = { max_completion_tokens: 200, response_format: { type: "json_schema", json_schema: { schema: { type: "array", items: { type: "integer" }, minItems: 90 } } } };
    const stream = await chat({ ...long, stream: true });
    let seen = 0;
    for await (const _ of stream) if (++seen === 4) stream.controller.abort();
    assert(seen < 100, `${seen} pieces came`);
    for await (const _ of await chat({ ...long, stream: true })) break;
    const controller = new AbortController();
    const waiting = client.chat.completions.create({ model: "writer", messages: MESSAGES, ...long }, { signal: controller.signal });
    controller.abort();
    await assert.rejects(waiting, /abort/i);
    await idle(engine);
  });

  test("whoever leaves a stream ends what would go on and on; so does a choice's failure, for the others", async () => {
    const on = await CausalLM.load(endless(), { engine });
    const endlessly = openai({ on });
    // Never its end.
    const params = { model: "on", max_tokens: 60_000, logit_bias: { 0: -100, 2: -100 }, stream: true };
    const chatting = { ...params, messages: [{ role: "user", content: "a" }] };
    for await (const _ of await endlessly.chat.completions.create(chatting)) break;
    await idle(engine);
    for await (const _ of await endlessly.completions.create({ ...params, prompt: "a", echo: true })) break;
    await idle(engine);
    await assert.rejects(endlessly.completions.create({ ...params, stream: false, prompt: ["a", ""] }));
    await idle(engine);
    const request = (signal) => endlessly.fetch("http://page.example/v1/chat/completions", { method: "POST", body: JSON.stringify(chatting), signal });
    await (await request()).body.cancel();
    await idle(engine);
    const controller = new AbortController();
    const body = (await request(controller.signal)).text();
    controller.abort();
    await assert.rejects(body, { name: "AbortError" });
    await idle(engine);
    // Its model goes while nobody looks.
    await assert.rejects(async () => {
      for await (const _ of await endlessly.chat.completions.create(chatting)) {
        await on.dispose();
        await idle(engine);
      }
    });
  });
});

test("in Chromium, on both devices", async () => {
  const browser = await launchBrowser({ args: WEBGPU_ARGUMENTS });
  const files = Object.fromEntries(Object.entries({ ...writer("llama"), "chat_template.jinja": TEMPLATE }).map(([name, bytes]) => [`/model/${name}`, { bytes: Buffer.from(bytes) }]));
  const server = await startApiServer({ isolated: true, files });
  try {
    const texts = [];
    for (const device of ["cpu", "webgpu"]) {
      const page = await browser.newPage();
      await page.goto(server.url);
      texts.push(await page.evaluate(async ({ device, params }) => {
        const [{ CausalLM, Engine }, { openai }] = [await import("/dist/index.js"), await import("/dist/openai.js")];
        const engine = await Engine.create({ device });
        const files = {};
        for (const name of ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"]) files[name] = await (await fetch(`/model/${name}`)).arrayBuffer();
        const client = openai({ writer: await CausalLM.load(files, { engine }) });
        const { choices: [{ message }] } = await client.chat.completions.create(params);
        let streamed = "";
        for await (const { choices } of await client.chat.completions.create({ ...params, stream: true })) streamed += choices[0].delta.content ?? "";
        const response = await client.fetch("/v1/chat/completions", { method: "POST", body: JSON.stringify({ ...params, stream: true }) });
        const events = await response.text();
        await engine.dispose();
        if (engine.device.kind !== device || message.content !== streamed || !events.endsWith("data: [DONE]\n\n")) throw new Error(JSON.stringify({ message, streamed, events }));
        return message.content;
      }, { device, params: { model: "writer", messages: MESSAGES, ...ENDING, max_tokens: 10 } }));
      await page.close();
    }
    assert.equal(texts[0], texts[1]);
  } finally {
    await browser.close();
    await server.close();
  }
});
