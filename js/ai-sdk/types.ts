// The AI SDK's language and embedding models (`LanguageModelV4`, `EmbeddingModelV4` of @ai-sdk/provider), as far as they are
// spoken here. Structural, so that this package needs none of that one's.

type ProviderOptions = Record<string, Readonly<Record<string, unknown>>>;

export type Warning = { type: "unsupported"; feature: string; details?: string };

type ToolResultOutput =
  | { type: "text" | "error-text"; value: string }
  | { type: "json" | "error-json"; value: unknown }
  | { type: "execution-denied"; reason?: string }
  | { type: "content"; value: { type: string; text?: string }[] };

export type Part =
  | { type: "text"; text: string }
  | { type: "reasoning"; text: string }
  | { type: "tool-call"; toolCallId: string; toolName: string; input: unknown }
  | { type: "tool-result"; toolCallId: string; toolName: string; output: ToolResultOutput }
  | { type: "file" | "custom" | "reasoning-file" | "tool-approval-response" };

export type PromptMessage = { role: "system"; content: string } | { role: "user" | "assistant" | "tool"; content: Part[] };

export interface CallOptions {
  prompt: PromptMessage[];
  maxOutputTokens?: number;
  temperature?: number;
  stopSequences?: string[];
  topP?: number;
  topK?: number;
  presencePenalty?: number;
  frequencyPenalty?: number;
  responseFormat?: { type: "text" } | { type: "json"; schema?: object };
  seed?: number;
  tools?: { type: string; name: string; description?: string; inputSchema?: object; strict?: boolean; inputExamples?: unknown[] }[];
  toolChoice?: { type: "auto" | "none" | "required" } | { type: "tool"; toolName: string };
  includeRawChunks?: boolean;
  abortSignal?: AbortSignal;
  headers?: Record<string, string | undefined>;
  reasoning?: string;
  providerOptions?: ProviderOptions;
}

export interface FinishReason {
  unified: "stop" | "length" | "tool-calls" | "other";
  raw: string | undefined;
}

export interface Usage {
  inputTokens: { total: number | undefined; noCache: number | undefined; cacheRead: number | undefined; cacheWrite: number | undefined };
  outputTokens: { total: number | undefined; text: number | undefined; reasoning: number | undefined };
}

export type Content =
  | { type: "text"; text: string }
  | { type: "reasoning"; text: string }
  | { type: "tool-call"; toolCallId: string; toolName: string; input: string };

export interface Metadata {
  id: string;
  timestamp: Date;
  modelId: string;
}

export type StreamPart =
  | { type: "stream-start"; warnings: Warning[] }
  | ({ type: "response-metadata" } & Metadata)
  | { type: "text-start" | "text-end" | "reasoning-start" | "reasoning-end" | "tool-input-end"; id: string }
  | { type: "text-delta" | "reasoning-delta" | "tool-input-delta"; id: string; delta: string }
  | { type: "tool-input-start"; id: string; toolName: string }
  | { type: "tool-call"; toolCallId: string; toolName: string; input: string }
  | { type: "finish"; usage: Usage; finishReason: FinishReason }
  | { type: "error"; error: unknown };

/** The AI SDK's `LanguageModelV4`, for its `generateText`, `streamText` and the like. */
export interface LanguageModel {
  /** Of the AI SDK's interface. */
  readonly specificationVersion: "v4";
  /** "azulejo". */
  readonly provider: string;
  /** The name that the caller gave. */
  readonly modelId: string;
  /** None: it takes texts. */
  readonly supportedUrls: Record<string, RegExp[]>;
  /** A whole answer. What is passed over is among its `warnings`. */
  doGenerate(options: CallOptions): Promise<{ content: Content[]; finishReason: FinishReason; usage: Usage; warnings: Warning[]; response: Metadata }>;
  /** An answer in pieces. */
  doStream(options: CallOptions): Promise<{ stream: ReadableStream<StreamPart> }>;
}

/** The AI SDK's `EmbeddingModelV4`, for its `embed` and `embedMany`. */
export interface EmbeddingModel {
  /** Of the AI SDK's interface. */
  readonly specificationVersion: "v4";
  /** "azulejo". */
  readonly provider: string;
  /** The name that the caller gave. */
  readonly modelId: string;
  /** 256 texts. */
  readonly maxEmbeddingsPerCall: number | undefined;
  /** They wait for each other. */
  readonly supportsParallelCalls: boolean;
  /** A vector for each text, of unit length. */
  doEmbed(options: { values: string[]; abortSignal?: AbortSignal; providerOptions?: ProviderOptions }): Promise<{ embeddings: number[][]; usage: { tokens: number }; warnings: Warning[] }>;
}
