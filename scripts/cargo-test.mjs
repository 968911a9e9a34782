// cargo test, where the tests of the GPU find a Vulkan driver, with those that read a fetched checkpoint:
//
//     node scripts/cargo-test.mjs [ARGUMENTS OF cargo test]
//
// With --tests, those of attention and of its caches once more on Mesa's driver: there they compute in halves.

import { mesaEnvironment, vulkanEnvironment } from "./chromium.mjs";
import { run } from "./run.mjs";
import { environment } from "./sample.mjs";

/** What there is to see of `shader-f16`, and of subgroups that are no quads. */
const IN_HALVES = ["gpu_attention", "gpu_heads", "gpu_kernels::the_variants", "gpu_kernels::products_of_few_rows", "gpu_spans"];

const given = process.argv.slice(2);
const [ours, theirs] = given.includes("--") ? [given.slice(0, given.indexOf("--")), given.slice(given.indexOf("--") + 1)] : [given, []];
run("cargo", ["test", "--locked", "--no-fail-fast", ...ours, "--", "--include-ignored", ...theirs], { ...vulkanEnvironment(), ...environment });

if (given.includes("--tests")) {
  const mesa = mesaEnvironment();
  const missing = "kernels that compute in halves have not been run: mesa-vulkan-drivers is not installed";
  if (!mesa && process.env.CI) throw new Error(missing);
  if (!mesa) console.log(`SKIPPED: ${missing}`);
  else run("cargo", ["test", "--locked", "--test", "native", "--", ...IN_HALVES], { ...mesa, ...environment, AZULEJO_HALVES: "1" });
}
