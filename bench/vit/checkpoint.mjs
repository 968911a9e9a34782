// A vision transformer with random weights, in Hugging Face's layout: what it says is nonsense, what it costs is not.

import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { WEIGHTS, writeSafetensors } from "../onnx/safetensors.mjs";

const P16 = { image_size: 224, patch_size: 16, num_channels: 3, layer_norm_eps: 1e-12, classes: 1000 };
/** By the name of the folder that is made: the sizes of `google/vit-base-patch16-224`, and of the tiny one. */
export const SIZES = {
  "vit-b16": { hidden_size: 768, num_hidden_layers: 12, num_attention_heads: 12, intermediate_size: 3072, ...P16 },
  "vit-ti16": { hidden_size: 192, num_hidden_layers: 12, num_attention_heads: 3, intermediate_size: 768, ...P16 },
};

const LAYER_NORM = "layernorm";

/** Name and shape of every tensor, as `ViTForImageClassification` has them. */
function tensorsOf({ hidden_size: width, intermediate_size: inner, classes, ...shape }) {
  const { image_size: image, patch_size: patch, num_channels: channels, num_hidden_layers: layers } = shape;
  const linear = (name, rows, columns) => [[`${name}.weight`, [rows, columns]], [`${name}.bias`, [rows]]];
  const norm = (name) => [[`${name}.weight`, [width]], [`${name}.bias`, [width]]];
  const block = (_, layer) => {
    const at = `vit.encoder.layer.${layer}`;
    return [
      ...norm(`${at}.${LAYER_NORM}_before`),
      ...["query", "key", "value"].flatMap((name) => linear(`${at}.attention.attention.${name}`, width, width)),
      ...linear(`${at}.attention.output.dense`, width, width),
      ...norm(`${at}.${LAYER_NORM}_after`),
      ...linear(`${at}.intermediate.dense`, inner, width),
      ...linear(`${at}.output.dense`, width, inner),
    ];
  };
  return [
    ["vit.embeddings.cls_token", [1, 1, width]],
    ["vit.embeddings.position_embeddings", [1, (image / patch) ** 2 + 1, width]],
    ["vit.embeddings.patch_embeddings.projection.weight", [width, channels, patch, patch]],
    ["vit.embeddings.patch_embeddings.projection.bias", [width]],
    ...Array.from({ length: layers }, block).flat(),
    ...norm(`vit.${LAYER_NORM}`),
    ...linear("classifier", classes, width),
  ];
}

/** Numbers of mean 0 and deviation 1, the same each time: sums of four uniform ones. */
function normals(seed) {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x9e3779b9) | 0;
    let x = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
    return ((x ^ (x >>> 15)) >>> 0) / 2 ** 32 - 0.5;
  };
  return () => (uniform() + uniform() + uniform() + uniform()) * Math.sqrt(3);
}

/** Norms near 1; a matrix keeps the size of what it multiplies, so that no softmax and no GELU has it easy. */
function fill(name, shape, normal) {
  const length = shape.reduce((product, size) => product * size, 1);
  const isNorm = name.includes(LAYER_NORM);
  const columns = length / shape[0];
  const deviation = isNorm || shape.length === 1 ? 0.02 : shape[0] === 1 ? 0.5 : columns ** -0.5;
  const mean = isNorm && name.endsWith(".weight") ? 1 : 0;
  return Float32Array.from({ length }, () => mean + deviation * normal());
}

/** Writes config.json, preprocessor_config.json and model.safetensors into `folder`, the weights in float32. */
export function writeCheckpoint(folder, shape, seed = 1) {
  mkdirSync(folder, { recursive: true });
  const { classes, ...sizes } = shape;
  const labels = Object.fromEntries(Array.from({ length: classes }, (_, index) => [index, `LABEL_${index}`]));
  const config = { architectures: ["ViTForImageClassification"], model_type: "vit", hidden_act: "gelu", qkv_bias: true, ...sizes, id2label: labels };
  const half = Array(shape.num_channels).fill(0.5);
  const preprocessor = {
    image_processor_type: "ViTImageProcessor", do_resize: true, size: { height: shape.image_size, width: shape.image_size },
    resample: 2, do_rescale: true, rescale_factor: 1 / 255, do_normalize: true, image_mean: half, image_std: half,
  };
  writeFileSync(join(folder, "config.json"), `${JSON.stringify(config, null, 1)}\n`);
  writeFileSync(join(folder, "preprocessor_config.json"), `${JSON.stringify(preprocessor, null, 1)}\n`);
  // Under its own name only when it is whole: the benchmark takes what is there.
  const path = join(folder, WEIGHTS);
  const normal = normals(seed);
  writeSafetensors(`${path}.part`, tensorsOf(shape), (name, sizes) => fill(name, sizes, normal));
  renameSync(`${path}.part`, path);
}
