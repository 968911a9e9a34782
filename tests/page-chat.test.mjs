// What the chat makes of an answer, and of a conversation: Markdown as elements, buttons on each message, what survives a reload.
// The model is a tiny one: what it says is of no matter here.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { visit } from "./support/demo.mjs";
import { string, u32, writeGguf } from "./support/gguf.mjs";
import { tinyModel } from "./support/tiny-model.mjs";

deadline(5);

const DONE = "[data-role=assistant][data-state=done]";
const model = tinyModel();
model.metadata["tokenizer.chat_template"] = string("{% for message in messages %}{{ message.content }}{% endfor %}");
const TINY = { name: "tiny.gguf", mimeType: "application/octet-stream", buffer: Buffer.from(writeGguf(model).bytes) };
/** One whose template writes calls as Qwen's does. */
const calling = tinyModel();
calling.metadata["tokenizer.chat_template"] = string(
  "{% if tools %}tools{% endif %}{% for message in messages %}{{ message.content }}{% for call in message.tool_calls or [] %}<tool_call>{{ call.function | tojson }}</tool_call>{% endfor %}{% endfor %}");
calling.metadata["llama.context_length"] = u32(2048);
const CALLING = { ...TINY, buffer: Buffer.from(writeGguf(calling).bytes) };

