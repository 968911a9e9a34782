// Where contestants run: each in a tab of one browser, or in a process of Node of its own.

import { fork } from "node:child_process";
import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { WEBGPU_ARGUMENTS, vulkanEnvironment } from "../scripts/chromium.mjs";
import { gpuCeilings } from "./shares.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** What the browser is told so that it has this adapter, and does not round its timestamps. */
const BROWSER_ARGUMENTS = { swiftshader: WEBGPU_ARGUMENTS, default: ["--enable-unsafe-webgpu"] };
export const ADAPTERS = Object.keys(BROWSER_ARGUMENTS);

/**
 * `models`: paths; `adapter`: what WebGPU computes on, if anybody needs it. A runtime opens places in which the
 * commands of driver.js are called, and says where a model lies for them.
 */
export const RUNTIMES = {
  async browser({ models, adapter }) {
    // Not before it is asked for: under Node it need not be installed.
    const { launchBrowser } = await import("../tests/support/browser.mjs");
    const { startServer } = await import("../tests/support/server.mjs");
    const browser = await launchBrowser({ args: BROWSER_ARGUMENTS[adapter] });
    const mounts = Object.fromEntries(models.map((model, index) => [`/model/${index}/`, dirname(model)]));
    const server = await startServer({ mounts: { ...mounts, "/": ROOT }, isolated: true });
    const at = (path) => new URL(path, server.url).href;
    return {
      name: `Chromium ${browser.version()}`,
      address: (model) => at(`/model/${models.indexOf(model)}/${encodeURIComponent(basename(model))}`),
      settings: {},
      async open() {
        const page = await browser.newPage();
        await page.goto(at("/bench/page.html"));
        const run = async ([name, args]) => (await import("/bench/driver.js")).commands[name](...args);
        return {
          async call(name, ...args) {
            await page.bringToFront();
            return page.evaluate(run, [name, args]);
          },
          close: () => page.close(),
        };
      },
      async close() {
        await browser.close();
        await server.close();
      },
    };
  },

  async node({ adapter }) {
    const vulkan = adapter === "swiftshader" ? vulkanEnvironment() : {};
    return {
      name: `Node ${process.versions.node} with Dawn`,
      address: (model) => model,
      // A worker of Node's has no navigator.gpu.
      settings: { worker: false },
      async open() {
        const child = fork(fileURLToPath(new URL("node.mjs", import.meta.url)), { env: { ...process.env, ...vulkan } });
        const ended = new Promise((resolve) => child.once("exit", resolve));
        return { call: caller(child), close: () => (child.connected && child.disconnect(), ended) };
      },
      async close() {},
    };
  },
};

/**
 * What the machine can do at most (see shares.mjs), measured in a place of its own; if it was measured `before`, the better
 * of both, since something may have disturbed one.
 */
export async function ceilingsOf(runtime, { device, threads }, before = {}) {
  const place = await runtime.open();
  const found = device === "webgpu" ? gpuCeilings(await place.call("ceilings")) : await place.call("cpuCeilings", threads);
  await place.close();
  return Object.fromEntries(Object.entries(found).map(([name, rate]) => [name, Math.max(rate, before[name] ?? 0)]));
}

/** Calls in the child, one at a time. */
function caller(child) {
  return (name, ...args) => new Promise((resolve, reject) => {
    const over = (settle) => (given) => {
      child.off("message", heard).off("exit", gone);
      settle(given);
    };
    const heard = over(({ value, error }) => (error === undefined ? resolve(value) : reject(new Error(error))));
    const gone = over((code) => reject(new Error(`the process on Dawn has ended with ${code}`)));
    child.once("message", heard).once("exit", gone).send([name, args]);
  });
}
