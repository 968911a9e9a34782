// A caller's TypeScript without the DOM's library and Node's types, compiled by tests/api-types.test.mjs and never run.

import { CausalLM, Engine, ImageClassifier, inspect } from "../dist/index.js";
import type { Fetch, Generation, LoadOptions, ModelSource, Spec } from "../dist/index.js";

declare const signal: AbortSignal | undefined;
declare const fetch: Fetch;

export async function use(source: ModelSource): Promise<unknown[]> {
  const engine: Engine = await Engine.create({ device: "cpu", threads: undefined });
  const options: LoadOptions = { engine, signal, fetch, credentials: "omit" };
  const lm = await CausalLM.load(source, options);
  const generation: Generation = lm.generate("hi", { maxTokens: 3, signal });
  const text: string = await generation.text();
  const spec: Spec = (await inspect("hf:org/name")).spec;
  const vit = await ImageClassifier.load("/models/vit/");
  const [best] = await vit.classify({ data: new Uint8Array(4), width: 1, height: 1 });
  return [text, spec.stacks[0]?.width, best?.label, lm[Symbol.asyncDispose]()];
}
