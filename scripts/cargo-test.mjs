// cargo test, where the tests of the GPU find a Vulkan driver:
//
//     node scripts/cargo-test.mjs [ARGUMENTS OF cargo test]

import { vulkanEnvironment } from "./chromium.mjs";
import { run } from "./run.mjs";

run("cargo", ["test", "--locked", ...process.argv.slice(2)], vulkanEnvironment());
