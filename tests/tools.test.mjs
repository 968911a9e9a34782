// Tools: calls are read out of answers in the form of each family, forced in it, and told apart from thoughts and text.

import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { WEBGPU_ARGUMENTS } from "../scripts/chromium.mjs";
import { CausalLM, Engine } from "../dist/index.js";
import { formOf, readerOf } from "../target/js/host/answer/forms.js";
import { SMOLLM } from "./api-models.mjs";
import { startApiServer } from "./api-server.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { rejection } from "./support/rejections.mjs";
import { invalidity } from "./support/schemas.mjs";
import { CLOSING, writer, WRITERS } from "./support/writers.mjs";

deadline(10);

const WEATHER = {
  name: "get_weather",
  description: "The weather of a city.",
  parameters: {
    type: "object",
    properties: { city: { type: "string", maxLength: 8 }, days: { type: "integer", minimum: 0, maximum: 9 }, exact: { type: "boolean" } },
    required: ["city"],
    additionalProperties: false,
  },
};
const CLOCK = { name: "clock", description: "The time.", parameters: { type: "object", properties: { zone: { enum: ["utc", "cet"] } }, required: ["zone"], additionalProperties: false } };
const TOOLS = [WEATHER, CLOCK];
const CALLS = [
  { id: "abcdef123", name: "get_weather", arguments: { city: "Paris", days: 3, exact: true } },
  { id: "abcdef124", name: "get_weather", arguments: { city: 'São "P"' } },
];

/** A template that gives away the form, and no more. */
const small = (sign) => `{# ${sign} #}{% for message in messages %}{{ message.content }}{% endfor %}{{ tools }}`;
/** Signs of forms of which no published template may lie here. */
const SIGNS = {
  llama: small('<|python_tag|> "parameters": '),
  pythonic: small("<|tool_list_start|>"),
  phi: small("<|tool_call|> <|/tool_call|>"),
  "function gemma": small("<start_function_call>"),
  gemma: small("<|channel> <tool_call|>"),
  json: small("nothing"),
};

const published = Object.fromEntries(
  await Promise.all((await readdir(new URL("templates/", import.meta.url))).filter((name) => name.endsWith(".jinja"))
    .map(async (name) => [name.replace(".jinja", ""), await readFile(new URL(`templates/${name}`, import.meta.url), "utf8")])),
);

/** What a reader makes of a text that comes in pieces of so many characters; marks come as control tokens where `special` has them. */
function read(template, text, { prompt = "", continued, size = 1e9, special = [], tools = TOOLS } = {}) {
  const reader = readerOf(formOf(template), tools, prompt, continued);
  const parts = [];
  const marks = new RegExp(`(${special.map((mark) => mark.replace(/[^\w]/g, "\\$&")).join("|") || "$^"})`);
  for (const piece of text.split(marks).filter((piece) => piece !== "")) {
    if (special.includes(piece)) parts.push(...reader.push("", piece));
    else for (let at = 0; at < piece.length; at += size) parts.push(...reader.push(piece.slice(at, at + size)));
  }
  parts.push(...reader.finish());
  const of = (kind) => parts.filter((part) => part.kind === kind).map(({ text }) => text).join("");
  const calls = parts.map(({ toolCall }) => toolCall).filter((call) => call && "arguments" in call);
  return { text: of("text"), reasoning: of("reasoning"), raw: of("tool-call"), calls: calls.map(({ name, arguments: given }) => [name, given]), parts };
}

/** The same however it is cut. */
function readAll(template, text, how) {
  const { parts: _, ...whole } = read(template, text, how);
  for (const size of [1, 2, 3, 7]) {
    const { parts: _, ...cut } = read(template, text, { ...how, size });
    assert.deepEqual(cut, whole, `in pieces of ${size}: ${text}`);
  }
  return whole;
}

