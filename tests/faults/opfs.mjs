// A stand-in for the browser's private file system, whole in memory: as strict as browsers are about locks, snapshots
// and room, and able to fail at any call with what browsers throw there.

import { Injector } from "./injector.mjs";

/** What browsers throw, by call; a point takes one of them by its number. */
const THROWN = {
  getDirectory: ["SecurityError", "UnknownError"],
  getDirectoryHandle: ["NotFoundError", "TypeMismatchError", "QuotaExceededError"],
  getFileHandle: ["QuotaExceededError", "NotFoundError", "InvalidStateError"],
  removeEntry: ["NoModificationAllowedError", "NotFoundError", "InvalidStateError"],
  list: ["NotFoundError", "NotReadableError"],
  createSyncAccessHandle: ["NoModificationAllowedError", "InvalidStateError", "NotFoundError"],
  createWritable: ["NoModificationAllowedError", "QuotaExceededError", "NotFoundError"],
  getFile: ["NotFoundError", "NotReadableError"],
  "file.read": ["NotReadableError", "NotFoundError"],
  read: ["InvalidStateError", "NotReadableError"],
  write: ["QuotaExceededError", "InvalidStateError"],
  truncate: ["QuotaExceededError", "InvalidStateError"],
  getSize: ["InvalidStateError"],
  flush: ["InvalidStateError", "QuotaExceededError"],
  "writable.write": ["QuotaExceededError", "InvalidStateError"],
  "writable.close": ["QuotaExceededError", "AbortError"],
  move: ["NoModificationAllowedError", "NotFoundError"],
  estimate: ["TypeError", "UnknownError"],
  persist: ["TypeError", "InvalidStateError"],
  "locks.request": ["InvalidStateError", "SecurityError"],
  "locks.query": ["InvalidStateError", "SecurityError"],
};

/** The `at`th call fails as browsers make it fail. */
export function throwAsBrowsersDo(what, at) {
  const names = THROWN[what];
  const name = names[at % names.length];
  const message = `${what}, call ${at}, fails on purpose`;
  throw name === "TypeError" ? new TypeError(message) : new DOMException(message, name);
}

const refuse = (name, message) => {
  throw new DOMException(message, name);
};

/** The bytes of one file, and who is at them. */
class Content {
  bytes = new Uint8Array();
  /** A snapshot of an older version can no longer be read. */
  version = 0;
  modified = 0;
  /** One access handle, or any number of writable streams. */
  locked = false;
  writers = 0;
}

export class Opfs {
  injector;
  /** Bytes that all files together may have. */
  quota = Infinity;
  /** Access handles and writable streams that nobody has closed. */
  open = 0;
  #changes = 0;
  #tree = new Map();
  #sync;

  /** `sync`: as in a worker, with access handles; else as on a page's own thread. `called` at each call. */
  constructor({ sync = true, called } = {}) {
    this.#sync = sync;
    this.injector = new Injector(called);
  }

  /** What `navigator.storage` is. */
  storage() {
    const persisted = { value: false };
    return {
      getDirectory: async () => (this.injector.pass("getDirectory"), this.#folder("", this.#tree)),
      estimate: async () => (this.injector.pass("estimate"), { usage: this.used, quota: Math.min(this.quota, 2 ** 40) }),
      persist: async () => (this.injector.pass("persist"), (persisted.value = true)),
      persisted: async () => persisted.value,
    };
  }

  get used() {
    return this.files().reduce((sum, { content }) => sum + content.bytes.length, 0);
  }

  /** Every file there is: [{ path, content, remove() }]. */
  files(tree = this.#tree, at = "") {
    return [...tree].flatMap(([name, entry]) =>
      entry instanceof Map
        ? this.files(entry, `${at}${name}/`)
        : [{ path: at + name, content: entry, remove: () => tree.delete(name) }]);
  }

  /** What is stored becomes `bytes`, behind everybody's back. */
  overwrite(content, bytes) {
    content.bytes = bytes;
    this.#touch(content);
  }

  #touch(content) {
    content.version++;
    content.modified = ++this.#changes;
  }

