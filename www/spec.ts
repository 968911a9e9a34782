// What `summary.spec` holds: src/model/spec.rs, as JSON.

export interface Spec {
  architecture: string;
  layers: number;
  width: number;
  input: TokenInput | PatchInput;
  inputNorm: boolean;
  norm: Norm;
  residual: Residual;
  layerScale: boolean;
  attention: Attention;
  crossAttention: boolean;
  feedForward: FeedForward;
  outputNorm: boolean;
  head: Head;
  /** The encoder beside a decoder, or the image tower beside the text's. */
  second: Spec | null;
  matching: { bias: boolean } | null;
}

interface TokenInput {
  type: "tokens";
  vocabulary: number;
  context: number;
  scale: number;
  positions: { type: "none" } | { type: "learned"; offset: number } | { type: "sinusoidal" };
  types: number;
  shared: boolean;
}

/** Sides are height, width. */
export interface PatchInput {
  type: "patches";
  channels: number;
  image: [number, number];
  patch: [number, number];
  bias: boolean;
  classToken: boolean;
  distillationToken: boolean;
  registers: number;
}

export type Norm = { type: "rms"; epsilon: number; plusOne: boolean } | { type: "layer"; epsilon: number; bias: boolean };

export type Residual =
  | { type: "pre-norm"; firstBare: boolean }
  | { type: "post-norm" }
  | { type: "sandwich" }
  | { type: "inner-norm" }
  | { type: "parallel"; sharedNorm: boolean };

export interface Rope {
  pairs: "half-split" | "interleaved";
  dims: number;
  theta: number;
  scaling: { type: string; factor?: number };
}

export interface Attention {
  heads: number;
  kvHeads: number;
  headDim: number;
  scale: number;
  causal: boolean;
  ropes: Rope[];
  /** Which of them each layer has. */
  turns: (number | null)[];
  bias: { type: "none" } | { type: "linear"; slopes: number[] } | { type: "buckets"; buckets: number; distance: number };
  /** Each layer's window, in tokens. */
  windows: (number | null)[];
  softCap: number | null;
  headNorm: "none" | "each" | "whole";
  qkvBias: boolean;
  outputBias: boolean;
}

export interface FeedForward {
  width: number;
  activation: string;
  gated: boolean;
  bias: boolean;
}

type Pooling = string | { token: number };

export type Head =
  | { type: "vocabulary"; tied: boolean; bias: boolean; scale: number; softCap: number | null }
  | { type: "classes"; classes: number; pooling: Pooling; dense: { activation: string; norm: boolean } | null }
  | { type: "embedding"; width: number; pooling: Pooling; projection: boolean }
  | { type: "none"; pooler: boolean };

/** A model's stacks, from left to right, and what they are called where there are two. */
export function stacksOf(spec: Spec): { name: string; spec: Spec }[] {
  if (!spec.second) return [{ name: "", spec }];
  const names = spec.crossAttention ? ["Encoder", "Decoder"] : ["Images", "Text"];
  return [spec.second, spec].map((each, at) => ({ name: names[at]!, spec: each }));
}

/** Whether every layer of a list is the same. */
export const alike = (layers: unknown[]): boolean => layers.every((layer) => layer === layers[0]);