describe("published templates", () => {
  let engine;
  before(async () => {
    engine = await Engine.create({ threads: 1 });
  });
  after(() => engine?.dispose());

  // Granite 3.3's template does not write calls: they are read below.
  for (const [name, template] of Object.entries(published).filter(([name]) => !name.includes("granite-3.3"))) {
    test(`${name}: what it writes is read again`, async () => {
      const lm = await CausalLM.load({ ...writer("llama"), "chat_template.jinja": template }, { engine });
      // Harmony has a call in a message.
      const calls = name.includes("gpt-oss") ? CALLS.slice(0, 1) : CALLS;
      const user = { role: "user", content: "Hi?" };
      const write = (messages, options) => lm.tokenizer.applyChatTemplate(messages, { tools: TOOLS, allowSpecial: true, ...options });
      const before = await write([user]);
      const whole = await write([user, { role: "assistant", content: "", toolCalls: calls }], { addGenerationPrompt: false });
      let same = 0;
      while (before[same] === whole[same]) same++;
      const { open } = formOf(template).marks;
      const begins = open === "" ? same : whole.indexOf(open, same - open.length);
      const text = whole.slice(begins).replace(/(<\/s>|<\|im_end\|>|<\|end_of_text\|>|<\|observation\|>)\s*$/, "");
      const found = readAll(template, text);
      assert.deepEqual(found.calls, calls.map(({ name, arguments: given }) => [name, given]), text);
      assert.equal(found.text.trim(), "");
      await lm.dispose();
    });
  }
});

test("each form's calls are read, and what is none stays text", () => {
  const granite = published["ibm-granite-granite-3.3-2B-Instruct"];
  const weather = (given) => [["get_weather", given]];
  const json = '{"name": "get_weather", "arguments": {"city": "Rome"}}';
  for (const [template, text, calls, rest = ""] of [
    [SIGNS.llama, '{"name": "get_weather", "parameters": {"city": "Rome"}}', weather({ city: "Rome" })],
    [SIGNS.llama, '<|python_tag|>{"name": "get_weather", "parameters": {"city": "Rome"}}', weather({ city: "Rome" })],
    [SIGNS.llama, '\n{"name": "get_weather", "parameters": {"city": "a"}}; {"name": "clock", "parameters": {"zone": "utc"}}', [["get_weather", { city: "a" }], ["clock", { zone: "utc" }]]],
    [SIGNS.llama, '{"name": "Ada", "parameters": 5}', [], '{"name": "Ada", "parameters": 5}'],
    [SIGNS.llama, '{"city": "Rome"}', [], '{"city": "Rome"}'],
    [SIGNS.llama, `As JSON: ${json}`, [], `As JSON: ${json}`],
    [SIGNS.json, json, weather({ city: "Rome" })],
    [SIGNS.json, `{"name": "get_weather", "arguments": "{\\"city\\": \\"Rome\\"}"}`, weather({ city: "Rome" })],
    [SIGNS.pythonic, `<|tool_call_start|>[get_weather(city="Rome", days=3, exact=True)]<|tool_call_end|>Wait.`, weather({ city: "Rome", days: 3, exact: true }), "Wait."],
    [SIGNS.pythonic, `<|tool_call_start|>[get_weather(city='It\\'s "R"\\n', o={'a': [1, -2.5e3, None]}), clock(zone="utc")]<|tool_call_end|>`, [["get_weather", { city: 'It\'s "R"\n', o: { a: [1, -2500, null] } }], ["clock", { zone: "utc" }]]],
    [SIGNS.pythonic, `<|tool_call_start|>[${json}]<|tool_call_end|>`, weather({ city: "Rome" })],
    [SIGNS.pythonic, "<|tool_call_start|>[get_weather(city=)]<|tool_call_end|>", [], "<|tool_call_start|>[get_weather(city=)]<|tool_call_end|>"],
    [SIGNS.phi, `<|tool_call|>[${json}]<|/tool_call|>`, weather({ city: "Rome" })],
    [SIGNS.phi, `<|tool_call|>${json}<|/tool_call|>`, weather({ city: "Rome" })],
    [granite, `<|tool_call|>[${json}]`, weather({ city: "Rome" })],
    [SIGNS["function gemma"], "<start_function_call>call:get_weather{city:<escape>Rome, {x}<escape>,days:3,o:{k:[true,<escape>v<escape>]}}<end_function_call>", weather({ city: "Rome, {x}", days: 3, o: { k: [true, "v"] } })],
    [SIGNS.gemma, '<|tool_call>call:get_weather{city:<|"|>São "P"<|"|>,days:3,exact:true}<tool_call|><|tool_call>call:clock{zone:<|"|>utc<|"|>}<tool_call|>', [["get_weather", { city: 'São "P"', days: 3, exact: true }], ["clock", { zone: "utc" }]]],
    [published["Qwen-Qwen2.5-7B-Instruct"], `I look.\n<tool_call>\n${json}\n</tool_call>`, weather({ city: "Rome" }), "I look.\n"],
    [published["Qwen-Qwen2.5-7B-Instruct"], "<tool_call>\nno call\n</tool_call> then", [], "<tool_call>\nno call\n</tool_call> then"],
    [published["Qwen-Qwen2.5-7B-Instruct"], "a < b, <tool> and <tool_cal", [], "a < b, <tool> and <tool_cal"],
    // Not written to its end, or one brace too far.
    [published["Qwen-Qwen2.5-7B-Instruct"], `<tool_call>\n${json.slice(0, -3)}`, [], `<tool_call>\n${json.slice(0, -3)}`],
    [published["Qwen-Qwen2.5-7B-Instruct"], `<tool_call>\n${json}}\n</tool_call>`, [], `<tool_call>\n${json}}\n</tool_call>`],
    [published["Qwen-Qwen2.5-7B-Instruct"], "Wrap it in <tool_call>...</tool_call> tags.", [], "Wrap it in <tool_call>...</tool_call> tags."],
    [published["Qwen-Qwen2.5-7B-Instruct"], "<tool_call>clock</tool_call>", [["clock", {}]]],
    // What is said behind a call that nothing closes.
    [SIGNS.json, `${json}\n\nI have called {it}.`, weather({ city: "Rome" }), "I have called {it}."],
    [SIGNS.json, `${json}; {"name": "nope", "arguments": {}}`, weather({ city: "Rome" }), '; {"name": "nope", "arguments": {}}'],
    [granite, `<|tool_call|>[${json}]\nDone.`, weather({ city: "Rome" }), "Done."],
    [published["mistralai-Mistral-Nemo-Instruct-2407"], `[TOOL_CALLS] [${json}]`, weather({ city: "Rome" })],
    [published["Mistral-Small-3.2-24B-Instruct-2506"], '[TOOL_CALLS]get_weather[ARGS]{"city": "Rome"}', weather({ city: "Rome" })],
  ]) {
    const found = readAll(template, text);
    assert.deepEqual(found.calls, calls, text);
    assert.equal(found.text, rest, text);
    // Where the marks are tokens of their own.
    const special = ["<|python_tag|>", "<|tool_call_start|>", "<|tool_call_end|>", "<|tool_call|>", "<|/tool_call|>", "<tool_call>", "</tool_call>", "[TOOL_CALLS]", "[ARGS]", "<escape>", "<start_function_call>", "<end_function_call>", "<|tool_call>", "<tool_call|>", '<|"|>'];
    assert.deepEqual(readAll(template, text, { special }).calls, calls, text);
  }
});