  #folder(name, entries) {
    const injector = this.injector;
    const all = () => [...entries].map(([each, entry]) => [each, this.#handle(each, entry, entries)]);
    const list = async function* (pick) {
      injector.pass("list");
      for (const each of all()) if (entries.has(each[0])) yield pick(each);
    };
    return {
      kind: "directory",
      name,
      getDirectoryHandle: async (child, { create = false } = {}) => {
        injector.pass("getDirectoryHandle");
        const found = entries.get(child);
        if (found !== undefined && !(found instanceof Map)) refuse("TypeMismatchError", `${child} is a file`);
        if (found === undefined && !create) refuse("NotFoundError", `${child} is not there`);
        if (found === undefined) entries.set(child, new Map());
        return this.#folder(child, entries.get(child));
      },
      getFileHandle: async (child, { create = false } = {}) => {
        injector.pass("getFileHandle");
        const found = entries.get(child);
        if (found instanceof Map) refuse("TypeMismatchError", `${child} is a folder`);
        if (found === undefined && !create) refuse("NotFoundError", `${child} is not there`);
        if (found === undefined) entries.set(child, new Content());
        return this.#file(child, entries.get(child), entries);
      },
      removeEntry: async (child, { recursive = false } = {}) => {
        injector.pass("removeEntry");
        this.#remove(child, entries, recursive);
      },
      entries: () => list((each) => each),
      keys: () => list(([each]) => each),
      values: () => list(([, handle]) => handle),
      [Symbol.asyncIterator]: () => list((each) => each),
    };
  }

  #handle(name, entry, entries) {
    return entry instanceof Map ? this.#folder(name, entry) : this.#file(name, entry, entries);
  }

  #remove(name, entries, recursive) {
    const found = entries.get(name);
    if (found === undefined) refuse("NotFoundError", `${name} is not there`);
    if (found instanceof Map && found.size > 0 && !recursive) refuse("InvalidModificationError", `${name} is not empty`);
    const inside = found instanceof Map ? this.files(found).map(({ content }) => content) : [found];
    if (inside.some(({ locked, writers }) => locked || writers > 0)) refuse("NoModificationAllowedError", `${name} is in use`);
    for (const content of inside) this.#touch(content);
    entries.delete(name);
  }

  #file(name, content, entries) {
    const { injector } = this;
    const there = () => entries.get(name) === content || refuse("NotFoundError", `${name} is no longer there`);
    return {
      kind: "file",
      name,
      getFile: async () => {
        injector.pass("getFile");
        there();
        return snapshot(content, name, injector);
      },
      createWritable: async ({ keepExistingData = false } = {}) => {
        injector.pass("createWritable");
        there();
        if (content.locked) refuse("NoModificationAllowedError", `${name} is in use`);
        return this.#writable(content, keepExistingData);
      },
      move: async (to) => {
        injector.pass("move");
        there();
        if (content.locked || content.writers > 0) refuse("NoModificationAllowedError", `${name} is in use`);
        entries.delete(name);
        entries.set(to, content);
      },
      ...(this.#sync && {
        createSyncAccessHandle: async () => {
          injector.pass("createSyncAccessHandle");
          there();
          if (content.locked || content.writers > 0) refuse("NoModificationAllowedError", `${name} is in use`);
          return this.#access(content);
        },
      }),
    };
  }

  /** Throws where the file would not fit with `size` bytes. */
  #makeRoom(content, size) {
    const more = size - content.bytes.length;
    if (more > 0 && this.used + more > this.quota) refuse("QuotaExceededError", "there is no more room");
  }

  #access(content) {
    const { injector } = this;
    let closed = false;
    content.locked = true;
    this.open++;
    const enter = (what) => {
      if (closed) refuse("InvalidStateError", "the access handle is closed");
      injector.pass(what);
    };
    return {
      read: (into, { at = 0 } = {}) => {
        enter("read");
        const part = content.bytes.subarray(at, at + into.byteLength);
        new Uint8Array(into.buffer ?? into, into.byteOffset ?? 0).set(part);
        return part.length;
      },
      write: (bytes, { at = content.bytes.length } = {}) => {
        enter("write");
        this.#makeRoom(content, at + bytes.byteLength);
        content.bytes = written(content.bytes, bytes, at);
        this.#touch(content);
        return bytes.byteLength;
      },
      truncate: (size) => {
        enter("truncate");
        this.#makeRoom(content, size);
        content.bytes = resized(content.bytes, size);
        this.#touch(content);
      },
      getSize: () => (enter("getSize"), content.bytes.length),
      flush: () => enter("flush"),
      close: () => {
        if (closed) return;
        closed = true;
        content.locked = false;
        this.open--;
      },
    };
  }

  /** What is written lies apart until it is closed. */
  #writable(content, keep) {
    let draft = keep ? content.bytes.slice() : new Uint8Array();
    let at = 0;
    content.writers++;
    this.open++;
    let ended = false;
    const end = () => {
      if (ended) return;
      ended = true;
      content.writers--;
      this.open--;
    };
    const put = (bytes) => {
      if (this.used + draft.length + bytes.length > this.quota) refuse("QuotaExceededError", "there is no more room");
      draft = written(draft, bytes, at);
      at += bytes.length;
    };
    const stream = new WritableStream({
      write: async (chunk) => {
        try {
          this.injector.pass("writable.write");
          const command = chunk?.type === undefined || chunk instanceof Blob ? { type: "write", data: chunk } : chunk;
          if (command.type === "truncate") draft = resized(draft, command.size);
          if (command.position !== undefined) at = command.position;
          if (command.type === "write") put(await bytesOf(command.data));
        } catch (error) {
          end();
          throw error;
        }
      },
      close: () => {
        try {
          this.injector.pass("writable.close");
          content.bytes = draft;
          this.#touch(content);
        } finally {
          end();
        }
      },
      abort: end,
    });
    return Object.assign(stream, {
      write: (chunk) => throughWriter(stream, (writer) => writer.write(chunk)),
      seek: (position) => throughWriter(stream, (writer) => writer.write({ type: "seek", position })),
      truncate: (size) => throughWriter(stream, (writer) => writer.write({ type: "truncate", size })),
      close: () => throughWriter(stream, (writer) => writer.close()),
      abort: (reason) => throughWriter(stream, (writer) => writer.abort(reason)),
    });
  }
}

