// The server that tests and the benchmark load their pages from.

import { serve } from "../../scripts/serve.mjs";

/**
 * Serves `mounts` (path prefix → folder) on a free port, with or without cross-origin isolation.
 * @param {{ mounts?: Record<string, string>, isolated?: boolean, csp?: boolean | string, headers?: Record<string, string> }} options
 * @returns {Promise<{ url: string, close(): Promise<void> }>} `url` ends with a slash
 */
export function startServer({ mounts, isolated = true, csp = false, headers }) {
  return serve({ mounts, isolated, csp, headers });
}
