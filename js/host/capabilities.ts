// What the engine here can do: which wasm build, how many threads, whether there is a GPU, and why not more.

import { AzulejoError } from "../shared/errors.js";
import { cores, isNode } from "../shared/platform.js";

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
  build: "simd" | "threads" | "relaxed";
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
  const build = validates(RELAXED_SIMD) ? "relaxed" : "threads";
  return { build, threads: Math.min(asked ?? (await cores()), MOST_THREADS) };
}
/** More would wait for each other more than they compute. */
const MOST_THREADS = 64;

function whyNoThreads(inPage: boolean): string | undefined {
  if (inPage) return "a page's own thread may not wait for others (worker: false)";
  if (!isNode() && globalThis.crossOriginIsolated !== true) return "page is not cross-origin isolated";
  if (typeof SharedArrayBuffer === "undefined") return "no SharedArrayBuffer";
  return undefined;
}

/** Why WebGPU is not to be used here, and whether the adapter that answers computes in software. */
export interface WebGpuAnswer {
  why?: string;
  isSoftware: boolean;
}

/**
 * Whether WebGPU is to be used here. What computes in software is slower than our own kernels on the CPU: only who asks
 * for it (`software`) gets it.
 */
export async function askWebGpu(powerPreference?: GPUPowerPreference, software = false): Promise<WebGpuAnswer> {
  const { gpu } = (globalThis.navigator ?? {}) as { gpu?: GPU };
  const no = (why: string) => ({ why, isSoftware: false });
  if (gpu === undefined) return no("no navigator.gpu");
  try {
    const adapter = await gpu.requestAdapter({ powerPreference });
    if (adapter === null) return no("no adapter");
    const name = softwareName(adapter);
    return name === undefined || software
      ? { isSoftware: name !== undefined }
      : no(`the only adapter computes in software: ${name}`);
  } catch (error) {
    return no(`no adapter: ${(error as Error).message}`);
  }
}

/** What some browsers say of an adapter, wherever they say it. */
type Told = Partial<GPUAdapterInfo> & { isFallbackAdapter?: boolean };

/** The name of an adapter without hardware; undefined for any other. */
function softwareName(adapter: GPUAdapter): string | undefined {
  const info: Told = adapter.info ?? {};
  const name = [info.vendor, info.architecture, info.device, info.description].filter(Boolean).join(" / ");
  const isFallback = info.isFallbackAdapter ?? (adapter as Told).isFallbackAdapter ?? false;
  return isFallback || SOFTWARE.test(name) ? name || "a fallback adapter" : undefined;
}
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|\bwarp\b|microsoft basic render/i;
