// node bench/vit/export.mjs FOLDER
//
// Writes a ViT in Hugging Face's layout as the ONNX graphs that ONNX Runtime's WebAssembly provider is fastest with:
// model.onnx in float32, and model-int8.onnx, dynamic int8. Both lie beside the weights.
//
// What was tried: ViT-B/16, one image, ONNX Runtime Web 1.30.0, one thread, Chromium 156, AMD EPYC of family 26, the
// machine kept quiet; milliseconds, median of 3 to 7 rounds (quickest to slowest). A twentieth means little.
//
//   float32   Gemm on [tokens, width], attention as products and a softmax        960 (957 to 989)   <- this
//             MatMul and Add on [images, tokens, width]                          1020 (1018 to 1031)
//             the same, query, key and value in one product                       976 (one run)
//             com.microsoft's Attention and SkipLayerNormalization               1010 (one run)
//             com.microsoft's MultiHeadAttention and SkipLayerNormalization      1016 (one run)
//             Gemm and MultiHeadAttention                                         971 (one run)
//   int8      DynamicQuantizeMatMul                                               425 (408 to 465)   <- this
//             DynamicQuantizeLinear and MatMulInteger                             460 (418 to 493)
//             the same, u8 weights                                                419 (409 to 481)
//             the same, a scale for each row                                      463 (417 to 475)
//             QAttention and SkipLayerNormalization                               416 (409 to 483)
//             the same, u8 weights                                                431 (407 to 471)
//             MultiHeadAttention and SkipLayerNormalization                       457 (427 to 485)

import { pathToFileURL } from "node:url";
import { Encoder, writeGraph, writeGraphs } from "../onnx/encoder.mjs";
import { FLOAT, INT64 } from "../onnx/model.mjs";

const BLOCK = "vit.encoder.layer";

class Exporter extends Encoder {
  patches = (this.config.image_size / this.config.patch_size) ** 2;

  graph() {
    const { model, config: { num_hidden_layers: layers, num_attention_heads: heads, hidden_size: width } } = this;
    const split = this.shape(-1, this.patches + 1, heads, width / heads);
    let residual = this.embedding();
    for (let layer = 0; layer < layers; layer++) {
      const block = `${BLOCK}.${layer}`;
      const attended = this.attention(block, `${block}.attention.attention`, this.norm(`${block}.layernorm_before`, residual), split);
      residual = model.node("Add", "", [attended, residual], [`${block}.middle`]);
      const fed = this.feedForward(block, this.norm(`${block}.layernorm_after`, residual));
      residual = model.node("Add", "", [fed, residual], [`${block}.sum`]);
    }
    const tokens = model.node("Reshape", "", [residual, this.shape(-1, this.patches + 1, width)], ["tokens"]);
    model.tensor("first", INT64, [], BigInt64Array.of(0n));
    const first = model.node("Gather", "", [tokens, "first"], ["class"], { axis: 1 });
    model.node("Identity", "", [this.linear("classifier", this.norm("vit.layernorm", first))], ["logits"]);
    model.output("logits", FLOAT, ["images", this.checkpoint.tensor("classifier.bias").data.length]);
    return model;
  }

  /** A convolution whose windows touch; a row of zeros becomes the class token, which its position brings along. */
  embedding() {
    const { model, config: { image_size: image, patch_size: patch, num_channels: channels, hidden_size: width } } = this;
    const name = "vit.embeddings.patch_embeddings.projection";
    model.input("pixel_values", FLOAT, ["images", channels, image, image]);
    const inputs = ["pixel_values", this.floats(`${name}.weight`), this.floats(`${name}.bias`)];
    let x = model.node("Conv", "", inputs, ["patches"], { kernel_shape: [patch, patch], strides: [patch, patch] });
    x = model.node("Reshape", "", [x, this.shape(0, width, this.patches)], ["patches.flat"]);
    x = model.node("Transpose", "", [x], ["patches.turned"], { perm: [0, 2, 1] });
    x = model.node("Pad", "", [x, this.shape(0, 1, 0, 0, 0, 0)], ["patches.padded"]);
    const positions = this.checkpoint.tensor("vit.embeddings.position_embeddings");
    this.checkpoint.tensor("vit.embeddings.cls_token").data.forEach((value, i) => (positions.data[i] += value));
    x = model.node("Add", "", [x, model.tensor("positions", FLOAT, positions.shape, positions.data)], ["embedded"]);
    return model.node("Reshape", "", [x, this.shape(-1, width)], ["embedded.rows"]);
  }
}

/** Writes the graph with these weights, `f32` or `int8`, into the folder. */
export const exportVit = (folder, weights) => writeGraph(Exporter, folder, weights);

if (import.meta.url === pathToFileURL(process.argv[1]).href) writeGraphs(Exporter, "node bench/vit/export.mjs FOLDER");
