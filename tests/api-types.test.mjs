// The package's types, as strict callers meet them: nothing is skipped, and Node's types are not there.

import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { deadline } from "./support/deadline.mjs";

deadline(5);

/** `theirs`: other packages' declarations are taken as they are. */
function compiles(file, lib, { theirs = false } = {}) {
  const tsc = fileURLToPath(new URL("../node_modules/typescript/bin/tsc", import.meta.url));
  const options = ["--ignoreConfig", "--noEmit", "--strict", ...(theirs ? ["--skipLibCheck"] : ["--exactOptionalPropertyTypes", "--skipLibCheck", "false"])];
  const target = ["--target", "es2022", "--module", "es2022", "--moduleResolution", "bundler", "--types", ""];
  const files = [fileURLToPath(new URL(file, import.meta.url))];
  try {
    execFileSync(process.execPath, [tsc, ...options, ...target, "--lib", lib, ...files], { encoding: "utf8", timeout: 60_000 });
  } catch (error) {
    throw new Error(error.stdout);
  }
}

test("with the DOM's library", () => compiles("api-types.ts", "es2022,dom,dom.iterable,dom.asynciterable"));
test("with the DOM's library and what is next", () => compiles("api-types.ts", "esnext,dom,dom.iterable,dom.asynciterable"));
test("with await using", () => compiles("api-types-using.ts", "es2022,esnext.disposable"));
test("in a worker", () => compiles("api-types-bare.ts", "es2022,webworker"));
test("without the DOM's library", () => compiles("api-types-bare.ts", "es2022"));
test("of the adapters, beside the packages that they are for", () => compiles("api-types-adapters.ts", "es2023,dom,dom.iterable,dom.asynciterable", { theirs: true }));
