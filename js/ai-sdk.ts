/**
 * A provider for Vercel's AI SDK: `import { azulejo } from "azulejo/ai-sdk"`.
 *
 * @module azulejo/ai-sdk
 */

export { azulejo } from "./ai-sdk/provider.js";
export type { AzulejoModels, AzulejoProvider } from "./ai-sdk/provider.js";
export type { EmbeddingModel, LanguageModel } from "./ai-sdk/types.js";
