// A stack as boxes, from its output down to its input, in words.

import * as format from "./format.js";
import { attentions, distinct, type Attention, type Block, type FeedForward, type Head, type Norm, type Rope, type Stack } from "./spec.js";

export type Tone = "plain" | "norm" | "attention" | "feed-forward";

export interface Box {
  kind: "box";
  tone: Tone;
  title: string;
  lines: string[];
  /** It also reads the other stack's output. */
  crossing?: boolean;
}

/** What is added up: columns beside each other, above what they share; `skip`: and what came in. */
export interface Sum {
  kind: "sum";
  columns: Item[][];
  below: Item[];
  skip: boolean;
}

/** Something that is repeated. */
export interface Frame {
  kind: "frame";
  label: string;
  items: Item[];
}

/** Top to bottom: the last comes first. */
export type Item = Box | Sum | Frame;

const box = (tone: Tone, title: string, lines: string[] = [], crossing = false): Box => ({ kind: "box", tone, title, lines, crossing });
const sum = (...columns: Item[][]): Sum => ({ kind: "sum", columns, below: [], skip: true });

/** The whole stack. */
export function boxesOf(stack: Stack): Item[] {
  const norm = normBox(stack.norm);
  const total = stack.blocks.length;
  const frames = kindsOf(stack.blocks).map((blocks): Frame => {
    const label = blocks.length === total ? `${total} ×` : `${blocks.length} of ${total} ×`;
    return { kind: "frame", label, items: blockItems(stack, blocks) };
  });
  return [
    ...headBoxes(stack.head),
    ...(stack.outputNorm ? [norm] : []),
    ...frames.reverse(),
    ...(stack.inputNorm ? [norm] : []),
    ...inputItems(stack),
  ];
}

/** Blocks that differ in no more than what they see and how they tell positions, together. */
function kindsOf(blocks: readonly Block[]): Block[][] {
  const key = ({ mixer, residual, ...rest }: Block) =>
    JSON.stringify({ ...rest, mixer: { ...mixer, window: null, rope: null }, residual: { ...residual, bare: false } });
  return distinct(blocks, key).map((kind) => blocks.filter((block) => key(block) === key(kind)));
}

/** Blocks of one kind: their branches, each inside its residual. */
function blockItems(stack: Stack, blocks: Block[]): Item[] {
  const { residual: kind, mixer, cross: across, feedForward, layerScale } = blocks.at(-1)!;
  const scaled = (inner: Box): Item[] => (layerScale ? [box("norm", "LayerScale", ["× a learned factor for each value"]), inner] : [inner]);
  const own = scaled(
    mixer.type === "attention"
      ? box("attention", mixer.causal ? "Causal attention" : "Attention", attentionLines(stack, attentions(blocks)))
      : box("attention", "Short convolution", [`gated, over the last ${mixer.taps} tokens`, biases([["", mixer.bias]])]),
  );
  const feed = scaled(box("feed-forward", "Feed-forward", feedForwardLines(feedForward, stack.width)));
  const norm = normBox(stack.norm);
  if (kind.type === "parallel") {
    if (kind.sharedNorm) return [{ ...sum(feed, own), below: [norm] }];
    return [sum([...feed, norm], [...own, norm])];
  }
  const bare = blocks.some(({ residual }) => residual.type === "pre-norm" && residual.bare);
  const first = bare ? { ...norm, lines: [...norm.lines, "not in the first block"] } : norm;
  const branch = (inner: Item[], before: Box): Item[] => {
    switch (kind.type) {
      case "post-norm": return [norm, sum(inner)];
      case "sandwich": return [sum([norm, ...inner, norm])];
      case "inner-norm": return [sum([norm, ...inner])];
      default: return [sum([...inner, before])];
    }
  };
  const cross = box("attention", "Cross-attention", ["queries from here, keys and values from the encoder’s output"], true);
  return [...branch(feed, norm), ...(across ? branch([cross], norm) : []), ...branch(own, first)];
}

function normBox(norm: Norm): Box {
  if (norm.type === "rms") return box("norm", "RMSNorm", norm.plusOne ? ["times 1 + its weight"] : []);
  return box("norm", "LayerNorm", norm.bias ? [] : ["without bias"]);
}

