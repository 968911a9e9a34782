// Which Rust compiler builds the wasm: what scripts/setup.sh found and wrote to .tools/toolchain.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { root, runBeside } from "./run.mjs";

/** What a build with shared memory is linked with. */
const SHARED = [
  "--shared-memory", "--import-memory", "--max-memory=4294967296",
  ...["__wasm_init_tls", "__tls_size", "__tls_align", "__tls_base"].map((name) => `--export=${name}`),
];

/**
 * The three builds of the core: `simd` runs on any page and has the GPU; `threads` and `relaxed` need a cross-origin
 * isolated page and have shared memory, `relaxed` relaxed SIMD as well (fused multiply-add, products of
 * bytes), which not every engine has. And `grammar`, a crate of its own, for whoever asks for one.
 * What rustc, its linker, wasm-bindgen and wasm-opt are told.
 */
export const BUILDS = {
  simd: {
    features: ["simd128", "bulk-memory"],
    link: ["--max-memory=4294967296"],
    // Without a worker to start again, a new instance of the same module takes the place of one that has failed.
    bind: ["--experimental-reset-state-function"],
    optimize: ["--enable-simd"],
  },
  threads: {
    features: ["atomics", "bulk-memory", "simd128"],
    link: SHARED,
    bind: [],
    optimize: ["--enable-simd", "--enable-threads"],
  },
  relaxed: {
    features: ["atomics", "bulk-memory", "simd128", "relaxed-simd"],
    link: SHARED,
    bind: [],
    optimize: ["--enable-simd", "--enable-threads", "--enable-relaxed-simd"],
  },
  grammar: {
    crate: "azulejo-grammar",
    features: ["bulk-memory"],
    link: ["--max-memory=4294967296"],
    bind: ["--experimental-reset-state-function"],
    optimize: [],
  },
};

/** Runs cargo (`rustc` or `clippy`) for one of the builds; their outputs lie in target/wasm-NAME. Resolves to that folder. */
export async function cargo(name, command, args) {
  const { crate = "azulejo", features, link } = BUILDS[name];
  const { program, env } = toolchain();
  const flags = [
    `-Ctarget-feature=${features.map((feature) => `+${feature}`).join(",")}`,
    // What the kernels need inlined says so itself. With the compiler's own 225 a module has 60 kB more, compressed, and
    // no more speed (SmolLM2 on one thread: prefill 257 and 250, decode 139 and 145 tokens a second, one as noisy as the other).
    "-Cllvm-args=-inline-threshold=10",
    // Likewise of what says `#[inline]`, which is most of the standard library: 28 kB less than with 325, at the same speed.
    "-Cllvm-args=-inlinehint-threshold=20",
    // Derived `Debug` prints names alone. Our messages print no more than those: another 14 kB.
    "-Zfmt-debug=shallow",
    ...link.map((argument) => `-Clink-arg=${argument}`),
    // Panic messages name source files: not with the paths of the machine that built them. The last that fits is taken.
    `--remap-path-prefix=${homedir()}=home`,
    `--remap-path-prefix=${process.env.CARGO_HOME ?? join(homedir(), ".cargo")}=cargo`,
    `--remap-path-prefix=${root}=azulejo`,
  ];
  const target = join(root, "target", `wasm-${name}`);
  await runBeside(program, [
    command, "--package", crate, "--lib", "--locked", "--target", "wasm32-unknown-unknown", "--target-dir", target,
    "-Zbuild-std=std,panic_abort", "-Zbuild-std-features=optimize_for_size", ...args,
  ], { ...env, CARGO_ENCODED_RUSTFLAGS: flags.join("\x1f") });
  return target;
}

/**
 * The cargo to call, and its environment. The standard library is always compiled with the crate: threads need one with
 * atomics, and compiled for size as the other dependencies are, it makes the modules a tenth smaller. That is an
 * unstable option of a stable compiler: better one compiler for all builds than a nightly for some of them.
 */
function toolchain() {
  const file = join(root, ".tools", "toolchain");
  if (!existsSync(file)) {
    console.error("this machine is not set up yet: run scripts/setup.sh");
    process.exit(1);
  }
  if (readFileSync(file, "utf8").trim() === "debian") return debian();
  return { program: "cargo", env: { RUSTC_BOOTSTRAP: "1" } };
}

/** Debian's compiler, whose library comes as source, and rustup's linker. */
function debian() {
  const libraries = execFileSync("rustc", ["--print", "target-libdir"], { encoding: "utf8", cwd: root }).trim();
  return {
    program: "/usr/bin/cargo",
    env: {
      // Debian's cargo finds its own tools, clippy among them, before rustup's of the same names.
      PATH: `/usr/bin:${process.env.PATH}`,
      RUSTC: "/usr/bin/rustc",
      RUSTC_BOOTSTRAP: "1",
      CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER: join(dirname(libraries), "bin", "rust-lld"),
    },
  };
}
