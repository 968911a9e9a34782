// The recipes of examples/, as they stand; that of a page in Chromium.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { CausalLM, Engine } from "../dist/index.js";
import { openai } from "../dist/openai.js";
import * as remote from "../dist/remote.js";
import { edited } from "../examples/recipes/edit.js";
import { personIn } from "../examples/recipes/json.js";
import { proxy } from "../examples/recipes/proxy.js";
import { answers, voicesOf } from "../examples/recipes/styles.js";
import { converse } from "../examples/recipes/tools.js";
import { endless, SMOLLM } from "./api-models.mjs";
import { startApiServer } from "./api-server.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { serveHttp } from "./support/http.mjs";
import { idle } from "./support/idle.mjs";
import { rejection } from "./support/rejections.mjs";
import { writer } from "./support/writers.mjs";

deadline(5);

let engine;
before(async () => {
  engine = await Engine.create({ threads: 1 });
});
after(() => engine?.dispose());

test("JSON out of a text", async () => {
  const lm = await CausalLM.load(await readFile(SMOLLM), { engine });
  const { name, city, born } = await personIn(lm, "Ada Lovelace was born in London in 1815, and wrote the first program.");
  assert.match(name, /Ada/);
  assert.match(city, /London/);
  assert.equal(born, 1815);
  await lm.dispose();
});

test("a given text is edited, most of it ahead", async (context) => {
  const lm = await CausalLM.load(await readFile(SMOLLM), { engine });
  const told = context.mock.method(console, "log", () => {});
  const text = "The boats come back at five in the morning, and the auction begins before the sun is up over the bay.";
  const answer = await edited(lm, text, "Repeat this text word for word.");
  assert.match(answer, /auction begins before the sun is up/);
  assert.match(told.mock.calls[0].arguments[0], /^\d+ of \d+ tokens were drafted/);
  await lm.dispose();
});

test("tools: the model asks, the page does, the model answers", async () => {
  const template = "{# <tool_call> #}{{ messages | length }}{% for m in messages %}{{ m.content }}{{ m.tool_calls[0].function.name if m.tool_calls }}{% endfor %}{{ '' if tools }}";
  const lm = await CausalLM.load({ ...writer("llama"), "chat_template.jinja": template }, { engine });
  const session = lm.createSession();
  const messages = [{ role: "user", content: "7 times 6?" }];
  // A model of random weights has to be told to call, and then not to.
  let rounds = 0;
  const choosing = { generate: (prompt, options) => session.generate(prompt, { ...options, temperature: 1, seed: 1, maxTokens: 90, ...(rounds++ === 0 ? { toolChoice: "required" } : { toolChoice: "none", maxTokens: 4 }) }) };
  await converse(choosing, messages);
  assert.deepEqual(messages.map(({ role }) => role), ["user", "assistant", "tool", "assistant"]);
  const [{ id, arguments: given }] = messages[1].toolCalls;
  assert.equal(messages[2].content, String(given.a * given.b));
  assert.equal(messages[2].toolCallId, id);
  await lm.dispose();
});

test("one model, several voices", async () => {
  const file = (name) => readFile(new URL(`./fixtures/lora/llama/${name}`, import.meta.url));
  const files = async (...names) => Object.fromEntries(await Promise.all(names.map(async (name) => [name, await file(name)])));
  // A character for each of the 40 tokens.
  const vocab = Object.fromEntries([..."abcdefghijklmnopqrstuvwxyz0123456789.,:;"].map((char, id) => [char, id]));
  const tokenizer = JSON.stringify({ model: { type: "BPE", vocab, merges: [] } });
  const lm = await CausalLM.load({ ...(await files("config.json", "model.safetensors")), "tokenizer.json": tokenizer }, { engine });
  const adapter = await files("adapter_config.json", "adapter_model.safetensors");
  const voices = await voicesOf(lm, { other: adapter });
  const { plain, other } = await answers(voices, "ab", { maxTokens: 8, ignoreEnd: true });
  assert(plain !== other && plain.length > 0 && other.length > 0, `${plain} ${other}`);
  for (const voice of Object.values(voices)) await voice.dispose();
});

test("a proxy has the key, and the page has none", async () => {
  const lm = await CausalLM.load(endless(), { engine });
  const { fetch } = openai({ lm });
  const keyed = await serveHttp((request) => (request.headers.get("authorization") === "Bearer secret" ? fetch(request) : new Response("no", { status: 401 })));
  const handle = proxy({ server: `${keyed.url}/v1`, key: "secret", allows: (request) => request.headers.get("x-session") === "mine" });
  const between = await serveHttp(handle);
  try {
    const [url, headers] = [`${between.url}/v1`, { "x-session": "mine" }];
    await rejection(() => remote.CausalLM.load({ url: `${keyed.url}/v1` }), "network", /401/);
    await rejection(() => remote.CausalLM.load({ url }), "network", /403/);
    const far = await remote.CausalLM.load({ url, headers });
    assert.equal((await far.generate("a", { maxTokens: 5 })).text, (await lm.generate("a", { maxTokens: 5 })).text);
    assert.equal((await globalThis.fetch(`${between.url}/v1/files`, { headers })).status, 404);
    // Whoever leaves ends it behind the proxy, too.
    for await (const _ of far.generate("a", { maxTokens: 60_000, logitBias: { 0: -100, 2: -100 } })) break;
    await idle(engine);
    await keyed.close();
    await rejection(() => far.generate("a", { maxTokens: 5 }), "network", /502/);
  } finally {
    await between.close();
    await keyed.close().catch(() => {});
    await lm.dispose();
  }
});

/** In the page: a turn of the conversation "talk", and what it came to. */
async function takeTurn({ content }) {
  const [{ CausalLM, Engine }, { resume }] = [await import("/dist/index.js"), await import("/recipe.js")];
  const engine = await Engine.create({ device: "cpu", threads: 2 });
  const lm = await CausalLM.load("/smollm.gguf", { engine, cache: false });
  const { messages, session, say } = await resume(lm, "talk");
  const [before, had] = [messages.length, session.length];
  const { text, stats } = await say(content, { maxTokens: 12 });
  // What it says without anything that was kept.
  const alone = await lm.generate(messages.slice(0, -1), { maxTokens: 12 });
  await engine.dispose();
  return { before, had, text, cached: stats.cachedTokens, prompt: stats.promptTokens, alone: alone.text, kept: session.length };
}

test("sessions: after a reload the conversation goes on, and nothing of it is read again", async () => {
  const browser = await launchBrowser();
  const recipe = await readFile(new URL("../examples/recipes/sessions.js", import.meta.url), "utf8");
  // Where no bundler puts the package in.
  const script = { type: "recipe.js", bytes: Buffer.from(recipe.replace('"azulejo"', '"/dist/index.js"')) };
  const server = await startApiServer({ isolated: true, files: { "/smollm.gguf": { bytes: await readFile(SMOLLM) }, "/recipe.js": script } });
  try {
    const page = await browser.newPage();
    await page.goto(server.url);
    const first = await page.evaluate(takeTurn, { content: "What is the capital of France?" });
    assert.deepEqual([first.before, first.had], [0, 0]);
    await page.reload();
    const second = await page.evaluate(takeTurn, { content: "And of Spain?" });
    assert.deepEqual([second.before, second.had], [2, first.kept]);
    assert.equal(second.cached, first.kept);
    assert.equal(second.text, second.alone);
  } finally {
    await browser.close();
    await server.close();
  }
});
