// Engines with the settings for tests and bug hunting that the package's types leave out.

import { Engine, type EngineOptions } from "../azulejo/index.js";

/** What an engine's GPU is made out to be. */
export interface Knobs {
  without?: string[];
  integerDot?: boolean;
  profile?: boolean;
  tuning?: boolean;
}

export function onCpu(): Promise<Engine> {
  return Engine.create({ device: "cpu" });
}

export function onGpu(gpu?: Knobs): Promise<Engine> {
  const options: EngineOptions & { gpu?: Knobs } = { device: "webgpu", powerPreference: "high-performance", ...(gpu && { gpu }) };
  return Engine.create(options);
}

/** Runs `work` with engines that are disposed of when it ends, however it ends. */
export async function withEngines<T>(opening: Promise<Engine>[], work: (...engines: Engine[]) => Promise<T>): Promise<T> {
  const opened = await Promise.allSettled(opening);
  const engines = opened.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  try {
    for (const each of opened) if (each.status === "rejected") throw each.reason;
    return await work(...engines);
  } finally {
    await Promise.all(engines.map((engine) => engine.dispose()));
  }
}