describe("the chat of the demo page", () => {
  let browser, page, complaints, close;
  before(async () => { browser = await launchBrowser(); });
  after(() => browser?.close());
  beforeEach(async () => { ({ page, complaints, close } = await visit(browser, { server: { isolated: false, csp: true } })); });
  afterEach(async () => {
    const said = complaints;
    await close();
    assert.deepEqual(said, []);
  });

  /** The page's HTML of a text that came in pieces of so many letters. */
  const rendered = (text, length) => page.evaluate(async ([text, length]) => {
    const { TextView } = await import("./render.js");
    const root = document.createElement("div");
    const view = new TextView(root);
    for (let at = 0; at < text.length; at += length) {
      view.push(text.slice(at, at + length));
      await new Promise(requestAnimationFrame);
    }
    view.finish();
    for (const each of root.querySelectorAll("*")) for (const name of ["dir", "tabindex", "role", "aria-label", "type", "rel", "target"]) each.removeAttribute(name);
    return root.innerHTML;
  }, [text, length]);

  async function load() {
    await page.setInputFiles("#file", TINY);
    await page.waitForSelector("body[data-state=ready]");
  }

  async function set(values) {
    await page.click("#settings summary");
    for (const [id, value] of Object.entries(values)) await page.fill(`#${id}`, String(value));
    await page.click("#settings summary");
  }

  async function ask(question) {
    const before = await page.locator(DONE).count();
    await page.fill("#prompt", question);
    await page.press("#prompt", "Enter");
    await page.locator(DONE).nth(before).waitFor();
  }

  const questions = () => page.locator("[data-role=user] .text").allInnerTexts();

  const MARKDOWN = {
    "paragraphs, lines and emphasis": ["One *two* **three**\nfour ~~five~~ `six`", "<p>One <em>two</em> <strong>three</strong><br>four <del>five</del> <code>six</code></p>"],
    "a heading": ["## Of *tiles*\n\ntext", '<h4 class="heading">Of <em>tiles</em></h4><p>text</p>'],
    "lists within lists": ["- a\n- b\n  1. c\n  2. d\n\n- e", "<ul><li><p>a</p></li><li><p>b</p><ol><li>c</li><li>d</li></ol></li><li><p>e</p></li></ul>"],
    "a list that begins with 3, and tasks": ["3. a\n4. b\n\ntext\n\n- [x] done\n- [ ] not", '<ol start="3"><li>a</li><li>b</li></ol><p>text</p><ul><li>☑ done</li><li>☐ not</li></ul>'],
    "a table": ["| a | b |\n|---|--:|\n| 1 | `2` |", '<div class="table"><table><thead><tr><th scope="col">a</th><th scope="col" style="text-align: right;">b</th></tr></thead><tbody><tr><td>1</td><td style="text-align: right;"><code>2</code></td></tr></tbody></table></div>'],
    "code with its language": ["```js\nlet a = `1`;\n\n**b**\n```", '<figure class="code"><div class="code-head"><span class="quiet">js</span><button class="plain copy">Copy code</button></div><pre><code>let a = `1`;\n\n**b**</code></pre></figure>'],
    "a quotation and a line": ["> said\n> so\n\n---", "<blockquote><p>said<br>so</p></blockquote><hr>"],
    "links to the web alone": ["[a](https://a.example/) [b](javascript:alert(1)) ![c](http://c.example/c.png)", '<p><a href="https://a.example/">a</a> b <a href="http://c.example/c.png">Picture: c</a></p>'],
    "HTML as the text that it is": ["<img src=x onerror=alert(1)> & <b>c</b> &amp; d\n\n<script>e</script>", "<p>&lt;img src=x onerror=alert(1)&gt; &amp; &lt;b&gt;c&lt;/b&gt; &amp; d</p><p>&lt;script&gt;e&lt;/script&gt;</p>"],
  };
  test("shows Markdown whole, in one piece or in many, and nothing else", async () => {
    for (const [what, [text, html]] of Object.entries(MARKDOWN)) {
      for (const length of [1, 7, text.length]) assert.equal(await rendered(text, length), html, `${what}, in pieces of ${length}`);
    }
  });

  test("asks again, goes on with what was cut off, and replaces what followed an edited question", async () => {
    await load();
    await set({ "max-tokens": 4, "seed": 1, "temperature": 0 });
    await ask("first");
    await ask("second");
    const answer = page.locator(`${DONE} > .text`).nth(1);
    const short = await answer.textContent();
    assert.equal(await page.locator(".continue:visible").count(), 1, "only the last can be gone on with");
    await page.click(".continue:visible");
    await page.waitForFunction((length) => document.querySelectorAll("[data-role=assistant][data-state=done] > .text")[1]?.textContent.length > length, short.length);
    assert.ok((await answer.textContent()).startsWith(short));
    await page.click(".again:visible");
    await page.locator(DONE).nth(1).waitFor();
    assert.equal(await answer.textContent(), short, "the same seed says the same");
    assert.deepEqual(await questions(), ["first", "second"]);

    await page.locator(".edit").first().click();
    assert.equal(await page.inputValue("#prompt"), "first");
    assert.equal(await page.locator(".replaced").count(), 4);
    await page.keyboard.press("Escape");
    assert.equal(await page.locator(".replaced").count(), 0);
    await page.locator(".edit").first().click();
    await page.fill("#prompt", "changed");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.querySelectorAll("[data-role]").length === 2);
    await page.waitForSelector(DONE);
    assert.deepEqual(await questions(), ["changed"]);
  });

  test("answers in JSON that a schema accepts, and says in words what is no schema", async () => {
    await load();
    await set({ "json-schema": '{ "type": "object", "properties": { "tiles": { "enum": [1, 2] } }, "required": ["tiles"], "additionalProperties": false }', "max-tokens": 200 });
    await ask("How many?");
    assert.match(await page.textContent(`${DONE} > .text`), /^\{"tiles": [12]\}$/);
    await set({ "json-schema": "{" });
    await page.fill("#prompt", "And now?");
    await page.press("#prompt", "Enter");
    await page.waitForSelector("#error:not([hidden])[data-code=invalid-argument]");
    complaints.length = 0; // what is shown is in the console, too
  });

  test("calls tools, and shows what they said", async () => {
    await page.setInputFiles("#file", CALLING);
    await page.waitForSelector("body[data-state=ready]");
    await page.click("#settings summary");
    await page.selectOption("#tools", "required");
    await page.fill("#seed", "1");
    await page.fill("#max-tokens", "300");
    await page.click("#settings summary");
    await ask("What time is it?");
    assert.match(await page.innerText(".call summary"), /^Used the tool (now|calculate)$/);
    await page.click(".call summary");
    assert.match(await page.innerText(".call pre"), /^(now|calculate)\(\{.*\}\)\n→ ./s);
    await page.reload();
    assert.equal(await page.locator(".call").count() > 0, true);
  });

  test("computes without running a program", async () => {
    const values = await page.evaluate(async () => {
      const { call } = await import("./toolbox.js");
      return ["2 + 3 * 4", "-(1 - 2) ^ 2 / 4", "2 ^ 3 ^ 2", "1.5e3 * 2", "alert(1)", "1 +", "(".repeat(500)].map((expression) => call("calculate", { expression }));
    });
    assert.deepEqual(values.slice(0, 4), ["14", "-0.25", "512", "3000"]);
    for (const value of values.slice(4)) assert.match(value, /^error: .*unexpected/);
  });

  test("keeps conversations over a reload, opens earlier ones, exports one and deletes them", async () => {
    await load();
    await set({ "max-tokens": 4, "seed": 1 });
    await ask("first");
    const answer = await page.textContent(`${DONE} > .text`);
    await page.click("#new-chat");
    await ask("another");
    await page.reload();
    assert.deepEqual(await questions(), ["another"]);
    await page.click("#new-chat");
    assert.deepEqual(await page.locator(".earlier-name").allInnerTexts(), ["another", "first"]);
    await page.getByRole("button", { name: "first", exact: true }).click();
    assert.equal(await page.textContent(`${DONE} > .text`), answer);
    assert.match(await page.innerText(`${DONE} .stats`), /tokens\/s/);
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#export")]);
    assert.equal(readFileSync(await download.path(), "utf8").startsWith("**You:** first\n\n**Model:** "), true);
    await load();
    await ask("more");
    await page.click("#new-chat");
    await page.click("#delete-conversations");
    assert.equal(await page.locator("#earlier").isVisible(), false);
    await page.reload();
    assert.deepEqual(await questions(), []);
    assert.equal(await page.locator("#welcome").isVisible(), true);
  });
});
