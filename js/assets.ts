// Where the package's other files lie. The page finds out, and tells its worker, which tells the threads: they are
// copied about by bundlers as they are, and find nothing by themselves.

import { AzulejoError } from "./shared/errors.js";
import type { Assets } from "./shared/protocol.js";

/** `folder`: where the caller says that they lie, an address that ends in "/". */
export function findAssets(folder: string | undefined): Assets {
  return folder === undefined ? beside() : within(folder);
}

function within(folder: string): Assets {
  const at = (file: string) => new URL(file, folder).href;
  return {
    worker: at("worker.js"),
    thread: at("thread.js"),
    simd: at("simd/azulejo_bg.wasm"),
    threads: at("threads/azulejo_bg.wasm"),
    relaxed: at("relaxed/azulejo_bg.wasm"),
    grammar: at("grammar/azulejo_bg.wasm"),
  };
}

/** Beside this module, or where a bundler has put them. */
function beside(): Assets {
  try {
    // Spelled out, because bundlers look for exactly this form.
    const found = {
      worker: whole(new URL("./worker.js", import.meta.url)),
      thread: whole(new URL("./thread.js", import.meta.url)),
      simd: whole(new URL("./simd/azulejo_bg.wasm", import.meta.url)),
      threads: whole(new URL("./threads/azulejo_bg.wasm", import.meta.url)),
      relaxed: whole(new URL("./relaxed/azulejo_bg.wasm", import.meta.url)),
      grammar: whole(new URL("./grammar/azulejo_bg.wasm", import.meta.url)),
    };
    const packed = VITE_DEPENDENCIES.exec(found.worker);
    return packed === null ? found : within(`${packed[1]}/node_modules/azulejo/dist/`);
  } catch (error) {
    const why = 'a bundler has taken away the address of azulejo\'s modules; the engine option "assets" says where its files lie';
    throw new AzulejoError("invalid-argument", why, undefined, { cause: error });
  }
}

/** Turbopack gives paths without an origin, which the worker could not complete: it may be a blob. */
function whole(url: URL): string {
  return new URL(url.href, globalThis.location?.href).href;
}

/** Vite's dev server, up to version 7, joins modules into a file of its own there, and leaves what is beside them. */
const VITE_DEPENDENCIES = /^(.*)\/node_modules\/\.vite\/deps[^/]*\/worker\.js$/;
