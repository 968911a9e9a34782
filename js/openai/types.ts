// What OpenAI's API takes and gives, as far as it is spoken here: https://platform.openai.com/docs/api-reference

/** Chat completions. */
export namespace Chat {
  /** A call that the model made. */
  export interface ToolCall {
    /** A tool's message names it as `tool_call_id`. */
    id: string;
    /** There are no others. */
    type: "function";
    /** The function's name, and its arguments as JSON. */
    function: { name: string; arguments: string };
  }
  /** A turn of the conversation. Parts other than texts are refused. */
  export interface Message {
    /** "system", "developer", "user", "assistant" or "tool". */
    role: string;
    /** A text, or parts of it; `null` with nothing but calls. */
    content?: string | { type: string; text?: string }[] | null;
    /** For templates that say whose turn it is. */
    name?: string;
    /** What the model thought before it answered, as vLLM calls it. */
    reasoning_content?: string | null;
    /** Of an assistant's turn. */
    tool_calls?: ToolCall[];
    /** Of a tool's: which call it answers. */
    tool_call_id?: string;
  }
  /**
   * Of `chat.completions.create`. What is not here is refused by its name, unless it says nothing of the answer
   * (`store`, `metadata`, …).
   */
  export interface Params extends Shared {
    /** The conversation; one message at least. */
    messages: Message[];
    /** How many tokens an answer has at most, before `max_tokens`. */
    max_completion_tokens?: number | null;
    /**
     * Whether each token comes with its probability's logarithm.
     * @defaultValue false
     */
    logprobs?: boolean | null;
    /**
     * And with those of so many others.
     * @defaultValue 0
     */
    top_logprobs?: number | null;
    /** The answer is text, any JSON object, or JSON of a schema. Not together with tools. */
    response_format?: { type: "text" | "json_object" } | { type: "json_schema"; json_schema: { name?: string; schema?: object } } | null;
    /** What the model may call. */
    tools?: { type: "function"; function: { name: string; description?: string; parameters?: object } }[];
    /**
     * As `toolChoice` of `GenerateOptions`.
     * @defaultValue "auto"
     */
    tool_choice?: "none" | "auto" | "required" | { type: "function"; function: { name: string } } | null;
    /** Variables of the chat template, as vLLM calls them. */
    chat_template_kwargs?: Record<string, unknown>;
  }
  /** A token and its probability's logarithm. */
  export interface Logprob {
    /** Its text. */
    token: string;
    /** Natural logarithm; of the model's own distribution. */
    logprob: number;
    /** The text's, in UTF-8. */
    bytes: number[] | null;
  }
  /** Of an answer's tokens. */
  export interface Logprobs {
    /** Each token, with its best alternatives. */
    content: (Logprob & { top_logprobs: Logprob[] })[];
    /** Nothing is refused in words. */
    refusal: null;
  }
  /** The end token or a stop string, the limit, or an end with calls. */
  export type FinishReason = "stop" | "length" | "tool_calls";
  /** Answers that are whole. */
  export interface Completion {
    /** Another for each call. */
    id: string;
    /** What it is. */
    object: "chat.completion";
    /** In seconds since 1970. */
    created: number;
    /** The name that was asked for. */
    model: string;
    /** `n` of them. */
    choices: {
      index: number;
      message: { role: "assistant"; content: string | null; refusal: null; reasoning_content?: string; tool_calls?: ToolCall[] };
      logprobs: Logprobs | null;
      finish_reason: FinishReason;
    }[];
    /** Of all choices together. */
    usage: Usage;
  }
  /** What a chunk adds to an answer. */
  export interface Delta {
    /** In an answer's first chunk. */
    role?: "assistant";
    /** A piece of its text. */
    content?: string;
    /** A piece of its thoughts. */
    reasoning_content?: string;
    /** A call: they come whole. */
    tool_calls?: { index: number; id?: string; type?: "function"; function: { name?: string; arguments?: string } }[];
  }
  /** A piece of answers that come as a stream. */
  export interface Chunk {
    /** The same in all chunks of a call. */
    id: string;
    /** What it is. */
    object: "chat.completion.chunk";
    /** In seconds since 1970. */
    created: number;
    /** The name that was asked for. */
    model: string;
    /** One; none in the last chunk, where `include_usage` asks for that. */
    choices: { index: number; delta: Delta; logprobs: Logprobs | null; finish_reason: FinishReason | null }[];
    /** In the last chunk, where `include_usage` asks for it. */
    usage?: Usage | null;
  }
}

