// npm run docs
//
// Builds docs-dist/: the guides of docs/ and the reference of what the package exports, as static pages that need no server
// of their own (`python3 -m http.server` in any folder), and link to each other relatively. It reads dist/: build before.

import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, posix } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { root } from "./run.mjs";

// Their compiler lies beside them, since the one that compiles the package has another interface.
const { Application, ReflectionKind } =
  await import(pathToFileURL(createRequire(join(root, "scripts", "docs", "package.json")).resolve("typedoc")));

/** What callers import. */
const ENTRIES = ["index", "in-this-thread", "openai", "ai-sdk", "prompt-api", "remote"];

/** The first page. */
const INDEX = "docs/index.md";

/** In the order in which they are listed. */
const GUIDES = [
  "getting-started", "choosing-a-model", "memory", "recipes", "coming-from", "downloads", "platforms", "errors", "chats", "grammars",
  "tools", "sessions", "lora", "speculation", "openai", "ai-sdk", "prompt-api", "remote",
  "demo-page", "how-it-works", "twenty-questions", "families", "speed", "what-is-read",
  "adding-a-family", "adding-a-kernel",
].map((name) => `docs/${name}.md`);

/** Guides link to these, too. */
const PAGES = [...GUIDES, "examples/README.md", "bench/README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"];

/** Where the repository is, without an ending: links to it are made only where package.json says so. */
function repository() {
  const { repository } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return (repository?.url ?? repository)?.replace(/^git\+|\.git$/g, "");
}

/** TypeDoc with everything read. */
export async function read() {
  const address = repository();
  const staged = mkdtempSync(join(tmpdir(), "azulejo-guides-"));
  try {
    for (const page of [INDEX, ...PAGES]) stage(page, staged, address);
    const app = await Application.bootstrap({
      name: "azulejo",
      entryPoints: ENTRIES.map((name) => join(root, "dist", `${name}.d.ts`)),
      tsconfig: join(root, "scripts", "docs", "tsconfig.json"),
      readme: join(staged, INDEX),
      projectDocuments: PAGES.map((page) => join(staged, page)),
      sort: ["documents-first", "source-order"],
      excludeInternal: true,
      disableSources: true,
      hideGenerator: true,
      highlightLanguages: ["js", "jsx", "ts", "html", "json", "bash"],
      includeVersion: true,
      favicon: join(root, "www", "logo.svg"),
      customCss: join(root, "scripts", "docs", "style.css"),
      // Of the adapters' types some parts have no name that is exported: they are shown where they are used.
      validation: { notExported: false, invalidLink: true, invalidPath: true },
      ...(address !== undefined && { navigationLinks: { Repository: address } }),
    });
    return { app, project: await app.convert(), close: () => rmSync(staged, { recursive: true }) };
  } catch (error) {
    rmSync(staged, { recursive: true });
    throw error;
  }
}

/** A page as TypeDoc takes it: its heading is its title in the list; its links lead to pages, pictures, or the repository. */
function stage(page, folder, address) {
  const text = readFileSync(join(root, page), "utf8");
  const [heading, title] = /^# (.+)\n+/.exec(text);
  // The first page has the package's name above it.
  const body = text.slice(page === INDEX ? heading.length : 0).replace(/\[([^\]]*)\]\(([^)\s]+)\)/g, (link, label, href) => {
    if (/^(https?:|#)/.test(href)) return link;
    const path = posix.join(posix.dirname(page), href.replace(/#.*/, ""));
    if (!existsSync(join(root, path))) throw new Error(`${page} links to ${path}, which is not there`);
    if (PAGES.includes(path)) return link;
    if (/\.(png|svg)$/.test(path)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      copyFileSync(join(root, path), join(folder, path));
      return link;
    }
    return address === undefined ? label : `[${label}](${address}/blob/HEAD/${path})`;
  });
  mkdirSync(dirname(join(folder, page)), { recursive: true });
  writeFileSync(join(folder, page), page === INDEX ? body : `---\ntitle: ${JSON.stringify(title)}\n---\n\n${body}`);
}

/** Whatever callers can name: exports, and the members of what is exported, those of objects written in place left out. */
export function publicItems(project) {
  const { Class, Interface, TypeAlias, Function, Variable, Property, Method, Accessor, Constructor } = ReflectionKind;
  const kinds = Class | Interface | TypeAlias | Function | Variable | Property | Method | Accessor | Constructor;
  return project.getReflectionsByKind(kinds).filter((item) => !item.flags.isExternal && !isInPlace(item)).map((item) => ({
    name: item.getFullName(),
    documented: isDocumented(item),
  }));
}

/** Part of an object type that has no name, whose comment says what it holds. `cache` and `sessions` have methods instead. */
function isInPlace(item) {
  for (let { parent } = item; parent; parent = parent.parent)
    if (parent.kindOf(ReflectionKind.TypeLiteral) && !parent.parent?.kindOf(ReflectionKind.Variable)) return true;
  return false;
}

function isDocumented(item) {
  const type = item.type?.type === "reflection" ? item.type.declaration : undefined;
  const signatures = item.signatures ?? type?.signatures;
  return item.hasComment() || item.getSignature?.hasComment() || (signatures?.some((signature) => signature.hasComment()) ?? false);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (!existsSync(join(root, "dist", "index.d.ts"))) throw new Error("dist/ is missing: npm run build makes it");
  const { app, project, close } = await read();
  app.validate(project);
  await app.generateDocs(project, join(root, "docs-dist"));
  close();
  if (app.logger.hasErrors() || app.logger.hasWarnings()) process.exit(1);
}
