// The folder in which the package keeps downloads under Node, on the real file system, whose calls can fail.

import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Injector } from "./injector.mjs";

/** What the system says, by call; a point takes one of them by its number. */
const THROWN = {
  mkdir: ["EACCES", "EROFS"],
  readdir: ["EACCES", "EIO"],
  open: ["EACCES", "EMFILE", "ENOSPC"],
  writeFile: ["ENOSPC", "EIO", "EACCES"],
  rename: ["EPERM", "EIO"],
  rm: ["EBUSY", "EPERM"],
  unlink: ["EBUSY", "EPERM"],
  readFile: ["EIO", "EACCES"],
  "handle.read": ["EIO"],
  "handle.write": ["ENOSPC", "EIO"],
  "handle.stat": ["EIO"],
  "handle.truncate": ["EIO"],
  "handle.sync": ["EIO"],
  "handle.datasync": ["EIO"],
};
const OTHERS = ["EIO", "EACCES"];

/** The `at`th call fails as the system makes it fail. */
export function throwAsSystemsDo(what, at) {
  const codes = THROWN[what] ?? OTHERS;
  const code = codes[at % codes.length];
  throw Object.assign(new Error(`${code}: ${what}, call ${at}, fails on purpose`), { code, syscall: what });
}

const CALLS = [
  "mkdir", "readdir", "open", "writeFile", "appendFile", "readFile", "rename", "rm", "unlink", "stat", "lstat", "access",
  "truncate", "utimes", "copyFile",
];
const HANDLE_CALLS = ["read", "write", "writev", "writeFile", "readFile", "stat", "truncate", "sync", "datasync", "utimes"];
const real = Object.fromEntries(CALLS.map((name) => [name, fs.promises[name]]));

/** The folder whose calls are looked at. */
let watched;

/** From now on what goes into the folder of the day passes its injector. */
export function watchFileSystem() {
  for (const name of CALLS) {
    fs.promises[name] = (path, ...given) => {
      const call = () => real[name](path, ...given);
      return watched !== undefined && String(path).startsWith(watched.path) ? watched.call(name, call) : call();
    };
  }
  syncBuiltinESMExports();
}

export class Folder {
  injector;
  /** File handles that nobody has closed. */
  open = 0;
  path;
  #clock;

  constructor(clock) {
    this.#clock = clock;
    this.injector = new Injector(clock.stir);
    this.path = fs.mkdtempSync(join(tmpdir(), "azulejo-faults-"));
    process.env.AZULEJO_CACHE = this.path;
    watched = this;
  }

  /** Nothing of it is left. */
  remove() {
    fs.rmSync(this.path, { recursive: true, force: true });
  }

  async call(name, work) {
    this.injector.pass(name);
    const result = await this.#clock.during(work());
    return name === "open" ? this.#handle(result) : result;
  }

  #handle(handle) {
    this.open++;
    const close = handle.close.bind(handle);
    handle.close = () => this.#clock.during(close());
    handle.once("close", () => this.open--);
    for (const name of HANDLE_CALLS) {
      const method = handle[name].bind(handle);
      handle[name] = async (...given) => {
        this.injector.pass(`handle.${name}`);
        return this.#clock.during(method(...given));
      };
    }
    return handle;
  }

  files() {
    return fs.readdirSync(this.path).map((name) => {
      const path = join(this.path, name);
      return { path: name, content: { path, bytes: new Uint8Array(fs.readFileSync(path)) }, remove: () => fs.rmSync(path) };
    });
  }

  get used() {
    return this.files().reduce((sum, { content }) => sum + content.bytes.length, 0);
  }

  overwrite({ path }, bytes) {
    fs.writeFileSync(path, bytes);
  }
}
