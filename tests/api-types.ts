// A caller's TypeScript, compiled by tests/api-types.test.mjs and never run: every name that the package promises.

import {
  AzulejoError,
  cache,
  CausalLM,
  Engine,
  ImageClassifier,
  ImageTextMatcher,
  inspect,
  Seq2SeqLM,
  TextClassifier,
  TokenClassifier,
  TextEmbedder,
} from "../dist/index.js";
import type { Classification, GeneratedToken, Generation, GenerationResult, Heatmap, ImageInput, LoadProgress, Message, ModelSummary, PatchMap, Pooling, Session, Spec, TensorF32, TextSpan, Tokenizer, Tool } from "../dist/index.js";

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
  const tools: Tool[] = [{ name: "add", description: "Adds.", parameters: { type: "object" } }];
  const talk: Message[] = [
    { role: "developer", content: [{ type: "text", text: "hi" }] },
    { role: "assistant", content: null, reasoning: "", toolCalls: [{ id: "1", name: "add", arguments: { x: 1 } }] },
    { role: "tool", content: "3", toolCallId: "1", name: "add" },
  ];
  const shown: string = await lm.tokenizer.applyChatTemplate(talk, { tools, templateOptions: { enable_thinking: false }, allowSpecial: true });
  lm.generate(talk, { tools, templateOptions: {}, allowSpecial: false });
  lm.generate(talk, { jsonSchema: { type: "object" } });
  lm.generate(talk, { regex: "a+" });
  lm.generate(talk, { grammar: 'root ::= "a"' });
  lm.generate(talk, { grammar: { lark: 'start: "a"' } });
  void shown;
  const generation: Generation = lm.generate([{ role: "user", content: "hi" }], { maxTokens: 3, seed: 1, contextShift: { keep: 4 }, stop: ["."], logitBias: { 3: 1 } });
  for await (const { id, text, logprob, alternatives } of generation) void ([id, text, logprob, alternatives] satisfies unknown[]);
  const result: GenerationResult = await generation.finally(() => {});
  const tokens: GeneratedToken[] = [];
  for await (const token of lm.generate(result.tokens)) tokens.push(token);
  const session: Session = lm.createSession();
  await session.generate("hi", { signal: AbortSignal.timeout(1) });
  const signal: AbortSignal | undefined = undefined;
  const { data, dims } = await lm.logits([[1, 2], new Uint32Array(3)], { last: true, signal });
  await lm.attentionMaps([1, 2], { layer: 0, signal });
  const piece: string | undefined = (await lm.generate("hi").stream().getReader().read()).value;
  const bytes: ReadableStream<Uint8Array> = lm.generate("hi").stream().pipeThrough(new TextEncoderStream());
  await CausalLM.load("hf:org/name", { device: "cpu", fetch, revalidate: 60_000, cacheKey: "a", retries: 2, token: "b", endpoint: "https://a.example/", quant: "Q8_0", signal });
  const counts: Record<string, number> = await engine.diagnostics();
  const spec: Spec = summary.spec;
  const [stack] = spec.stacks;
  const mixer = stack?.blocks[0]?.mixer;
  const scaling = mixer?.type === "attention" ? mixer.rope?.scaling : undefined;
  const factor = scaling?.type === "yarn" ? scaling.betaFast : stack?.width;
  void [piece, bytes, counts, factor];
  const ids: Uint32Array = await lm.tokenizer.encode("hi", { addSpecial: false });
  const error = new AzulejoError("aborted", "by the caller", { file: "a.gguf", offset: 3 });
  const [kept] = await cache.list();
  await cache.delete(kept?.url);
  await Promise.all([session.dispose(), lm.dispose(), engine.dispose()]);
  return [kind, description, features, reason, summary.memory.total, data.length, dims, ids.length, error.where?.offset].join();
}

export async function look(image: HTMLImageElement, video: HTMLVideoElement, canvas: OffscreenCanvas, frame: VideoFrame): Promise<unknown[]> {
  const vit: ImageClassifier = await ImageClassifier.load("/models/vit/", { quantize: "q8_0", cache: false });
  const inputs: ImageInput[] = [image, video, canvas, frame, new Blob([]), new ImageData(1, 1), "/a.png", new URL("https://a.example/"), { data: new Uint8Array(4), width: 1, height: 1 }];
  const [best]: Classification[] = await vit.classify(image);
  const many: Classification[][] = await vit.classify(inputs, { topK: 3, signal: AbortSignal.timeout(1) });
  const onProgress = (done: number, total: number) => void (done / total);
  const map: PatchMap = await vit.classifyPatches(canvas, { size: 224, stride: 112, batch: 4, topK: 2, onProgress });
  const { x, y, width, height, best: shown } = map.patches[0]!;
  const overlays: ImageData[] = [map.toImageData(), map.toImageData({ label: vit.labels[0]! })];
  const heat: Heatmap = await vit.attention(image, { layer: 3, head: "mean" });
  overlays.push(heat.toImageData(), (await vit.attention(image, { layer: "rollout", head: 0 })).toImageData(224, 224));
  const pixels: TensorF32 = await vit.pixels([image, canvas]);
  const tensors: TensorF32[] = await Promise.all([vit.logits(pixels), vit.features(pixels), vit.features(image), vit.attentionMaps(pixels)]);
  await vit.dispose();
  const { label, color, patches } = map.legend[0]!;
  return [best?.label, best?.index, best?.score, many, x, y, width, height, shown, overlays, heat.values, heat.rows, tensors, label, color, patches, vit.summary];
}