/** `layers`: the attention of all blocks of a kind. */
function attentionLines(stack: Stack, layers: Attention[]): string[] {
  const attention = layers[0]!;
  const { heads, kvHeads, headDim, softCap, qkNorm } = attention;
  const sharing = kvHeads === heads ? "" : kvHeads === 1 ? ", one of keys and values" : `, ${kvHeads} of keys and values`;
  const norms = { none: [], "per-head": ["queries and keys normed, each head by itself"], all: ["queries and keys normed"] }[qkNorm];
  return [
    `${heads} ${heads === 1 ? "head" : "heads"} of ${headDim}${sharing}`,
    ...(attention.causal ? [] : ["every token sees every other"]),
    ...positionLines(stack, layers),
    ...windowLines(layers),
    ...norms,
    ...(attention.sinks ? ["a learned score of no key for each head"] : []),
    ...(softCap ? [`scores capped at ±${softCap}`] : []),
    biases([["queries, keys, values", attention.qkvBias], ["output", attention.outputBias]]),
  ];
}

function positionLines({ scoreBias: bias }: Stack, layers: Attention[]): string[] {
  const ropes = layers.flatMap(({ rope }) => rope ?? []).map(ropeWords);
  const lines = distinct(ropes, (words) => words).map((words) => {
    const alike = ropes.filter((other) => other === words).length;
    return words + (alike < layers.length ? `, in ${alike} of ${layers.length} layers` : "");
  });
  if (ropes.length > 0 && ropes.length < layers.length) lines.push(`${layers.length - ropes.length} layers without positions`);
  if (bias.type === "linear") lines.push("ALiBi: scores fall with the distance");
  if (bias.type === "buckets") lines.push(`a learned score for each of ${bias.buckets} distances, up to ${bias.distance}`);
  return lines;
}

function ropeWords({ pairs, dims, theta, scaling }: Rope): string {
  const stretched = scaling.type === "none" ? "" : scaling.type === "longRope"
    ? `, each pair stretched by itself (LongRoPE, from ${format.count(scaling.originalContext)} tokens)`
    : `, stretched ${scaling.factor} × (${{ linear: "linear", llama3: "Llama 3", yarn: "YaRN" }[scaling.type]})`;
  return `RoPE of ${dims} values, base ${format.count(theta)}${pairs === "interleaved" ? ", neighbours paired" : ""}${stretched}`;
}

function windowLines(layers: Attention[]): string[] {
  const windows = layers.flatMap(({ window }) => window ?? []);
  return [...new Set(windows)].map((size) => {
    const alike = windows.filter((window) => window === size).length;
    return `window of ${format.count(size)} tokens` + (alike === layers.length ? "" : ` in ${alike} of ${layers.length} layers`);
  });
}

function feedForwardLines({ width, activation, gated, bias, experts }: FeedForward, outer: number): string[] {
  const name = activationName(activation);
  const nickname = { SiLU: " (SwiGLU)", GELU: " (GeGLU)" }[name.split(",")[0]!] ?? "";
  return [
    `${format.count(outer)} → ${format.count(width)} → ${format.count(outer)}`,
    ...(experts ? [`${experts.count} experts, ${experts.used} of them for each token`] : []),
    gated ? `${name} of a gate, times the rest${nickname}` : name,
    ...(experts?.limit ? [`gates clamped at ${experts.limit}`] : []),
    biases([["", bias]]),
  ];
}

/** SiLU, GELU, tanh approximation: for silu, gelu-tanh. */
export function activationName(activation: string): string {
  const names: Record<string, string> = {
    "silu": "SiLU", "gelu": "GELU", "gelu-tanh": "GELU, by tanh", "gelu-quick": "GELU, by sigmoid", "relu": "ReLU", "tanh": "tanh",
  };
  return names[activation] ?? activation;
}

/** `biases: output`, `biases`, `no biases`. */
function biases(which: [string, boolean][]): string {
  const there = which.filter(([, is]) => is).map(([name]) => name);
  if (there.length === 0) return "no biases";
  return there.length === which.length ? "biases" : `biases: ${there.join(", ")}`;
}

