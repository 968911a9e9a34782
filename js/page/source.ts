// A `ModelSource`, made ready to be read by the worker: resolved, checked, its bytes held in the page.

import { AzulejoError, invalid } from "../shared/errors.js";
import { isNode } from "../shared/platform.js";
import type { WireFile, WireSource } from "../shared/protocol.js";
import type { ModelSource } from "../shared/types.js";
import { HUB, hubFromText, hubFromUrl } from "./source-hub.js";

/** What the page hands over as the worker asks for it. */
export interface Feed {
  /** At most `length` bytes of a file, as a copy; `undefined` at its end. */
  pull(file: string, offset: number, length: number): Promise<Uint8Array<ArrayBuffer> | undefined>;
}

/** Each `open` is one reading of the source, and `close` its end. */
export interface Source {
  /** A stream: it cannot be opened again. */
  readonly once: boolean;
  /** One GGUF file: there is nothing to choose from. */
  readonly single: boolean;
  /** What else may have been meant, where nothing is found. */
  readonly hint?: string | undefined;
  /** Rejects with "invalid-argument" where it cannot be read (again). */
  open(): { wire: WireSource; feed?: Feed };
  close(): void;
}

/** One file leaves nothing to choose. */
export function checkChoice({ single }: Source, { file, quant }: { file?: string; quant?: string }): void {
  if (!single || (file === undefined && quant === undefined)) return;
  throw invalid(`${file === undefined ? "quant" : "file"} says which of several files is meant, and the source is one file`);
}

/** `endpoint`: the hub's address, which ends in "/". */
export function sourceOf(source: ModelSource, endpoint = HUB): Source {
  const given: unknown = source;
  if (typeof given === "string") return fromString(given, endpoint);
  switch (tagOf(given)) {
    case "URL":
      return fixed(fromUrl(new URL(String(given)), endpoint));
    case "Blob":
      return fixed({ kind: "files", files: [{ name: "model.gguf", blob: given as Blob }], folder: false });
    case "File":
      return fixed({ kind: "files", files: [{ name: (given as File).name, blob: given as File }], folder: false });
    case "FileSystemDirectoryHandle":
      return fixed({ kind: "directory", handle: given as FileSystemDirectoryHandle });
    case "ReadableStream":
      return fromStream(given as ReadableStream<Uint8Array>);
  }
  const bytes = bytesOf(given);
  if (bytes !== undefined) return fromBytes(new Map([["model.gguf", bytes]]), [], false);
  if (Array.isArray(given)) return fromList(given);
  if (typeof given === "object" && given !== null) return fromRecord(given as Record<string, unknown>);
  throw invalid(
    `source should be a URL, a Blob, bytes, a stream or files, not ${given === null ? "null" : typeof given}`,
  );
}

/** Objects of other realms (frames, Node's own) too: `instanceof` knows only this one's. */
export function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice("[object ".length, -1);
}

function fixed(wire: WireSource, hint?: string): Source {
  const single = "folder" in wire ? !wire.folder : wire.kind === "url" || (wire.kind === "hub" && /[^/]$/.test(wire.path));
  return { once: false, single, hint, open: () => ({ wire }), close() {} };
}

// ---------------------------------------------------------------- addresses

/** How a repository on the hub is called, and a folder may be: nothing but the caller can tell. */
const REPOSITORY = /^[\w-][\w.-]*\/[\w-][\w.-]*(@[^/]+)?$/;
/** An ending that says what kind of file it is: not that of "Qwen2.5-0.5B". */
const ENDING = /\.[a-z]\w*$/i;