export async function read(engine: Engine, ids: Uint32Array): Promise<unknown[]> {
  const signal = AbortSignal.timeout(1);
  const onProgress = (done: number, total: number) => void (done / total);
  const embedder: TextEmbedder = await TextEmbedder.load("/models/minilm/", { engine, quantize: "q8_0" });
  const pooling: Pooling = "cls";
  const vectors: TensorF32[] = [
    await embedder.embed("a"),
    await embedder.embed(["a", "b"], { pooling, normalize: false, signal, onProgress }),
    await embedder.embed([[1, 2], ids]),
    await embedder.hidden([[1, 2], ids]),
    await embedder.hidden([ids], { signal }),
  ];
  const classifier: TextClassifier = await TextClassifier.load("/models/nli/", { engine });
  const texts: (string | [string, string])[] = ["a", ["a", "b"]];
  const classes: Classification[][] = await classifier.classify(texts, { topK: 2, signal, onProgress });
  classes.push(await classifier.classify("a"));
  const labels: string[] = classifier.labels;
  vectors.push(await classifier.logits([ids]), await classifier.logits([[1]], { signal }));
  const ner: TokenClassifier = await TokenClassifier.load("/models/ner/", { engine });
  const spans: TextSpan[][] = await ner.classify(["a"], { merge: false, signal, onProgress });
  spans.push(await ner.classify("a"));
  for (const { label, score, text, start, end } of spans.flat()) void ([label, score, text, start, end] satisfies unknown[]);
  labels.push(...ner.labels);
  vectors.push(await ner.logits([ids]), await ner.logits([1], { signal }));
  const lm: Seq2SeqLM = await Seq2SeqLM.load("/models/t5/", { engine });
  const generation: Generation = lm.generate("translate", { beams: 4, maxTokens: 8, signal });
  for await (const { id, text } of generation) void ([id, text] satisfies unknown[]);
  const { text, stats }: GenerationResult = await lm.generate(ids, { temperature: 1, seed: 3 });
  vectors.push(await lm.logits([[1], ids], [[0], [0]]), await lm.logits([ids], [[0]], { signal }));
  const tokenizers: Tokenizer[] = [embedder.tokenizer, classifier.tokenizer, ner.tokenizer, lm.tokenizer];
  const summaries: ModelSummary[] = [embedder.summary, classifier.summary, ner.summary, lm.summary];
  const engines: Engine[] = [embedder.engine, classifier.engine, ner.engine, lm.engine];
  await Promise.all([embedder.dispose(), classifier.dispose(), ner.dispose(), lm.dispose()]);
  return [vectors, classes, labels, text, stats, tokenizers, summaries, engines];
}

export async function match(image: HTMLImageElement, file: Blob, pixels: TensorF32): Promise<unknown[]> {
  const signal = AbortSignal.timeout(1);
  const onProgress = (done: number, total: number) => void (done / total);
  const clip: ImageTextMatcher = await ImageTextMatcher.load("/models/clip/", { cache: false });
  const [best]: Classification[] = await clip.classify(image, ["cat", "dog"]);
  const many: Classification[][] = await clip.classify([image, file], ["cat"], { template: "a drawing of a {}", signal });
  const tensors: TensorF32[] = [
    await clip.embedImage(image),
    await clip.embedImage([image, file], { signal, onProgress }),
    await clip.embedImage(pixels),
    await clip.embedText("a"),
    await clip.embedText(["a", "b"], { signal, onProgress }),
    await clip.embedText([[1, 2], new Uint32Array(3)]),
    await clip.logits(pixels, [[1, 2]]),
    await clip.logits(pixels, [new Uint32Array(3)], { signal }),
  ];
  const tokenizer: Tokenizer = clip.tokenizer;
  const summary: ModelSummary = clip.summary;
  const engine: Engine = clip.engine;
  await clip.dispose();
  return [best, many, tensors, tokenizer, summary, engine];
}
