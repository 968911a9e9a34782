// What the Prompt API takes: https://webmachinelearning.github.io/prompt-api/

import type { CausalLM } from "../page/causal-lm.js";

export type Availability = "unavailable" | "downloadable" | "downloading" | "available";

export interface PromptMessage {
  role: "system" | "user" | "assistant";
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

export interface CoreOptions {
  topK?: number;
  temperature?: number;
  expectedInputs?: Expected[];
  expectedOutputs?: Expected[];
  tools?: unknown[];
}

export interface CreateOptions extends CoreOptions {
  initialPrompts?: PromptMessage[];
  signal?: AbortSignal;
  monitor?: (monitor: EventTarget) => void;
}

export interface PromptOptions {
  /** A JSON Schema, or a regular expression of the whole answer. */
  responseConstraint?: object;
  /** The model is not told of the schema. */
  omitResponseConstraintInput?: boolean;
  signal?: AbortSignal;
}

export interface AppendOptions {
  signal?: AbortSignal;
}

/** A model that is there, or how it comes: `report` hears which share of it has come. It is asked for once. */
export type ModelSourceOf = CausalLM | ((report: (share: number) => void) => Promise<CausalLM>);