test("a call streams once its name is known, and is whole at its end", () => {
  const { parts } = read(published["Qwen-Qwen3-0.6B"], '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Rome"}}\n</tool_call>', { size: 4 });
  const named = parts.findIndex(({ toolCall }) => toolCall?.name === "get_weather");
  const whole = parts.findIndex(({ toolCall }) => toolCall && "arguments" in toolCall);
  assert(named >= 0 && whole > named + 3, JSON.stringify(parts));
  assert.match(parts[named].toolCall.id, /^[A-Za-z0-9]{9}$/);
  assert.equal(parts[whole].toolCall.id, parts[named].toolCall.id);
  assert(parts.every(({ kind }) => kind === "tool-call"));
});

test("thoughts are told apart, where the prompt has begun them too", () => {
  const qwen = published["Qwen-Qwen3-0.6B"];
  const none = { tools: [] };
  assert.deepEqual(readAll(qwen, "<think>\nSo: a </b.\n</think>\n\nYes.", none), { text: "Yes.", reasoning: "So: a </b.\n", raw: "", calls: [] });
  assert.deepEqual(readAll(qwen, "I think.\n</think>\nYes.", { ...none, prompt: "<|im_start|>assistant\n<think>\n" }), { text: "Yes.", reasoning: "I think.\n", raw: "", calls: [] });
  assert.deepEqual(readAll(qwen, "No thoughts: <b>.", none), { text: "No thoughts: <b>.", reasoning: "", raw: "", calls: [] });
  assert.deepEqual(readAll(qwen, "<think>\nOn and on", none), { text: "", reasoning: "On and on", raw: "", calls: [] });
  const aloud = "The `<think>` tag marks reasoning.";
  assert.deepEqual(readAll(qwen, aloud, none), { text: aloud, reasoning: "", raw: "", calls: [] });
  assert.deepEqual(readAll(qwen, "\n<think>a</think>b", none), { text: "\nb", reasoning: "a", raw: "", calls: [] });
  assert.deepEqual(readAll(qwen, "and so.\n</think>\n\nYes.", { ...none, continued: "<think>\nSo far " }), { text: "Yes.", reasoning: "and so.\n", raw: "", calls: [] });
  assert.deepEqual(readAll(qwen, " and <b>", { ...none, continued: "<think>\nSo</think>far" }), { text: " and <b>", reasoning: "", raw: "", calls: [] });
  for (const special of [[], ["<|channel>", "<channel|>"]])
    assert.deepEqual(readAll(SIGNS.gemma, "<|channel>thought\nHm.\n<channel|>Yes.", { ...none, special }), { text: "Yes.", reasoning: "Hm.\n", raw: "", calls: [] });
  const both = readAll(qwen, '<think>x</think>\n<tool_call>{"name": "clock", "arguments": {"zone": "utc"}}</tool_call>');
  assert.deepEqual([both.reasoning, both.calls, both.text], ["x", [["clock", { zone: "utc" }]], ""]);
  assert.equal(readerOf(formOf(SIGNS.json), [], ""), undefined, "an answer of one part needs no reader");
});

