// The device that a host computes on: WebGPU where the caller wants it and it can be had, else the CPU.

import { AzulejoError, asError } from "../shared/errors.js";
import type { StartOptions } from "../shared/protocol.js";
import type { DeviceInfo } from "../shared/types.js";
import { askWebGpu, choose, needSimd, type Choice } from "./capabilities.js";
import { openInstance, type Instance } from "./instance.js";
import { wishOf } from "./tuning.js";

export interface Device {
  instance: Instance;
  info: DeviceInfo;
}

export async function openDevice(options: StartOptions, announce: (port: MessagePort) => void): Promise<Device> {
  let reason: string | undefined;
  if (options.device !== "cpu") {
    try {
      return await openWebGpu(options, announce);
    } catch (thrown) {
      const { code, message } = asError(thrown);
      if (options.device === "webgpu")
        throw code === "no-webgpu" ? new AzulejoError(code, `WebGPU cannot be used: ${message}`) : thrown;
      reason = message;
    }
  }
  const choice = await choose(options.threads, options.inPage);
  const instance = await openInstance(choice, options, announce);
  return { instance, info: cpuInfo(choice, reason) };
}

async function openWebGpu(options: StartOptions, announce: (port: MessagePort) => void): Promise<Device> {
  const { powerPreference, gpu } = options;
  // Before anything is downloaded: most often it is this that says no, and then another build is wanted.
  const { why, isSoftware } = await askWebGpu(powerPreference, options.device === "webgpu");
  if (why !== undefined) throw new AzulejoError("no-webgpu", why);
  needSimd();
  const instance = await openInstance({ build: "simd", threads: 1 }, options, announce);
  const asked = { powerPreference, ...gpu, tuning: wishOf(gpu, isSoftware) };
  const { description, features, tuning } = await instance.openGpu(asked);
  return { instance, info: { kind: "webgpu", description, features, ...(tuning !== undefined && { tuning }) } };
}

function cpuInfo({ build, threads, reason }: Choice, whyNoGpu: string | undefined): DeviceInfo {
  const features = build === "relaxed" ? ["simd128", "relaxed-simd"] : ["simd128"];
  if (threads > 1) features.push("threads");
  const reasons = [whyNoGpu, reason].filter((part) => part !== undefined);
  return {
    kind: "cpu",
    description: `wasm simd128, ${threads} thread${threads === 1 ? "" : "s"}`,
    features,
    ...(reasons.length > 0 && { reason: reasons.join("; ") }),
  };
}
