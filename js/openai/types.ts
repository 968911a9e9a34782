// What OpenAI's API takes and gives, as far as it is spoken here: https://platform.openai.com/docs/api-reference

/** Chat completions. */
export namespace Chat {
  export interface ToolCall {
    id: string;
    type: "function";
    function: { name: string; arguments: string };
  }
  export interface Message {
    role: string;
    content?: string | { type: string; text?: string }[] | null;
    name?: string;
    reasoning_content?: string | null;
    tool_calls?: ToolCall[];
    tool_call_id?: string;
  }
  export interface Params extends Shared {
    messages: Message[];
    max_completion_tokens?: number | null;
    logprobs?: boolean | null;
    top_logprobs?: number | null;
    response_format?: { type: "text" | "json_object" } | { type: "json_schema"; json_schema: { name?: string; schema?: object } } | null;
    tools?: { type: "function"; function: { name: string; description?: string; parameters?: object } }[];
    tool_choice?: "none" | "auto" | "required" | { type: "function"; function: { name: string } } | null;
    /** Variables of the chat template, as vLLM calls them. */
    chat_template_kwargs?: Record<string, unknown>;
  }
  export interface Logprob {
    token: string;
    logprob: number;
    bytes: number[] | null;
  }
  export interface Logprobs {
    content: (Logprob & { top_logprobs: Logprob[] })[];
    refusal: null;
  }
  export type FinishReason = "stop" | "length" | "tool_calls";
  export interface Completion {
    id: string;
    object: "chat.completion";
    created: number;
    model: string;
    choices: {
      index: number;
      message: { role: "assistant"; content: string | null; refusal: null; reasoning_content?: string; tool_calls?: ToolCall[] };
      logprobs: Logprobs | null;
      finish_reason: FinishReason;
    }[];
    usage: Usage;
  }
  export interface Delta {
    role?: "assistant";
    content?: string;
    reasoning_content?: string;
    tool_calls?: { index: number; id?: string; type?: "function"; function: { name?: string; arguments?: string } }[];
  }
  export interface Chunk {
    id: string;
    object: "chat.completion.chunk";
    created: number;
    model: string;
    choices: { index: number; delta: Delta; logprobs: Logprobs | null; finish_reason: FinishReason | null }[];
    usage?: Usage | null;
  }
}

/** Completions of texts. */
export namespace Completions {
  export interface Params extends Shared {
    prompt: string | string[] | number[] | number[][];
    logprobs?: number | null;
    echo?: boolean | null;
  }
  export interface Logprobs {
    tokens: string[];
    token_logprobs: number[];
    top_logprobs: Record<string, number>[];
    text_offset: number[];
  }
  export interface Completion {
    id: string;
    object: "text_completion";
    created: number;
    model: string;
    choices: { index: number; text: string; logprobs: Logprobs | null; finish_reason: "stop" | "length" | null }[];
    usage?: Usage | null;
  }
}

/** Vectors of texts. */
export namespace Embeddings {
  export interface Params {
    model: string;
    input: string | string[] | number[] | number[][];
    encoding_format?: "float" | "base64";
    dimensions?: number;
    user?: string;
  }
  export interface Response {
    object: "list";
    data: { object: "embedding"; index: number; embedding: number[] | string }[];
    model: string;
    usage: { prompt_tokens: number; total_tokens: number };
  }
}

/** What both kinds of completions take. */
export interface Shared {
  model: string;
  max_tokens?: number | null;
  temperature?: number | null;
  top_p?: number | null;
  n?: number | null;
  stop?: string | string[] | null;
  seed?: number | null;
  presence_penalty?: number | null;
  frequency_penalty?: number | null;
  logit_bias?: Record<string, number> | null;
  stream?: boolean | null;
  stream_options?: { include_usage?: boolean } | null;
  user?: string;
}

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  prompt_tokens_details: { cached_tokens: number };
}

export interface Requested {
  signal?: AbortSignal | undefined;
}

type Streams<P> = P & { stream: true };

export interface OpenAIClient {
  chat: {
    completions: {
      create(params: Streams<Chat.Params>, options?: Requested): Promise<AsyncIterable<Chat.Chunk>>;
      create(params: Chat.Params & { stream?: false | null }, options?: Requested): Promise<Chat.Completion>;
    };
  };
  completions: {
    create(params: Streams<Completions.Params>, options?: Requested): Promise<AsyncIterable<Completions.Completion>>;
    create(params: Completions.Params & { stream?: false | null }, options?: Requested): Promise<Completions.Completion>;
  };
  embeddings: { create(params: Embeddings.Params, options?: Requested): Promise<Embeddings.Response> };
  models: { list(): Promise<{ object: "list"; data: { id: string; object: "model"; created: number; owned_by: string }[] }> };
  /** Answers requests to any host as OpenAI's server would: `new OpenAI({ fetch: client.fetch, apiKey: "none", … })`. */
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;
}
