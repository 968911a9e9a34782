/**
 * OpenAI's API over models in the page: `import { openai } from "azulejo/openai"`.
 *
 * @module azulejo/openai
 */

export { openai } from "./openai/client.js";
export type { OpenAIModels } from "./openai/client.js";
export type { Chat, Completions, Embeddings, OpenAIClient, Requested } from "./openai/types.js";
