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
  const sendOn = ({ url, method, headers }) => {
    const prefix = prefixes.find((each) => url.startsWith(each));
    return ask(new URL(url, routes[prefix]), { method, headers });
  };
  const server = createServer((request, response) => {
    const onward = sendOn(request);
    onward.on("response", (answer) => {
      response.writeHead(answer.statusCode, { ...answer.headers, ...headers });
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  });
  // WebSockets, by which a bundler's page hears of changes; Next's does nothing without.
  server.on("upgrade", (request, socket) => {
    const onward = sendOn(request).end();
    onward.on("upgrade", ({ headers: agreed }, other, first) => {
      const lines = Object.entries(agreed).map(([name, value]) => `${name}: ${value}\r\n`);
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join("")}\r\n`);
      other.unshift(first);
      socket.pipe(other).pipe(socket);
      for (const [one, another] of [[socket, other], [other, socket]]) one.on("error", () => another.destroy()).on("close", () => another.destroy());
    });
    onward.on("response", () => socket.destroy()); // refused
    onward.on("error", () => socket.destroy());
  });
  await new Promise((ready, failed) => server.once("error", failed).listen(0, "127.0.0.1", ready));
  return {
    url: `http://localhost:${server.address().port}/`, // Next's own server talks to pages of this name only
    close: () => new Promise((done) => {
      server.close(done);
      server.closeAllConnections();
    }),
  };
}