test("gpt-oss's channels are thoughts, text and calls", () => {
  const template = published["openai-gpt-oss-120b"];
  const marks = ["<|channel|>", "<|message|>", "<|end|>", "<|start|>", "<|call|>", "<|return|>", "<|constrain|>"];
  const answer = "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Yes: <b>.<|return|>";
  const call = '<|channel|>analysis<|message|>I ask.<|end|><|start|>assistant<|channel|>commentary to=functions.clock <|constrain|>json<|message|>{"zone": "utc"}<|call|>';
  for (const special of [[], marks]) {
    assert.deepEqual(readAll(template, answer, { special }), { text: "Yes: <b>.", reasoning: "Hm.", raw: "", calls: [] });
    assert.deepEqual(readAll(template, call, { special }), { text: "", reasoning: "I ask.", raw: '{"zone": "utc"}', calls: [["clock", { zone: "utc" }]] });
    assert.deepEqual(readAll(template, call.replace('{"zone": "utc"}', ""), { special }).calls, [["clock", {}]]);
    assert.deepEqual(readAll(template, call, { special, tools: [] }), { text: '{"zone": "utc"}', reasoning: "I ask.", raw: "", calls: [] });
    assert.equal(readAll(template, "The answer<|return|>", { special }).text, "The answer");
    assert.equal(readAll(template, " goes on<|return|>", { special, continued: "It" }).text, " goes on");
  }
  assert.equal(readAll(template, "plain").text, "plain");
});

/** Calls that have to come: of models of random weights, in a family's form. */
const FORMS = { ...SIGNS, ...published };
const options = (seed) => ({ tools: TOOLS, toolChoice: "required", temperature: 1, seed, maxTokens: 200, logitBias: Object.fromEntries(CLOSING.map((id) => [id, 3])) });

function assertCalls({ toolCalls, finishReason, text }, what) {
  if (finishReason === "length") return false;
  assert.equal(finishReason, "tool-calls", `${what}: ${text}`);
  assert.equal(toolCalls.length, 1, what);
  const { name, arguments: given } = toolCalls[0];
  const tool = TOOLS.find((tool) => tool.name === name);
  assert.equal(invalidity(tool.parameters, given), undefined, `${what}: ${JSON.stringify(toolCalls)}`);
  return true;
}

