/**
 * Transformers that run where the user is, in the page.
 *
 * Importing this does nothing: no fetch, no `window`, no `navigator`. It works from the first `load`.
 *
 * @module azulejo
 */

export { cache } from "./page/cache.js";
export { CausalLM } from "./page/causal-lm.js";
export { Engine } from "./page/engine.js";
export { AzulejoError } from "./shared/errors.js";
export { ImageClassifier } from "./page/image-classifier.js";
export { ImageTextMatcher } from "./page/image-text-matcher.js";
export { inspect } from "./page/inspect.js";
export { Seq2SeqLM } from "./page/seq2seq-lm.js";
export { sessions } from "./page/sessions.js";
export { TextClassifier } from "./page/text-classifier.js";
export { TextEmbedder } from "./page/text-embedder.js";
export { TokenClassifier } from "./page/token-classifier.js";
export { version } from "./shared/version.js";
export type { AdapterOptions, CausalLMOptions, InspectOptions, LoadOptions } from "./page/types-load.js";
export type {
  AttentionOptions,
  BatchOptions,
  BitmapSource,
  CachedFile,
  ChatOptions,
  ChatTemplateOptions,
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
  KernelTuning,
  KeptSession,
  LayerOptions,
  LegendEntry,
  LoadProgress,
  MatchOptions,
  Message,
  ModelServer,
  ModelSource,
  ModelSummary,
  Patch,
  PatchMap,
  PatchOptions,
  Pooling,
  RemoteImages,
  RemoteOptions,
  Seq2SeqOptions,
  Session,
  SignalOptions,
  SpanOptions,
  Spec,
  TensorF32,
  TextLogitsOptions,
  TextSpan,
  Tokenizer,
  Tool,
  ToolCall,
} from "./shared/types.js";
export type { ErrorCode, ErrorPlace } from "./shared/errors.js";
