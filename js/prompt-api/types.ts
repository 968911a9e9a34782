// What the Prompt API takes: https://webmachinelearning.github.io/prompt-api/

import type { CausalLM } from "../page/causal-lm.js";

/** Whether the model can be used, and how far it has come. */
export type Availability = "unavailable" | "downloadable" | "downloading" | "available";

/** A turn of the conversation. */
export interface PromptMessage {
  /** Who says it; "system" comes first of all, if at all. */
  role: "system" | "user" | "assistant";
  /** A text, or parts of it. Parts of other types are refused with NotSupportedError. */
  content: string | { type: string; value: unknown }[];
  /** Of the last one, the assistant's: the answer goes on from it. */
  prefix?: boolean;
}

/** A text, or messages; anything else is made a text, as the platform does. */
export type PromptInput = string | Iterable<PromptMessage>;

interface Expected {
  type: string;
  languages?: string[];
}

/** What makes a difference to `availability`. */
export interface CoreOptions {
  /**
   * Draw from so many of the best tokens, 1 or more; together with `temperature`.
   * @defaultValue the best token
   */
  topK?: number;
  /**
   * 0 or more; together with `topK`.
   * @defaultValue 0
   */
  temperature?: number;
  /** Texts only. Languages are not looked at, but for whether they are any. */
  expectedInputs?: Expected[];
  /** Texts only. */
  expectedOutputs?: Expected[];
  /** None are supported. */
  tools?: unknown[];
}

/** Of `create`. */
export interface CreateOptions extends CoreOptions {
  /** What stands before all else, and stays when the context overflows. */
  initialPrompts?: PromptMessage[];
  /** Ends the wait for the session, and the session itself. */
  signal?: AbortSignal;
  /** Is called with a target of "downloadprogress" events: `loaded` from 0 to 1. */
  monitor?: (monitor: EventTarget) => void;
}

/** Of `prompt` and `promptStreaming`. */
export interface PromptOptions {
  /** A JSON Schema, or a regular expression of the whole answer. */
  responseConstraint?: object;
  /** The model is not told of the schema. */
  omitResponseConstraintInput?: boolean;
  /** Ends the answer; what was asked was then never said. */
  signal?: AbortSignal;
}

/** Of `append` and `clone`. */
export interface AppendOptions {
  /** Ends the call. */
  signal?: AbortSignal;
}

/** A model that is there, or how it comes: `report` hears which share of it has come. It is asked for once. */
export type ModelSourceOf = CausalLM | ((report: (share: number) => void) => Promise<CausalLM>);
