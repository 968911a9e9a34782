// The models that the API's tests load: small ones made here, and the default checkpoint.

import { fileURLToPath } from "node:url";
import { string, u32, writeGguf } from "./support/gguf.mjs";
import { tinyModel } from "./support/tiny-model.mjs";

export const SMOLLM = fileURLToPath(new URL("../models/SmolLM2-135M-Instruct.Q4_1.gguf", import.meta.url));

/** A GGUF of some 60 kB. */
export const tiny = () => writeGguf(tinyModel()).bytes;

/** The same with a context that takes a while to fill, so that there is something to end. `options`: of `tinyModel`. */
export function endless(options) {
  const model = tinyModel(options);
  model.metadata["llama.context_length"] = u32(1 << 16);
  return writeGguf(model).bytes;
}

/** Its cache alone needs more than WebAssembly has: 64 bytes of each token in each of 128 layers. */
export function tooLarge() {
  const model = tinyModel();
  model.metadata["llama.context_length"] = u32(1 << 20);
  model.metadata["llama.block_count"] = u32(128);
  const isBlock = ({ name }) => name.startsWith("blk.0.");
  const layerOf = (layer) => model.tensors.filter(isBlock).map((tensor) => ({ ...tensor, name: tensor.name.replace("blk.0.", `blk.${layer}.`) }));
  model.tensors = [...model.tensors.filter((tensor) => !isBlock(tensor)), ...Array.from({ length: 128 }, (_, layer) => layerOf(layer)).flat()];
  return writeGguf(model).bytes;
}

/** Its chat template takes all the steps that it may, which is a second's work, and is refused in the end. */
export function templateOfManySteps() {
  const model = tinyModel();
  model.metadata["tokenizer.chat_template"] = string("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}");
  return writeGguf(model).bytes;
}

/** Goes on for as long as the context lets it. */
export const ON_AND_ON = { ignoreEnd: true };
