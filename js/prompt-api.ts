/**
 * Chrome's Prompt API for browsers without it: `import { promptApi } from "azulejo/prompt-api"`.
 *
 * @module azulejo/prompt-api
 */

export { promptApi } from "./prompt-api/language-model.js";
export type { LanguageModelClass, PromptSession } from "./prompt-api/language-model.js";
export type { AppendOptions, Availability, CreateOptions, ModelSourceOf, PromptInput, PromptMessage, PromptOptions } from "./prompt-api/types.js";
