// The anatomy view of the demo page as a visitor meets it: the built page, the real checkpoint and every family of the
// conformance set, a real browser.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { dropFile, modelFiles, nameless, onPhones, reachAll, startSearch, visit } from "./support/demo.mjs";

deadline(10);

const READY = "#anatomy-view[data-state=ready]";
const HASH = "#anatomy";
const SMOLLM = "SmolLM2 135M Instruct";

const drawn = (page, id) => page.evaluate((id) => document.getElementById(id).toDataURL(), id);
/** The texts of the diagram, from top to bottom, each of a box's lines by itself. */
const words = (page) => page.locator("#diagram text").allTextContents();
const formula = async (page) => (await page.innerText("#formula")).split("\n");

/** Does something, and waits until the picture of attention is another than before. */
async function changes(page, action) {
  const earlier = await drawn(page, "token-map");
  await action();
  await page.waitForFunction((earlier) => document.querySelector("#token-map").toDataURL() !== earlier, earlier);
}

/** Waits until the attention of so many heads is drawn. */
const mapOf = (page, heads) => page.waitForFunction((heads) => document.querySelectorAll("#map-heads button").length === heads, heads);

/** Opens the files of a family and waits until it is shown. */
async function open(page, family) {
  await page.evaluate(() => { document.querySelector("#anatomy").dataset.model = ""; });
  await page.setInputFiles("#anatomy-file", modelFiles(family));
  await page.waitForFunction(() => document.querySelector("#anatomy").dataset.model !== "" || !document.querySelector("#error").hidden);
  assert.equal(await page.locator("#error").isVisible(), false, `${family}: ${await page.locator("#error").textContent()}`);
}

/** What a family's block must say: its formula, and words in its diagram. */
const FAMILIES = {
  llama: { formula: ["x ← x + attention(norm(x))", "x ← x + feed_forward(norm(x))"], words: [/^RMSNorm$/, /^RoPE of/, /SwiGLU/, /of keys and values/] },
  gpt2: { formula: ["x ← x + attention(norm(x))", "x ← x + feed_forward(norm(x))"], words: [/^LayerNorm$/, /^Positions$/, /^learned$/, /^GELU, by tanh$/] },
  gptj: { formula: ["x ← x + attention(norm(x)) + feed_forward(norm(x))"], words: [/neighbours/] },
  gpt_neox: { formula: ["x ← x + attention(norm₁(x)) + feed_forward(norm₂(x))"], words: [/^RoPE of/] },
  bloom: { formula: ["x ← x + attention(norm(x))", "x ← x + feed_forward(norm(x))"], words: [/^ALiBi/] },
  gemma2: { formula: ["x ← x + norm(attention(norm(x)))", "x ← x + norm(feed_forward(norm(x)))"], words: [/^times 1 \+ its weight$/, /capped/, /^window of/] },
  olmo2: { formula: ["x ← x + norm(attention(x))", "x ← x + norm(feed_forward(x))"], words: [/queries and keys normed/] },
  smollm3: { formula: ["x ← x + attention(norm(x))", "x ← x + feed_forward(norm(x))"], words: [/layers? without positions/] },
  lfm2: { formula: ["x ← x + attention(norm(x))", "x ← x + feed_forward(norm(x))"], words: [/^Short convolution$/, /^gated, over the last 3 tokens$/] },
  mixtral: { formula: ["x ← x + attention(norm(x))", "x ← x + feed_forward(norm(x))"], words: [/^\d experts, 2 of them for each token$/] },
  bert: { formula: ["x ← norm(x + attention(x))", "x ← norm(x + feed_forward(x))"], words: [/^Attention$/, /^Types$/, /every token sees every other/] },
  t5: { formula: ["x ← x + attention(norm(x))", "x ← x + cross_attention(norm(x), encoder)", "x ← x + feed_forward(norm(x))"], words: [/^Encoder$/, /^Decoder$/, /^Cross-attention$/, /distances/] },
  marian: { formula: ["x ← norm(x + attention(x))", "x ← norm(x + cross_attention(x, encoder))", "x ← norm(x + feed_forward(x))"], words: [/^sines and/] },
  clip: { formula: ["x ← x + attention(norm(x))", "x ← x + feed_forward(norm(x))"], words: [/^Images$/, /^Text$/, /^Cosine of both vectors$/, /patches$/] },
  vit: { formula: ["x ← x + attention(norm(x))", "x ← x + feed_forward(norm(x))"], words: [/patches$/, /classes$/] },
};

