// The parts of `ModelSummary.spec` that the views name.

import type { Spec } from "/azulejo/index.js";

export type { Spec };
export type PatchInput = Extract<Spec["input"], { type: "patches" }>;
export type Norm = Spec["norm"];
export type Attention = Spec["attention"];
export type Rope = Attention["ropes"][number];
export type FeedForward = Spec["feedForward"];
export type Head = Spec["head"];

/** A model's stacks, from left to right, and what they are called where there are two. */
export function stacksOf(spec: Spec): { name: string; spec: Spec }[] {
  if (!spec.second) return [{ name: "", spec }];
  const names = spec.crossAttention ? ["Encoder", "Decoder"] : ["Images", "Text"];
  return [spec.second, spec].map((each, at) => ({ name: names[at]!, spec: each }));
}

/** Whether every layer of a list is the same. */
export const alike = (layers: unknown[]): boolean => layers.every((layer) => layer === layers[0]);
