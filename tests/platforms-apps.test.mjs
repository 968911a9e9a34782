// The apps of examples/ in Chromium, as they are or as a bundler builds and serves them: each on an isolated page and
// on one that is not, on the CPU and on WebGPU.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { WEBGPU_ARGUMENTS } from "../scripts/chromium.mjs";
import { makeApp } from "./platforms/apps.mjs";
import { importFrom, policy, startCdn } from "./platforms/cdn.mjs";
import { STAGES, visit } from "./platforms/chromium.mjs";
import { ISOLATED, startFront } from "./platforms/front.mjs";
import { APPS } from "./platforms/matrix.mjs";
import { answer, writeModel } from "./platforms/model.mjs";
import { start } from "./platforms/processes.mjs";
import { report } from "./platforms/table.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { pack, run } from "./support/package.mjs";
import { startServer } from "./support/server.mjs";

deadline(25);

// Next would tell its makers of each build.
process.env.NEXT_TELEMETRY_DISABLED = "1";

let browser, packed, models, expected;

before(async () => {
  packed = pack();
  models = await startServer({ mounts: { "/models/": writeModel(packed.folder) } });
  expected = await answer();
  browser = await launchBrowser({ args: WEBGPU_ARGUMENTS });
});
after(async () => {
  await browser?.close();
  await models?.close();
  packed?.remove();
});

/** Visits the app that `target` serves, with the model beside it. */
async function open(target, { page = "", isolated = true, headers = {}, asked = {} }, stage) {
  const front = await startFront({ "/models/": models.url, "/": target }, { ...(isolated && ISOLATED), ...headers });
  try {
    const seen = await visit(browser, `${front.url}${page}?${new URLSearchParams({ model: "/models/tiny.gguf", ...asked })}`, stage);
    assert.equal(seen.error, undefined);
    assert.equal(seen.isolated, isolated);
    return seen;
  } finally {
    await front.close();
  }
}

/** The device that has answered. */
async function ask(target, how) {
  const { text, device } = await open(target, how, STAGES.answer);
  assert.equal(text, expected);
  return device;
}

/** Whether WebGPU is to be had there. Software computes it here, at length: that it answers is seen in other tests. */
async function hasWebGpu(target, how) {
  const { device } = await open(target, { ...how, asked: { ...how.asked, device: "webgpu" } }, STAGES.device);
  return device.kind === "webgpu";
}

/** What works of a served app. */
async function tryAll(target, how) {
  const isolated = await ask(target, how);
  assert.equal(isolated.kind, "cpu", "a software adapter was taken");
  const single = await ask(target, { ...how, isolated: false });
  assert.ok(!single.features.includes("threads"));
  const { text } = await open(target, { ...how, asked: { ...how.asked, regex: "[0-9]{3}" } }, STAGES.answer);
  assert.match(text, /^[0-9]{3}$/);
  return { isolated: true, threads: isolated.features.includes("threads"), webgpu: await hasWebGpu(target, how) };
}

/** While a server of the app's own runs, `npm run COMMAND -- ARGUMENTS`. */
async function whileServed(folder, command, args, visiting) {
  const server = start("npm", ["run", command, "--", ...args], { cwd: folder });
  try {
    const [, port] = await server.says(/http:\/\/(?:localhost|127\.0\.0\.1|\[::1\]):([1-9]\d*)/);
    return await visiting(`http://127.0.0.1:${port}/`);
  } finally {
    await server.stop();
  }
}

async function whileStatic(folder, visiting) {
  const server = await startServer({ mounts: { "/": folder }, isolated: false });
  try {
    return await visiting(server.url);
  } finally {
    await server.close();
  }
}

/** As a page of a static server, or of the app's own where it has one for what was built. */
function whileBuilt({ build, start }, folder, visiting) {
  if (build) run(folder, "npm", "run", "build");
  if (start) return whileServed(folder, "start", start, visiting);
  return whileStatic(build ? join(folder, "dist") : folder, visiting);
}

async function tryCdn(row, folder) {
  const cdn = await startCdn(join(folder, "node_modules", "azulejo"));
  try {
    await importFrom(cdn, folder, row.cdn.rebundled);
    const headers = { ...(row.cdn.csp && { "content-security-policy": policy(cdn, folder) }), ...row.cdn.headers };
    const asked = row.cdn.rebundled ? { assets: cdn.assets } : {};
    return await whileStatic(folder, (target) => tryAll(target, { headers, asked }));
  } finally {
    await cdn.close();
  }
}

async function tryApp(row, folder) {
  const seen = await whileBuilt(row, folder, (target) => tryAll(target, { page: row.page }));
  if (row.build) seen.build = true;
  if (row.dev === undefined) return seen;
  const device = await whileServed(folder, "dev", row.dev, (target) => ask(target, {}));
  assert.ok(device.features.includes("threads"), "no threads on the bundler's own server");
  return { ...seen, dev: true };
}

describe("in Chromium the model answers", () => {
  for (const row of APPS) {
    test(`${row.place} ${row.version}`.trim(), { timeout: 600_000 }, async () => {
      const folder = makeApp(packed.tarball, row.example, row.versions);
      report(row, row.version, await (row.cdn ? tryCdn(row, folder) : tryApp(row, folder)));
    });
  }
});
