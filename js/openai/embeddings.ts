// Vectors of texts.

import type { TextEmbedder } from "../page/text-embedder.js";
import { invalid } from "../shared/errors.js";
import { refuseUnknown } from "./read.js";
import type { Embeddings } from "./types.js";

export async function embed(embedder: TextEmbedder, params: Embeddings.Params, signal: AbortSignal | undefined): Promise<Embeddings.Response> {
  refuseUnknown(params, ["input", "encoding_format", "dimensions"]);
  const { input, encoding_format: format = "float", dimensions } = params;
  if (format !== "float" && format !== "base64") throw invalid('encoding_format should be "float" or "base64"');
  const isIds = Array.isArray(input) && typeof input[0] === "number";
  const texts = (typeof input === "string" || isIds ? [input] : input) as string[] | number[][];
  if (!Array.isArray(texts) || texts.length === 0) throw invalid("input should be a text, or several");
  const { data, dims } = await embedder.embed(texts, { signal });
  const width = dims[1]!;
  if (dimensions != null && dimensions !== width) throw invalid(`dimensions: this model's vectors have ${width}`);
  const rows = Array.from({ length: texts.length }, (_, row) => data.slice(row * width, (row + 1) * width));
  const counts = await Promise.all(texts.map(async (text) => (typeof text === "string" ? (await embedder.tokenizer.encode(text)).length : text.length)));
  const tokens = counts.reduce((sum, count) => sum + count, 0);
  return {
    object: "list",
    data: rows.map((row, index) => ({ object: "embedding", index, embedding: format === "float" ? [...row] : base64(row) })),
    model: params.model,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}

/** The floats' bytes, the lowest first. */
function base64(row: Float32Array): string {
  const bytes = new DataView(new ArrayBuffer(4 * row.length));
  row.forEach((value, at) => bytes.setFloat32(4 * at, value, true));
  let binary = "";
  for (const byte of new Uint8Array(bytes.buffer)) binary += String.fromCharCode(byte);
  return btoa(binary);
}
