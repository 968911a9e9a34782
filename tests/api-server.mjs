// A server for the API's tests: the package under a strict policy, and files that change, break off and come slowly.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm" };
const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'";
const ISOLATED = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };

/**
 * `files`: path → how it is served (see `serveBytes`), or a function (request, response). `log` says what was asked.
 * `policy: false` leaves the content security policy out, for pages that load from other servers.
 */
export async function startApiServer({ isolated, policy = true, files = {} }) {
  const log = [];
  const always = { ...(policy && { "content-security-policy": POLICY }), ...(isolated && ISOLATED) };
  const server = createServer(async (request, response) => {
    const path = decoded(new URL(request.url, "http://x").pathname);
    for (const [name, value] of Object.entries(always)) response.setHeader(name, value);
    if (path === "/") return response.setHeader("content-type", "text/html").end("<!doctype html><title>A page for tests</title>");
    const file = files[path];
    if (file === undefined) return serveFile(path, response, request, log);
    log.push([request.method, path, request.headers.range].filter(Boolean).join(" "));
    await (typeof file === "function" ? file(request, response) : serveBytes(file, request, response));
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const close = () => new Promise((done) => {
    server.closeAllConnections();
    server.close(done);
  });
  return { url: `http://127.0.0.1:${server.address().port}/`, files, log, close };
}

/** A percent sign may be just that. */
function decoded(path) {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

async function serveFile(path, response, request, log) {
  const bytes = await readFile(join(ROOT, path)).catch(() => undefined);
  // What is looked for of a model and is not there; browsers look for an icon.
  if (bytes === undefined && path !== "/favicon.ico") log.push([request.method, path].join(" "));
  response.statusCode = bytes === undefined ? 404 : 200;
  response.setHeader("content-type", TYPES[extname(path)] ?? "application/octet-stream");
  response.end(bytes);
}

/**
 * `type` is a name whose end says what it is sent as; `ranges: false` answers everything with the whole; `head` and `status` are what HEAD and everything else is answered with
 * in place of the file; `headers` go with every answer, undefined ones not. Half of what was asked is sent until the
 * promise `held` or `cut` resolves, then the rest, or nothing more. `gzip` compresses what is asked for whole, `chunked`
 * leaves its length out.
 */
export async function serveBytes(file, { method, headers }, response) {
  const { bytes, type = "", etag = '"1"', ranges = true, gzip = false, chunked = false, held, cut } = file;
  const status = method === "HEAD" ? (file.head ?? file.status) : file.status;
  response.setHeader("content-type", TYPES[extname(type)] ?? "application/octet-stream").setHeader("etag", etag);
  for (const [name, value] of Object.entries(file.headers ?? {})) {
    if (value === undefined) response.removeHeader(name);
    else response.setHeader(name, value);
  }
  if (status !== undefined) return response.writeHead(status).end();
  const [, first, last] = (ranges && /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? "")) || [];
  const from = Number(first ?? 0);
  const to = Math.min(last ? Number(last) + 1 : bytes.length, bytes.length);
  if (first !== undefined && from >= bytes.length) return response.setHeader("content-range", `bytes */${bytes.length}`).writeHead(416).end();
  response.statusCode = first === undefined ? 200 : 206;
  let body = bytes.subarray(from, to);
  if (first !== undefined) response.setHeader("content-range", `bytes ${from}-${to - 1}/${bytes.length}`);
  else if (gzip && /gzip/.test(headers["accept-encoding"] ?? "")) {
    body = gzipSync(body);
    response.setHeader("content-encoding", "gzip");
  }
  if (!chunked) response.setHeader("content-length", body.length);
  if (method === "HEAD") return response.end();
  const half = held || cut || chunked ? body.length >> 1 : 0;
  if (half > 0) response.write(body.subarray(0, half));
  await held;
  if (cut !== undefined) return cut.then(() => response.destroy());
  response.end(body.subarray(half));
}
