// What was found, as one object: the page shows it, the picture draws it, and it is the JSON that one may send.

import { version, type DeviceInfo } from "../azulejo/index.js";
import type { AdapterFacts } from "./adapter.js";
import type { Ceilings } from "./ceilings.js";
import type { FamilyResult } from "./families.js";
import type { KernelResult } from "./kernels.js";
import type { Speed } from "./speed.js";

export type StepName = "families" | "kernels" | "ceilings" | "speed";
export const STEPS: readonly StepName[] = ["families", "kernels", "ceilings", "speed"];

/** How a step ended. */
export interface Ended {
  how: "done" | "out of time" | "cancelled" | "failed";
  ms: number;
  why?: string;
}

export interface Report {
  about: typeof ABOUT;
  version: 1;
  date: string;
  azulejo: string;
  browser: { userAgent: string; cores: number; memoryGiB?: number; isolated: boolean };
  adapter: AdapterFacts;
  /** What azulejo uses of it. */
  engine?: Pick<DeviceInfo, "description" | "features" | "tuning">;
  /** What was left of families and kernels, where the address has named some. */
  only: { families?: string[]; kernels?: string[]; variants?: string[] };
  steps: Partial<Record<StepName, Ended>>;
  families: { of: number; results: FamilyResult[] };
  kernels: { of: number; results: KernelResult[] };
  ceilings: Partial<Ceilings>;
  speed: Speed;
}

/** The fields, at the head of the file. */
const ABOUT = {
  what: "azulejo's measurement of one graphics processor, made in a browser",
  version: "of this format; fields may be added without a new one",
  only: "where the page was asked by its address for some families or kernels: which",
  steps: "of each step that was begun: how it ended and its milliseconds",
  families: "tiny models with random weights on the GPU against the CPU of the same browser; error: the largest, |difference| / (1 + |value|); greedy and drawn: tokens that are the same",
  kernels: "one layer in each weight format and cache type; error: the largest difference over the standard deviation of the logits, or tokens that differ",
  ceilings: "by the clock that is named: bytes and operations a second (in f32, halves, bytes), milliseconds a dispatch; a multiplication with an addition is 2 operations, a dot4I8Packed 8",
  speed: "SmolLM2-135M's shape, random weights in Q4_1: rates by the page's clock; steps kernel by kernel, ms by the GPU's, bytes and operations the least there could be, share: the time of these at the ceilings over ms",
  Infinity: "written as null: a number was none, or an answer did not come",
} as const;

export function newReport(adapter: AdapterFacts, only: Report["only"] = {}): Report {
  const { userAgent, hardwareConcurrency, deviceMemory } = navigator as Navigator & { deviceMemory?: number };
  return {
    about: ABOUT,
    version: 1,
    date: new Date().toISOString(),
    azulejo: version,
    browser: { userAgent, cores: hardwareConcurrency, ...(deviceMemory && { memoryGiB: deviceMemory }), isolated: crossOriginIsolated },
    adapter,
    only,
    steps: {},
    families: { of: 0, results: [] },
    kernels: { of: 0, results: [] },
    ceilings: {},
    speed: { rates: [], steps: [] },
  };
}

/** How many of what was compared is right. */
export interface Tally {
  right: number;
  compared: number;
  of: number;
}

export function tallyFamilies({ families: { of, results } }: Report): Tally {
  return { right: results.filter(({ right }) => right).length, compared: results.length, of };
}

/** A kernel's result counts once for each variant. */
export function tallyKernels({ kernels: { of, results } }: Report): Tally {
  return { right: results.filter(isRight).length, compared: results.length, of };
}

export const isRight = ({ verdicts }: KernelResult) => Object.values(verdicts).every(({ right }) => right);

/** Everything right, something wrong, or nothing known. */
export function overall(report: Report): "right" | "wrong" | "unknown" {
  const tallies = [tallyFamilies(report), tallyKernels(report)];
  if (tallies.some(({ right, compared }) => right < compared)) return "wrong";
  return tallies.some(({ compared }) => compared > 0) ? "right" : "unknown";
}

/** The verdict in words. Of what was not reached nothing is said. */
export function verdictOf(report: Report): string {
  const found = overall(report);
  const whole = Object.keys(report.only).length === 0 && [tallyFamilies(report), tallyKernels(report)].every(({ compared, of }) => compared > 0 && compared === of);
  if (found === "right") return whole ? "computes right" : "right, as far as compared";
  return found === "wrong" ? "computes wrong" : "not compared";
}

/** The part of the memory's bandwidth that writing a text takes up; a model that fits into a cache may have more than all. */
export function bandwidthShare({ speed, ceilings: { bytesPerSecond } }: Report): number | undefined {
  const rate = speed.rates.find(({ name }) => name === "decode");
  const step = speed.steps.find(({ name }) => name === "decode");
  return rate && step && bytesPerSecond ? (rate.perSecond * step.bytes) / bytesPerSecond : undefined;
}
