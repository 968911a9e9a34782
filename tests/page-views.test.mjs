// What holds of every view of the demo page: its words stay whole at any width, a screen reader hears it, and it says
// where its model runs.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { WEBGPU_ARGUMENTS } from "../scripts/chromium.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { brokenWords, startSearch, style, visit } from "./support/demo.mjs";

deadline(10);

const SLOW = { timeout: 120_000 };
/** What there is to see once a view has done what it does by itself. */
const SETTLED = {
  chat: "#load-default",
  images: "#images-view[data-state=ready] #classes li",
  search: "#search-view[data-state=ready] #hits li",
  anatomy: "#anatomy-view[data-state=ready] #diagram svg",
};
const WIDTHS = [320, 360, 412, 540, 700, 768, 800, 833, 900, 1024, 1280, 1440, 1920, 2560];
/** Fonts differ in width by a fifth and more, and readers may set them wider still, as far as WCAG 1.4.12 says. */
const FONTS = {
  "the system's font": "",
  "DejaVu Sans": "* { font-family: 'DejaVu Sans', Verdana, sans-serif !important }",
  "DejaVu Sans, letters apart": "* { font-family: 'DejaVu Sans', Verdana, sans-serif !important; letter-spacing: 0.03em !important }",
  "DejaVu Sans, spaced for reading": "* { font-family: 'DejaVu Sans', Verdana, sans-serif !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important; line-height: 1.5 !important }",
};
/** What is folded away or not needed yet has words as well. */
const FOLDED = ".choose, .controls, #settings, #camera-actions, #stop-patches, #stop-embedding, #resume-embedding, #reload-model, #stop, #error";

