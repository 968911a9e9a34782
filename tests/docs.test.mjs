// The documentation: nothing public goes without a comment, and the site that `npm run docs` makes is whole.

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { publicItems, read } from "../scripts/docs.mjs";
import { deadline } from "./support/deadline.mjs";

deadline(5);

let app, project, close, site;
before(async () => {
  site = mkdtempSync(join(tmpdir(), "azulejo-docs-"));
  ({ app, project, close } = await read());
});
after(() => {
  close?.();
  rmSync(site, { recursive: true, force: true });
});

test("every public item has its comment", (context) => {
  const items = publicItems(project);
  const without = items.filter(({ documented }) => !documented).map(({ name }) => name);
  assert.deepEqual(without, []);
  // Entries that were not read would have no items without comments either.
  const names = items.map(({ name }) => name);
  for (const name of ["azulejo.CausalLM.generate", "azulejo.GenerateOptions.topK", "azulejo.cache", "azulejo/openai.Chat.Params.stop", "azulejo/ai-sdk.azulejo", "azulejo/prompt-api.promptApi"])
    assert.ok(names.includes(name), `${name} is not among the public items`);
  context.diagnostic(`${items.length} public items, all with a comment`);
});

/** Where `href` leads from the page at `from`: a file of the site, and a place in it. */
function target(from, href) {
  const { pathname, hash } = new URL(href, pathToFileURL(from));
  const path = decodeURIComponent(pathname);
  return { file: statSync(path, { throwIfNoEntry: false })?.isDirectory() ? join(path, "index.html") : path, id: decodeURIComponent(hash.slice(1)) };
}

test("the site is built without a warning, works in any folder, and has no dead link", async () => {
  app.validate(project);
  await app.generateDocs(project, site);
  assert.equal(app.logger.warningCount + app.logger.errorCount, 0, "TypeDoc said what above");
  const pages = readdirSync(site, { recursive: true }).filter((file) => file.endsWith(".html")).map((file) => join(site, file));
  const texts = new Map(pages.map((page) => [page, readFileSync(page, "utf8")]));
  const ids = new Map(pages.map((page) => [page, new Set([...texts.get(page).matchAll(/ id="([^"]*)"/g)].map(([, id]) => id))]));
  const dead = [];
  let links = 0;
  for (const [page, text] of texts) {
    for (const [, href] of text.matchAll(/ (?:href|src)="([^"]*)"/g)) {
      if (/^(https?:|mailto:|data:)/.test(href)) continue;
      links++;
      const { file, id } = target(page, href.replaceAll("&amp;", "&"));
      const isThere = file.startsWith(site) && statSync(file, { throwIfNoEntry: false })?.isFile();
      if (!isThere || (id !== "" && ids.has(file) && !ids.get(file).has(id))) dead.push(`${page.slice(site.length + 1)}: ${href}`);
    }
  }
  assert.deepEqual(dead, []);
  assert.ok(links > 1000, `only ${links} links were found`);
});
