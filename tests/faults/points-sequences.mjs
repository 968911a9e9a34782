// Sequences of calls by seed, under Node and in a page.

import { endless } from "../api-models.mjs";
import { startApiServer } from "../api-server.mjs";
import { launchBrowser } from "../support/browser.mjs";
import { numbered } from "./injector.mjs";
import { bert, vit } from "./models.mjs";
import { trial } from "./sequence-trials.mjs";
import { learn } from "./sequences.mjs";
import { Tap } from "./wire.mjs";

const SEEDS = { node: 500, page: 250 };

const points = (where) => Array.from({ length: SEEDS[where] }, (_, seed) => {
  const kind = `sequences-${where}/seeds`;
  return { seed, kind, slow: true, name: `${kind}/${numbered(seed)}` };
});

export async function underNode() {
  const tap = new Tap();
  tap.install();
  const files = { lm: endless(), bert: bert(), vit: vit() };
  const kill = () => Promise.all([...tap.alive].map((worker) => worker.terminate()));
  const world = { files, url: "https://models.example/lm.gguf", right: await learn(files), kill };
  return {
    points: points("node"),
    trial: ({ seed }) => trial(world, seed),
    memory: () => 0,
    close() {},
  };
}

export async function inPage() {
  const browser = await launchBrowser();
  const server = await startApiServer({ isolated: false, files: { "/lm.gguf": { bytes: endless() } } });
  const page = await browser.newPage();
  let stray = [];
  page.on("pageerror", (error) => stray.push(`an uncaught exception in the page: ${error?.stack ?? error}`));
  await page.goto(server.url);
  return {
    points: points("page"),
    async trial({ seed }) {
      stray = [];
      const wrongs = await page.evaluate(async (seed) => (await import("/tests/faults/sequences-page.js")).trialOf(seed), seed);
      return [...wrongs, ...stray];
    },
    memory: () => 0,
    async close() {
      await browser.close();
      await server.close();
    },
  };
}
