// azulejo: transformers that run where the user is, in the page.
//
// Importing this does nothing: no fetch, no `window`, no `navigator`. It works from the first `load`.

export { cache } from "./cache.js";
export { CausalLM } from "./causal-lm.js";
export { Engine } from "./engine.js";
export { AzulejoError } from "./errors.js";
export { ImageClassifier } from "./image-classifier.js";
export { inspect } from "./inspect.js";
export type {
  AttentionOptions,
  CachedFile,
  CausalLMOptions,
  Classification,
  ClassifyOptions,
  DeviceInfo,
  EngineOptions,
  GeneratedToken,
  GenerateOptions,
  Generation,
  GenerationResult,
  Heatmap,
  ImageInput,
  InspectOptions,
  LegendEntry,
  LoadOptions,
  LoadProgress,
  Message,
  ModelSource,
  ModelSummary,
  Patch,
  PatchMap,
  PatchOptions,
  Session,
  TensorF32,
  Tokenizer,
} from "./types.js";
export type { ErrorCode, ErrorPlace } from "./errors.js";
