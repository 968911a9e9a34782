// The recipes of examples/, as they stand.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { CausalLM, Engine } from "../dist/index.js";
import { edited } from "../examples/recipes/edit.js";
import { personIn } from "../examples/recipes/json.js";
import { converse } from "../examples/recipes/tools.js";
import { SMOLLM } from "./api-models.mjs";
import { deadline } from "./support/deadline.mjs";
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
