// A .wasm on its way to an instance.

import { AzulejoError } from "../shared/errors.js";
import { isNode, nodeModule } from "../shared/platform.js";
import { version } from "../shared/version.js";
import { readTrap, type Wreck } from "./traps.js";

/** The module that lies there. */
export async function compile(url: string): Promise<WebAssembly.Module> {
  if (url.startsWith("file:") && isNode()) {
    const { readFile } = await nodeModule("node:fs/promises");
    return WebAssembly.compile(await readFile(new URL(url)));
  }
  const broken = (error: Error) => {
    if (error instanceof WebAssembly.CompileError) throw error;
    throw new AzulejoError("network", `${url}: ${error.message}`);
  };
  const response = await fetch(url).catch(broken);
  const type = response.headers.get("content-type") ?? "";
  if (!response.ok || type.startsWith("text/html")) {
    throw new AzulejoError(
      "network",
      `${url}: the server answered ${response.status} ${type} where the package's .wasm should lie; ` +
        'the engine option "assets" says where it does',
    );
  }
  // compileStreaming insists on the MIME type, which many a static server does not know.
  if (type.startsWith("application/wasm")) return WebAssembly.compileStreaming(response).catch(broken);
  return WebAssembly.compile(await response.arrayBuffer().catch(broken));
}

/** A module of another release does not fit this one's glue; and one may have no room to start in the memory it is given. */
export async function fitting<T>(url: string, instantiating: Promise<T>, room?: Omit<Wreck, "notesAt">): Promise<T> {
  try {
    return await instantiating;
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError && room !== undefined) {
      const { code, message } = readTrap(error.message, room);
      throw new AzulejoError(code, `the WebAssembly instance does not start: ${message}`, undefined, { cause: error });
    }
    if (!(error instanceof WebAssembly.LinkError || error instanceof TypeError)) throw error;
    const why = `${url} is not of azulejo ${version}: ${error.message}`;
    throw new AzulejoError("internal", why, undefined, { cause: error });
  }
}
