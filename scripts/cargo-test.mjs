// cargo test, where the tests of the GPU find a Vulkan driver, with those that read a fetched checkpoint:
//
//     node scripts/cargo-test.mjs [ARGUMENTS OF cargo test]

import { vulkanEnvironment } from "./chromium.mjs";
import { run } from "./run.mjs";
import { environment } from "./sample.mjs";

const given = process.argv.slice(2);
const [ours, theirs] = given.includes("--") ? [given.slice(0, given.indexOf("--")), given.slice(given.indexOf("--") + 1)] : [given, []];
run("cargo", ["test", "--locked", "--no-fail-fast", ...ours, "--", "--include-ignored", ...theirs], { ...vulkanEnvironment(), ...environment });