async function throughWriter(stream, work) {
  const writer = stream.getWriter();
  try {
    return await work(writer);
  } finally {
    writer.releaseLock();
  }
}

/** A File as `getFile` gives it: it can be read until the file behind it changes. */
function snapshot(content, name, injector) {
  const { version } = content;
  const check = () => {
    injector.pass("file.read");
    if (content.version !== version) refuse("NotReadableError", `${name} has changed since`);
  };
  return watched(new File([content.bytes], name, { lastModified: content.modified }), check);
}

/** A Blob that asks before it lets itself be read. */
function watched(blob, check) {
  const of = (method) => Blob.prototype[method].bind(blob);
  const [slice, arrayBuffer, text, stream] = ["slice", "arrayBuffer", "text", "stream"].map(of);
  const asked = (read) => async () => {
    check();
    return read();
  };
  return Object.defineProperties(blob, {
    slice: { value: (...range) => watched(slice(...range), check) },
    arrayBuffer: { value: asked(arrayBuffer) },
    text: { value: asked(text) },
    bytes: { value: asked(async () => new Uint8Array(await arrayBuffer())) },
    stream: { value: () => checkedStream(stream(), check) },
  });
}

function checkedStream(stream, check) {
  return stream.pipeThrough(new TransformStream({
    transform(chunk, controller) {
      check();
      controller.enqueue(chunk);
    },
  }));
}

async function bytesOf(data) {
  if (typeof data === "string") return new TextEncoder().encode(data);
  if (data instanceof Blob) return new Uint8Array(await data.arrayBuffer());
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice()
    : new Uint8Array(data).slice();
}

function resized(bytes, size) {
  const made = new Uint8Array(size);
  made.set(bytes.subarray(0, size));
  return made;
}

function written(bytes, more, at) {
  const made = resized(bytes, Math.max(bytes.length, at + more.byteLength));
  made.set(new Uint8Array(more.buffer ?? more, more.byteOffset ?? 0, more.byteLength), at);
  return made;
}