function headBoxes(head: Head): Box[] {
  switch (head.type) {
    case "vocabulary": {
      const extra = [head.tied ? "the embedding’s table again" : "a table of its own"];
      if (head.bias) extra.push("with bias");
      if (head.scale !== 1) extra.push(`logits × ${short(head.scale)}`);
      if (head.softCap) extra.push(`logits capped at ±${head.softCap}`);
      return [box("plain", "Logits of the next token", extra)];
    }
    case "classes": {
      const { dense } = head;
      const between = dense ? [`first a layer with ${activationName(dense.activation)}${dense.norm ? " and a norm" : ""}`] : [];
      return [box("plain", `Logits of ${format.count(head.classes)} classes`, [...between, `reads ${poolingWords(head.pooling)}`])];
    }
    case "embedding":
      return [box("plain", `One vector of ${format.count(head.width)}`, [`of ${poolingWords(head.pooling)}${head.projection ? ", projected" : ""}`])];
    case "none":
      return [box("plain", "A vector for each token", head.pooler ? ["and a pooler, which reads the first"] : [])];
  }
}

function poolingWords(pooling: string | { token: number }): string {
  if (typeof pooling !== "string") return `token ${pooling.token}`;
  const words: Record<string, string> = {
    "class-token": "the first token", "both-tokens": "the class token and the distillation token",
    "class-token-and-mean": "the class token and the mean of the patches", "mean": "the mean of all tokens", "last": "the last token",
    "each": "each token by itself",
    "largest-token": "the end token", "attention": "what a learned query looks at",
  };
  return words[pooling] ?? pooling;
}

function inputItems({ input, width }: Stack): Item[] {
  if (input.type === "patches") {
    const [height, across] = input.image;
    const [rows, columns] = [Math.floor(height / input.patch[0]), Math.floor(across / input.patch[1])];
    const more = [
      ...(input.classToken ? ["a class token"] : []),
      ...(input.distillationToken ? ["a distillation token"] : []),
      ...(input.registers > 0 ? [`${input.registers} registers`] : []),
    ];
    const patches = box("plain", `${columns} × ${rows} patches`, [
      `of ${input.patch[1]} × ${input.patch[0]} × ${input.channels} values, each a token of ${format.count(width)}`,
      ...(more.length > 0 ? [`and ${more.join(", ")}`] : []),
    ]);
    return [{ kind: "sum", columns: [[patches], [box("plain", "Positions", ["learned"])]], below: [], skip: false }];
  }
  const { positions, types, scale } = input;
  const table = box("plain", "Token embedding", [
    `${format.count(input.vocabulary)} × ${format.count(width)}${input.shared ? ", shared with the other stack" : ""}`,
    ...(scale !== 1 ? [`× ${short(scale)}`] : []),
  ]);
  const columns: Item[][] = [[table]];
  if (positions.type !== "none") columns.push([box("plain", "Positions", [positions.type === "learned" ? "learned" : "sines and cosines"])]);
  if (types > 0) columns.push([box("plain", "Types", [types === 1 ? "one" : `${types} texts`])]);
  return columns.length === 1 ? [table] : [{ kind: "sum", columns, below: [], skip: false }];
}

const short = (value: number) => String(Number(value.toPrecision(4)));

/** One block as a formula, line by line. */
export function formula({ blocks }: Stack): string[] {
  const { residual, cross } = blocks.at(-1)!;
  const around = (f: string, more = ""): string => {
    switch (residual.type) {
      case "post-norm": return `x ← norm(x + ${f}(x${more}))`;
      case "sandwich": return `x ← x + norm(${f}(norm(x)${more}))`;
      case "inner-norm": return `x ← x + norm(${f}(x${more}))`;
      default: return `x ← x + ${f}(norm(x)${more})`;
    }
  };
  if (residual.type === "parallel") {
    const [first, second] = residual.sharedNorm ? ["norm", "norm"] : ["norm₁", "norm₂"];
    return [`x ← x + attention(${first}(x)) + feed_forward(${second}(x))`];
  }
  return [around("attention"), ...(cross ? [around("cross_attention", ", encoder")] : []), around("feed_forward")];
}