function fromString(text: string, endpoint: string): Source {
  if (text === "") throw invalid("source is an empty string");
  if (/^hf:/i.test(text)) return fixed(hubFromText(text, endpoint));
  if (/^(huggingface|hf)\.co\//i.test(text)) return fixed(fromUrl(new URL(`https://${text}`), endpoint));
  // One letter and a colon is a drive of Windows'.
  const isUrl = /^[a-z][a-z\d+.-]+:/i.test(text);
  const mayBeHub = !isUrl && REPOSITORY.test(text) && !ENDING.test(text);
  const hint = mayBeHub ? `if you mean the Hugging Face hub: hf:${text}` : undefined;
  if (isNode() && !isUrl) return fixed({ kind: "path", path: text }, hint);
  if (mayBeHub) throw invalid(`${JSON.stringify(text)}: ${hint}; a folder's address ends in "/"`);
  return fixed(fromUrl(absolute(text), endpoint));
}

function fromUrl(url: URL, endpoint: string): WireSource {
  if (url.protocol === "hf:") return hubFromText(url.href, endpoint);
  if (url.protocol === "file:" && isNode()) return { kind: "path", path: url.href };
  const hub = hubFromUrl(url, endpoint);
  if (hub !== undefined) return hub;
  // What the browser or the address itself holds has no folders.
  if (/^(blob|data):$/.test(url.protocol)) return { kind: "url", url: url.href };
  if (url.pathname.endsWith("/")) return { kind: "folder", url: url.href };
  checkFile(url);
  return { kind: "url", url: url.href };
}

/** Whether that may be a GGUF. With a query it is a server that hands out files under any name. */
function checkFile({ href, pathname, search }: URL): void {
  if (search !== "") return;
  const folder = href.replace(/[^/]*$/, "");
  if (/\.(safetensors|json)$/i.test(pathname)) throw invalid(`${href}: give the folder that it lies in: ${folder}`);
  if (!ENDING.test(pathname))
    throw invalid(`${href}: a folder's address ends in "/", and a GGUF file's in .gguf; if that is a folder: ${href}/`);
}

/** Relative to the page, as a link would be: the worker lies elsewhere. */
export function absolute(text: string): URL {
  const base = globalThis.document?.baseURI ?? globalThis.location?.href;
  try {
    return new URL(text, base);
  } catch (error) {
    throw new AzulejoError("invalid-argument", `${JSON.stringify(text)} is not a URL`, undefined, { cause: error });
  }
}

// ---------------------------------------------------------------- bytes

/**
 * A caller's buffer. Held while it is read; afterwards only as long as the caller holds it too:
 * the model is in the worker then, and nobody wants it twice.
 */
class Held {
  readonly size: number;
  readonly #offset: number;
  readonly #weak: WeakRef<ArrayBufferLike>;
  #buffer: ArrayBufferLike | undefined;

  constructor(bytes: Uint8Array) {
    this.size = bytes.byteLength;
    this.#offset = bytes.byteOffset;
    this.#weak = new WeakRef(bytes.buffer);
    this.#buffer = bytes.buffer;
  }

  hold(): void {
    this.#buffer ??= this.#weak.deref();
    this.#check();
  }

  release(): void {
    this.#buffer = undefined;
  }

  copy(from: number, length: number): Uint8Array<ArrayBuffer> {
    const buffer = this.#check();
    const end = Math.min(from + length, this.size);
    return new Uint8Array(new Uint8Array(buffer, this.#offset + from, end - from));
  }

  #check(): ArrayBufferLike {
    const buffer = this.#buffer;
    if (buffer === undefined) throw invalid("the buffer this model came from is gone; load it again");
    if (buffer.byteLength < this.#offset + this.size)
      throw invalid("the buffer this model comes from has been detached");
    return buffer;
  }
}

function bytesOf(value: unknown): Held | undefined {
  if (ArrayBuffer.isView(value)) return new Held(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  const tag = tagOf(value);
  if (tag === "ArrayBuffer" || tag === "SharedArrayBuffer") return new Held(new Uint8Array(value as ArrayBufferLike));
  return undefined;
}

function fromBytes(buffers: Map<string, Held>, blobs: WireFile[], folder: boolean): Source {
  const files = [...blobs, ...[...buffers].map(([name, { size }]) => ({ name, size }))];
  const feed: Feed = {
    async pull(file, offset, length) {
      return buffers.get(file)!.copy(offset, length);
    },
  };
  return {
    once: false,
    single: !folder,
    open() {
      for (const held of buffers.values()) held.hold();
      return { wire: { kind: "files", files, folder }, feed };
    },
    close() {
      for (const held of buffers.values()) held.release();
    },
  };
}

function fromList(list: unknown[]): Source {
  if (list.length === 0) throw invalid("source is an empty list");
  const files = list.map((file, at) => {
    if (tagOf(file) !== "File") throw invalid(`source[${at}] is not a File`);
    const { webkitRelativePath, name } = file as File;
    return { name: webkitRelativePath || name, blob: file as File };
  });
  // A chosen folder's files all begin with its name.
  const first = files[0]!.name.split("/")[0]! + "/";
  const inside = files.every(({ name }) => name.startsWith(first)) ? first.length : 0;
  return fixed({
    kind: "files",
    files: files.map(({ name, blob }) => ({ name: name.slice(inside), blob })),
    folder: true,
  });
}

function fromRecord(record: Record<string, unknown>): Source {
  const buffers = new Map<string, Held>();
  const blobs: WireFile[] = [];
  for (const [name, content] of Object.entries(record)) {
    const bytes = bytesOf(content);
    if (bytes !== undefined) buffers.set(name, bytes);
    else if (typeof content === "string") blobs.push({ name, blob: new Blob([content]) });
    else if (/^(Blob|File)$/.test(tagOf(content))) blobs.push({ name, blob: content as Blob });
    else throw invalid(`source[${JSON.stringify(name)}] should be a Blob, bytes or a string`);
  }
  if (buffers.size + blobs.length === 0) throw invalid("source is an empty record");
  return fromBytes(buffers, blobs, true);
}

// ---------------------------------------------------------------- streams

function fromStream(stream: ReadableStream<Uint8Array>): Source {
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  let rest = new Uint8Array();
  const feed: Feed = {
    async pull(_file, _offset, length) {
      while (rest.length === 0) {
        const { done, value } = await reader!.read();
        if (done) return undefined;
        if (!ArrayBuffer.isView(value)) throw invalid("the stream should give bytes (Uint8Array)");
        // A copy: the chunk may be a view of something the caller still needs.
        rest = new Uint8Array(value);
      }
      const piece = rest.length <= length ? rest : rest.slice(0, length);
      rest = rest.subarray(piece.length);
      return piece;
    },
  };
  return {
    once: true,
    single: true,
    open() {
      if (reader !== undefined || stream.locked) throw invalid("a stream can be read once, and this one has been");
      reader = stream.getReader();
      return { wire: { kind: "files", files: [{ name: "model.gguf" }], folder: false }, feed };
    },
    close() {
      reader?.cancel().catch(() => {});
      rest = new Uint8Array();
    },
  };
}
