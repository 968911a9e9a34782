// The code in README.md and docs/: all of it compiles against the package's types, and what is marked `run` runs in Chromium
// on the checkpoints of models/, as it stands.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { root } from "../scripts/run.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { startServer } from "./support/server.mjs";

deadline(10);

const PAGES = ["README.md", ...readdirSync(join(root, "docs")).filter((file) => file.endsWith(".md")).map((file) => `docs/${file}`)];

/** Blocks of code with what stands behind their fence, and where they begin. */
const blocks = PAGES.flatMap((page) => {
  const text = readFileSync(join(root, page), "utf8");
  return [...text.matchAll(/^```(\w+)([^\n]*)\n(.*?)^```$/gms)].map(({ 1: language, 2: mark, 3: code, index }) => {
    const line = text.slice(0, index).split("\n").length;
    return { name: `${page}:${line}`, language, runs: mark.trim() === "run", code };
  });
});

/** What is JavaScript of a block: of HTML its modules. */
function codeOf({ language, code }) {
  if (language === "html") return [...code.matchAll(/<script type="module">(.*?)<\/script>/gs)].map(([, script]) => script).join("\n");
  return code;
}

/** TypeScript infers a role as any string. */
const typed = (code) => code.replace(/const messages = \[/g, 'const messages: import("azulejo").Message[] = [');

test("every block of code is of a language that is looked at", () => {
  assert.deepEqual(blocks.filter(({ language }) => !["js", "jsx", "html", "json"].includes(language)).map(({ name }) => name), []);
  for (const { language, code, name } of blocks) if (language === "json") assert.doesNotThrow(() => JSON.parse(`{${code}}`), name);
});

test("all code compiles against the package's types", () => {
  const folder = mkdtempSync(join(tmpdir(), "azulejo-snippets-"));
  try {
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(root, join(folder, "node_modules", "azulejo"));
    for (const theirs of ["openai", "ai", "@ai-sdk"]) symlinkSync(join(root, "node_modules", theirs), join(folder, "node_modules", theirs));
    // What snippets take for granted: names of others above them, and packages that are not installed here.
    copyFileSync(join(root, "tests", "support", "snippets.d.ts"), join(folder, "given.d.ts"));
    const files = blocks.filter(({ language }) => language !== "json").map((block, at) => {
      const file = `${at}.tsx`;
      writeFileSync(join(folder, file), `export {};\n${typed(codeOf(block))}`);
      return { file, ...block };
    });
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    const options = ["--ignoreConfig", "--noEmit", "--strict", "--noImplicitAny", "false", "--strictNullChecks", "false", "--skipLibCheck", "--jsx", "preserve", "--preserveSymlinks",
      "--target", "es2022", "--module", "es2022", "--moduleResolution", "bundler", "--types", "", "--lib", "es2023,dom,dom.iterable,dom.asynciterable,esnext.disposable"];
    try {
      execFileSync(process.execPath, [tsc, ...options, "given.d.ts", ...files.map(({ file }) => file)], { cwd: folder, encoding: "utf8", timeout: 120_000 });
    } catch (error) {
      assert.fail(error.stdout.replace(/^(\d+)\.tsx\((\d+),/gm, (_, at, line) => `${files[at].name} + ${line - 1} (`));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("the errors' guide has each code, and no other", () => {
  const types = readFileSync(join(root, "js", "shared", "errors.ts"), "utf8");
  const [, union] = /export type ErrorCode =([^;]*);/.exec(types);
  const codes = [...union.matchAll(/"([^"]+)"/g)].map(([, code]) => code);
  const told = [...readFileSync(join(root, "docs", "errors.md"), "utf8").matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, code]) => code);
  assert.deepEqual(told, codes);
});

test("the model's address is the one that npm start fetches", () => {
  const [, address] = /const HUB = "(.*)";/.exec(readFileSync(join(root, "scripts", "fetch-model.mjs"), "utf8"));
  for (const page of ["README.md", "docs/getting-started.md"]) assert.ok(readFileSync(join(root, page), "utf8").includes(` ${address}\n`), page);
});

test("the twenty questions name cards and boxes that the anatomy page has", () => {
  const text = readFileSync(join(root, "docs", "twenty-questions.md"), "utf8").replaceAll(/\n\s+/g, " ");
  const page = ["index.html", "blocks.ts"].map((file) => readFileSync(join(root, "www", file), "utf8")).join();
  const named = [...text.matchAll(/"([A-Z][^"]+)"/g)].map(([, name]) => name.replace(/,$/, ""));
  assert.ok(named.length > 8, `${named.length}`);
  assert.deepEqual(named.filter((name) => !page.includes(name)), []);
  assert.equal([...text.matchAll(/\d+\. \*/g)].length, 20);
});

describe("what is marked runs in a page", () => {
  let browser, server;
  before(async () => {
    browser = await launchBrowser();
    server = await startServer({ mounts: { "/": root } });
  });
  after(async () => {
    await browser?.close();
    await server?.close();
  });

  const marked = blocks.filter(({ runs }) => runs);
  test("and there are such", () => assert.ok(marked.length >= 9, `${marked.length}`));

  for (const block of marked) {
    test(block.name, { timeout: 180_000 }, async () => {
      const page = await browser.newPage();
      try {
        const failed = new Promise((_, reject) => page.on("pageerror", reject));
        failed.catch(() => {});
        await page.goto(`${server.url}tests/support/page.html`);
        await page.evaluate(() => {
          const map = document.createElement("script");
          map.type = "importmap";
          map.textContent = JSON.stringify({ imports: { azulejo: "/dist/index.js", "azulejo/openai": "/dist/openai.js", "azulejo/prompt-api": "/dist/prompt-api.js" } });
          document.head.append(map);
        });
        // A module's own await is waited for before its last line.
        const content = `${codeOf(block)}\ndocument.body.dataset.snippet = "done";`;
        await Promise.race([failed, page.addScriptTag({ type: "module", content }).then(() => page.waitForSelector("body[data-snippet=done]", { state: "attached" }))]);
      } finally {
        await page.close();
      }
    });
  }
});
