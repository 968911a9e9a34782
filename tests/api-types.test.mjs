// The package's types, as a strict caller without Node's types meets them.

import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { deadline } from "./support/deadline.mjs";

deadline(5);

test("a strict caller compiles against the package's types, without skipping them and without Node's", () => {
  const tsc = fileURLToPath(new URL("../node_modules/typescript/bin/tsc", import.meta.url));
  const file = fileURLToPath(new URL("api-types.ts", import.meta.url));
  const options = ["--ignoreConfig", "--noEmit", "--strict", "--exactOptionalPropertyTypes", "--skipLibCheck", "false"];
  const target = ["--target", "es2022", "--module", "es2022", "--moduleResolution", "bundler", "--types", ""];
  const lib = ["--lib", "es2022,dom,dom.iterable,dom.asynciterable"];
  try {
    execFileSync(process.execPath, [tsc, ...options, ...target, ...lib, file], { encoding: "utf8" });
  } catch (error) {
    throw new Error(error.stdout);
  }
});
