// What measures come to on the GPU, by an engine's own counters.

/** What the engine's GPU does during `work`. */
export async function spentOn(engine, work) {
  const before = await engine.profile();
  await work();
  const after = await engine.profile();
  return less(after, before);
}

/** all − some, number by number. Times of two runs differ a little more: no less than nothing. */
export function less(all, some = {}) {
  const entries = Object.entries(all).map(([name, value]) =>
    [name, typeof value === "object" ? less(value, some[name]) : Math.max(value - (some[name] ?? 0), 0)]);
  return Object.fromEntries(entries);
}

/** Over its steps, and without the kernels that took no part. */
export function aStep({ steps, kernels, ...counters }) {
  const each = (values) => Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value / steps]));
  const ran = Object.entries(kernels).filter(([, { count }]) => count > 0);
  return { steps, ...each(counters), kernels: Object.fromEntries(ran.map(([label, runs]) => [label, each(runs)])) };
}
