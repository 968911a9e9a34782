// The parts of `ModelSummary.spec` that the views name.

import type { Spec } from "./azulejo/index.js";

export type { Spec };
export type Stack = Spec["stacks"][number];
export type Block = Stack["blocks"][number];
export type PatchInput = Extract<Stack["input"], { type: "patches" }>;
export type Norm = Stack["norm"];
export type Attention = Extract<Block["mixer"], { type: "attention" }>;
export type Rope = NonNullable<Attention["rope"]>;
export type FeedForward = Block["feedForward"];
export type Head = Stack["head"];

/** A model's stacks, from left to right, and what they are called where there are several. */
export function stacksOf({ stacks }: Spec): { name: string; stack: Stack }[] {
  const crossing = stacks.some(looksAcross);
  const nameOf = (stack: Stack) => stack.input.type === "patches" ? "Images" : !crossing ? "Text" : looksAcross(stack) ? "Decoder" : "Encoder";
  return stacks.map((stack) => ({ name: stacks.length > 1 ? nameOf(stack) : "", stack })).reverse();
}

/** Whether it looks at another stack's output. */
export const looksAcross = ({ blocks }: Stack): boolean => blocks.some(({ cross }) => cross !== null);

/** The attention of those blocks that have it. */
export const attentions = (blocks: readonly Block[]): Attention[] => blocks.flatMap(({ mixer }) => (mixer.type === "attention" ? mixer : []));

/** A list without repetitions, by what `key` says of each. */
export const distinct = <T>(list: readonly T[], key: (item: T) => string): T[] => [...new Map(list.map((item) => [key(item), item])).values()];
