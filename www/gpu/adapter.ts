// Which graphics processor this browser has, in its own words; or why it has none.

export interface AdapterFacts {
  vendor: string;
  architecture: string;
  device: string;
  description: string;
  /** It computes on the processor, and is no GPU. */
  software: boolean;
  subgroups?: [smallest: number, largest: number];
  features: string[];
  limits: Record<string, number>;
}

/** The adapter that the measurement takes, or a sentence that says why there is none. */
export async function findAdapter(): Promise<GPUAdapter | string> {
  const { gpu } = navigator as { gpu?: GPU };
  if (!gpu) {
    return isSecureContext
      ? "This browser has no WebGPU. Chrome and Edge from 113, Safari from 26 and Firefox from 141 on Windows have it."
      : "WebGPU is only there on pages that come by https: this one does not.";
  }
  try {
    const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
    return adapter ?? "This browser has WebGPU, but offers no graphics processor: it may be on the browser’s list of drivers that do not work, or be switched off in its settings.";
  } catch (error) {
    return `This browser has WebGPU, but its graphics processor cannot be used: ${(error as Error).message}`;
  }
}

/** What some browsers say of an adapter, wherever they say it. */
type Told = Partial<GPUAdapterInfo> & { isFallbackAdapter?: boolean; subgroupMinSize?: number; subgroupMaxSize?: number };

export function factsOfAdapter(adapter: GPUAdapter): AdapterFacts {
  const info: Told = adapter.info ?? {};
  const { vendor = "", architecture = "", device = "", description = "", subgroupMinSize, subgroupMaxSize } = info;
  const fallback = info.isFallbackAdapter ?? (adapter as Told).isFallbackAdapter ?? false;
  return {
    vendor, architecture, device, description,
    software: fallback || SOFTWARE.test([vendor, architecture, device, description].join(" ")),
    ...(subgroupMinSize && subgroupMaxSize && { subgroups: [subgroupMinSize, subgroupMaxSize] as [number, number] }),
    features: [...adapter.features].sort(),
    limits: limitsOf(adapter.limits),
  };
}
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|\bwarp\b|microsoft basic render/i;

/** The name as one would say it: the description where there is one, for vendor and architecture are codes. */
export function nameOf({ vendor, architecture, device, description }: AdapterFacts): string {
  const code = [vendor, architecture].filter(Boolean).join(" ");
  return description || device || code || "A GPU without a name";
}

/** They are the prototype's own, so that copying the object has none of them. */
function limitsOf(limits: GPUSupportedLimits): Record<string, number> {
  const found: Record<string, number> = {};
  for (const name in limits) {
    const value = limits[name as keyof GPUSupportedLimits];
    if (typeof value === "number") found[name] = value;
  }
  return found;
}
