// The results of each step as elements of the page.

import { make } from "../dom.js";
import * as format from "../format.js";
import type { AdapterFacts } from "./adapter.js";
import type { Ceilings } from "./ceilings.js";
import type { Verdict } from "./compare.js";
import { ASKED, CASES, PLAIN, variantsOf, type KernelResult } from "./kernels.js";
import { bandwidthShare, tallyFamilies, tallyKernels, type Report, type StepName, type Tally } from "./report.js";
import type { Step } from "./speed.js";

/** What to show of a step, as far as it is. */
export const SHOW: Record<StepName, (report: Report) => HTMLElement[]> = {
  families: (report) => [
    tallyLine(tallyFamilies(report), "families"),
    chips(report),
    ...wrongs(report.families.results.map((result): [string, Verdict] => [result.name, result])),
  ],
  kernels: (report) => [
    tallyLine(tallyKernels(report), "models, one for each format of weights and type of cache, with the GPU as it is and made out to be less,"),
    kernelTable(report.kernels.results, report.engine?.features ?? []),
    ...wrongs(report.kernels.results.flatMap(({ name, variant, verdicts }) =>
      Object.entries(verdicts).map(([asked, verdict]): [string, Verdict] => [`${name}, ${asked}, ${variant}`, verdict]))),
  ],
  ceilings: ({ ceilings }) => [facts(ceilingFacts(ceilings))],
  speed: (report) => [
    facts(rateFacts(report)),
    ...report.speed.steps.map(stepTable),
  ],
};

function tallyLine({ right, compared, of }: Tally, what: string): HTMLElement {
  const rest = compared < of ? `; ${of - compared} were not reached yet` : "";
  return make("p", right < compared ? "wrong" : "", `${right} of ${compared} ${what} are right${rest}.`);
}

/** A mark that is not only a colour, and words for a screen reader. */
function mark(right: boolean): HTMLElement[] {
  const sign = make("span", right ? "right" : "wrong", right ? "✓" : "✗");
  sign.setAttribute("aria-hidden", "true");
  return [sign, make("span", "visually-hidden", right ? "right" : "wrong")];
}

const errorOf = ({ error, tolerance, why }: Verdict) => why ?? (tolerance ? `largest difference ${error.toExponential(1)}, ${tolerance.toExponential(1)} tolerated` : "the same tokens");

function chips({ families }: Report): HTMLElement {
  const list = make("ul", "chips");
  list.append(...families.results.map((result) => {
    const chip = make("li", "chip");
    chip.append(...mark(result.right), ` ${result.name}`);
    chip.title = errorOf(result);
    return chip;
  }));
  return list;
}

/** Each that is wrong in a sentence: what is right needs none. */
function wrongs(verdicts: [string, Verdict][]): HTMLElement[] {
  const found = verdicts.filter(([, { right }]) => !right).slice(0, MOST_SENTENCES);
  if (found.length === 0) return [];
  const list = make("ul", "wrongs");
  list.append(...found.map(([name, verdict]) => make("li", "", `${name}: ${errorOf(verdict)}`)));
  return [list];
}
const MOST_SENTENCES = 12;

function kernelTable(results: KernelResult[], features: string[]): HTMLElement {
  const columns = variantsOf(features).flatMap((variant) => ASKED.filter((asked) => variant.asked.includes(asked)).map((asked) => ({ variant: variant.name, asked })));
  const head = columns.map(({ variant, asked }) => (variant === PLAIN.name ? asked : `${asked}, ${variant}`));
  const rows = CASES.map(({ name }) => [name, ...columns.map(({ variant, asked }) => {
    const verdict = results.find((result) => result.name === name && result.variant === variant)?.verdicts[asked];
    const cell = make("span", "", verdict ? "" : "·");
    if (!verdict) return cell;
    cell.append(...mark(verdict.right));
    cell.title = errorOf(verdict);
    return cell;
  })]);
  return table("Weights and caches", ["", ...head], rows);
}

/** A table in a box that scrolls sideways where it has no room, by keyboard too. */
function table(caption: string, head: string[], rows: (string | HTMLElement)[][]): HTMLElement {
  const element = make("table", "numbers");
  element.append(make("caption", "visually-hidden", caption));
  const line = element.createTHead().insertRow();
  for (const words of head) {
    const cell = make("th", "", words);
    cell.scope = "col";
    line.append(cell);
  }
  const body = element.createTBody();
  for (const [first, ...cells] of rows) {
    const row = body.insertRow();
    const name = make("th", "", String(first));
    name.scope = "row";
    row.append(name);
    for (const cell of cells) row.insertCell().append(cell);
  }
  const box = make("div", "scrolls");
  box.tabIndex = 0;
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", caption);
  box.append(element);
  return box;
}