describe("calls that have to come", () => {
  let engine;
  before(async () => {
    engine = await Engine.create({ threads: 1 });
  });
  after(() => engine?.dispose());

  // The template's own text would not fit into the context of a model that is so small.
  const short = (template) => `{# ${template.replaceAll("#", "")} #}{{ messages[0].content }}{{ "" if tools else "" }}`;

  for (const [name, template] of Object.entries(FORMS)) {
    test(`${name}: in its form, with arguments as the tool wants them`, async () => {
      const lm = await CausalLM.load({ ...writer("llama"), "chat_template.jinja": short(template) }, { engine });
      let whole = 0;
      for (let seed = 0; seed < 12; seed++) whole += assertCalls(await lm.generate([{ role: "user", content: "a" }], options(seed)), `seed ${seed}`);
      assert(whole >= 10, `${whole} of 12 came to their end`);
      const { toolCalls } = await lm.generate([{ role: "user", content: "a" }], { ...options(1), toolChoice: { name: "clock" } });
      assert.deepEqual(toolCalls.map(({ name }) => name), ["clock"]);
      await lm.dispose();
    });
  }

  test("marks that are tokens of their own come as those", async () => {
    const tokenizer = JSON.parse(WRITERS.llama);
    const known = Object.keys(tokenizer.model.vocab).length;
    const ids = ["<|tool_call_start|>", "<|tool_call_end|>"].map((content, at) => {
      const id = known + at;
      tokenizer.added_tokens.push({ ...tokenizer.added_tokens[0], id, content });
      return id;
    });
    const lm = await CausalLM.load({ ...writer("llama", JSON.stringify(tokenizer)), "chat_template.jinja": SIGNS.pythonic.replace("{{ tools }}", "{{ '' if tools }}") }, { engine });
    const result = await lm.generate([{ role: "user", content: "a" }], options(3));
    assert(assertCalls(result, "with tokens"));
    assert.equal(result.tokens[0], ids[0]);
    assert.equal(result.tokens.at(-1), ids[1]);
    await lm.dispose();
  });

  test("stop strings are of texts, and end none", async () => {
    const lm = await CausalLM.load({ ...writer("llama"), "chat_template.jinja": short("<tool_call>") }, { engine });
    assert(assertCalls(await lm.generate([{ role: "user", content: "a" }], { ...options(1), stop: ["\n", "_"] }), "with stop strings"));
    await lm.dispose();
  });

  test("where arguments are no JSON, what their schema says all the same is kept or refused", async () => {
    const lm = await CausalLM.load({ ...writer("llama"), "chat_template.jinja": short(SIGNS.pythonic) }, { engine });
    const call = (parameters) => lm.generate([{ role: "user", content: "a" }], { ...options(1), tools: [{ name: "w", parameters: { type: "object", ...parameters } }] });
    for (const [parameters, says] of [
      [{ properties: { a: {} }, anyOf: [{ required: ["a"] }] }, /^toolChoice: anyOf of "w"/],
      [{ $ref: "#/$defs/A", $defs: { A: { type: "object" } } }, /^toolChoice: \$ref of "w"/],
      [{ minProperties: 1 }, /^toolChoice: minProperties of "w"/],
      [{ required: ["b"] }, /^toolChoice: the required "b"/],
    ]) await rejection(() => call(parameters), "invalid-argument", says);
    const { toolCalls } = await call({ properties: { a: { $ref: "#/$defs/A" } }, required: ["a"], $defs: { A: { enum: ["x", 7] } } });
    assert(["x", 7].includes(toolCalls[0].arguments.a), JSON.stringify(toolCalls));
    await lm.dispose();
  });

  test("a text of the caller's own grammar is as it stands, whatever the template has begun", async () => {
    for (const template of ["{{ messages[0].content }}<think>\n", "{# <think> #}{{ messages[0].content }}", short(published["openai-gpt-oss-120b"])]) {
      const lm = await CausalLM.load({ ...writer("llama"), "chat_template.jinja": template }, { engine });
      const { text, reasoning } = await lm.generate([{ role: "user", content: "a" }], { regex: "<think>ab", maxTokens: 40 });
      assert.deepEqual([text, reasoning], ["<think>ab", undefined]);
      await lm.dispose();
    }
  });

  test("SmolLM2, whose template knows no tools, calls one all the same where it has to", async () => {
    const lm = await CausalLM.load(await readFile(SMOLLM), { engine });
    const messages = [
      { role: "system", content: "Call get_weather with the city that the user asks about." },
      { role: "user", content: "What is the weather in Paris?" },
    ];
    const generation = lm.generate(messages, { tools: [WEATHER], toolChoice: "required", maxTokens: 100 });
    const told = [];
    for await (const { text, kind, toolCall } of generation) if (text !== "" || toolCall !== undefined) told.push([kind, toolCall]);
    const { text, toolCalls, finishReason } = await generation;
    assert.deepEqual([text, finishReason, toolCalls.length], ["", "tool-calls", 1]);
    assert.equal(toolCalls[0].arguments.city, "Paris");
    assert(told.every(([kind]) => kind === "tool-call"));
    assert.deepEqual(told.find(([, call]) => call !== undefined)[1], { id: toolCalls[0].id, name: "get_weather" });
    assert.equal(await generation.text(), "");
    // Where the model may decide, a template that cannot tell it of them is refused.
    await rejection(() => lm.generate(messages, { tools: [WEATHER] }), "invalid-argument", /takes no tools/);
    await lm.dispose();
  });

  test("what contradicts itself is refused, and \"none\" tells the model of no tools", async () => {
    const lm = await CausalLM.load({ ...writer("llama"), "chat_template.jinja": small("<tool_call>") }, { engine });
    const messages = [{ role: "user", content: "a" }];
    for (const [given, says] of [
      [{ toolChoice: "required" }, /^toolChoice: there are no tools/],
      [{ tools: TOOLS, toolChoice: { name: "other" } }, /^toolChoice: no tool is called "other"/],
      [{ tools: TOOLS, toolChoice: "maybe" }, /^toolChoice should be "auto"/],
      [{ tools: TOOLS, toolChoice: { tool: "clock" } }, /^toolChoice should be "auto"/],
      [{ tools: TOOLS, toolChoice: "required", regex: "a" }, /^toolChoice: the answer is a call/],
      [{ tools: [{ name: "x", parameters: { type: "object", not: {} } }], toolChoice: "required" }, /^toolChoice: .*"not"/],
    ]) await rejection(() => lm.generate(messages, { maxTokens: 5, ...given }), "invalid-argument", says);
    await rejection(() => lm.generate("a", { tools: TOOLS, toolChoice: "required" }), "invalid-argument", /prompts of messages/);
    const of = async (given) => (await lm.generate(messages, { maxTokens: 1, ignoreEnd: true, ...given })).stats.promptTokens;
    assert.equal(await of({ tools: TOOLS, toolChoice: "none" }), await of({}));
    assert(await of({ tools: TOOLS.slice(1) }) > await of({}));
    await lm.dispose();
  });
});

