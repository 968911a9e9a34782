// Where the package has to work, in the order of docs/platforms.md: each place is a row of its table.
//
// `cannot` says by column why something does not work there; everything else does, or its test fails.

import { pinned } from "./apps.mjs";

/** Apps of pages, tried in Chromium. `example`: a folder in examples/; `page`: which of its pages. */
export const APPS = [
  { place: "plain modules", example: "plain" },
  { place: "plain modules, one file", example: "plain", page: "one-file.html" },
  { place: "from a CDN, another origin", example: "cdn" },
  { place: "from a CDN that bundles anew, with `assets`", example: "cdn", rebundled: true },
  { place: "from a CDN, under a Content-Security-Policy", example: "cdn", csp: true },
  { place: "Vite", example: "vite", versions: { vite: "5.4.21" }, built: "dist", dev: true },
  { place: "Vite", example: "vite", versions: { vite: "7.3.8" }, built: "dist", dev: true },
  { place: "Vite", example: "vite", built: "dist", dev: true },
  { place: "webpack", example: "webpack", built: "dist", dev: true },
  { place: "esbuild", example: "esbuild", built: "dist" },
  { place: "Rollup", example: "rollup", built: "dist" },
  { place: "Next", example: "next", start: true, dev: true, heavy: true },
  { place: "a service worker", example: "service-worker", cannot: { threads: "a service worker cannot start workers" } },
  { place: "a shared worker", example: "shared-worker", cannot: { threads: "Chromium has no workers inside a shared worker" } },
];

/** What an app is bundled by: the package's name and its version. */
export function versionOf({ example, versions }) {
  const all = { ...pinned(example), ...versions };
  return all[example] ?? "";
}
