// The search view of the demo page as a visitor meets it: the built page, all-MiniLM-L6-v2, a real browser.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { WEBGPU_ARGUMENTS } from "../scripts/chromium.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { dropFile, modelFiles, nameless, onPhones, reachAll, startSearch, visit } from "./support/demo.mjs";

deadline(10);

const READY = "#search-view[data-state=ready]";
const HASH = "#search";

const texts = (page) => page.locator("#hits .text").allInnerTexts();
const drawn = (page) => page.evaluate(() => document.querySelector("#similarity").toDataURL());

/** The view once its passages have their vectors and its query is answered; the first time its model is asked for. */
async function settled(page) {
  if (await page.locator("#search-view[data-state=empty]").count() > 0) await startSearch(page);
  await page.waitForSelector(READY);
  await page.waitForSelector("#hits li");
  await page.waitForSelector("#embed-progress", { state: "hidden" });
}

/** Types a query, and waits until all of it is answered and the passage that comes first is `expected`. */
async function ask(page, query, expected) {
  await page.fill("#query", "");
  await page.locator("#query").pressSequentially(query);
  const answered = ({ query, source }) => {
    const hits = document.querySelector("#hits");
    return hits.dataset.query === query && new RegExp(source).test(hits.querySelector(".text")?.textContent);
  };
  await page.waitForFunction(answered, { query, source: expected.source });
}

/** A page with its own model and text, to which each test comes anew. */
function opened(browser) {
  let text, query;
  const it = {};
  before(async () => {
    Object.assign(it, await visit(browser(), { server: { isolated: false, csp: true }, hash: HASH }));
    await settled(it.page);
    [text, query] = await Promise.all([it.page.inputValue("#search-text"), it.page.inputValue("#query")]);
  });
  after(() => it.close?.());
  beforeEach(async () => {
    await it.page.check("#by-sentence");
    if (await it.page.inputValue("#search-text") !== text) await it.page.fill("#search-text", text);
    await it.page.fill("#query", query);
    await it.page.waitForFunction((query) => document.querySelector("#hits").dataset.query === query, query);
    await settled(it.page);
  });
  return it;
}

