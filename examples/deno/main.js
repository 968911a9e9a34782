// deno run --allow-read --allow-net main.js MODEL: how a sentence goes on. There is nothing to close: the process ends when
// the work is done.

import { CausalLM } from "azulejo";

const lm = await CausalLM.load(Deno.args[0], { contextLength: 64 });
for await (const { text } of lm.generate("The capital of France is", { maxTokens: 8 })) {
  await Deno.stdout.write(new TextEncoder().encode(text));
}
console.error(`\n${JSON.stringify(lm.engine.device)}`);
