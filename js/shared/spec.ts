// What `ModelSummary.spec` holds: the core's own description of a model (src/model/spec.rs), as JSON.

/** A model as data: every choice that tells one transformer from another. */
export interface Spec {
  /** The first one answers: a decoder, before the encoder that it looks at; a tower of texts, before the one of images. */
  stacks: Stack[];
}

/** A stack of blocks. */
export interface Stack {
  /** The family: "llama", "qwen3", "vit", … */
  architecture: string;
  /** Values per token between the blocks. */
  width: number;
  /** What the first block reads. */
  input: TokenInput | PatchInput;
  /** A norm between the embedding and the first block. */
  inputNorm: boolean;
  norm: Norm;
  /** What is added to the scores of each block's own attention for where keys stand: nothing, ALiBi, T5's buckets of distances. */
  scoreBias: { type: "none" } | { type: "linear"; slopes: number[] } | { type: "buckets"; buckets: number; distance: number };
  blocks: Block[];
  /** A norm after the last block. */
  outputNorm: boolean;
  /** What becomes of the last block's output. */
  head: Head;
}

/** One block: a mixer of tokens and a feed-forward network, each inside its residual. */
export interface Block {
  mixer: ({ type: "attention" } & Attention) | ShortConv;
  /** After its mixer it looks at another stack's output. */
  cross: Attention | null;
  feedForward: FeedForward;
  residual: Residual;
  /** The branches are scaled, value by value, before they join the residual: LayerScale. */
  layerScale: boolean;
}

/** A gated convolution over a token and those before it. */
interface ShortConv {
  type: "short-conv";
  /** Tokens that it sees, the present one included. */
  taps: number;
  bias: boolean;
}

interface TokenInput {
  type: "tokens";
  vocabulary: number;
  /** Tokens of a sequence that the model was made for. */
  context: number;
  /** Multiplies the embedding. */
  scale: number;
  /** What is added to a token's embedding for where it stands; `offset`: the first token's row of the table. */
  positions: { type: "none" } | { type: "learned"; offset: number } | { type: "sinusoidal" };
  /** Kinds of tokens that are embedded too: which of two texts it is of. 0: none. */
  types: number;
  /** The table is the other stack's. */
  shared: boolean;
}

/** Sides are height, width, in pixels. */
interface PatchInput {
  type: "patches";
  channels: number;
  /** Of the images that the positions were learned on. */
  image: [height: number, width: number];
  patch: [height: number, width: number];
  bias: boolean;
  classToken: boolean;
  /** DeiT's second class token. */
  distillationToken: boolean;
  /** Tokens without a position. */
  registers: number;
  /** Positions for smaller images are averaged over more of the learned ones. */
  antialiasedPositions: boolean;
}

type Norm =
  /** x / √(mean x² + epsilon) · weight; `plusOne`: 1 more than the checkpoint's weight. */
  | { type: "rms"; epsilon: number; plusOne: boolean }
  /** (x − mean x) / √(variance x + epsilon) · weight + bias */
  | { type: "layer"; epsilon: number; bias: boolean };

type Residual =
  /** x + f(norm(x)); `bare`: attention has no norm. */
  | { type: "pre-norm"; bare: boolean }
  /** norm(x + f(x)) */
  | { type: "post-norm" }
  /** x + norm(f(norm(x))) */
  | { type: "sandwich" }
  /** x + norm(f(x)) */
  | { type: "inner-norm" }
  /** x + attention(norm(x)) + feedForward(norm(x)); `sharedNorm`: both read one norm. */
  | { type: "parallel"; sharedNorm: boolean };

/** Rotary positions. */
interface Rope {
  pairs: "half-split" | "interleaved";
  /** Leading dimensions of a head that turn. */
  dims: number;
  theta: number;
  scaling:
    | { type: "none" }
    | { type: "linear"; factor: number }
    /** Divisors for each pair, others in long sequences; no entries where they are tensors of the checkpoint. */
    | { type: "longRope"; short: number[]; long: number[]; originalContext: number; magnitude: number }
    | { type: "llama3"; factor: number; lowFrequencyFactor: number; highFrequencyFactor: number; originalContext: number }
    | {
        type: "yarn";
        factor: number;
        originalContext: number;
        betaFast: number;
        betaSlow: number;
        magnitude: number;
        truncate: boolean;
      };
}

interface Attention {
  heads: number;
  /** Heads of keys and values; each serves heads / kvHeads query heads. */
  kvHeads: number;
  headDim: number;
  /** Multiplies query · key. */
  scale: number;
  /** A query sees no key after itself. */
  causal: boolean;
  /** Rotary positions; null: none. */
  rope: Rope | null;
  /** A sliding window in tokens; null sees everything. */
  window: number | null;
  /** Scores become cap · tanh(score / cap). */
  softCap: number | null;
  /** The norm of queries and keys, of each head by itself or of all together. */
  qkNorm: "none" | "per-head" | "all";
  /** A learned score of no key, for each head. */
  sinks: boolean;
  qkvBias: boolean;
  outputBias: boolean;
}

interface FeedForward {
  width: number;
  activation: Activation;
  /** activation(gate(x)) · up(x) instead of activation(up(x)). */
  gated: boolean;
  bias: boolean;
  /** There are several of that width, and each token goes through some of them. */
  experts: Experts | null;
}

interface Experts {
  count: number;
  /** Those of a token. */
  used: number;
  /** Their weights add up to 1. */
  renormalise: boolean;
  bias: boolean;
  /** Gates and products are clamped there; null: they are not. */
  limit: number | null;
}

type Activation = "silu" | "gelu" | "gelu-tanh" | "gelu-quick" | "relu" | "tanh";

/** Which tokens a head reads; `each`: each by itself; `token`: the first of that id. */
type Pooling =
  | "class-token"
  | "both-tokens"
  | "class-token-and-mean"
  | "mean"
  | "last"
  | "each"
  | { token: number }
  | "largest-token"
  | "attention";

type Head =
  /** The next token's logits; `tied`: by the embedding's table. */
  | { type: "vocabulary"; tied: boolean; bias: boolean; scale: number; softCap: number | null }
  | {
      type: "classes";
      classes: number;
      pooling: Pooling;
      /** Between what is pooled and the classifier. */
      dense: { activation: Activation; bias: boolean; norm: boolean; pooler: boolean } | null;
      /** What logits become: probabilities that add up to 1, one for each class by itself, or they stay as they are. */
      scores: "softmax" | "sigmoid" | "identity";
    }
  /** One vector; `matching`: similarities with another stack's become exp(scale) · similarity, with a bias or without. */
  | { type: "embedding"; width: number; pooling: Pooling; projection: boolean; bias: boolean; matching: { bias: boolean } | null }
  /** The hidden states are the result; `pooler`: or tanh of a product of the first one. */
  | { type: "none"; pooler: boolean };
