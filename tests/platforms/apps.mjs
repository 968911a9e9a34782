// The apps of examples/, each with the packed package installed in a folder of its own below .tools, where what npm
// has installed stays for the next time.

import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../scripts/run.mjs";
import { QUIET, run, unpack } from "../support/package.mjs";

const EXAMPLES = join(root, "examples");

/**
 * Makes an app out of an example.
 * @param {string} tarball the packed package
 * @param {string} example its folder in examples/
 * @param {Record<string, string>} versions of what it installs, where they are not the example's own
 * @returns its folder
 */
export function makeApp(tarball, example, versions = {}) {
  const app = join(root, ".tools", "test-apps", [example, ...Object.values(versions)].join("-"));
  mkdirSync(app, { recursive: true });
  for (const old of readdirSync(app)) if (old !== "node_modules") rmSync(join(app, old), { recursive: true });
  cpSync(join(EXAMPLES, example), app, { recursive: true });
  if (!existsSync(join(app, "main.js"))) cpSync(join(EXAMPLES, "main.js"), join(app, "main.js"));
  if (existsSync(join(app, "package.json"))) install(app, versions);
  unpack(tarball, app);
  // Where no bundler looks into node_modules the files lie beside the page.
  if (!existsSync(join(app, "package.json"))) cpSync(join(app, "node_modules", "azulejo", "dist"), join(app, "azulejo"), { recursive: true });
  return app;
}

/** All that the app needs but azulejo, unless it is there already. */
function install(app, versions) {
  const wanted = JSON.parse(readFileSync(join(app, "package.json"), "utf8"));
  delete wanted.dependencies.azulejo;
  for (const group of [wanted.dependencies, wanted.devDependencies ?? {}]) {
    for (const name of Object.keys(group)) group[name] = versions[name] ?? group[name];
  }
  const text = JSON.stringify(wanted);
  writeFileSync(join(app, "package.json"), text);
  const stamp = join(app, "node_modules", ".made-for");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === text) return forget(app);
  rmSync(join(app, "node_modules"), { recursive: true, force: true });
  run(app, "npm", "install", ...QUIET, "--no-package-lock", "--prefer-offline");
  mkdirSync(join(app, "node_modules"), { recursive: true });
  writeFileSync(stamp, text);
}

/** What bundlers keep from the time before, when the package was another. */
function forget(app) {
  for (const kept of [".vite", ".cache"]) rmSync(join(app, "node_modules", kept), { recursive: true, force: true });
}

/** What the example installs, by name. */
export function pinned(example) {
  const file = join(EXAMPLES, example, "package.json");
  if (!existsSync(file)) return {};
  const { dependencies, devDependencies } = JSON.parse(readFileSync(file, "utf8"));
  return { ...dependencies, ...devDependencies };
}
