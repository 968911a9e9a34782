// What a step comes to on the GPU, kernel by kernel, against what the adapter could do at most.

import { align } from "./report.mjs";

/** What a kernel's work takes where the adapter does nothing else, in milliseconds, and which ceiling says so. */
export function floorOf({ bytes, operations }, { bytesPerSecond, operationsPerSecond }) {
  const [memory, arithmetic] = [(bytes * 1000) / bytesPerSecond, (operations * 1000) / operationsPerSecond];
  return memory >= arithmetic ? { ms: memory, bound: "memory" } : { ms: arithmetic, bound: "arithmetic" };
}

/**
 * A section a measure: a line a kernel, the slowest first, by the profile; and below what the whole step comes to, by
 * the `plain` steps of the same measures, which nothing slowed down.
 */
export function gpuReport({ model, description, features, ceilings, steps }, plain) {
  const timed = features.includes("timestamp-query");
  const sections = Object.entries(steps).map(([measure, step]) =>
    `${model}, ${measure} on ${description}, a step:\n${section(step, plain[measure], ceilings, timed)}`);
  return `${sections.join("\n")}\n${ceilingsLine(ceilings)}\n`;
}

function ceilingsLine({ bytesPerSecond, operationsPerSecond, clock: by }) {
  const [read, done] = [bytesPerSecond, operationsPerSecond].map((rate) => (rate / 1e9).toFixed(1));
  const clock = by === "gpu" ? "the GPU's clock" : "the CPU's clock";
  return `ceilings of the adapter, by ${clock}: ${read} GB/s are read, ${done} G operations/s done in f32`;
}

function section({ dispatches, kernels }, plain, ceilings, timed) {
  const lines = Object.entries(kernels).map(([label, runs]) => ({ label, ...runs, floor: floorOf(runs, ceilings) }));
  lines.sort((a, b) => b.ms - a.ms || b.floor.ms - a.floor.ms);
  const sum = (value) => lines.reduce((sum, line) => sum + value(line), 0);
  lines.push({ label: "all", count: dispatches, ms: sum(({ ms }) => ms), floor: { ms: sum(({ floor }) => floor.ms), bound: "" } });
  const cells = ({ label, count, ms, floor }) =>
    [label, number(count), timed ? milliseconds(ms) : "", milliseconds(floor.ms), timed ? share(floor.ms, ms) : "", floor.bound];
  const table = align([["", "dispatches", "GPU ms", "floor ms", "floor's share", "bound by"], ...lines.map(cells)]);
  const counts = { dispatches: plain.dispatches, submits: plain.submits, passes: plain.passes, "bytes read back": plain.readBytes };
  const whole = Object.entries(counts).map(([what, count]) => `${what} ${number(count)}`);
  const times = timed ? "" : "; no times, since the device has no timestamp-query";
  return `${table}\n${whole.join(", ")}, CPU ms to encode ${milliseconds(plain.cpuMs)}${times}\n`;
}

const number = (value) => (Number.isInteger(value) ? String(value) : value.toFixed(1));
const milliseconds = (value) => value.toFixed(value < 10 ? 3 : 1);
const share = (part, whole) => (whole > 0 ? `${((100 * part) / whole).toFixed(1)} %` : "");
