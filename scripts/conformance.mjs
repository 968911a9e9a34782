// npm run conformance -- DIR [--device cpu|webgpu|auto] [--only a,b] [--without subgroups] [--basic-limits]
//
// Every family folder under DIR (config.json, model.safetensors, case.safetensors) through the package's public
// JavaScript interface in Chromium, against the outputs of the reference implementation in its case. A line a family;
// families that the package does not have are skipped, with the reason. Exits with 1 if a family fails.
//
// WebGPU is SwiftShader's. --without (a comma list, or repeated) names features that are not to be used; --basic-limits
// asks for WebGPU's default limits and no optional feature.

import { existsSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { WEBGPU_ARGUMENTS } from "./chromium.mjs";
import { launchBrowser } from "../tests/support/browser.mjs";
import { startServer } from "../tests/support/server.mjs";
import { Runner } from "./conformance/runner.mjs";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");
/** So many differences of a family are told in full. */
const TOLD = 5;
const USAGE = "usage: npm run conformance -- DIR [--device cpu|webgpu|auto] [--only a,b] [--without subgroups] [--basic-limits]";

function options() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      device: { type: "string", default: "cpu" },
      only: { type: "string" },
      without: { type: "string", multiple: true, default: [] },
      "basic-limits": { type: "boolean", default: false },
    },
  });
  if (positionals.length !== 1) throw new Error(USAGE);
  const directory = resolve(positionals[0]);
  const isFamily = (name) => existsSync(join(directory, name, "config.json"));
  const all = readdirSync(directory).filter(isFamily).sort();
  const families = values.only?.split(",") ?? all;
  const missing = families.find((name) => !all.includes(name));
  if (missing !== undefined) throw new Error(`${directory} has no family "${missing}"`);
  if (families.length === 0) throw new Error(`${directory} has no family folder (one with a config.json)`);
  const gpu = { without: values.without.flatMap((list) => list.split(",")), basicLimits: values["basic-limits"] };
  return { directory, families, device: values.device, gpu };
}

async function main() {
  const { directory, families, device, gpu } = options();
  const server = await startServer({ mounts: { "/conformance/": directory, "/": ROOT }, isolated: true });
  const browser = await launchBrowser({ args: device === "webgpu" ? WEBGPU_ARGUMENTS : [] });
  const runner = new Runner({ browser, server, directory, device, gpu });
  const count = { passed: 0, failed: 0, unsupported: 0 };
  const width = Math.max(...families.map((name) => name.length));
  try {
    for (const family of families) {
      const { outcome, detail, failures } = await runner.run(family);
      count[outcome] += 1;
      console.log(`${family.padEnd(width)}  ${outcome.padEnd(11)}  ${detail}`.trimEnd());
      for (const failure of failures.slice(0, TOLD)) console.log(`    ${failure}`);
      if (failures.length > TOLD) console.log(`    and ${failures.length - TOLD} more`);
    }
  } finally {
    await browser.close();
    await server.close();
  }
  console.log(`${count.passed} passed, ${count.failed} failed, ${count.unsupported} skipped`);
  process.exitCode = count.failed ? 1 : 0;
}

await main().catch((error) => {
  console.error(error.message);
  process.exitCode = 2;
});
