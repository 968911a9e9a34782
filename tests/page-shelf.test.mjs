// The shelf of models, and what the browser keeps. The hub is out of reach: its addresses are answered here, with a tiny model of
// the same layout.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { visit } from "./support/demo.mjs";
import { string, writeGguf } from "./support/gguf.mjs";
import { tinyModel } from "./support/tiny-model.mjs";

deadline(5);

const model = tinyModel();
model.metadata["tokenizer.chat_template"] = string("{% for message in messages %}{{ message.content }}{% endfor %}");
const bytes = Buffer.from(writeGguf(model).bytes);

/** Answers for the hub as it would, for one file; `asked` are the addresses. */
async function beTheHub(context, asked) {
  await context.route("https://huggingface.co/**", (route) => {
    const request = route.request();
    asked.push(request.url());
    const headers = { "Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "ETag, Content-Range", "ETag": '"1"', "Accept-Ranges": "bytes" };
    const [, from, to] = /bytes=(\d+)-(\d*)/.exec(request.headers()["range"] ?? "") ?? [];
    if (from === undefined) return route.fulfill({ status: 200, headers: { ...headers, "Content-Length": String(bytes.length) }, body: bytes });
    const part = bytes.subarray(Number(from), to ? Number(to) + 1 : undefined);
    return route.fulfill({ status: 206, headers: { ...headers, "Content-Range": `bytes ${from}-${Number(from) + part.length - 1}/${bytes.length}` }, body: part });
  });
}

describe("the shelf of models", () => {
  let browser;
  before(async () => { browser = await launchBrowser(); });
  after(() => browser?.close());

  test("says how large a model is before it is fetched, how fast it was after, and what is kept", async () => {
    const { page, complaints, close } = await visit(browser, { server: { isolated: false } });
    const asked = [];
    try {
      await beTheHub(page.context(), asked);
      const first = page.locator("#shelf-models li").first();
      await page.click("#shelf summary");
      // The page's scripts fill it.
      await first.waitFor();
      assert.equal(await page.locator("#shelf-models li").count() >= 4, true);
      assert.match(await first.innerText(), /SmolLM2 360M Instruct\nApache-2\.0 · English\n/);
      assert.deepEqual(asked, []);
      await first.getByRole("button").click();
      await first.getByRole("button", { name: /^Load SmolLM2 360M Instruct, / }).waitFor();
      assert.match(await first.innerText(), /kB · fits this device/);
      assert.match(asked[0], /HuggingFaceTB\/SmolLM2-360M-Instruct-GGUF\/resolve\/main\/smollm2-360m-instruct-q8_0\.gguf$/);
      await first.getByRole("button").click();
      await page.waitForSelector("body[data-state=ready]");
      await page.click("#settings summary");
    // Drawn, it might end at once.
    await page.fill("#temperature", "0");
    await page.fill("#max-tokens", "16");
      await page.click("#settings summary");
      await page.fill("#prompt", "Hi");
      await page.press("#prompt", "Enter");
      await page.waitForSelector("[data-role=assistant][data-state=done]");
      await page.reload();
      await page.click("#shelf summary");
      assert.match(await first.innerText(), /[\d.,]+ tokens\/s here/);

      await page.click("#views a[href='#images']");
      await page.click("#kept summary");
      const kept = page.locator("#kept-models li", { hasText: "SmolLM2-360M" });
      assert.match(await kept.innerText(), /HuggingFaceTB\/SmolLM2-360M-Instruct-GGUF: smollm2-360m-instruct-q8_0\.gguf, [\d.]+ kB/);
      await kept.getByRole("button").click();
      await kept.waitFor({ state: "detached" });
      assert.deepEqual(complaints, []);
    } finally {
      await close();
    }
  });
});
