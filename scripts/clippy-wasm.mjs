// clippy on what only the wasm builds compile: a native run never sees it.

import { BUILDS, cargo } from "./toolchain.mjs";

for (const name of Object.keys(BUILDS)) {
  console.log(`clippy: ${name}`);
  await cargo(name, "clippy", ["--", "-D", "warnings"]);
}
