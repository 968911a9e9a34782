// The models that the API's tests load: small ones made here, and the default checkpoint.

import { fileURLToPath } from "node:url";
import { string, u32, writeGguf } from "./support/gguf.mjs";
import { tinyModel } from "./support/tiny-model.mjs";

export const SMOLLM = fileURLToPath(new URL("../models/SmolLM2-135M-Instruct.Q4_1.gguf", import.meta.url));

/** A GGUF of some 60 kB. */
export const tiny = () => writeGguf(tinyModel()).bytes;

/** The same with a context that takes a while to fill, so that there is something to end. */
export function endless() {
  const model = tinyModel();
  model.metadata["llama.context_length"] = u32(1 << 16);
  return writeGguf(model).bytes;
}

/** Its chat template compares two lists that hold themselves twice, forty times over: that takes for ever. */
export function templateWithoutEnd() {
  const model = tinyModel();
  const grow = "{% for i in range(40) %}{% set n.a = [n.a, n.a] %}{% set n.b = [n.b, n.b] %}{% endfor %}";
  model.metadata["tokenizer.chat_template"] = string(`{% set n = namespace(a=[1], b=[1]) %}${grow}{{ n.a == n.b }}`);
  return writeGguf(model).bytes;
}

/** Goes on for as long as the context lets it. */
export const ON_AND_ON = { ignoreEnd: true };