/** Names and what they come to. */
export function facts(entries: [name: string, value: string][]): HTMLElement {
  const list = make("dl", "facts numbers");
  for (const [name, value] of entries) {
    const pair = make("div");
    pair.append(make("dt", "", name), make("dd", "", value));
    list.append(pair);
  }
  return list;
}

const giga = (perSecond: number, unit: string) => (perSecond >= 1e12 ? `${format.rate(perSecond / 1e12)} T${unit}/s` : `${format.rate(perSecond / 1e9)} G${unit}/s`);

function ceilingFacts({ clock, bytesPerSecond, operationsPerSecond, halfOperationsPerSecond, byteOperationsPerSecond, dependentDispatchMs, independentDispatchMs }: Partial<Ceilings>): [string, string][] {
  const micro = (value: number | undefined, name: string): [string, string][] => (value ? [[name, `${(value * 1000).toFixed(1)} µs`]] : []);
  const rate = (value: number | undefined, name: string, unit: string): [string, string][] => (value ? [[name, giga(value, unit)]] : []);
  return [
    ...rate(bytesPerSecond, "memory read", "B"),
    ...rate(operationsPerSecond, "f32 multiply-adds", "Flop"),
    ...rate(halfOperationsPerSecond, "f16 multiply-adds", "Flop"),
    ...rate(byteOperationsPerSecond, "products of 8 bits", "op"),
    ...micro(dependentDispatchMs, "a dispatch that waits"),
    ...micro(independentDispatchMs, "a dispatch that does not"),
    ...(clock ? [["by the clock of", clock === "gpu" ? "the GPU" : "the page"] as [string, string]] : []),
  ];
}

const RATE_NAMES: Record<string, string> = { decode: "writing, best tokens", "decode, drawn": "writing, drawn tokens" };

function rateFacts(report: Report): [string, string][] {
  const rates = report.speed.rates.map(({ name, tokens, perSecond }): [string, string] =>
    [RATE_NAMES[name] ?? `reading ${tokens} tokens`, `${format.rate(perSecond)} tokens/s${name in RATE_NAMES && tokens < 64 ? ` (of ${tokens})` : ""}`]);
  const share = bandwidthShare(report);
  if (share === undefined) return rates;
  return [...rates, ["of its bandwidth, writing", `${format.percent(share)}${share > 1 ? ", more than memory gives: the weights lie in a cache" : ""}`]];
}

function stepTable({ name, dispatches, kernels }: Step): HTMLElement {
  const title = make("h4", "", `${name === "decode" ? "A token that is written" : `A prompt of ${name.replace("prefill ", "")} tokens`}: ${Math.round(dispatches)} dispatches`);
  const timed = kernels.some(({ ms }) => ms > 0);
  const all = kernels.reduce((sum, { ms }) => sum + ms, 0);
  const rows = kernels.map(({ kernel, count, ms, bytes, share }) => [
    kernel, String(Math.round(count)), format.bytes(bytes),
    ...(timed ? [format.quick(ms), format.percent(ms / all), share === undefined ? "" : format.percent(share)] : []),
  ]);
  const box = make("div", "step-table");
  box.append(title, table(title.textContent ?? "", ["kernel", "times", "moves", ...(timed ? ["takes", "of the step", "of the ceiling"] : [])], rows));
  if (!timed) box.append(make("p", "quiet", "This browser gives no times of single kernels (timestamp-query)."));
  return box;
}

/** The adapter, as the browser tells of it; its name is the heading. */
export function adapterFacts(adapter: AdapterFacts): [string, string][] {
  const { vendor, architecture, device, subgroups, features, limits } = adapter;
  const bytes = (name: string) => (limits[name] ? format.bytes(limits[name]) : "not told");
  return [
    ["vendor, architecture", [vendor, architecture, device].filter(Boolean).join(" / ") || "not told"],
    ["subgroups", subgroups ? [...new Set(subgroups)].join(" to ") : features.includes("subgroups") ? "yes" : "none"],
    ["largest buffer", bytes("maxBufferSize")],
    ["largest binding", bytes("maxStorageBufferBindingSize")],
    ["workgroup memory", bytes("maxComputeWorkgroupStorageSize")],
    ["threads of a workgroup", format.count(limits["maxComputeInvocationsPerWorkgroup"] ?? 0)],
    ["features", featuresOf(features)],
  ];
}

/** Those that matter for computing; the others are in the JSON. */
function featuresOf(features: string[]): string {
  const used = ["shader-f16", "subgroups", "subgroup-size-control", "timestamp-query"].map((name) => (features.includes(name) ? name : `no ${name}`));
  return used.join(", ");
}
