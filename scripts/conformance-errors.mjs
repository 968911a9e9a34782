// npm run conformance:errors
//
// Measures how far each family of tests/conformance is from the reference implementation, on the CPU and in every variant
// of the GPU, and writes tests/conformance/errors.json: tests allow ten times as much (tests/common/case.rs).

import { rmSync } from "node:fs";
import { join } from "node:path";
import { vulkanEnvironment } from "./chromium.mjs";
import { root, run } from "./run.mjs";

rmSync(join(root, "tests/conformance/errors.json"), { force: true });
const environment = { ...vulkanEnvironment(), AZULEJO_MEASURE: "1", AZULEJO_ALL: "1" };
run("cargo", ["test", "--locked", "--test", "native", "--", "--test-threads=2", "conformance"], environment);
