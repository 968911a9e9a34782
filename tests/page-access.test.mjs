// What every view of the demo page owes to everyone: no violation that axe-core finds, nothing clipped, broken or covered, in
// both schemes, at four widths, and with text of twice the size; pictures of it all in the folder that AZULEJO_PICTURES names.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { brokenWords, startSearch, style, visit } from "./support/demo.mjs";

deadline(5);

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** A view, and how it comes to show all that it has. */
const VIEWS = {
  conversation: (page) => converse(page),
  chat: (page) => page.waitForSelector("#load-default"),
  images: (page) => page.waitForSelector("#images-view[data-state=ready] #classes li"),
  search: startSearch,
  anatomy: (page) => page.waitForSelector("#anatomy-view[data-state=ready] #diagram svg"),
};
const WIDTHS = [360, 768, 1280, 1920];
const SCHEMES = ["light", "dark"];
const pictures = process.env.AZULEJO_PICTURES;

const ANSWER = `A **list**, of [links](https://a.example/) and more:

1. one, with \`code\`
2. two

| tile | colour |
|---|--:|
| azulejo | blue |

\`\`\`js
const tiles = Array.from({ length: 64 }, (_, at) => (at % 2 === 0 ? "a blue one" : "a white one, whose line is long"));
\`\`\`

> A quotation.`;

/** A conversation from before, with all that an answer may hold. */
async function converse(page) {
  await page.evaluate((answer) => {
    const facts = ["38.2 tokens/s", "first after 0.3 s", "120 tokens", "640 of 8,192 in context"];
    const said = [{ question: "Tiles?", answer, reasoning: "Which tiles?", finish: "length", facts }, { question: "أزرق؟", answer: "نعم", finish: "stop", facts }];
    localStorage.setItem("azulejo conversation 1", JSON.stringify({ id: "1", at: 1, said }));
  }, ANSWER);
  await page.reload();
  await page.waitForSelector("[data-role=assistant][data-state=done]");
}

/** What axe-core has against the page as it is, and where. */
async function violations(page) {
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(axe);
  return page.evaluate(async () => {
    const { violations } = await globalThis.axe.run();
    return violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`));
  });
}

/** Controls whose middle something else covers, once they were scrolled into view. */
const covered = (page) => page.evaluate(() => {
  const found = [];
  for (const control of document.querySelectorAll("a, button, input, select, textarea, summary")) {
    if (!control.checkVisibility() || control.matches(".skip")) continue;
    control.scrollIntoView({ block: "center", inline: "nearest" });
    const { left, top, width, height } = control.getBoundingClientRect();
    const [x, y] = [left + width / 2, top + height / 2];
    const there = document.elementFromPoint(x, y);
    const own = there && (control.contains(there) || there.contains(control) || [...control.labels ?? []].some((label) => label.contains(there)));
    if (!own) found.push(`${control.localName}#${control.id} "${control.textContent.trim().slice(0, 30)}" is under ${there?.outerHTML.slice(0, 60)}`);
  }
  scrollTo(0, 0);
  return found;
});

describe("every view of the demo page, for everyone", () => {
  let browser;
  before(async () => {
    browser = await launchBrowser();
    if (pictures) mkdirSync(pictures, { recursive: true });
  });
  after(() => browser?.close());

  for (const [view, open] of Object.entries(VIEWS)) {
    describe(`the view ${view}`, () => {
      let page, close;
      before(async () => {
        ({ page, close } = await visit(browser, { server: { isolated: false }, hash: view === "conversation" ? "#chat" : `#${view}`, context: { bypassCSP: true, reducedMotion: "reduce" } }));
        await open(page);
      });
      after(() => close?.());

      for (const scheme of SCHEMES) {
        test(`has no violations in the ${scheme} scheme, and every word and control can be seen`, async () => {
          await page.emulateMedia({ colorScheme: scheme });
          for (const width of WIDTHS) {
            await page.setViewportSize({ width, height: 800 });
            assert.deepEqual(await brokenWords(page), [], `${width} pixels wide`);
            assert.deepEqual(await covered(page), [], `${width} pixels wide`);
            if (width !== WIDTHS[1]) assert.deepEqual(await violations(page), [], `${width} pixels wide`);
            if (pictures) await page.screenshot({ path: join(pictures, `${view}-${scheme}-${width}.png`), fullPage: true });
          }
        });
      }

      test("keeps its words whole and its controls free at text of twice the size", async () => {
        await style(page, ":root { font-size: 200% !important }");
        for (const width of [768, 1280, 1920]) {
          await page.setViewportSize({ width, height: 900 });
          assert.deepEqual(await brokenWords(page), [], `${width} pixels wide`);
          assert.deepEqual(await covered(page), [], `${width} pixels wide`);
        }
        await style(page, "");
      });

      test("tells what is chosen from what is not in forced colours", async () => {
        await page.emulateMedia({ forcedColors: "active" });
        const alike = await page.evaluate(() => {
          // A background without opacity is the one behind it.
          const look = (element) => {
            const { outlineStyle, backgroundColor, borderColor } = getComputedStyle(element);
            return [outlineStyle, /, 0\)$/.test(backgroundColor) ? "rgb(255, 255, 255)" : backgroundColor, borderColor].join();
          };
          const shown = (selector) => [...document.querySelectorAll(selector)].find((each) => each.checkVisibility());
          const pairs = [["#views a[aria-current]", "#views a:not([aria-current])"],
            [".segments input:checked + span", ".segments input:not(:checked) + span"],
            ["button[aria-pressed=true]", "button[aria-pressed=false]"]];
          return pairs.filter(([one, other]) => shown(one) && shown(other) && look(shown(one)) === look(shown(other))).map(String);
        });
        assert.deepEqual(alike, []);
        await page.emulateMedia({ forcedColors: "none" });
      });
    });
  }
});
