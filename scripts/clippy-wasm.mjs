// clippy on what only the wasm builds compile: a native run never sees it.

import { cargo } from "./toolchain.mjs";

// The build "threads" is "relaxed" without one function, whose other half is in "simd".
for (const name of ["simd", "relaxed", "grammar"]) {
  console.log(`clippy: ${name}`);
  // As the build is: what runs on this machine, procedural macros and their like, is compiled already.
  await cargo(name, "clippy", ["--release", "--", "-D", "warnings"]);
}
