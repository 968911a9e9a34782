// An app as small as they come: loads the model that the address names, and writes how a sentence goes on.

import { CausalLM } from "azulejo";

const { body } = document;
try {
  const source = new URLSearchParams(location.search).get("model");
  const lm = await CausalLM.load(source, { cache: false, contextLength: 256 });
  body.dataset.device = [lm.engine.device.description, ...lm.engine.device.features].join(", ");
  for await (const { text } of lm.generate("The capital of France is", { maxTokens: 8 })) {
    document.getElementById("answer").append(text);
  }
  await lm.dispose();
  body.dataset.state = "done";
} catch (error) {
  body.dataset.state = "failed";
  body.dataset.error = `${error.code}: ${error.stack}`;
}
