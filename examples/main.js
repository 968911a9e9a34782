// An app as small as they come: loads the model that the address names, and writes how a sentence goes on.
//
//     ?model=/models/SmolLM2-135M-Instruct.Q4_1.gguf   anything that `load` takes
//     &device=webgpu                                   or cpu; the better one without it
//     &regex=[A-Z][a-z]*                               what the answer has to be
//     &assets=https://…/azulejo@0.1.0/dist/            where the package's own files lie, if it cannot tell by itself

import { CausalLM, Engine } from "azulejo";

const { dataset } = document.body;

// Not at the top level: Vite 5 builds for browsers that have no await there.
async function answer({ model, device, assets, regex }) {
  const engine = await Engine.create({ device, assets });
  dataset.device = JSON.stringify(engine.device);
  const lm = await CausalLM.load(model, { engine, contextLength: 64 });
  for await (const { text } of lm.generate("The capital of France is", { maxTokens: 8, regex })) {
    document.getElementById("answer").append(text);
  }
  await engine.dispose();
}

answer(Object.fromEntries(new URLSearchParams(location.search))).then(
  () => (dataset.state = "done"),
  (error) => Object.assign(dataset, { error: `${error.code}: ${error.stack}`, state: "failed" }),
);