/** Completions of texts. */
export namespace Completions {
  /** Of `completions.create`. What is not here is refused by its name. */
  export interface Params extends Shared {
    /** A text, several, token ids, or rows of them. */
    prompt: string | string[] | number[] | number[][];
    /** So many alternatives with each token. */
    logprobs?: number | null;
    /**
     * Each text begins with its prompt. Not together with `logprobs`.
     * @defaultValue false
     */
    echo?: boolean | null;
  }
  /** Of a text's tokens, one entry each. */
  export interface Logprobs {
    /** Their texts. */
    tokens: string[];
    /** Their probabilities' natural logarithms. */
    token_logprobs: number[];
    /** The best tokens there, by their text. */
    top_logprobs: Record<string, number>[];
    /** Where they begin in the text, in UTF-16 units. */
    text_offset: number[];
  }
  /** Texts that are whole, or a piece of them as a stream. */
  export interface Completion {
    /** Another for each call. */
    id: string;
    /** What it is. */
    object: "text_completion";
    /** In seconds since 1970. */
    created: number;
    /** The name that was asked for. */
    model: string;
    /** `n` for each prompt, prompt by prompt. */
    choices: { index: number; text: string; logprobs: Logprobs | null; finish_reason: "stop" | "length" | null }[];
    /** Of all choices together. */
    usage?: Usage | null;
  }
}

/** Vectors of texts. */
export namespace Embeddings {
  /** Of `embeddings.create`. */
  export interface Params {
    /** The name of a `TextEmbedder`. */
    model: string;
    /** A text, several, token ids, or rows of them. */
    input: string | string[] | number[] | number[][];
    /**
     * Numbers, or the bytes of their 32-bit floats, the lowest first.
     * @defaultValue "float"
     */
    encoding_format?: "float" | "base64";
    /** Refused where it is not the model's own width. */
    dimensions?: number;
    /** Passed over. */
    user?: string;
  }
  /** One vector for each input. */
  export interface Response {
    /** What it is. */
    object: "list";
    /** The vectors, in the inputs' order, of unit length. */
    data: { object: "embedding"; index: number; embedding: number[] | string }[];
    /** The name that was asked for. */
    model: string;
    /** Tokens of all inputs. */
    usage: { prompt_tokens: number; total_tokens: number };
  }
}

/** What both kinds of completions take. */
export interface Shared {
  /** The name of a `CausalLM`. */
  model: string;
  /**
   * How many tokens a text has at most.
   * @defaultValue chat: until its end or the context's; texts: 16, as OpenAI has it
   */
  max_tokens?: number | null;
  /**
   * 0 takes the best token.
   * @defaultValue 1, as OpenAI has it
   */
  temperature?: number | null;
  /**
   * From 0 to 1, as `topP` of `GenerateOptions`.
   * @defaultValue 1
   */
  top_p?: number | null;
  /**
   * Choices for each prompt, 1 to 16.
   * @defaultValue 1
   */
  n?: number | null;
  /** Never part of a text. */
  stop?: string | string[] | null;
  /**
   * Of the first choice; the next ones have the numbers that follow.
   * @defaultValue another each time
   */
  seed?: number | null;
  /**
   * As `presencePenalty` of `GenerateOptions`.
   * @defaultValue 0
   */
  presence_penalty?: number | null;
  /**
   * As `frequencyPenalty` of `GenerateOptions`.
   * @defaultValue 0
   */
  frequency_penalty?: number | null;
  /** By token id, added to its logit. */
  logit_bias?: Record<string, number> | null;
  /**
   * Answers come in pieces.
   * @defaultValue false
   */
  stream?: boolean | null;
  /** `include_usage`: a last chunk says how many tokens it took. */
  stream_options?: { include_usage?: boolean } | null;
  /** Passed over. */
  user?: string;
}

/** Tokens of a call. */
export interface Usage {
  /** Of the prompts, each counted once. */
  prompt_tokens: number;
  /** Of all choices. */
  completion_tokens: number;
  /** Both together. */
  total_tokens: number;
  /** Of the prompts, what was not computed anew. */
  prompt_tokens_details: { cached_tokens: number };
}

/** Of a call, beside its parameters. */
export interface Requested {
  /** Ends it. What answers had come to is not given. */
  signal?: AbortSignal | undefined;
}

type Streams<P> = P & { stream: true };

/** A client with the official package's names. */
export interface OpenAIClient {
  /** Answers to conversations, whole or as a stream. */
  chat: {
    completions: {
      create(params: Streams<Chat.Params>, options?: Requested): Promise<AsyncIterable<Chat.Chunk>>;
      create(params: Chat.Params & { stream?: false | null }, options?: Requested): Promise<Chat.Completion>;
    };
  };
  /** Texts that go on, whole or as a stream. */
  completions: {
    create(params: Streams<Completions.Params>, options?: Requested): Promise<AsyncIterable<Completions.Completion>>;
    create(params: Completions.Params & { stream?: false | null }, options?: Requested): Promise<Completions.Completion>;
  };
  /** Vectors of texts. */
  embeddings: { create(params: Embeddings.Params, options?: Requested): Promise<Embeddings.Response> };
  /** The names that there are. */
  models: { list(): Promise<{ object: "list"; data: { id: string; object: "model"; created: number; owned_by: string }[] }> };
  /** Answers requests to any host as OpenAI's server would: `new OpenAI({ fetch: client.fetch, apiKey: "none", … })`. */
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;
}