describe("in Chromium", () => {
  let browser, server;
  before(async () => {
    browser = await launchBrowser({ args: WEBGPU_ARGUMENTS });
    const model = { ...writer("llama"), "chat_template.jinja": "{# <tool_call> #}{{ messages[0].content }}{{ '' if tools }}" };
    const files = Object.fromEntries(Object.entries(model).map(([name, bytes]) => [`/model/${name}`, { bytes: Buffer.from(bytes) }]));
    server = await startApiServer({ isolated: true, files });
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  for (const device of ["cpu", "webgpu"]) {
    test(`on ${device} a session calls a tool, and goes on`, async () => {
      const page = await browser.newPage();
      await page.goto(server.url);
      const { used, result, next } = await page.evaluate(async ({ device, options }) => {
        const { CausalLM, Engine } = await import("/dist/index.js");
        const engine = await Engine.create({ device });
        const files = {};
        for (const name of ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"]) files[name] = await (await fetch(`/model/${name}`)).arrayBuffer();
        const session = (await CausalLM.load(files, { engine })).createSession();
        const messages = [{ role: "user", content: "a" }];
        const result = await session.generate(messages, options);
        const next = await session.generate([{ role: "user", content: "ab" }], { maxTokens: 3, ignoreEnd: true });
        await engine.dispose();
        return { used: engine.device.kind, result: { ...result, tokens: [...result.tokens] }, next: next.finishReason };
      }, { device, options: options(2) });
      assert.equal(used, device);
      assert(assertCalls(result, device));
      assert.equal(next, "length");
      await page.close();
    });
  }
});
