// A server before other servers: sends each request on by its path, and adds headers to the answers, so that
// a bundler's own server can be tried as it is.

import { createServer, request as ask } from "node:http";

/** Of a page whose threads share memory. */
export const ISOLATED = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-resource-policy": "same-origin",
};

/**
 * @param {Record<string, string>} routes path prefix → address of a server; the longest prefix wins
 * @param {Record<string, string>} headers
 * @returns {Promise<{ url: string, close(): Promise<void> }>}
 */
export async function startFront(routes, headers) {
  const prefixes = Object.keys(routes).sort((a, b) => b.length - a.length);
  const server = createServer((request, response) => {
    const prefix = prefixes.find((each) => request.url.startsWith(each));
    const onward = ask(new URL(request.url, routes[prefix]), { method: request.method, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode, { ...answer.headers, ...headers });
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  });
  await new Promise((ready, failed) => server.once("error", failed).listen(0, "127.0.0.1", ready));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    close: () => new Promise((done) => {
      server.close(done);
      server.closeAllConnections();
    }),
  };
}
