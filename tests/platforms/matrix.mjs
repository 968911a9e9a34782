// Where the package has to work, in the order of docs/platforms.md: each place is a row of its table.
//
// `version` is of the package that an app is bundled by, or of the runtime; without one it is what the machine has.
// `cannot` says by column why something does not work there; everything else does, or its test fails.

import { pinned } from "./apps.mjs";

const bundler = (example, rest) => ({ version: pinned(example)[example], example, ...rest });
const VITE = bundler("vite", { place: "Vite", build: true, dev: ["--port", "0", "--host", "127.0.0.1"] });

/**
 * Apps of pages, tried in Chromium. `example`: a folder in examples/; `page`: which of its pages; `versions`: of what it
 * installs, where not the example's own; `build`: it has to be built, into dist/; `dev`, `start`: what `npm run dev` (or
 * `start`, in place of a static server) has to be told so that it takes any free port; `cdn`: how it imports from one.
 */
export const APPS = [
  { place: "plain modules", version: "", example: "plain" },
  { place: "plain modules, one file", version: "", example: "plain", page: "one-file.html" },
  { place: "a CDN", version: "", example: "cdn", cdn: {} },
  { place: "a CDN, under a Content-Security-Policy", version: "", example: "cdn", cdn: { csp: true } },
  { place: "a CDN, isolated by `credentialless`", version: "", example: "cdn", cdn: { headers: { "cross-origin-embedder-policy": "credentialless" } } },
  { place: "a CDN that bundles anew, with `assets`", version: "", example: "cdn", cdn: { rebundled: true } },
  ...["5.4.21", "7.3.8"].map((version) => ({ ...VITE, version, versions: { vite: version } })),
  VITE,
  bundler("webpack", { place: "webpack", build: true, dev: ["--port", "auto", "--host", "127.0.0.1"] }),
  bundler("esbuild", { place: "esbuild", build: true }),
  bundler("rollup", { place: "Rollup", build: true }),
  bundler("next", { place: "Next", build: true, start: ["--port", "0"], dev: ["--port", "0"] }),
  { place: "a service worker", version: "", example: "service-worker", cannot: { threads: "a service worker cannot start workers" } },
  { place: "a shared worker", version: "", example: "shared-worker", cannot: { threads: "Chromium has no workers inside a shared worker" } },
];

/** An extension, in Chromium too. */
export const EXTENSION = { place: "an extension (MV3), in an offscreen document", version: "", example: "extension" };

const NO_GPU = "WebKitGTK has no `navigator.gpu`";

/**
 * Other browsers' engines: `engine` is theirs in engines.mjs; `keeps`: whether they keep files (OPFS); `settings`: in
 * their environment.
 */
export const ENGINES = [
  { place: "Firefox", engine: "firefox", keeps: true, cannot: { webgpu: "Firefox has none on Linux yet" } },
  { place: "WebKitGTK", engine: "webkit", keeps: false, cannot: { threads: "WebKitGTK has no `SharedArrayBuffer`", webgpu: NO_GPU } },
  {
    place: "WebKitGTK with `SharedArrayBuffer`, as Safari has it", engine: "webkit", keeps: false,
    settings: { JSC_useSharedArrayBuffer: "1" }, cannot: { webgpu: NO_GPU },
  },
];

const NODE = {
  place: "Node", example: "node", run: [], evaluate: ["--input-type=module", "--eval"],
  cannot: { webgpu: "Node has no `navigator.gpu`; npm's `webgpu` brings one" },
};

/**
 * Runtimes without a browser: `example` names the runtime, too; `run` and `evaluate` are its arguments before a file and
 * before a program's text.
 */
export const RUNTIMES = [
  ...["20.20.2", "22.23.5", "24.22.3"].map((version) => ({ ...NODE, version })),
  { place: "Bun", version: "1.4.5", example: "bun", run: [], evaluate: ["--eval"], cannot: { webgpu: "Bun has no `navigator.gpu`" } },
  { place: "Deno", version: "2.9.6", example: "deno", run: ["run", "--no-prompt", "--allow-read"], evaluate: ["eval"] },
];

export const ROWS = [...APPS, EXTENSION, ...ENGINES, ...RUNTIMES];
