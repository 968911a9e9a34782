// Small files, whole; and what is in place of a file where Git LFS has not been asked for it.

import { AzulejoError } from "../../shared/errors.js";
import type { Files } from "./files.js";
import type { OpenFile } from "./open-file.js";

/** A vocabulary may be large; nothing else is. */
const MOST_TOKENIZER = 128 << 20;
const MOST_VOCABULARY = 32 << 20;
const MOST_TEXT = 4 << 20;
const VOCABULARY = /(^|\/)(vocab\.(json|txt)|merges\.txt|.*\.(model|spm))$/;

function most(name: string): number {
  if (name.endsWith("tokenizer.json")) return MOST_TOKENIZER;
  return VOCABULARY.test(name) ? MOST_VOCABULARY : MOST_TEXT;
}

export async function readText(files: Files, name: string): Promise<string | undefined> {
  return opened(files, name, textOf);
}

export async function readBytes(files: Files, name: string): Promise<Uint8Array | undefined> {
  return opened(files, name, bytesOf);
}

async function opened<T>(files: Files, name: string, read: (file: OpenFile) => Promise<T>): Promise<T | undefined> {
  const file = await files.open(name, false);
  if (file === undefined) return undefined;
  if (file.note !== undefined) files.note(name, file.note, file.stage);
  try {
    return await read(file);
  } finally {
    await file.close?.();
  }
}

async function* piecesOf(file: OpenFile): AsyncGenerator<Uint8Array> {
  const { name } = file;
  let bytes = 0;
  for await (const piece of file.pieces) {
    if (bytes === 0) refusePointer(piece, name);
    bytes += piece.length;
    if (bytes > most(name))
      throw new AzulejoError("corrupt-file", `${name} is over ${most(name) >> 20} MiB`, { file: name, offset: bytes });
    yield piece;
  }
}

async function bytesOf(file: OpenFile): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of piecesOf(file)) pieces.push(piece.slice());
  const whole = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  if (file.size === undefined && (!file.name.endsWith(".json") || isJson(new TextDecoder().decode(whole)))) await file.confirm?.();
  return whole;
}

async function textOf(file: OpenFile): Promise<string> {
  const { name } = file;
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const piece of piecesOf(file)) {
    bytes += piece.length;
    text += decoder.decode(piece, { stream: true });
  }
  text += decoder.decode();
  // Nothing but JSON tells by itself whether it is whole.
  if (file.size === undefined && (name.endsWith(".json") ? isJson(text) : file.sizeHint === bytes)) await file.confirm?.();
  return text;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** `head`: a file's first bytes. */
export function refusePointer(head: Uint8Array, name: string): void {
  if (!new TextDecoder().decode(head.subarray(0, POINTER.length)).startsWith(POINTER)) return;
  throw new AzulejoError(
    "corrupt-file",
    `${name} is a Git LFS pointer, not the file itself: run "git lfs pull" where it was cloned, or download the file by itself`,
    { file: name },
  );
}
const POINTER = "version https://git-lfs.github.com/spec/";
