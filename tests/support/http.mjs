// A server of whatever answers requests, on a free port.

import { createServer } from "node:http";
import { listener } from "../../examples/recipes/proxy.js";

/**
 * `handle`: takes a Request and gives a Response; or with `raw` a request and a response of node:http's.
 * @returns {Promise<{ url: string, close(): Promise<void> }>} `url` without a slash at its end
 */
export async function serveHttp(handle, { raw = false } = {}) {
  const server = createServer(raw ? handle : listener(handle));
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}
