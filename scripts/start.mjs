// npm start: sets the machine up, builds, fetches the default checkpoints and serves the demo page.

import { join } from "node:path";
import { run } from "./run.mjs";
import { serveDemo } from "./serve.mjs";

run("bash", [join("scripts", "setup.sh")]);
run(process.execPath, [join("scripts", "build.mjs")]);
run(process.execPath, [join("scripts", "fetch-model.mjs")]);
run(process.execPath, [join("scripts", "fetch-minilm.mjs")]);
await serveDemo();
