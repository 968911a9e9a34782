// What bench.mjs calls in a tab, or in a process of Node: one contestant, and what measures the machine.

let contestant;

export const commands = {
  async load(name, settings) {
    const { load } = await import(`./contestants/${name}.js`);
    contestant = await load(settings);
    const { description, features } = contestant;
    return { description, features };
  },

  /** { tokens, ms } */
  measure: (kind, prompt, count) => contestant[kind](prompt, count),

  /** What one step of a measure comes to on the GPU. */
  step: (kind, prompt, count) => contestant.step(kind, prompt, count),

  leave: () => contestant.dispose(),

  async ceilings() {
    const { measureCeilings } = await import("../www-dist/gpu/ceilings.js");
    return measureCeilings(await navigator.gpu.requestAdapter(), { few: true });
  },

  async cpuCeilings(threads) {
    const { measureCpuCeilings } = await import("./cpu-ceilings.js");
    return measureCpuCeilings(threads);
  },

  async summary(url) {
    const { inspect } = await import("../dist/index.js");
    return inspect(url);
  },
};
