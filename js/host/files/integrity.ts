// Files whose SHA-256 the caller knows: compared as they are read.

import { AzulejoError } from "../../shared/errors.js";
import { Sha256 } from "../../shared/store/sha256.js";
import type { Files } from "./files.js";
import type { OpenFile } from "./open-file.js";

export interface CheckedFiles extends Files {
  /** A misspelt name must not pass for a check: throws where nothing was compared. */
  finish(): void;
}

export function checked(files: Files, integrity: Record<string, string>): CheckedFiles {
  let compared = 0;
  async function* compare(file: OpenFile, expected: string): AsyncGenerator<Uint8Array> {
    const hash = new Sha256();
    for await (const piece of file.pieces) {
      hash.update(piece);
      yield piece;
    }
    const digest = hash.finish();
    compared++;
    if (digest === expected.toLowerCase()) return file.verified?.();
    await file.discard?.();
    throw new AzulejoError("integrity", `${file.name} has SHA-256 ${digest}, expected ${expected}`, {
      file: file.name,
    });
  }
  return {
    ...files,
    async open(name, headerOnly) {
      const file = await files.open(name, headerOnly);
      // Not what every object has: a file may be called "constructor".
      const expected = Object.hasOwn(integrity, name) ? integrity[name] : undefined;
      return file === undefined || expected === undefined ? file : { ...file, pieces: compare(file, expected) };
    },
    finish() {
      const names = Object.keys(integrity);
      if (names.length === 0 || compared > 0) return;
      throw new AzulejoError("integrity", `none of the files that "integrity" names was read: ${names.join(", ")}`);
    },
  };
}
