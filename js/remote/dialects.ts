// What servers call the options of `generate`, beyond what OpenAI's API has, and which of them they lack.
//
// vLLM: https://github.com/vllm-project/vllm/blob/002032ee2b18/vllm/entrypoints/openai/chat_completion/protocol.py and
// completion/protocol.py beside it. llama.cpp: https://github.com/ggml-org/llama.cpp/blob/00dc8057ab28/tools/server/README.md.
// llama-cpp-python 0.3.36: llama_cpp/server/types.py and app.py.

import type { WireConstraint } from "../shared/protocol.js";

export interface Dialect {
  software: string;
  /** Our option → its field. What has none is refused, unless its value is the one that changes nothing. */
  fields: Readonly<Record<string, string>>;
  /** Without one it ends a text after so few tokens that it has to be told otherwise: what tells it. */
  unbounded?: null | -1;
  /** Of `chat`, or of a text: what has the answer be one of the constraint's; nothing where the server cannot. */
  constrain(constraint: WireConstraint, isChat: boolean): object | undefined;
  /** Fields that go along in any case. */
  always: object;
  /** Token ids as a prompt, or as texts to be embedded. */
  ids: boolean;
  /** "auto" reads calls out of what the model says; "one" has it make one of a tool that is named. */
  tools: "auto" | "one";
  templateOptions: boolean;
  /** What has the model go on with the last message. */
  continued?: object;
  /** What leaves vectors as long as they are. */
  unnormalized?: object;
}

const SHARED = {
  maxTokens: "max_tokens",
  temperature: "temperature",
  topP: "top_p",
  presencePenalty: "presence_penalty",
  frequencyPenalty: "frequency_penalty",
  logitBias: "logit_bias",
  seed: "seed",
  stop: "stop",
};

const responseFormat = (text: string) => ({ response_format: { type: "json_schema", json_schema: { name: "answer", schema: JSON.parse(text) as object } } });
const USAGE = { stream_options: { include_usage: true } };

/** By what a server says in "owned_by" of its models. */
const DIALECTS: Readonly<Record<string, Dialect>> = {
  vllm: {
    software: "vLLM",
    fields: { ...SHARED, topK: "top_k", minP: "min_p", repetitionPenalty: "repetition_penalty", ignoreEnd: "ignore_eos", minTokens: "min_tokens" },
    unbounded: null,
    constrain: ({ kind, text }) => {
      if (kind === "jsonSchema") return responseFormat(text);
      return { structured_outputs: kind === "regex" ? { regex: text } : { grammar: text } };
    },
    always: USAGE,
    ids: true,
    tools: "auto",
    templateOptions: true,
    continued: { continue_final_message: true, add_generation_prompt: false },
    unnormalized: { use_activation: false },
  },
  llamacpp: {
    software: "llama.cpp",
    fields: { ...SHARED, topK: "top_k", minP: "min_p", repetitionPenalty: "repeat_penalty", ignoreEnd: "ignore_eos" },
    unbounded: -1,
    constrain: ({ kind, text }, isChat) => {
      if (kind === "jsonSchema") return isChat ? responseFormat(text) : { json_schema: JSON.parse(text) as object };
      return kind === "gbnf" ? { grammar: text } : undefined;
    },
    // Its own are the last 64 tokens.
    always: { ...USAGE, repeat_last_n: -1 },
    ids: true,
    tools: "auto",
    templateOptions: true,
  },
  me: {
    software: "llama-cpp-python",
    fields: { ...SHARED, topK: "top_k", minP: "min_p", repetitionPenalty: "repeat_penalty", minTokens: "min_tokens" },
    unbounded: null,
    constrain: ({ kind, text }, isChat) => {
      if (kind === "gbnf") return { grammar: text };
      return kind === "jsonSchema" && isChat ? { response_format: { type: "json_object", schema: JSON.parse(text) as object } } : undefined;
    },
    always: {},
    ids: false,
    tools: "one",
    templateOptions: false,
    unnormalized: {},
  },
};

/** What any server of OpenAI's API has; ours in the page (../openai/) too. */
const OPENAI: Dialect = {
  software: "OpenAI's API",
  fields: SHARED,
  constrain: ({ kind, text }, isChat) => (kind === "jsonSchema" && isChat ? responseFormat(text) : undefined),
  always: USAGE,
  ids: true,
  tools: "auto",
  templateOptions: false,
};

/** `owner`: what the server says in "owned_by" of the model. */
export function dialectOf(owner: unknown): Dialect {
  return (typeof owner === "string" && Object.hasOwn(DIALECTS, owner) && DIALECTS[owner]) || OPENAI;
}
