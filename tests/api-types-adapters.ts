// The adapters' types, held against those of the packages that they are for.

import { generateText, type EmbeddingModel, type LanguageModel } from "ai";
import OpenAI from "openai";
import { azulejo } from "../dist/ai-sdk.js";
import type { CausalLM, TextEmbedder } from "../dist/index.js";
import { promptApi, type LanguageModelClass } from "../dist/prompt-api.js";
import { openai, type Chat, type OpenAIClient } from "../dist/openai.js";

export async function use(lm: CausalLM, embedder: TextEmbedder): Promise<void> {
  const provider = azulejo({ lm, embedder });
  const model: LanguageModel = provider("lm");
  const vectors: EmbeddingModel = provider.embeddingModel("embedder");
  await generateText({ model, prompt: "a" });
  void vectors;

  const client: OpenAIClient = openai({ lm, embedder });
  const official = new OpenAI({ apiKey: "none", baseURL: "http://page.example/v1", fetch: client.fetch });
  const theirs = await official.chat.completions.create({ model: "lm", messages: [{ role: "user", content: "a" }] });
  const ours: Chat.Completion = await client.chat.completions.create({ model: "lm", messages: [{ role: "user", content: "a" }] });
  const same: (string | null)[] = [theirs.choices[0]!.message.content, ours.choices[0]!.message.content];
  void same;
  for await (const chunk of await client.chat.completions.create({ model: "lm", messages: [], stream: true })) chunk satisfies Chat.Chunk;

  const Own: LanguageModelClass = promptApi(async (report) => (report(1), lm));
  const session = await Own.create({ initialPrompts: [{ role: "system", content: "a" }] });
  const text: string = await session.prompt([{ role: "user", content: "b" }], { responseConstraint: /a+/ });
  void text;
  // @ts-expect-error: an option that there is not
  await client.embeddings.create({ model: "embedder", inputs: "a" });
}
