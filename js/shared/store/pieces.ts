// Bytes piece by piece, from where they lie.

import { AzulejoError } from "../errors.js";
import { nodeModule, type NodeFile } from "../platform.js";
import { PIECE } from "../protocol.js";

/** One piece ahead, so that reading and computing overlap. */
export async function* ahead(next: (offset: number) => Promise<Uint8Array | undefined>): AsyncGenerator<Uint8Array> {
  let offset = 0;
  let coming = next(0);
  for (;;) {
    const piece = await coming;
    if (piece === undefined || piece.length === 0) return;
    offset += piece.length;
    coming = next(offset);
    coming.catch(() => {}); // Nobody may be left to hear of it.
    yield piece;
  }
}

export function blobPieces(blob: Blob, name: string): AsyncGenerator<Uint8Array> {
  return ahead(async (offset) => {
    if (offset >= blob.size) return undefined;
    try {
      return new Uint8Array(await blob.slice(offset, offset + PIECE).arrayBuffer());
    } catch (error) {
      throw new AzulejoError("missing-file", `${name} can no longer be read: ${(error as Error).message}`, {
        file: name,
        offset,
      });
    }
  });
}

/** Of a file of Node's, which it closes. */
export async function* nodePieces(file: NodeFile): AsyncGenerator<Uint8Array> {
  try {
    const buffer = new Uint8Array(PIECE);
    for (let at = 0; ;) {
      const { bytesRead } = await file.read(buffer, 0, PIECE, at);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
      at += bytesRead;
    }
  } finally {
    await file.close();
  }
}

export async function* pathPieces(path: string): AsyncGenerator<Uint8Array> {
  const { open } = await nodeModule("node:fs/promises");
  yield* nodePieces(await open(path, "r"));
}

/** The first bytes, `least` of them where there are so many, and then all pieces again from the front. */
export async function peek(
  pieces: AsyncGenerator<Uint8Array>,
  least: number,
): Promise<{ head: Uint8Array; pieces: AsyncGenerator<Uint8Array> }> {
  const seen: Uint8Array[] = [];
  let bytes = 0;
  while (bytes < least) {
    const { done, value } = await pieces.next();
    if (done) break;
    // The next piece may be in the same buffer.
    seen.push(value.slice());
    bytes += value.length;
  }
  const head = new Uint8Array(bytes);
  let at = 0;
  for (const piece of seen) {
    head.set(piece, at);
    at += piece.length;
  }
  async function* all(): AsyncGenerator<Uint8Array> {
    try {
      if (head.length > 0) yield head;
      yield* pieces;
    } finally {
      await pieces.return(undefined);
    }
  }
  return { head, pieces: all() };
}
