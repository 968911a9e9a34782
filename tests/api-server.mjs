// A server for the API's tests: the package under a strict policy, and files that change, break off and come slowly.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm" };
const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'";
const ISOLATED = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };

/**
 * `files`: path → { bytes, type?, etag?, ranges?, held?, cut? }. `type` is a name whose end says what it is sent as;
 * `ranges: false` answers everything with the whole; half of the file is sent until the promise `held` or `cut` resolves,
 * then the rest, or nothing more. `log` says what was asked.
 */
export async function startApiServer({ isolated, files = {} }) {
  const log = [];
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://x").pathname);
    for (const [name, value] of Object.entries({ "content-security-policy": POLICY, ...(isolated && ISOLATED) })) {
      response.setHeader(name, value);
    }
    if (path === "/") return response.setHeader("content-type", "text/html").end("<!doctype html><title>A page for tests</title>");
    if (files[path] === undefined) return serveFile(path, response);
    log.push([request.method, path, request.headers.range].filter(Boolean).join(" "));
    await serveBytes(files[path], request, response);
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const close = () => new Promise((done) => {
    server.closeAllConnections();
    server.close(done);
  });
  return { url: `http://127.0.0.1:${server.address().port}/`, files, log, close };
}

async function serveFile(path, response) {
  const bytes = await readFile(join(ROOT, path)).catch(() => undefined);
  response.statusCode = bytes === undefined ? 404 : 200;
  response.setHeader("content-type", TYPES[extname(path)] ?? "application/octet-stream");
  response.end(bytes);
}

async function serveBytes({ bytes, type = "", etag = '"1"', ranges = true, held, cut }, { method, headers }, response) {
  const [, first, last] = (ranges && /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? "")) || [];
  const from = Number(first ?? 0);
  const to = Math.min(last ? Number(last) + 1 : bytes.length, bytes.length);
  response.statusCode = first === undefined ? 200 : 206;
  response.setHeader("content-type", TYPES[extname(type)] ?? "application/octet-stream").setHeader("etag", etag);
  response.setHeader("content-length", to - from);
  if (first !== undefined) response.setHeader("content-range", `bytes ${from}-${to - 1}/${bytes.length}`);
  if (method === "HEAD") return response.end();
  const half = held || cut ? (from + to) >> 1 : from;
  if (half > from) response.write(bytes.subarray(from, half));
  await held;
  if (cut !== undefined) return cut.then(() => response.destroy());
  response.end(bytes.subarray(half, to));
}
