// Texts that are read: their vectors, classes and labels. Nothing here runs.

import type { BatchOptions, SignalOptions } from "./types-calls.js";

/** Of `attentionMaps`. */
export interface LayerOptions extends SignalOptions {
  /**
   * Of one layer only, counted from 0.
   * @defaultValue all of them
   */
  layer?: number | undefined;
}

/** What becomes of the vectors of a text's tokens: their mean, the first or the last one's, or what the model's pooler makes of the first. */
export type Pooling = "mean" | "cls" | "pooler" | "last";

/** Of `TextEmbedder.embed`. */
export interface EmbedOptions extends BatchOptions {
  /** Default: as the checkpoint says (modules.json), else the mean. */
  pooling?: Pooling | undefined;
  /** Whether vectors get unit length. Default: true. */
  normalize?: boolean | undefined;
  /** What stands before each text, "" for nothing. Default: what the checkpoint has by itself (default_prompt_name). */
  prompt?: string | undefined;
  /** A prompt of the checkpoint's own (config_sentence_transformers.json) by its name: "query", "document", … */
  promptName?: string | undefined;
}

/** Of `TextClassifier.classify`. */
export interface ClassifyTextOptions extends BatchOptions {
  /** How many of the best classes, best first. Default 5; never more than there are. */
  topK?: number | undefined;
}

/** Of `TextClassifier.logits`. */
export interface TextLogitsOptions extends SignalOptions {
  /** For each row of tokens, or the one, which of two texts each token is of: 0 or 1. Default: all of the first. */
  tokenTypes?: ArrayLike<number> | ArrayLike<number>[] | undefined;
}

/** A part of a text that is something. */
export interface TextSpan {
  /** Of what kind: a label without its "B-" or "I-"; the whole label where nothing is merged. */
  label: string;
  /** The probability of its tokens' classes, their mean. */
  score: number;
  /** `text.slice(start, end)` of the text that was given. */
  text: string;
  /** In UTF-16 units, as JavaScript's strings count. */
  start: number;
  /** Behind its last unit. */
  end: number;
}

/** Of `TokenClassifier.classify`. */
export interface SpanOptions extends BatchOptions {
  /** Neighbours of one thing become one span. Default: true; else each token is one. */
  merge?: boolean | undefined;
}

/** Of `ImageTextMatcher.classify`. */
export interface MatchOptions {
  /** What becomes of a label: "{}" stands for it. Default "This is a photo of {}.". */
  template?: string | undefined;
  /** An abort rejects with code "aborted", within a batch. */
  signal?: AbortSignal | undefined;
}
