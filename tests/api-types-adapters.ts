// The adapters' types, held against those of the packages that they are for.

import { generateText, type EmbeddingModel, type LanguageModel } from "ai";
import OpenAI from "openai";
import { azulejo } from "../dist/ai-sdk.js";
import { CausalLM, type ImageClassifier, type ModelServer, type RemoteOptions, type TextEmbedder } from "../dist/index.js";
import { promptApi, type LanguageModelClass } from "../dist/prompt-api.js";
import { openai, type Chat, type OpenAIClient } from "../dist/openai.js";
import * as remote from "../dist/remote.js";

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
  const server: RemoteOptions = { url: "/v1", headers: async () => ({ authorization: "Bearer a" }) };
  // What a server has is the package's own, and goes wherever that does.
  const far: CausalLM = await remote.CausalLM.load(server, { signal: AbortSignal.timeout(5) });
  const either: CausalLM = await CausalLM.load("/a.gguf", { fallback: server });
  const classifier: ImageClassifier = await remote.ImageClassifier.load({ url: new URL("http://a"), model: "vit", images: { mean: [0], std: [1] } });
  const place: ModelServer | undefined = either.server;
  void [place, classifier, openai({ far, embedder: await remote.TextEmbedder.load(server) })];
  // @ts-expect-error: an option that there is not
  await remote.CausalLM.load({ url: "/v1", key: "a" });

  // @ts-expect-error: an option that there is not
  await client.embeddings.create({ model: "embedder", inputs: "a" });
}
