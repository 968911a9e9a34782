// clippy on what only the wasm builds compile: a native run never sees it.

import { cargo } from "./toolchain.mjs";

// The build "threads" is "relaxed" without one function, whose other half is in "simd".
for (const name of ["simd", "relaxed"]) {
  console.log(`clippy: ${name}`);
  await cargo(name, "clippy", ["--", "-D", "warnings"]);
}
