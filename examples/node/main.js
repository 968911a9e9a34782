// node main.js MODEL: how a sentence goes on. There is nothing to close: the process ends when the work is done.

import { CausalLM } from "azulejo";

const lm = await CausalLM.load(process.argv[2], { contextLength: 64 });
for await (const { text } of lm.generate("The capital of France is", { maxTokens: 8 })) process.stdout.write(text);
console.error(`\n${JSON.stringify(lm.engine.device)}`);
