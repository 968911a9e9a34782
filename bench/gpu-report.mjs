// What a step comes to on the GPU, kernel by kernel, against what the adapter could do at most.

import { align } from "./report.mjs";

/** What a kernel's work takes where the adapter does nothing else, in milliseconds, and which ceiling says so. */
export function floorOf({ bytes, operations }, { bytesPerSecond, operationsPerSecond }) {
  const [memory, arithmetic] = [(bytes * 1000) / bytesPerSecond, (operations * 1000) / operationsPerSecond];
  return memory >= arithmetic ? { ms: memory, bound: "memory" } : { ms: arithmetic, bound: "arithmetic" };
}

/** A section a measure: a line a kernel, the slowest first, and below what the whole step comes to. */
export function gpuReport({ model, description, features, ceilings, steps }) {
  const timed = features.includes("timestamp-query");
  const sections = Object.entries(steps).map(([measure, step]) => `${model}, ${measure} on ${description}, a step:\n${section(step, ceilings, timed)}`);
  const { bytesPerSecond, operationsPerSecond, timestamps } = ceilings;
  const clock = timestamps ? "the GPU's clock" : "the CPU's clock";
  const most = `ceilings of the adapter, by ${clock}: ${(bytesPerSecond / 1e9).toFixed(1)} GB/s are read, ${(operationsPerSecond / 1e9).toFixed(0)} G operations/s in f32`;
  return `${sections.join("\n")}\n${most}\n`;
}

function section({ plain, timed: step }, ceilings, timed) {
  const kernels = Object.entries(step.kernels)
    .map(([label, runs]) => ({ label, ...runs, floor: floorOf(runs, ceilings) }))
    .sort((a, b) => b.ms - a.ms || b.floor.ms - a.floor.ms);
  const [ms, floor] = [kernels.reduce((sum, kernel) => sum + kernel.ms, 0), kernels.reduce((sum, kernel) => sum + kernel.floor.ms, 0)];
  const figures = (measured, least) => (timed ? [milliseconds(measured), milliseconds(least), share(least, measured)] : ["", milliseconds(least), ""]);
  const lines = kernels.map(({ label, count, ms, floor }) => [label, number(count), ...figures(ms, floor.ms), floor.bound]);
  const rows = [["", "dispatches", "GPU ms", "floor ms", "floor's share", "bound by"], ...lines, ["all", number(step.dispatches), ...figures(ms, floor), ""]];
  const counts = [[plain.dispatches, "dispatches"], [plain.submits, "submits"], [plain.passes, "passes"], [plain.readBytes, "bytes read back"]];
  const whole = [...counts.map(([count, what]) => `${number(count)} ${what}`), `${milliseconds(plain.cpuMs)} ms of CPU to encode`];
  if (!timed) whole.push("no times: the device has no timestamp-query");
  return `${align(rows)}\n${whole.join(", ")}\n`;
}

const number = (value) => (Number.isInteger(value) ? String(value) : value.toFixed(1));
const milliseconds = (value) => value.toFixed(value < 10 ? 3 : 1);
const share = (part, whole) => (whole > 0 ? `${((100 * part) / whole).toFixed(1)} %` : "");
