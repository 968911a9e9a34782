// npm run lab:pack -- [FILE] [--native PROGRAM]: everything that the lab needs in one archive, for a machine with a Vulkan driver
// and nothing else (bench/README.md, "The lab"). The native half is built unless it is given. There:
//
//     tar xJf lab.tar.xz && lab/lab.sh --out results
//
// It has the two programs (Node and the native half), Dawn as npm's `webgpu` packs it, dist/, the lab's own files, and
// the Vulkan loader, which a machine with a driver may lack. All are of this machine's system and processor.

import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { install, packageFolder } from "../bench/install.mjs";
import { root, run } from "./run.mjs";

/** What the lab's modules import, and what runs of dist/ under Node. */
const FILES = [
  "bench/lab", "bench/gpu-report.mjs", "bench/pixels.js", "bench/report.mjs",
  "www-dist/gpu/ceilings.js", "www-dist/gpu/steps.js", "tests/support/gguf.mjs", "scripts/chromium.mjs", "package.json", "dist", "LICENSE-APACHE", "LICENSE-MIT",
];
const BUILT = join(root, "target/release/examples/gpu_lab");
/** Where Linux distributions put the loader. */
const LOADERS = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/lib/chromium"];
const LOADER = "libvulkan.so.1";

const START = `#!/bin/sh
# Runs the lab from wherever this folder lies. The loader is brought along for a machine that has none.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
if ! { ldconfig -p || /sbin/ldconfig -p; } 2>/dev/null | grep -q ${LOADER}; then
  export LD_LIBRARY_PATH="\${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$here/lib"
fi
exec "$here/node" "$here/bench/lab/lab.mjs" "$@"
`;

function gather(folder, native) {
  for (const file of FILES) cpSync(join(root, file), join(folder, file), { recursive: true });
  copyFileSync(native, join(folder, "gpu_lab"));
  copyFileSync(realpathSync(process.execPath), join(folder, "node"));
  for (const program of ["gpu_lab", "node"]) {
    // Symbols are half of it. A program that is signed or packed stays as it is.
    try {
      execFileSync("strip", [join(folder, program)], { stdio: "ignore" });
    } catch {}
    chmodSync(join(folder, program), 0o755);
  }
  dawn(join(folder, "bench/node_modules/webgpu"));
  const loader = LOADERS.map((place) => join(place, LOADER)).find((path) => existsSync(path));
  if (loader) {
    mkdirSync(join(folder, "lib"), { recursive: true });
    copyFileSync(realpathSync(loader), join(folder, "lib", LOADER));
  } else console.log(`no ${LOADER} here to bring along: the machine needs its own`);
  writeFileSync(join(folder, "lab.sh"), START, { mode: 0o755 });
}

/** Of npm's package what runs here: it has the libraries of every system. */
function dawn(to) {
  const from = packageFolder("webgpu");
  const library = `dist/${process.platform}-${process.arch}/dawn.node`;
  mkdirSync(dirname(join(to, library)), { recursive: true });
  for (const file of ["index.js", "package.json", "LICENSE.md", library]) copyFileSync(join(from, file), join(to, file));
}

const { values: { native }, positionals } = parseArgs({ options: { native: { type: "string" } }, allowPositionals: true });
const archive = resolve(positionals[0] ?? "lab.tar.xz");
for (const built of ["dist/index.js", "www-dist/gpu/steps.js"]) if (!existsSync(join(root, built))) throw new Error(`${built} is not there: npm run build`);
mkdirSync(dirname(archive), { recursive: true });
install(["webgpu"]);
if (!native) run("cargo", ["build", "--locked", "--release", "--example", "gpu_lab"]);
const folder = mkdtempSync(join(tmpdir(), "azulejo-lab-"));
try {
  gather(join(folder, "lab"), native ?? BUILT);
  execFileSync("tar", ["-cJf", archive, "-C", folder, "lab"], { env: { ...process.env, XZ_OPT: "-6 -T0" }, stdio: "inherit" });
} finally {
  rmSync(folder, { recursive: true });
}
console.log(`${archive}: ${(statSync(archive).size / 1e6).toFixed(1)} MB`);
