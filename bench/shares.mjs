// Which share of the machine's ceilings a figure reaches: the least that its work takes, over what it took.
//
// Ceilings are { read: bytes, f32, dot16, wide, relaxed: multiply-adds a second }, of the CPU by cpu-ceilings.js, of a GPU by
// www/gpu/ceilings.ts (read, f32). Work is { bytes, products }: the least that is read, and the multiply-adds.

/** Of a GPU, whose operations are two a multiply-add. */
export const gpuCeilings = ({ bytesPerSecond, operationsPerSecond }) => ({ read: bytesPerSecond, f32: operationsPerSecond / 2 });

/**
 * Seconds that the work takes where the machine does nothing else. Weights in blocks are multiplied in 16 bits: that is
 * what activations of 15 bits need. A GPU unpacks them and multiplies in f32.
 */
export function floorSeconds({ bytes, products }, { read, f32, dot16 = f32 }, isQuantised) {
  return Math.max(bytes / read, products / (isQuantised ? dot16 : f32));
}

/**
 * A measure of tokens, each on average. A token that is decoded reads every weight and multiplies by it; a prompt reads
 * them once, and its head is computed for its last position only. Texts that go on together share what is read.
 * @param model `fileBytes`, `parameters` and `head`: those of the head, which is the embedding too
 */
export function tokenWork({ kind, count }, { fileBytes, parameters, head }) {
  if (kind === "prefill") return { bytes: fileBytes / count, products: parameters - head + head / count };
  return { bytes: fileBytes / (kind === "together" ? count : 1), products: parameters };
}

/** The arithmetic of a row of so many tokens through an encoder's blocks. What is read is little beside. */
function encoderProducts({ hidden_size: width, num_hidden_layers: layers, intermediate_size: inner }, tokens) {
  return layers * (tokens * width * (4 * width + 2 * inner) + 2 * tokens ** 2 * width);
}

/** Of one image of a ViT. */
export function imageWork(config) {
  const { image_size: image, patch_size: patch, num_channels: channels, hidden_size: width } = config;
  const patches = (image / patch) ** 2;
  return { bytes: 0, products: encoderProducts(config, patches + 1) + patches * channels * patch ** 2 * width };
}

/** Of one of several texts, on average: without any padding. */
export function textWork(config, rows) {
  const products = rows.reduce((sum, { length }) => sum + encoderProducts(config, length), 0);
  return { bytes: 0, products: products / rows.length };
}
