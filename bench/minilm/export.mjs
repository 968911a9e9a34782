// node bench/minilm/export.mjs FOLDER
//
// Writes a BERT that makes sentence vectors (all-MiniLM-L6-v2), in Hugging Face's layout, as the ONNX graphs model.onnx, in
// float32, and model-int8.onnx, dynamic int8. Both lie beside the weights. Rows are padded and come with a mask; the
// graph ends in the mean over what is not masked, at unit length.
//
// What was tried: ONNX Runtime Web 1.30.0, one thread, Chromium 156, AMD EPYC, the machine nearly idle; milliseconds per
// text, median of 5 rounds in turns; a twentieth means little. Then the least cosine with the vectors in float32.
//
//                                                                  16 tokens   128   64 texts
//   float32   attention as products and a softmax                  11.3        87    42.5              <- this
//             com.microsoft's MultiHeadAttention                   11.4        86    41.4
//             com.microsoft's SkipLayerNormalization               11.0        86    41.8
//             both                                                 11.1        85    41.4
//   int8      a scale for each row of a matrix                      6.3        42    18.6     0.987    <- this
//             one scale a matrix (another run: this 6.3, 43, 18.5)  6.3        49    18.6     0.934
//             a scale for each row, and both of the above           6.4        43    18.7     0.987

import { pathToFileURL } from "node:url";
import { Encoder, writeGraph, writeGraphs } from "../onnx/encoder.mjs";
import { FLOAT, INT64 } from "../onnx/model.mjs";

const EMBEDDINGS = "embeddings";
/** Subtracted from the scores of padding: no softmax leaves anything of it. */
const FAR = 1e9;

class Exporter extends Encoder {
  // With one a matrix the vectors are too far off.
  scaleEachRow = true;

  graph() {
    const { model, config: { num_hidden_layers: layers, num_attention_heads: heads, hidden_size: width } } = this;
    for (const name of ["input_ids", "attention_mask"]) model.input(name, INT64, ["rows", "tokens"]);
    model.node("Shape", "", ["input_ids"], ["sizes"]);
    const split = model.node("Concat", "", ["sizes", this.shape(heads, width / heads)], ["sizes.heads"], { axis: 0 });
    const mask = this.mask();
    let x = this.embedding();
    for (let layer = 0; layer < layers; layer++) {
      const block = `encoder.layer.${layer}`;
      const attended = this.attention(block, `${block}.attention.self`, x, split, mask);
      x = this.norm(`${block}.attention.output.LayerNorm`, model.node("Add", "", [attended, x], [`${block}.middle`]));
      const fed = this.feedForward(block, x);
      x = this.norm(`${block}.output.LayerNorm`, model.node("Add", "", [fed, x], [`${block}.sum`]));
    }
    this.pool(x);
    return model;
  }

  /** Zero for a token, far below for padding: [rows, 1, 1, tokens]. */
  mask() {
    const { model } = this;
    model.node("Cast", "", ["attention_mask"], ["kept"], { to: FLOAT });
    model.tensor("one", FLOAT, [], Float32Array.of(1));
    model.tensor("far", FLOAT, [], Float32Array.of(FAR));
    const below = model.node("Sub", "", ["kept", "one"], ["kept.below"]);
    const far = model.node("Mul", "", [below, "far"], ["kept.far"]);
    return model.node("Unsqueeze", "", [far, this.shape(1, 2)], ["mask"]);
  }

  /** Words and positions; every token is of the first text, whose type vector the positions bring along. */
  embedding() {
    const { model, config: { hidden_size: width } } = this;
    const positions = this.checkpoint.tensor(`${EMBEDDINGS}.position_embeddings.weight`);
    const { data: types } = this.checkpoint.tensor(`${EMBEDDINGS}.token_type_embeddings.weight`);
    positions.data.forEach((_, i) => (positions.data[i] += types[i % width]));
    model.tensor("positions", FLOAT, positions.shape, positions.data);
    const tokens = model.node("Gather", "", ["sizes", this.shape(1)], ["sizes.tokens"]);
    const places = model.node("Slice", "", ["positions", this.shape(0), tokens, this.shape(0)], ["places"]);
    const words = model.node("Gather", "", [this.floats(`${EMBEDDINGS}.word_embeddings.weight`), "input_ids"], ["words"]);
    const sum = model.node("Add", "", [words, places], ["embedded"]);
    return this.norm(`${EMBEDDINGS}.LayerNorm`, model.node("Reshape", "", [sum, this.shape(-1, width)], ["embedded.rows"]));
  }

  /** The sum of a row's tokens, as a product with its mask, has the mean's direction. */
  pool(x) {
    const { model, config: { hidden_size: width } } = this;
    const sizes = model.node("Concat", "", ["sizes", this.shape(width)], ["sizes.width"], { axis: 0 });
    const hidden = model.node("Reshape", "", [x, sizes], ["hidden"]);
    const kept = model.node("Unsqueeze", "", ["kept", this.shape(1)], ["kept.row"]);
    const sum = model.node("Squeeze", "", [model.node("MatMul", "", [kept, hidden], ["sum.row"]), this.shape(1)], ["sum"]);
    const length = model.node("ReduceL2", "", [sum, this.shape(-1)], ["length"]);
    model.node("Div", "", [sum, length], ["sentence_embedding"]);
    model.output("sentence_embedding", FLOAT, ["rows", width]);
  }
}

/** Writes the graph with these weights, `f32` or `int8`, into the folder. */
export const exportMiniLM = (folder, weights) => writeGraph(Exporter, folder, weights);

if (import.meta.url === pathToFileURL(process.argv[1]).href) writeGraphs(Exporter, "node bench/minilm/export.mjs FOLDER");
