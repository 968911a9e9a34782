// A proxy that has the key, so that no page has it: a page's `headers` are its user's to read.
//
// It takes a Request and gives a Response, as Workers, Deno, Bun and most frameworks have it; under Node see below.

import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

/** What a page may ask of the server behind it, and nothing else. */
const PATHS = /\/(models|chat\/completions|completions|embeddings|rerank)$/;

/**
 * `server`: where its paths begin, "https://llm.example/v1"; `key`: what it wants as a bearer token; `allows`: whether this
 * request may go through. Without a check of your own (a session, a limit for each user) the proxy is an open door to the key.
 */
export function proxy({ server, key, allows }) {
  return async (request) => {
    const path = PATHS.exec(new URL(request.url).pathname)?.[0];
    if (path === undefined) return new Response("not found", { status: 404 });
    if (!(await allows(request))) return new Response("not allowed", { status: 403 });
    const body = request.method === "POST" ? await request.text() : undefined;
    const headers = { authorization: `Bearer ${key}`, ...(body !== undefined && { "content-type": "application/json" }) };
    // The answer goes on as it comes, and whoever leaves ends it there, too.
    const answer = await fetch(server + path, { method: request.method, headers, body, signal: request.signal });
    return new Response(answer.body, { status: answer.status, headers: { "content-type": answer.headers.get("content-type") ?? "text/plain" } });
  };
}

/** The same for Node: `createServer(listener(proxy({ … }))).listen(8080)`. */
export function listener(handle) {
  return async (incoming, outgoing) => {
    const left = new AbortController();
    outgoing.on("close", () => left.abort());
    try {
      const chunks = [];
      for await (const chunk of incoming) chunks.push(chunk);
      const { method, url, headers } = incoming;
      const body = chunks.length > 0 ? Buffer.concat(chunks) : undefined;
      const response = await handle(new Request(`http://${headers.host}${url}`, { method, headers, body, signal: left.signal }));
      outgoing.writeHead(response.status, Object.fromEntries(response.headers));
      if (response.body === null) outgoing.end();
      else await pipeline(Readable.fromWeb(response.body), outgoing);
    } catch (error) {
      if (!outgoing.headersSent) outgoing.writeHead(502).end(String(error.message));
      else outgoing.destroy(); // In the midst of an answer there is no other way to say it, if anybody is there yet.
    }
  };
}
