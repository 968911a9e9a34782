// The package as npm packs it: what is in it, and that it works where users put it.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { root as ROOT } from "../scripts/run.mjs";
import { launchBrowser } from "./support/browser.mjs";
import { deadline } from "./support/deadline.mjs";
import { QUIET, pack, run } from "./support/package.mjs";
import { startServer } from "./support/server.mjs";

deadline(15);

const MODEL = join(ROOT, "models", "SmolLM2-135M-Instruct.Q4_1.gguf");

const runNode = (cwd, code) => run(cwd, process.execPath, "--input-type=module", "--eval", code);

describe("the packed package", () => {
  let folder, packed, tarball, remove;

  before(() => ({ folder, packed, tarball, remove } = pack()));
  after(() => remove?.());

  test("holds the page's modules, their types, the bundles, four wasm modules, the classifier and the papers, and nothing else", () => {
    const files = packed.files.map(({ path }) => path);
    const expected = /^(dist\/((page|shared|openai|ai-sdk|prompt-api|remote)\/([a-z]+\/)?)?[a-z0-9-]+\.(js|d\.ts)|dist\/azulejo\.min\.js|dist\/(simd|threads|relaxed|grammar)\/azulejo_bg\.wasm|www\/models\/fashion-mnist-vit\/[A-Za-z_.]+|package\.json|README\.md|CHANGELOG\.md|LICENSE-(MIT|APACHE))$/;
    assert.deepEqual(files.filter((path) => !expected.test(path)), []);
    const builds = ["simd", "threads", "relaxed", "grammar"].map((build) => `dist/${build}/azulejo_bg.wasm`);
    for (const path of ["dist/index.js", "dist/index.d.ts", "dist/in-this-thread.js", "dist/in-this-thread.d.ts", "dist/azulejo.min.js", "dist/worker.js", "dist/thread.js",
      ...builds, "www/models/fashion-mnist-vit/model.safetensors", "README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"]) {
      assert.ok(files.includes(path), `${path} is missing`);
    }
  });

  test("keeps the worker's own modules inside its bundle, which imports nothing", async () => {
    const files = packed.files.map(({ path }) => path);
    assert.deepEqual(files.filter((path) => path.startsWith("dist/host/")), []);
    for (const bundle of ["worker", "thread"]) {
      const path = join(ROOT, "dist", `${bundle}.js`);
      const { metafile } = await build({ entryPoints: [path], bundle: true, write: false, format: "esm", metafile: true, logLevel: "silent" });
      assert.deepEqual(Object.keys(metafile.inputs).length, 1);
      assert.deepEqual(Object.values(metafile.outputs).flatMap(({ imports }) => imports), []);
      assert.doesNotMatch(readFileSync(path, "utf8"), /import\.meta/);
    }
  });

  test("names neither this machine's folders nor those of the user who built it", () => {
    const home = process.env.HOME ?? "";
    for (const { path } of packed.files) {
      const bytes = readFileSync(join(ROOT, path));
      for (const place of [ROOT, home].filter((each) => each.length > 1)) {
        assert.equal(bytes.indexOf(`${place}/`), -1, `${path} contains ${place}/`);
      }
    }
  });

  describe("in an empty project", () => {
    let project;
    before(() => {
      project = join(folder, "project");
      mkdirSync(project);
      writeFileSync(join(project, "package.json"), JSON.stringify({ name: "empty", private: true, type: "module" }));
      run(project, "npm", "install", ...QUIET, tarball);
    });

    test("can be imported without a DOM, and does nothing then", () => {
      const printed = runNode(project, `
        const names = () => Object.getOwnPropertyNames(globalThis).sort().join();
        const before = names();
        globalThis.fetch = () => { throw new Error("fetched at import"); };
        const { CausalLM, Engine, inspect, AzulejoError, cache } = await import("azulejo");
        if ([CausalLM, Engine, inspect, AzulejoError, cache.list].some((each) => typeof each !== "function")) throw new Error("an export is missing");
        if (names() !== before) throw new Error("the import left something global");
        const busy = process.getActiveResourcesInfo().filter((name) => /Worker|Message|TCP|Timeout/.test(name));
        console.log(JSON.stringify({ window: typeof window, busy }));
      `);
      assert.deepEqual(JSON.parse(printed), { window: "undefined", busy: [] });
    });

    test("every file that somebody may have to copy has an address, and every type its module", () => {
      const printed = runNode(project, `
        import { existsSync } from "node:fs";
        import { fileURLToPath } from "node:url";
        const builds = ["simd", "threads", "relaxed", "grammar"].map((build) => "azulejo/" + build + "/azulejo_bg.wasm");
        for (const name of ["azulejo", "azulejo/in-this-thread", "azulejo/worker", "azulejo/thread", ...builds])
          if (!existsSync(fileURLToPath(import.meta.resolve(name)))) throw new Error(name);
        if (typeof (await import("azulejo/remote")).CausalLM.load !== "function") throw new Error("remote");
        const { Engine, version } = await import("azulejo/in-this-thread");
        const engine = await Engine.create({ worker: false });
        console.log(version, engine.device.kind);
        await engine.dispose();
      `);
      assert.equal(printed.trim(), `${packed.version} cpu`);
    });

    test("answers the official openai package, unchanged", () => {
      const official = pathToFileURL(join(ROOT, "node_modules", "openai", "index.mjs"));
      const printed = runNode(project, `
        import OpenAI from ${JSON.stringify(official)};
        import { CausalLM } from "azulejo";
        import { openai } from "azulejo/openai";
        const lm = await CausalLM.load(${JSON.stringify(MODEL)}, { contextLength: 256 });
        const client = new OpenAI({ apiKey: "none", baseURL: "http://page.example/v1", fetch: openai({ smollm: lm }).fetch });
        const stream = await client.chat.completions.create({ model: "smollm", messages: [{ role: "user", content: "What is the capital of France?" }], temperature: 0, max_tokens: 12, stream: true });
        for await (const { choices: [choice] } of stream) process.stdout.write(choice?.delta.content ?? "");
        await lm.engine.dispose();
      `);
      assert.match(printed, /Paris/);
    });

    test("is a provider for the official ai package, unchanged", () => {
      const official = pathToFileURL(join(ROOT, "node_modules", "ai", "dist", "index.js"));
      const printed = runNode(project, `
        import { streamText } from ${JSON.stringify(official)};
        import { CausalLM } from "azulejo";
        import { azulejo } from "azulejo/ai-sdk";
        const lm = await CausalLM.load(${JSON.stringify(MODEL)}, { contextLength: 256 });
        const { textStream } = streamText({ model: azulejo({ smollm: lm })("smollm"), prompt: "What is the capital of France?", temperature: 0, maxOutputTokens: 12 });
        for await (const text of textStream) process.stdout.write(text);
        await lm.engine.dispose();
      `);
      assert.match(printed, /Paris/);
    });

    test("generates under Node from a path, and lets the process end", () => {
      const printed = runNode(project, `
        import { CausalLM } from "azulejo";
        const lm = await CausalLM.load(${JSON.stringify(MODEL)}, { contextLength: 256 });
        const { text, stats } = await lm.generate("The capital of France is", { maxTokens: 6 });
        console.log(JSON.stringify({ text, generated: stats.generatedTokens, kind: lm.engine.device.kind }));
      `);
      const { text, generated, kind } = JSON.parse(printed);
      assert.match(text, /Paris/);
      assert.equal(generated, 6);
      assert.equal(kind, "cpu");
    });

    test("type-checks in a strict project, under both ways of resolving modules", () => {
      writeFileSync(join(project, "use.ts"), `
        import { AzulejoError, CausalLM, Engine, inspect, type GenerationResult, type ModelSummary } from "azulejo";
        const engine: Engine = await Engine.create({ device: "cpu", threads: 1 });
        const summary: ModelSummary = await inspect("/model.gguf", { engine });
        const lm = await CausalLM.load(new Uint8Array(4), { engine, contextLength: summary.contextLength, onProgress: (p) => p.loadedBytes });
        for await (const { text } of lm.generate([{ role: "user", content: "Hello" }], { stop: ["."] })) text.trim();
        const result: GenerationResult = await lm.createSession().generate("Hello").catch((error: AzulejoError) => { throw error.code; });
        result.tokens.length;
        // @ts-expect-error there is no such option
        lm.generate("Hello", { tokens: 1 });
      `);
      for (const [module, moduleResolution] of [["ES2022", "bundler"], ["NodeNext", "NodeNext"]]) {
        run(project, process.execPath, join(ROOT, "node_modules/typescript/bin/tsc"), "--noEmit", "--strict", "--target", "ES2022",
          "--lib", "ES2022,DOM,DOM.Iterable,DOM.AsyncIterable,ESNext.Disposable", "--module", module, "--moduleResolution", moduleResolution, "use.ts");
      }
    });
  });

  describe("from another origin", () => {
    let browser, elsewhere, unpacked;
    before(async () => {
      browser = await launchBrowser();
      unpacked = join(folder, "unpacked");
      mkdirSync(unpacked);
      run(unpacked, "tar", "-xf", tarball);
      writeFileSync(join(unpacked, "index.html"), "<!doctype html><title>A page</title>");
      elsewhere = await startServer({ mounts: { "/": join(unpacked, "package") }, isolated: false, headers: { "Access-Control-Allow-Origin": "*" } });
    });
    after(async () => {
      await browser?.close();
      await elsewhere?.close();
    });

    /** What the device of an engine is, or why there is none; `entry` and `assets` are "own", or elsewhere. */
    async function engineOf({ entry, assets, ...options }, how) {
      const server = await startServer({ mounts: { "/": unpacked, "/own/": join(unpacked, "package/dist") }, ...how });
      const page = await browser.newPage();
      try {
        await page.goto(server.url);
        return await page.evaluate(async ({ entry, options }) => {
          const { CausalLM, Engine } = await import(entry);
          try {
            const engine = await Engine.create({ device: "cpu", threads: 2, ...options });
            await engine.dispose();
            return engine.device;
          } catch ({ code, message }) {
            return { code, message };
          }
        }, { entry: entry.replace("own/", `${server.url}own/`), options: { ...options, ...(assets && { assets }) } });
      } finally {
        await page.close();
        await server.close();
      }
    }

    for (const isolated of [true, false]) {
      const where = isolated ? "an isolated page" : "any page";
      const places = {
        "the modules": () => ({ entry: `${elsewhere.url}dist/index.js` }),
        "the one file": () => ({ entry: `${elsewhere.url}dist/azulejo.min.js` }),
        "the assets alone": () => ({ entry: "own/index.js", assets: `${elsewhere.url}dist/` }),
      };
      for (const [what, place] of Object.entries(places)) {
        test(`${what} of another origin work on ${where}`, async () => {
          const { description, features, reason } = await engineOf(place(), { isolated });
          assert.equal(description, `wasm simd128, ${isolated ? "2 threads" : "1 thread"}`, reason);
          assert.equal(features.includes("threads"), isolated);
        });
      }

      test(`so does a worker-less engine on ${where}`, async () => {
        const { description } = await engineOf({ entry: `${elsewhere.url}dist/index.js`, worker: false }, { isolated });
        assert.equal(description, "wasm simd128, 1 thread");
      });
    }

    const policy = (workers) => `default-src 'none'; script-src 'self' 'wasm-unsafe-eval' ${elsewhere.url}; connect-src ${elsewhere.url}; worker-src ${workers}`;

    test("a policy that names what it takes is enough", async () => {
      const csp = policy(`blob: ${elsewhere.url}`);
      const { description, message } = await engineOf({ entry: `${elsewhere.url}dist/index.js` }, { isolated: true, csp });
      assert.equal(description, "wasm simd128, 2 threads", message);
    });

    test("a policy that forbids it is named, with what it would take", async () => {
      for (const workers of ["'self'", `'self' ${elsewhere.url}`, "'self' blob:"]) {
        const { code, message } = await engineOf({ entry: `${elsewhere.url}dist/index.js` }, { isolated: true, csp: policy(workers) });
        assert.equal(code, "network");
        assert.ok(message.includes(`worker-src blob: ${elsewhere.url.slice(0, -1)};`), message);
      }
    });
  });
});
