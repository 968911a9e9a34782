// A static server for the demo page, the tests and the benchmark.
//
//     node scripts/serve.mjs        PORT (default 8080, 0: any free one), HOST (default 127.0.0.1)

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, resolve, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import { pathToFileURL } from "node:url";
import { root } from "./run.mjs";

/** The demo page, the package it imports, and the checkpoints: the fetched ones, and the one that comes with the page. */
export const MOUNTS = {
  "/": join(root, "www-dist"),
  "/azulejo/": join(root, "dist"),
  "/models/": join(root, "models"),
  "/models/fashion-mnist-vit/": join(root, "www-dist", "models", "fashion-mnist-vit"),
};

/** The strictest policy under which the package promises to work. */
export const STRICT_CSP = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self' https: blob:";

const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
};

/**
 * Serves `mounts` (path prefix → folder; the longest prefix wins) until `close` is called.
 * @param {object} [options]
 * @param {number} [options.port] 0: any free one
 * @param {string} [options.host]
 * @param {boolean} [options.isolated] cross-origin isolation: SharedArrayBuffer, and so threads
 * @param {boolean | string} [options.csp] a Content-Security-Policy; `true`: the strict one
 * @param {Record<string, string>} [options.headers] with every answer
 * @param {Record<string, string>} [options.mounts]
 * @returns {Promise<{ url: string, port: number, close(): Promise<void> }>}
 */
export async function serve({ port = 0, host = "127.0.0.1", isolated = true, csp = false, headers = {}, mounts = MOUNTS } = {}) {
  const always = { "Accept-Ranges": "bytes", "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff", ...headers };
  if (isolated) {
    always["Cross-Origin-Opener-Policy"] = "same-origin";
    always["Cross-Origin-Embedder-Policy"] = "require-corp";
    always["Cross-Origin-Resource-Policy"] = "same-origin";
  }
  if (csp) always["Content-Security-Policy"] = csp === true ? STRICT_CSP : csp;

  const server = createServer((request, response) => {
    for (const [name, value] of Object.entries(always)) response.setHeader(name, value);
    answer(request, response, mounts).catch(() => response.destroy()); // the reader left, or the file went
  });
  await new Promise((ready, failed) => {
    server.once("error", failed);
    server.listen(port, host, ready);
  });
  const actual = server.address().port;
  return {
    url: `http://${host}:${actual}/`,
    port: actual,
    close: () => new Promise((done) => {
      server.close(done);
      server.closeAllConnections();
    }),
  };
}

async function answer(request, response, mounts) {
  if (request.method !== "GET" && request.method !== "HEAD") return refuse(response, 405);
  const file = await findFile(request.url, mounts);
  if (!file) return refuse(response, 404);

  const { path, info } = file;
  const tag = `"${info.size.toString(16)}-${Math.trunc(info.mtimeMs).toString(16)}"`;
  response.setHeader("ETag", tag);
  response.setHeader("Last-Modified", info.mtime.toUTCString());
  if (request.headers["if-none-match"] === tag) return response.writeHead(304).end();

  const wanted = request.headers["if-range"] ?? tag;
  const range = wanted === tag ? parseRange(request.headers.range, info.size) : undefined;
  if (range === "none") {
    response.setHeader("Content-Range", `bytes */${info.size}`);
    return refuse(response, 416);
  }
  const { start, end } = range ?? { start: 0, end: info.size - 1 };
  if (range) response.setHeader("Content-Range", `bytes ${start}-${end}/${info.size}`);
  response.writeHead(range ? 206 : 200, {
    "Content-Type": TYPES[extname(path)] ?? "application/octet-stream",
    "Content-Length": end - start + 1,
  });
  if (request.method === "HEAD" || info.size === 0) return response.end();
  await pipeline(createReadStream(path, { start, end }), response);
}

function refuse(response, status) {
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8" }).end(`${status}\n`);
}

/** The file that an address means, never one outside its mount's folder; undefined if there is none. */
async function findFile(url, mounts) {
  const asked = decodePath(url);
  const prefix = Object.keys(mounts).filter((each) => asked?.startsWith(each)).sort((a, b) => b.length - a.length)[0];
  if (prefix === undefined) return undefined;
  const folder = resolve(mounts[prefix]);
  const path = join(folder, asked.slice(prefix.length), asked.endsWith("/") ? "index.html" : "");
  if (!path.startsWith(folder + sep)) return undefined;
  const info = await stat(path).catch(() => undefined);
  return info?.isFile() ? { path, info } : undefined;
}

/** The path of a request, or undefined if it is not one: `..`, however it was written, and NUL. */
function decodePath(url) {
  let path;
  try {
    path = decodeURIComponent(url.split(/[?#]/, 1)[0]);
  } catch {
    return undefined;
  }
  return path.includes("\0") || path.split(/[/\\]/).includes("..") ? undefined : path;
}

/** One byte range as { start, end }, "none" if it lies outside the file; undefined to send the whole file. */
function parseRange(header, size) {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (!match || (!match[1] && !match[2])) return undefined;
  const start = match[1] ? Number(match[1]) : Math.max(0, size - Number(match[2]));
  const end = match[1] && match[2] ? Math.min(Number(match[2]), size - 1) : size - 1;
  return start < size && start <= end ? { start, end } : "none";
}

/** Serves the demo page as the environment says, and tells where. */
export async function serveDemo() {
  const port = Number(process.env.PORT || 8080);
  const host = process.env.HOST || "127.0.0.1";
  const server = await serve({ port, host }).catch((error) => {
    if (error.code !== "EADDRINUSE") throw error;
    console.error(`port ${port} is taken: choose another with PORT=8081 npm start`);
    process.exit(1);
  });
  console.log(`azulejo is at http://${host === "127.0.0.1" ? "localhost" : host}:${server.port} (Ctrl+C ends it)`);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) await serveDemo();
