// What was loaded and where it runs: a line in words, and the facts behind it.

import type { DeviceInfo, ModelSummary } from "./azulejo/index.js";
import { make } from "./dom.js";
import * as format from "./format.js";

/**
 * Writes the card: where the model runs in words, and the numbers behind it. `own` are the facts of this kind of model, put
 * between its size and its memory.
 */
export function describe(
  element: HTMLElement,
  name: string,
  { summary, device, own }: { summary: ModelSummary; device: DeviceInfo; own: string[] },
): void {
  const { memory } = summary;
  const kept = memory.kvCache > 0 ? `, conversation up to ${format.bytes(memory.kvCache)}` : "";
  const split = `${format.bytes(memory.total)} memory: weights ${format.bytes(memory.weights)}${kept}, working space ${format.bytes(memory.activations)}`;
  const details = make("details");
  const facts = make("p");
  facts.append(...factsOf(summary, [...own, split, ...whereabouts(device)]));
  details.append(make("summary", "", /gpu|adapter/.test(device.reason ?? "") ? "Why not the graphics card, and in numbers" : "In numbers"), facts);
  element.replaceChildren(make("strong", "", name), " ", inWords(device), details);
}

/** Where a model runs, for who does not know what runs things. */
function inWords({ kind, description }: DeviceInfo): string {
  if (kind === "webgpu") return "on your graphics processor";
  const threads = Number(/(\d+) threads?/.exec(description)?.[1] ?? 1);
  return `on your processor, ${threads === 1 ? "1 core" : `${threads} cores`}`;
}

/** What is known of any model, then `more`. */
export function factsOf(summary: ModelSummary, more: string[]): (Node | string)[] {
  const facts = [
    summary.architecture,
    `${format.parameters(summary.parameters)} parameters`,
    quantization(summary),
    `${summary.layers} layers × ${format.count(summary.width)} wide`,
    ...more,
  ];
  return facts.flatMap((fact) => [make("span", "fact", fact), " "]);
}

/** The device with what is in use there, and why it is not a faster one. */
function whereabouts(device: DeviceInfo): string[] {
  const features = device.features
    .map((feature) => feature.replace("relaxed-simd", "relaxed SIMD"))
    .filter((feature) => !device.description.toLowerCase().includes(feature.toLowerCase()));
  const where = [deviceName(device), ...features].join(", ");
  return [where, ...(device.reason?.split("; ").map(plainly) ?? [])];
}

/** What the engine may say of a browser, in words for who does not know its parts. */
const REASONS: [said: RegExp, words: string][] = [
  [/^no navigator\.gpu$/, "this browser has no WebGPU"],
  [/^no adapter/, "no graphics processor for WebGPU"],
  [/^the only adapter computes in software: (.*)$/, "WebGPU would be software here, and slower ($1)"],
  [/^page is not cross-origin isolated$/, "one thread: the page is not cross-origin isolated"],
];

/** A reason in those words; one that is not among them as it is. */
function plainly(reason: string): string {
  const known = REASONS.find(([said]) => said.test(reason));
  return known ? reason.replace(...known) : reason;
}

/** `WebGPU: nvidia / hopper`, or `CPU: wasm simd128, 4 threads`. */
export function deviceName({ kind, description }: DeviceInfo): string {
  return `${kind === "webgpu" ? "WebGPU" : "CPU"}: ${description}`;
}

/** Q4_1, or Q4_K + Q6_K: types of the weights, the most frequent first. Small float tensors do not count. */
function quantization(summary: ModelSummary): string {
  const types = Object.entries(summary.quantization).sort((a, b) => b[1] - a[1]).map(([type]) => type);
  const packed = types.filter((type) => type !== "F32");
  return (packed.length > 0 ? packed : types).join(" + ");
}
