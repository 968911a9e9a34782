// A real server of llama.cpp's: that of PyPI's llama-cpp-python[server], where it is installed.

import { spawn, spawnSync } from "node:child_process";
import { createServer } from "node:net";
import { createInterface } from "node:readline";

/** The interpreter that has it, python3 where the variable says nothing. */
const PYTHON = process.env.AZULEJO_LLAMA_PYTHON ?? "python3";

/** Why there is none here, in words; `undefined` where there is one. */
export function whyNoLlamaServer() {
  const { status } = spawnSync(PYTHON, ["-c", "import llama_cpp.server.app"], { stdio: "ignore" });
  return status === 0 ? undefined : `${PYTHON} has no llama_cpp.server: pip install "llama-cpp-python[server]" builds it, and AZULEJO_LLAMA_PYTHON names the interpreter`;
}

async function freePort() {
  const server = createServer();
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const { port } = server.address();
  await new Promise((closed) => server.close(closed));
  return port;
}

/**
 * Of a GGUF file of Llama's, which it knows as "here": texts, and as vectors the means of their tokens'.
 * @returns {Promise<{ url: string, close(): Promise<void> }>} `url` ends in "/v1"
 */
export async function startLlamaServer(model, key) {
  const port = await freePort();
  const options = ["--model", model, "--model_alias", "here", "--host", "127.0.0.1", "--port", String(port), "--n_ctx", "512", "--n_threads", "1",
    "--embedding", "true", "--kv_overrides", "llama.pooling_type=int:1", "--api_key", key];
  const child = spawn(PYTHON, ["-m", "llama_cpp.server", ...options], { stdio: ["ignore", "ignore", "pipe"] });
  const closed = new Promise((resolve) => child.on("close", resolve));
  const said = [];
  const isUp = new Promise((resolve) => createInterface({ input: child.stderr }).on("line", (line) => {
    said.push(line);
    if (line.includes("Uvicorn running on")) resolve(true);
  }));
  if (!(await Promise.race([isUp, closed.then(() => false)]))) throw new Error(`llama_cpp.server ended: ${said.slice(-5).join("\n")}`);
  return {
    url: `http://127.0.0.1:${port}/v1`,
    async close() {
      child.kill();
      await closed;
    },
  };
}