describe("the anatomy view of the demo page", () => {
  let browser;
  before(async () => { browser = await launchBrowser(); });
  after(() => browser?.close());

  const places = { "on an isolated page": { isolated: true }, "under a strict Content-Security-Policy": { isolated: false, csp: true } };
  for (const [place, server] of Object.entries(places)) {
    test(`opens with the chat's checkpoint, of which it reads the beginning ${place}`, async () => {
      const { page, complaints, close } = await visit(browser, { server });
      try {
        let bytes = 0;
        page.on("response", (response) => {
          if (/\.gguf$/.test(response.url())) bytes += Number(response.headers()["content-length"]);
        });
        await page.getByRole("link", { name: "Anatomy", exact: true }).click();
        await page.waitForSelector(READY);
        assert.equal(await page.innerText("#anatomy-heading"), SMOLLM);
        assert(bytes > 0 && bytes < 20e6, `${bytes} bytes of 98 million were asked for`);
        assert.match(await page.innerText("#anatomy-facts"), /llama.*135 M parameters.*30 layers × 576 wide.*8,192 tokens/s);
        assert.match((await words(page)).join("\n"), /30 ×\n[^]*9 heads of 64, 3 of keys and values\nRoPE of 64 values, base 100,000/);
        assert.match(await page.innerText("#rule-of-thumb"), /12 · 30 · 576² = 119 M\. Counted: 135 M, exactly 134,515,008\./);
        assert.equal(await page.locator("#error").isVisible(), false);
        assert.deepEqual(complaints, []);
      } finally {
        await close();
      }
    });
  }

  describe("with checkpoints of every kind", () => {
    let page, complaints, close;
    before(async () => {
      ({ page, complaints, close } = await visit(browser, { server: { isolated: false, csp: true }, hash: HASH }));
      await page.waitForSelector(READY);
    });
    after(() => close?.());
    afterEach(() => assert.deepEqual(complaints.splice(0), []));

    for (const [family, expected] of Object.entries(FAMILIES)) {
      test(`draws the block of ${family}`, async () => {
        await open(page, family);
        assert.deepEqual(await formula(page), expected.formula);
        const found = await words(page);
        for (const pattern of expected.words) assert(found.some((text) => pattern.test(text)), `${pattern} is not among: ${found.join(" | ")}`);
        const label = await page.getAttribute("#diagram svg", "aria-label");
        assert(expected.formula.every((line) => label.includes(line)), label);
      });

      test(`counts every parameter of ${family} in one of its parts`, async () => {
        await open(page, family);
        const exactly = /exactly ([\d,]+)\./.exec(await page.innerText("#rule-of-thumb"))[1];
        const parts = await page.locator("#parts .numbers").allInnerTexts();
        const sum = parts.map((text) => Number(text.split(" · ")[0].replaceAll(",", ""))).reduce((total, count) => total + count, 0);
        assert.equal(sum, Number(exactly.replaceAll(",", "")));
      });
    }

    test("draws boxes that hold their words, none of which lies over another", async () => {
      for (const family of ["gemma2", "bert", "t5", "clip", "gptj"]) {
        await open(page, family);
        const problems = await page.evaluate(() => {
          const boxes = [...document.querySelectorAll("#diagram .box")].map((box) => box.getBBox());
          const texts = [...document.querySelectorAll("#diagram .box-line, #diagram .box-title:not(.repeat)")];
          const inside = (a, b) => a.x >= b.x - 1 && a.x + a.width <= b.x + b.width + 1 && a.y >= b.y && a.y + a.height <= b.y + b.height + 1;
          const apart = (a, b) => a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
          const loose = texts.filter((text) => !["Encoder", "Decoder", "Images", "Text"].includes(text.textContent) && !boxes.some((box) => inside(text.getBBox(), box)));
          const overlapping = boxes.some((a, at) => boxes.slice(at + 1).some((b) => !apart(a, b)));
          return [...loose.map((text) => text.textContent), ...(overlapping ? ["boxes overlap"] : [])];
        });
        assert.deepEqual(problems, [], family);
      }
    });

    test("shows which layers have a window or no positions", async () => {
      await open(page, "gemma2");
      const legend = (await page.locator(".strip-legend li").allInnerTexts()).join("\n");
      assert.match(legend, /\d: looks \d+ tokens back/);
      assert.match(legend, /\d: sees the whole context/);
      await open(page, "smollm3");
      assert.match((await page.locator(".strip-legend li").allInnerTexts()).join("\n"), /\d: sees the whole context, without positions/);
      assert.equal(await page.locator(".strip .placeless").count() > 0, true);
    });

    test("says what a context takes, for as many tokens as the slider says", async () => {
      await page.selectOption("#anatomy-model", { label: SMOLLM });
      await page.waitForFunction((name) => document.querySelector("#anatomy").dataset.model === name, SMOLLM);
      const cache = () => page.innerText("#memory li:nth-child(2) .numbers");
      await page.focus("#cache-length");
      await page.keyboard.press("End");
      assert.equal(await page.getAttribute("#cache-length", "aria-valuetext"), "8,192 of 8,192 tokens");
      const full = await cache();
      // 2 · 30 layers · 3 heads · 64 values in 2 bytes
      assert.match(await page.innerText("#cache-rate"), new RegExp(`^23\\.0 kB for each token; ${full} for the 8,192 tokens`));
      await page.keyboard.press("Home");
      assert.equal(await cache(), "23.0 kB");
      await open(page, "vit");
      assert.equal(await page.locator("#cache-card").isVisible(), false);
    });
  });

  describe("with what is wrong, and what is brought", () => {
    let page, close;
    before(async () => {
      ({ page, close } = await visit(browser, { server: { isolated: false, csp: true }, hash: HASH }));
      await page.waitForSelector(READY);
    });
    after(() => close?.());

    test("says in words what is wrong with a model, and still shows the one before", async () => {
      const wrong = {
        "missing-file": [modelFiles("vit")[0]],
        "corrupt-file": [modelFiles("vit")[0], { ...modelFiles("vit")[1], buffer: Buffer.alloc(100, 1) }],
        "unsupported-model": [{ ...modelFiles("vit")[0], buffer: Buffer.from(JSON.stringify({ model_type: "mamba", architectures: ["MambaForCausalLM"] })) }, modelFiles("vit")[1]],
      };
      for (const [code, files] of Object.entries(wrong)) {
        await page.setInputFiles("#anatomy-file", files);
        await page.waitForSelector(`#error:not([hidden])[data-code=${code}]`);
        assert.match(await page.innerText("#error-advice"), /is still shown/);
        assert.equal(await page.locator("#diagram svg").isVisible(), true);
        await page.click("#error-close");
        assert.equal(await page.evaluate(() => document.activeElement.id), "anatomy-url");
      }
      await page.fill("#anatomy-url", "no address");
      await page.click("#anatomy-url-load");
      await page.waitForSelector("#error:not([hidden])");
    });

    test("takes a checkpoint by its address, and one that is dropped", async () => {
      await page.fill("#anatomy-url", "/models/fashion-mnist-vit/");
      await page.press("#anatomy-url", "Enter");
      await page.waitForFunction(() => /fashion-mnist-vit/.test(document.querySelector("#anatomy").dataset.model));
      assert((await words(page)).includes("7 × 7 patches"));
      assert.match(await page.innerText("#map-missing"), /images view/);
      await dropFile(page, "no-model.gguf", Buffer.from("no model"));
      await page.waitForSelector("#error:not([hidden])[data-code=corrupt-file]");
    });
  });

  describe("with the chat's model loaded", () => {
    const PROMPT = "The tiles on the wall were blue because the painter loved them.";
    let page, complaints, close;
    before(async () => {
      ({ page, complaints, close } = await visit(browser, { server: { isolated: true, csp: true }, hash: HASH }));
      await page.waitForSelector(READY);
      await page.click("#map-load");
      await mapOf(page, 9);
    });
    after(() => close?.());
    // Each test begins with the first layer, all heads and the page's own prompt.
    beforeEach(async () => {
      for (const [field, value] of [["#map-layer", "1"], ["#map-head", "0"], ["#map-prompt", PROMPT]]) {
        if (await page.inputValue(field) !== value) await changes(page, () => page.fill(field, value));
      }
    });
    afterEach(() => assert.deepEqual(complaints, []));

    test("shows how much each token takes from those before, and that it sees none after", async () => {
      await page.focus("#token-map");
      // To the first cell, wherever another test has been.
      for (const key of ["ArrowUp", "ArrowLeft"]) for (let step = 0; step < 64; step++) await page.keyboard.press(key);
      assert.equal(await page.innerText("#map-info"), "“The” takes 100.0 % from “The”.");
      await page.keyboard.press("ArrowRight");
      assert.equal(await page.innerText("#map-info"), "“The” does not see “tiles”, which comes later.");
      let sum = 0;
      for (let row = 0; row < 3; row++) await page.keyboard.press("ArrowDown");
      await page.keyboard.press("ArrowLeft");
      for (let column = 0; column < 4; column++) {
        sum += Number(/takes (?:< )?([\d.]+) % from/.exec(await page.innerText("#map-info"))[1]);
        await page.keyboard.press("ArrowRight");
      }
      assert(Math.abs(sum - 100) < 0.5, `the fourth token takes ${sum} % from the first four`);
    });

    test("draws another picture for each layer, head and prompt", async () => {
      assert.equal(await page.getAttribute("#map-layer", "max"), "30");
      assert.equal(await page.getAttribute("#map-head", "max"), "9");
      assert.equal(await page.locator("#map-heads button").count(), 9);
      await changes(page, () => page.press("#map-layer", "ArrowRight"));
      assert.equal(await page.innerText("#map-layer-value"), "2 of 30");
      await changes(page, () => page.press("#map-head", "ArrowRight"));
      await changes(page, () => page.getByRole("button", { name: "Head 3", exact: true }).click());
      assert.equal(await page.innerText("#map-head-value"), "3 of 9");
      assert.equal(await page.getAttribute("#map-heads li:nth-child(3) button", "aria-pressed"), "true");
      await changes(page, () => page.fill("#map-prompt", "Short prompt"));
    });

    test("draws nothing for no prompt, and the beginning of a long one", async () => {
      await changes(page, () => page.fill("#map-prompt", ""));
      assert.equal(await page.innerText("#map-info"), "");
      assert.equal(await page.locator("#map-heads li").count(), 0);
      await changes(page, () => page.fill("#map-prompt", PROMPT));
      assert.equal(await page.locator("#map-heads li").count(), 9, "the same prompt as before is drawn again");
      await changes(page, () => page.fill("#map-prompt", "again and ".repeat(300)));
      // Of the long prompt's 600 tokens so many have a row.
      await page.focus("#token-map");
      for (let step = 0; step < 70; step++) await page.keyboard.press("ArrowDown");
      const last = await page.innerText("#map-info");
      await page.keyboard.press("ArrowDown");
      assert.equal(await page.innerText("#map-info"), last);
      assert.match(last, /^“(again|and)” takes/);
    });
  });

  test("loads the chat's model from here, after a load that was cancelled, and lets go of it when the chat takes another", async () => {
    const { page, complaints, close } = await visit(browser, { server: { isolated: true, csp: true }, hash: HASH });
    const loaded = page.locator("#anatomy-model optgroup[label='Loaded in this page'] option");
    try {
      await page.waitForSelector(READY);
      assert.match(await page.innerText("#map-load"), /^Load SmolLM2 135M Instruct, \d+ MB$/);
      await page.press("#map-load", "Enter");
      await page.click("#anatomy-cancel-load");
      await page.click("#map-load");
      await mapOf(page, 9);
      assert.equal(await loaded.innerText(), SMOLLM);
      await page.evaluate(() => { location.hash = "#chat"; });
      await page.click("#change-model");
      await page.setInputFiles("#file", modelFiles("llama"));
      await page.waitForFunction(() => !/SmolLM2/.test(document.querySelector("#model-card").textContent));
      await page.evaluate(() => { location.hash = "#anatomy"; });
      await page.waitForSelector("#map-load:visible");
      assert.equal(await page.locator("#map").isVisible(), false);
      await page.waitForFunction(() => /config|model/.test(document.querySelector("#anatomy-model optgroup[label='Loaded in this page'] option")?.textContent));
      assert.deepEqual(complaints, []);
    } finally {
      await close();
    }
  });

  test("shows how an encoder's tokens look at each other, once the search has loaded it", async () => {
    const { page, complaints, close } = await visit(browser, { server: { isolated: true }, hash: "#search" });
    try {
      await startSearch(page);
      await page.evaluate(() => { location.hash = "#anatomy"; });
      await page.waitForSelector(READY);
      await page.selectOption("#anatomy-model", { label: "all-MiniLM-L6-v2" });
      await mapOf(page, 12);
      await page.focus("#token-map");
      await page.keyboard.press("ArrowRight");
      assert.match(await page.innerText("#map-info"), /^“.+” takes (?:< )?[\d.]+ % from “.+”\.$/);
      assert.deepEqual(complaints, []);
    } finally {
      await close();
    }
  });

  test("every control has a name, and the keyboard reaches those that are shown", async () => {
    const { page, close } = await visit(browser, { server: { isolated: false }, hash: HASH });
    try {
      await page.waitForSelector(READY);
      assert.deepEqual(await nameless(page), []);
      await reachAll(page, ["anatomy-model", "anatomy-file", "anatomy-url", "diagram", "cache-length", "map-load"]);
    } finally {
      await close();
    }
  });

  test("fits a phone, upright and across", () => onPhones(browser, HASH, async (page) => {
    await page.waitForSelector(READY);
    await open(page, "t5");
  }));
});
