// The measurement: its steps one after the other, each in its part of the time. What is found goes into the report.

import { findAdapter, type AdapterFacts } from "./adapter.js";
import { measureCeilings } from "./ceilings.js";
import { Clock } from "./clock.js";
import { onGpu, withEngines } from "./engines.js";
import { compareFamilies, loadFamilies } from "./families.js";
import { CASES, compareKernels, concerns, variantsOf } from "./kernels.js";
import { newReport, STEPS, type Ended, type Report, type StepName } from "./report.js";
import { measureSpeed } from "./speed.js";

/** Parts of the whole time. A step that ends early leaves the rest to those after it. */
const PARTS: Record<StepName, number> = { families: 0.34, kernels: 0.28, ceilings: 0.08, speed: 0.3 };

export interface Told {
  /** A step begins, or has ended. */
  begins(step: StepName): void;
  ended(step: StepName, how: Ended): void;
  /** There is something new in the report. */
  found(step: StepName): void;
  /** What it is at, in words. */
  doing(words: string): void;
}

/** What is wanted, and how long it may take. */
export interface Wanted {
  steps: StepName[];
  seconds: number;
  /** Only these families, and of the kernels only these formats and caches, in these variants, by name. */
  only: Report["only"];
  signal: AbortSignal;
}

/** Runs to the end, or to where it is cancelled; what fails ends its own step only. */
export async function measureAll(adapter: AdapterFacts, { steps, seconds, only, signal }: Wanted, told: Told, begun: (report: Report) => void): Promise<Report> {
  const report = newReport(adapter, only);
  begun(report);
  const chosen = STEPS.filter((step) => steps.includes(step));
  const whole = chosen.reduce((sum, step) => sum + PARTS[step], 0);
  let until = performance.now();
  for (const step of chosen) {
    if (signal.aborted) break;
    until += (seconds * 1000 * PARTS[step]) / whole;
    const start = performance.now();
    told.begins(step);
    const clock = new Clock(signal, until);
    const ended = await end(() => RUN[step](report, clock, told), clock);
    report.steps[step] = { ...ended, ms: Math.round(performance.now() - start) };
    told.ended(step, report.steps[step]);
  }
  return report;
}

async function end(run: () => Promise<boolean>, { signal }: Clock): Promise<Omit<Ended, "ms">> {
  try {
    return { how: (await run()) ? "done" : "out of time" };
  } catch (error) {
    if (signal.aborted) return { how: "cancelled" };
    console.error(error);
    return { how: "failed", why: error instanceof Error ? error.message : String(error) };
  }
}

/** Those with these names, or all where none are given. */
function among<T extends { name: string }>(all: T[], names: string[] | undefined): T[] {
  const unknown = names?.find((name) => !all.some((each) => each.name === name));
  if (unknown !== undefined) throw new Error(`${unknown} is not one of ${all.map(({ name }) => name).join(", ")}`);
  return names ? all.filter(({ name }) => names.includes(name)) : all;
}

/** Whether each step came to its end. */
const RUN: Record<StepName, (report: Report, clock: Clock, told: Told) => Promise<boolean>> = {
  async families({ families, only }, clock, told) {
    const all = among(await loadFamilies(), only.families);
    families.of = all.length;
    await compareFamilies(all, clock, (result) => {
      families.results.push(result);
      told.doing(`${families.results.length} of ${families.of} families`);
      told.found("families");
    });
    return families.results.length === families.of;
  },

  async kernels(report, clock, told) {
    const { kernels } = report;
    const { description, features, tuning } = await withEngines([onGpu()], async (engine) => engine!.device);
    report.engine = { description, features, ...(tuning && { tuning }) };
    const variants = among(variantsOf(features), report.only.variants).map((variant) => ({ ...variant, cases: among(CASES, report.only.kernels).filter((each) => concerns(variant, each)) }));
    kernels.of = variants.reduce((sum, { cases }) => sum + cases.length, 0);
    await compareKernels(variants, clock, (result) => {
      kernels.results.push(result);
      told.doing(`${kernels.results.length} of ${kernels.of}: ${result.name}, ${result.variant}`);
      told.found("kernels");
    });
    return kernels.results.length === kernels.of;
  },

  async ceilings(report, clock, told) {
    told.doing("reading memory, multiplying, dispatching nothing");
    // An adapter gives one device only.
    const adapter = await findAdapter();
    if (typeof adapter === "string") throw new Error(adapter);
    report.ceilings = await measureCeilings(adapter, { warmMs: 600, isOver: () => clock.isOver || clock.signal.aborted });
    clock.check();
    told.found("ceilings");
    return report.ceilings.independentDispatchMs !== undefined;
  },

  async speed(report, clock, told) {
    const { speed } = report;
    await measureSpeed(clock, report.ceilings, {
      doing: told.doing,
      rate: (rate) => (speed.rates.push(rate), told.found("speed")),
      step: (step) => (speed.steps.push(step), told.found("speed")),
    });
    return speed.steps.length > 1;
  },
};
