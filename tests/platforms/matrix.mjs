// Where the package has to work, in the order of docs/platforms.md: each place is a row of its table.
//
// `cannot` says by column why something does not work there; everything else does, or its test fails.

import { pinned } from "./apps.mjs";

const VITE = { place: "Vite", example: "vite", build: true, dev: ["--port", "0", "--host", "127.0.0.1"] };

/**
 * Apps of pages, tried in Chromium. `example`: a folder in examples/; `page`: which of its pages; `versions`: of what it
 * installs, where not the example's own; `build`: it has to be built, into dist/; `dev`, `start`: what `npm run dev` (or
 * `start`, in place of a static server) has to be told so that it takes any free port; `cdn`: how it imports from one.
 */
export const APPS = [
  { place: "plain modules", example: "plain" },
  { place: "plain modules, one file", example: "plain", page: "one-file.html" },
  { place: "a CDN", example: "cdn", cdn: {} },
  { place: "a CDN, under a Content-Security-Policy", example: "cdn", cdn: { csp: true } },
  { place: "a CDN that bundles anew, with `assets`", example: "cdn", cdn: { rebundled: true } },
  { ...VITE, versions: { vite: "5.4.21" } },
  { ...VITE, versions: { vite: "7.3.8" } },
  VITE,
  { place: "webpack", example: "webpack", build: true, dev: ["--port", "auto", "--host", "127.0.0.1"] },
  { place: "esbuild", example: "esbuild", build: true },
  { place: "Rollup", example: "rollup", build: true },
  { place: "Next", example: "next", build: true, start: ["--port", "0"], dev: ["--port", "0"] },
  { place: "a service worker", example: "service-worker", cannot: { threads: "a service worker cannot start workers" } },
  { place: "a shared worker", example: "shared-worker", cannot: { threads: "Chromium has no workers inside a shared worker" } },
];

/** What an app is bundled by: that package's version. */
export function versionOf({ example, versions }) {
  return { ...pinned(example), ...versions }[example] ?? "";
}

const NODE = { place: "Node", example: "node", run: [], evaluate: ["--input-type=module", "--eval"], cannot: { webgpu: "Node has no `navigator.gpu`; npm's `webgpu` brings one" } };

/**
 * Runtimes without a browser: `example` names the runtime, too; `run` and `evaluate` are its arguments before a file and
 * before a program's text.
 */
export const RUNTIMES = [
  { ...NODE, version: "20.20.2" },
  { ...NODE, version: "22.23.5" },
  { ...NODE, version: "24.22.3" },
  { place: "Bun", example: "bun", version: "1.4.5", run: [], evaluate: ["--eval"], cannot: { webgpu: "Bun has no `navigator.gpu`" } },
  { place: "Deno", example: "deno", version: "2.9.6", run: ["run", "--allow-all"], evaluate: ["eval"] },
];

/** An extension in Chromium. */
export const EXTENSION = { place: "an extension (MV3), in an offscreen document", example: "extension" };

const NO_GPU = "WebKitGTK has no `navigator.gpu`";

/**
 * Other browsers' engines, of the version that the machine has: `engine` is theirs in engines.mjs; `keeps`: whether they
 * keep files (OPFS); `settings`: in their environment.
 */
export const ENGINES = [
  { place: "Firefox", engine: "firefox", keeps: true, floating: true, cannot: { webgpu: "Firefox has none on Linux yet" } },
  { place: "WebKitGTK", engine: "webkit", keeps: false, floating: true, cannot: { threads: "WebKitGTK has no `SharedArrayBuffer`", webgpu: NO_GPU } },
  {
    place: "WebKitGTK with `SharedArrayBuffer`, as Safari has it", engine: "webkit", keeps: false, floating: true,
    settings: { JSC_useSharedArrayBuffer: "1" }, cannot: { webgpu: NO_GPU },
  },
];
