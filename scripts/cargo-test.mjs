// cargo test, where the tests of the GPU find a Vulkan driver, with those that read a fetched checkpoint:
//
//     node scripts/cargo-test.mjs [ARGUMENTS OF cargo test]
//
// The driver is Mesa's, which compiles kernels in a tenth of the time that the browser's takes, or the browser's where that
// is not installed, or the one that VK_ICD_FILENAMES names. With --tests, on the browser's as well what is other there, and
// the grammars' own.

import { mesaEnvironment, vulkanEnvironment } from "./chromium.mjs";
import { run } from "./run.mjs";
import { environment } from "./sample.mjs";

/** What is other on SwiftShader: subgroups of four, which have products of their own. */
const IN_QUADS = ["gpu_bounds::what_is_no_number", "gpu_kernels::gated_products", "gpu_kernels::products_are_right", "gpu_kernels::the_variants"];
/** What Mesa's driver cannot show: a submit to it returns when all is computed. */
const LATE = "gpu_pace::more_steps_are_under_way";

const given = process.argv.slice(2);
const [ours, theirs] = given.includes("--") ? [given.slice(0, given.indexOf("--")), given.slice(given.indexOf("--") + 1)] : [given, []];
const mesa = mesaEnvironment();
const driver = mesa ?? vulkanEnvironment();
const skipped = mesa ? ["--skip", LATE] : [];
run("cargo", ["test", "--locked", "--no-fail-fast", ...ours, "--", "--include-ignored", ...skipped, ...theirs], { ...driver, ...environment });

if (given.includes("--tests")) {
  // By itself: built together, the core would have the features that this one asks of the crates that both use.
  run("cargo", ["test", "--locked", "--package", "azulejo-grammar"], process.env);
  const missing = "kernels that compute in halves have not been run: mesa-vulkan-drivers is not installed";
  if (mesa) run("cargo", ["test", "--locked", "--test", "native", "--", LATE, ...IN_QUADS], { ...vulkanEnvironment(), ...environment });
  else if (process.env.CI && !process.env.VK_ICD_FILENAMES) throw new Error(missing);
  else console.log(`SKIPPED: ${missing}`);
}
