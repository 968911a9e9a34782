// azulejo: transformers that run where the user is, in the page.
//
// Importing this does nothing: no fetch, no `window`, no `navigator`. It works from the first `load`.

export { cache } from "./cache.js";
export { CausalLM } from "./causal-lm.js";
export { Engine } from "./engine.js";
export { AzulejoError } from "./errors.js";
export { ImageClassifier } from "./image-classifier.js";
export { ImageTextMatcher } from "./image-text-matcher.js";
export { inspect } from "./inspect.js";
export { Seq2SeqLM } from "./seq2seq-lm.js";
export { TextClassifier } from "./text-classifier.js";
export { TextEmbedder } from "./text-embedder.js";
export { version } from "./version.js";
export type {
  AttentionOptions,
  BatchOptions,
  BitmapSource,
  CachedFile,
  ChatOptions,
  ChatTemplateOptions,
  CausalLMOptions,
  Classification,
  ClassifyOptions,
  ClassifyTextOptions,
  ContentPart,
  Credentials,
  DeviceInfo,
  EmbedOptions,
  EngineOptions,
  Fetch,
  FetchAnswer,
  FetchInit,
  GeneratedToken,
  GenerateOptions,
  Generation,
  GenerationResult,
  Heatmap,
  ImageInput,
  InspectOptions,
  LayerOptions,
  LegendEntry,
  LoadOptions,
  LoadProgress,
  MatchOptions,
  Message,
  ModelSource,
  ModelSummary,
  Patch,
  PatchMap,
  PatchOptions,
  Pooling,
  Seq2SeqOptions,
  Session,
  SignalOptions,
  Spec,
  TensorF32,
  TextLogitsOptions,
  Tokenizer,
  Tool,
  ToolCall,
} from "./types.js";
export type { ErrorCode, ErrorPlace } from "./errors.js";
