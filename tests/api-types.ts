// A caller's TypeScript, compiled by tests/api-types.test.mjs and never run: every name that the package promises.

import { AzulejoError, cache, CausalLM, Engine, inspect } from "../dist/index.js";
import type { GeneratedToken, Generation, GenerationResult, LoadProgress, ModelSummary, Session } from "../dist/index.js";

export async function use(folder: FileSystemDirectoryHandle, stream: ReadableStream<Uint8Array>): Promise<string> {
  const engine: Engine = await Engine.create({ device: "auto", threads: 2, worker: true, powerPreference: "low-power", assets: new URL("https://a.example/") });
  const { kind, description, features, reason } = engine.device;
  const onProgress = ({ stage, file, loadedBytes, totalBytes, pipelines }: LoadProgress) =>
    void [stage, file, loadedBytes, totalBytes, pipelines?.done];
  const summary: ModelSummary = await inspect("hf:org/name@main/a.gguf", { engine, contextLength: 512, batch: 1 });
  for (const source of [folder, stream, new Blob([]), [new File([], "a")], { "a.gguf": new Uint8Array() }]) {
    await CausalLM.load(source, { engine, onProgress, cache: false, contextLength: 512, kvCacheType: "q8", integrity: {} });
  }
  const lm: CausalLM = await CausalLM.load("/a.gguf");
  const generation: Generation = lm.generate([{ role: "user", content: "hi" }], { maxTokens: 3, seed: 1, stop: ["."], logitBias: { 3: 1 } });
  for await (const { id, text, logprob, alternatives } of generation) void ([id, text, logprob, alternatives] satisfies unknown[]);
  const result: GenerationResult = await generation.finally(() => {});
  const tokens: GeneratedToken[] = [];
  for await (const token of lm.generate(result.tokens)) tokens.push(token);
  const session: Session = lm.createSession();
  await session.generate("hi", { signal: AbortSignal.timeout(1) });
  const { data, dims } = await lm.logits([[1, 2], new Uint32Array(3)], { last: true });
  await lm.attentionMaps([1, 2], { layer: 0 });
  const ids: Uint32Array = await lm.tokenizer.encode("hi", { addSpecial: false });
  const error = new AzulejoError("aborted", "by the caller", { file: "a.gguf", offset: 3 });
  const [kept] = await cache.list();
  await cache.delete(kept?.url);
  await Promise.all([session.dispose(), lm.dispose(), engine.dispose()]);
  return [kind, description, features, reason, summary.memory.total, data.length, dims, ids.length, error.where?.offset].join();
}