describe("the search view of the demo page", () => {
  let browser;
  before(async () => { browser = await launchBrowser(); });
  after(() => browser?.close());

  const places = {
    "on an isolated page": { isolated: true },
    "on a page without isolation": { isolated: false },
    "under a strict Content-Security-Policy": { isolated: true, csp: true },
  };
  for (const [place, server] of Object.entries(places)) {
    test(`opens with a text, and answers once its model is loaded ${place}`, async () => {
      const { page, complaints, close } = await visit(browser, { server, hash: HASH });
      try {
        await settled(page);
        assert.match((await texts(page))[0], /Honeybees survive the winter/);
        assert.equal(await page.innerText("#passage-count"), "42 passages");
        assert.match(await page.textContent("#search-model-card"), /all-MiniLM-L6-v2.*bert.*6 layers × 384 wide.*threads?/s);
        assert.match(await page.innerText("#embed-timing"), /\d m?s a passage · 384 numbers each · .*threads?/);
        assert.match(await page.innerText("#query-timing"), /\d m?s for the query/);
        assert.equal(await page.locator("#error").isVisible(), false);
        assert.deepEqual(complaints, []);
      } finally {
        await close();
      }
    });
  }

  describe("with its own model and text", () => {
    const it = opened(() => browser);
    let page;
    beforeEach(() => { page = it.page; });
    afterEach(() => assert.deepEqual(it.complaints, []));

    test("finds by meaning what shares no word with the query, while it is typed", async () => {
      await ask(page, "setting cash aside for later", /^Putting a little aside/);
      await ask(page, "celestial bodies that are less dense than water", /^Saturn would float/);
      await ask(page, "the colour of daylight", /^The sky looks blue/);
    });

    test("ranks by the cosine, with bars as long as it", async () => {
      const { widths, scores } = await page.evaluate(() => ({
        widths: [...document.querySelectorAll("#hits .bar")].map((bar) => Number(bar.style.getPropertyValue("--part"))),
        scores: [...document.querySelectorAll("#hits .score")].map(({ textContent }) => Number(textContent)),
      }));
      assert.equal(scores.length, 8);
      assert.deepEqual(widths, widths.toSorted((a, b) => b - a));
      for (const [at, score] of scores.entries()) assert(Math.abs(score - widths[at]) < 0.0051, `${score}, bar ${widths[at]}`);
      assert(scores[0] > 0.4 && scores[0] < 1, `the nearest has ${scores[0]}`);
    });

    test("gives a passage's own words the cosine 1", async () => {
      await ask(page, "Cats purr when they are content, but also when they are hurt.", /^Cats purr/);
      await page.waitForFunction(() => document.querySelector("#hits .score").textContent === "1.00");
    });

    test("answers the examples, and nothing when nothing is asked", async () => {
      await page.getByRole("button", { name: "saving money", exact: true }).click();
      await page.waitForFunction(() => /aside|interest/.test(document.querySelector("#hits .text")?.textContent));
      await page.fill("#query", " ");
      await page.waitForFunction(() => document.querySelectorAll("#hits li").length === 0);
    });

    test("shows a passage in the text", async () => {
      await ask(page, "how do insects keep from freezing", /^Honeybees/);
      await page.locator("#hits button").nth(1).click();
      const chosen = await page.evaluate(() => {
        const { value, selectionStart, selectionEnd } = document.querySelector("#search-text");
        return value.slice(selectionStart, selectionEnd);
      });
      assert.equal(chosen, (await texts(page))[1]);
    });

    test("draws every passage with every other, and says which two a cell compares, to a pointer and to the arrow keys", async () => {
      const { width } = await page.locator("#similarity").boundingBox();
      await page.locator("#similarity").hover({ position: { x: (1.5 * width) / 42, y: (1.5 * width) / 42 } });
      assert.match(await page.innerText("#similarity-info"), /^1\.00: “An octopus .*” and “An octopus /);
      await page.focus("#similarity");
      await page.keyboard.press("ArrowUp");
      assert.match(await page.innerText("#similarity-info"), /^-?0\.\d\d: “Honeybees .*” and “An octopus /);
    });

    test("says the picture of all passages as a table, too", async () => {
      await page.click(".grid-table:visible summary");
      assert.equal(await page.locator(".grid-table:visible tbody tr").count(), 42);
      assert.match(await page.innerText(".grid-table:visible tbody tr"), /^1\s+1\.00: “Honeybees .*” and “Honeybees .*”\s+0\.\d\d: /);
      await page.click(".grid-table:visible summary");
    });

    test("cuts into paragraphs for who prefers that", async () => {
      const before = await drawn(page);
      await page.check("#by-paragraph");
      await page.waitForFunction(() => document.querySelector("#passage-count").textContent === "7 passages");
      await settled(page);
      assert.match((await texts(page))[0], /^Honeybees[^]*Bamboo/);
      assert.notEqual(await drawn(page), before);
    });

    test("follows what is written into the text", async () => {
      await page.fill("#query", "how to repair a leaking tap");
      await page.fill("#search-text", "The moon is far away. A plumber stops a dripping faucet with a new washer.\nBread is baked.");
      await page.waitForFunction(() => /^A plumber/.test(document.querySelector("#hits .text")?.textContent));
      assert.equal(await page.innerText("#passage-count"), "3 passages");
      await page.fill("#search-text", "");
      await page.waitForFunction(() => document.querySelectorAll("#hits li").length === 0);
      assert.equal(await page.locator("#similarity-card").isVisible(), false);
    });

    test("takes a file of text that is dropped", async () => {
      await page.fill("#query", "how to repair a leaking tap");
      await dropFile(page, "notes.txt", Buffer.from("Whales sing.\n\nTaps are repaired with a wrench, and a new seal.\n"), "text/plain");
      await page.waitForFunction(() => /^Taps/.test(document.querySelector("#hits .text")?.textContent));
    });

    test("stops within a batch, finds in what it has, and goes on when asked to", async () => {
      const long = Array.from({ length: 390 }, (_, at) => `Sentence number ${at} speaks of ${["rivers", "engines", "sonnets"][at % 3]} and of little else.`);
      await page.fill("#search-text", long.join("\n"));
      await page.waitForFunction(() => document.querySelector("#embed-progress").value > 0);
      await page.click("#stop-embedding");
      await page.waitForSelector("#resume-embedding:visible");
      assert.match(await page.innerText("#search-status"), /Stopped at \d+ of 390 passages/);
      await page.fill("#query", "poems");
      await page.waitForFunction(() => /sonnets/.test(document.querySelector("#hits .text")?.textContent));
      await page.click("#resume-embedding");
      await page.waitForSelector("#stop-embedding:visible");
      await page.fill("#search-text", "Sonnets have fourteen lines.");
      await settled(page);
    });

    test("leaves out what is too much, and says so", async () => {
      await page.fill("#search-text", Array.from({ length: 450 }, (_, at) => `${at}.`).join("\n"));
      assert.match(await page.innerText("#passage-count"), /^400 passages; 50 more are left out/);
    });
  });

  describe("with what is wrong", () => {
    const it = opened(() => browser);
    let page;
    beforeEach(() => { page = it.page; });

    test("says in words what is wrong with a file, and keeps the text", async () => {
      await page.fill("#search-text", "Enough.");
      await dropFile(page, "picture.bin", [0xff, 0xfe, 0x80, 0x00]);
      await page.waitForSelector("#error:not([hidden])[data-code=corrupt-file]");
      assert.match(await page.innerText("#error"), /picture\.bin is no text/);
      assert.equal(await page.inputValue("#search-text"), "Enough.");
      await page.click("#error-close");
      assert.equal(await page.evaluate(() => document.activeElement.id), "query");
    });

    test("says in words what is wrong with a model, and keeps the one before", async () => {
      const wrong = { "missing-file": [modelFiles("bert")[0]], "unsupported-model": modelFiles("vit") };
      for (const [code, files] of Object.entries(wrong)) {
        await page.click("#search-change-model");
        await page.setInputFiles("#search-file", files);
        await page.waitForSelector(`#error:not([hidden])[data-code=${code}]`);
        assert.match(await page.innerText("#error-advice"), /still loaded/);
      }
      await ask(page, "the colour of daylight", /^The sky looks blue/);
    });

    test("says which file a model lacks that has no tokenizer, and goes back to its own", async () => {
      await page.click("#search-change-model");
      await page.setInputFiles("#search-file", modelFiles("bert"));
      await page.waitForSelector("#error:not([hidden])[data-code=missing-file]");
      assert.match(await page.innerText("#error"), /tokenizer\.json/);
      await page.click("#search-load-default");
      await ask(page, "the colour of daylight", /^The sky looks blue/);
    });
  });

  test("computes on WebGPU for who asks for it, and on the CPU for who prefers that", async () => {
    const withGpu = await launchBrowser({ args: WEBGPU_ARGUMENTS });
    const { page, complaints, close } = await visit(withGpu, { server: { isolated: false, csp: true }, hash: HASH });
    try {
      await settled(page);
      // An adapter in software is not taken by itself.
      assert.equal(await page.isChecked("#search-cpu"), true);
      await page.check("#search-webgpu");
      await page.waitForFunction(() => /WebGPU: .*swiftshader/i.test(document.querySelector("#embed-timing").textContent));
      await settled(page);
      const onGpu = await texts(page);
      await page.check("#search-cpu");
      await page.waitForFunction(() => /wasm simd/.test(document.querySelector("#embed-timing").textContent));
      await settled(page);
      assert.deepEqual((await texts(page)).slice(0, 3), onGpu.slice(0, 3));
      assert.equal(await page.locator("#error").isVisible(), false);
      assert.deepEqual(complaints, []);
    } finally {
      await close();
      await withGpu.close();
    }
  });

  test("says so where there is no WebGPU, and goes on with the CPU", async () => {
    const { page, close } = await visit(browser, { server: { isolated: false }, hash: HASH });
    try {
      await settled(page);
      await page.click("#search-webgpu");
      await page.waitForSelector("#error:not([hidden])[data-code=no-webgpu]");
      await page.waitForFunction(() => document.querySelector("#search-cpu").checked);
      await ask(page, "chess", /^A chess game/);
    } finally {
      await close();
    }
  });

  test("every control has a name, and the keyboard reaches those that are shown", async () => {
    const { page, close } = await visit(browser, { server: { isolated: false }, hash: HASH });
    try {
      await settled(page);
      assert.deepEqual(await nameless(page), []);
      await reachAll(page, ["search-change-model", "query", "search-text", "by-sentence", "search-cpu", "similarity"]);
    } finally {
      await close();
    }
  });

  test("fits a phone, upright and across", () => onPhones(browser, HASH, settled));
});
