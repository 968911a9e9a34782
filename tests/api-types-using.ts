// A caller's TypeScript with `await using`, compiled by tests/api-types.test.mjs and never run.

import { CausalLM, Engine } from "../dist/index.js";

export async function talk(): Promise<string> {
  await using engine = await Engine.create();
  await using lm = await CausalLM.load("/a.gguf", { engine });
  await using session = lm.createSession();
  return session.generate("hi").text();
}
