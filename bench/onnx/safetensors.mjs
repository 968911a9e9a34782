// A checkpoint in Hugging Face's layout: its model.safetensors, all of it in float32, and its config.json.

import { closeSync, openSync, readFileSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";

export const WEIGHTS = "model.safetensors";

/**
 * Writes tensors in float32.
 * @param {[name: string, shape: number[]][]} tensors
 * @param {(name: string, shape: number[]) => Float32Array} fill what a tensor holds, asked for when it is written
 */
export function writeSafetensors(path, tensors, fill) {
  const header = {};
  let end = 0;
  for (const [name, shape] of tensors) {
    const start = end;
    end += 4 * shape.reduce((product, size) => product * size, 1);
    header[name] = { dtype: "F32", shape, data_offsets: [start, end] };
  }
  const text = JSON.stringify(header);
  const json = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const file = openSync(path, "w");
  for (const piece of [length, json]) writeSync(file, piece);
  for (const [name, shape] of tensors) writeSync(file, fill(name, shape));
  closeSync(file);
}

export const configOf = (folder) => JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));

/** The checkpoint as the exporter wants it: `config`, and `tensor(name)`: { shape, data }. */
export function readCheckpoint(folder) {
  const file = openSync(join(folder, WEIGHTS));
  const read = (bytes, position) => {
    for (let done = 0; done < bytes.length; ) done += readSync(file, bytes, done, bytes.length - done, position + done);
    return bytes;
  };
  const length = Number(read(Buffer.alloc(8), 0).readBigUInt64LE());
  const header = JSON.parse(read(Buffer.alloc(length), 8).toString());
  return {
    config: configOf(folder),
    tensor(name) {
      const { shape, data_offsets: [start, end] } = header[name];
      return { shape, data: new Float32Array(read(new Uint8Array(end - start), 8 + length + start).buffer) };
    },
    close: () => closeSync(file),
  };
}
