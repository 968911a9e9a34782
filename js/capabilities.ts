// What the engine here can do: which wasm build, how many threads, whether there is a GPU, and why not more.

import { cores, isNode } from "./platform.js";
import { AzulejoError } from "./errors.js";

/** `(func (result v128) i8x16.splat (i32.const 0) i8x16.popcnt)` */
const SIMD = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
];
/** `(func (result v128) i8x16.splat (i32.const 1) i8x16.splat (i32.const 2) i8x16.relaxed_swizzle)` */
const RELAXED_SIMD = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15,
  253, 128, 2, 11,
];

const validates = (bytes: number[]) => WebAssembly.validate(new Uint8Array(bytes));

export interface Choice {
  build: "simd" | "threads";
  threads: number;
  reason?: string;
}

/** Without SIMD there is nothing to fall back on. */
export function needSimd(): void {
  if (typeof WebAssembly !== "object" || !validates(SIMD)) {
    throw new AzulejoError("unsupported-model", "this browser has no WebAssembly SIMD, which azulejo needs");
  }
}

/** For the CPU: picks the build and the number of threads. `asked` is the caller's number of threads. */
export async function choose(asked: number | undefined, inPage: boolean): Promise<Choice> {
  needSimd();
  const why = whyNoThreads(inPage);
  if (why !== undefined) return { build: "simd", threads: 1, reason: why };
  return { build: "threads", threads: Math.min(asked ?? (await cores()), MOST_THREADS) };
}
/** More would wait for each other more than they compute. */
const MOST_THREADS = 64;

/** Why there is no WebGPU here; undefined where an adapter answers. */
export async function whyNoWebGpu(powerPreference?: GPUPowerPreference): Promise<string | undefined> {
  const { gpu } = (globalThis.navigator ?? {}) as { gpu?: GPU };
  if (gpu === undefined) return "no navigator.gpu";
  try {
    const adapter = await gpu.requestAdapter({ powerPreference });
    return adapter === null ? "no adapter" : undefined;
  } catch (error) {
    return `no adapter: ${(error as Error).message}`;
  }
}

function whyNoThreads(inPage: boolean): string | undefined {
  if (inPage) return "a page's own thread may not wait for others (worker: false)";
  if (!isNode() && globalThis.crossOriginIsolated !== true) return "page is not cross-origin isolated";
  if (typeof SharedArrayBuffer === "undefined") return "no SharedArrayBuffer";
  if (!validates(RELAXED_SIMD)) return `${isNode() ? "this Node" : "this browser"} has no relaxed SIMD`;
  return undefined;
}