describe("every view of the demo page", () => {
  let browser;
  before(async () => { browser = await launchBrowser(); });
  after(() => browser?.close());

  for (const [view, settled] of Object.entries(SETTLED)) {
    describe(`the view ${view}`, () => {
      let page, close;
      before(async () => {
        ({ page, close } = await visit(browser, { server: { isolated: false, csp: true }, hash: `#${view}` }));
        if (view === "search") await startSearch(page);
        await page.waitForSelector(settled, SLOW);
      });
      after(() => close?.());

      test("has an announcer that a screen reader can hear", async () => {
        const { visible, hidden, live } = await page.evaluate(() => {
          const announcer = document.querySelector("#announcer");
          return { visible: announcer.checkVisibility(), hidden: announcer.closest("[hidden], [inert], [aria-hidden=true]") !== null, live: announcer.ariaLive };
        });
        assert.deepEqual({ visible, hidden, live }, { visible: true, hidden: false, live: "polite" });
      });

      for (const [font, css] of Object.entries(FONTS)) {
        test(`breaks no word, and nothing sticks out, from 320 to 2560 pixels in ${font}`, async () => {
          await style(page, css);
          await page.evaluate((folded) => {
            for (const each of document.querySelectorAll(folded)) {
              each.hidden = false;
              if (each instanceof HTMLDetailsElement) each.open = true;
            }
          }, FOLDED);
          for (const width of WIDTHS) {
            await page.setViewportSize({ width, height: 800 });
            assert.deepEqual(await brokenWords(page), [], `${width} pixels wide`);
          }
        });
      }
    });
  }

  test("the navigation is one line from 360 pixels on, beside the name where there is room", async () => {
    const { page, close } = await visit(browser, { server: { isolated: false } });
    try {
      await style(page, FONTS["DejaVu Sans"]);
      for (const width of [360, 768, 1280, 1920]) {
        await page.setViewportSize({ width, height: 800 });
        const tops = await page.evaluate(() => [...document.querySelectorAll("#views a")].map((link) => Math.round(link.getBoundingClientRect().top)));
        assert.equal(new Set(tops).size, 1, `${width} pixels wide: ${tops.join(", ")}`);
        const [name, links] = await page.evaluate(() => ["h1", "#views"].map((part) => document.querySelector(part).getBoundingClientRect().toJSON()));
        assert.equal(links.top < name.bottom, width >= 768, `${width} pixels wide`);
      }
    } finally {
      await close();
    }
  });

  test("breaks what is one word of any length", async () => {
    const { page, close } = await visit(browser, { server: { isolated: false }, context: { viewport: { width: 320, height: 700 } } });
    const sticksOut = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    try {
      await page.setInputFiles("#file", { name: `${"long".repeat(40)}.gguf`, mimeType: "application/octet-stream", buffer: Buffer.from("no model") });
      await page.waitForSelector("#error:not([hidden])", SLOW);
      assert.match(await page.innerText("#error"), /longlong/);
      assert.equal(await sticksOut(), 0);
      await page.fill("#prompt", "word".repeat(60));
      await page.press("#prompt", "Enter");
      await page.waitForSelector("[data-role=user]");
      assert.equal(await sticksOut(), 0);
    } finally {
      await close();
    }
  });

  test("a screen reader hears which view it is in, and what each found", async () => {
    const { page, close } = await visit(browser, { server: { isolated: false, csp: true } });
    /** Goes to a view, and waits until something like this is said. */
    async function hears(view, pattern, act = () => {}) {
      await page.evaluate(() => {
        window.heard = [];
        window.listening?.disconnect();
        window.listening = new MutationObserver(() => window.heard.push(document.querySelector("#announcer").textContent));
        window.listening.observe(document.querySelector("#announcer"), { childList: true, characterData: true, subtree: true });
      });
      await page.click(`#views a[href="#${view}"]`);
      await act();
      await page.waitForFunction(({ source }) => window.heard.some((text) => new RegExp(source).test(text)), { source: pattern.source }, SLOW);
      return page.evaluate(() => window.heard[0]);
    }
    try {
      assert.match(await hears("images", /^Ankle boot, \d+\.\d %$/), /^A classifier/);
      assert.match(await hears("search", /^Nearest: Honeybees/, () => startSearch(page)), /^A search by meaning/);
      assert.match(await hears("anatomy", /^Fashion-MNIST ViT: vit, [\d,]+ parameters, 6 layers$/), /^What a model is made of/);
      assert.match(await hears("chat", /^A language model/), /^A language model/);
    } finally {
      await close();
    }
  });

  describe("says in plain words where its model runs, and why not elsewhere", () => {
    /** The card of a model in a page that is served like this. */
    async function card(where, isolated, device = "CPU") {
      const { page, close } = await visit(where, { server: { isolated, csp: true }, hash: "#images" });
      try {
        await page.waitForSelector(SETTLED.images, SLOW);
        if (device === "WebGPU") await page.check("#compute-webgpu");
        await page.waitForFunction((device) => document.querySelector("#image-model-card").textContent.includes(`${device}: `), device, SLOW);
        return await page.textContent("#image-model-card");
      } finally {
        await close();
      }
    }

    test("without a GPU", async () => {
      assert.match(await card(browser, true), /^Fashion-MNIST ViT on your processor, \d+ cores?Why not the graphics card, and in numbers.*CPU: wasm simd128, \d+ threads?\b.*(this browser has no WebGPU|no graphics processor for WebGPU)/s);
    });

    test("on a page that may not have threads", async () => {
      assert.match(await card(browser, false), /1 thread\b.*one thread: the page is not cross-origin isolated/s);
    });

    test("where WebGPU is software, which is taken for who asks for it", async () => {
      const withGpu = await launchBrowser({ args: WEBGPU_ARGUMENTS });
      try {
        assert.match(await card(withGpu, true), /CPU: .*WebGPU would be software here, and slower \(.*swiftshader/is);
        assert.match(await card(withGpu, true, "WebGPU"), /WebGPU: .*swiftshader/i);
      } finally {
        await withGpu.close();
      }
    });
  });
});
