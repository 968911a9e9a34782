// Small files, whole; and what is in place of a file where Git LFS has not been asked for it.

import { AzulejoError } from "./errors.js";
import type { Files } from "./files.js";
import type { OpenFile } from "./open-file.js";

/** A vocabulary may be large; nothing else is. */
const MOST_TOKENIZER = 128 << 20;
const MOST_TEXT = 4 << 20;

export async function readText(files: Files, name: string): Promise<string | undefined> {
  const file = await files.open(name, false);
  if (file === undefined) return undefined;
  if (file.note !== undefined) files.note(name, file.note, file.stage);
  try {
    return await textOf(file);
  } finally {
    await file.close?.();
  }
}

async function textOf(file: OpenFile): Promise<string> {
  const { name } = file;
  const most = name.endsWith("tokenizer.json") ? MOST_TOKENIZER : MOST_TEXT;
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const piece of file.pieces) {
    if (bytes === 0) refusePointer(piece, name);
    bytes += piece.length;
    if (bytes > most)
      throw new AzulejoError("corrupt-file", `${name} is over ${most >> 20} MiB`, { file: name, offset: bytes });
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
