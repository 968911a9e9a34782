// Reads as much GGUF as the exporter needs: the metadata, and tensors in F32, Q8_0 and Q4_1.
// The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md

import { readFileSync } from "node:fs";

const SCALARS = {
  0: [1, "getUint8"], 1: [1, "getInt8"], 2: [2, "getUint16"], 3: [2, "getInt16"], 4: [4, "getUint32"], 5: [4, "getInt32"],
  6: [4, "getFloat32"], 7: [1, "getUint8"], 10: [8, "getBigUint64"], 11: [8, "getBigInt64"], 12: [8, "getFloat64"],
};
const STRING = 8, ARRAY = 9;

/** Walks over the header. */
class Cursor {
  at = 0;
  constructor(bytes) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  scalar(type) {
    if (!SCALARS[type]) throw new Error(`GGUF: value type ${type} is unknown`);
    const [size, get] = SCALARS[type];
    const value = this.view[get](this.at, true);
    this.at += size;
    return typeof value === "bigint" ? Number(value) : value;
  }

  u32() { return this.scalar(4); }
  u64() { return this.scalar(10); }

  string() {
    const length = this.u64();
    this.at += length;
    return this.bytes.toString("utf8", this.at - length, this.at);
  }

  value(type) {
    if (type === STRING) return this.string();
    if (type !== ARRAY) return this.scalar(type);
    const element = this.u32();
    return Array.from({ length: this.u64() }, () => this.value(element));
  }
}

/** Bits of a value, values a block, and what makes numbers of `count` blocks from byte `at` on. */
const FORMATS = {
  0: { name: "F32", bits: 32, values: 1, decode: decodeF32 },
  3: { name: "Q4_1", bits: 4, values: 32, decode: decodeQ4_1 },
  8: { name: "Q8_0", bits: 8, values: 32, decode: decodeQ8_0 },
};

function half(bits) {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const size = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24;
  return bits & 0x8000 ? -size : size;
}

function decodeF32(view, at, count) {
  return Float32Array.from({ length: count }, (_, i) => view.getFloat32(at + 4 * i, true));
}

/** d · q + m; the low nibbles are values 0 to 15, the high ones 16 to 31. */
function decodeQ4_1(view, at, count) {
  const out = new Float32Array(count * 32);
  for (let block = 0; block < count; block++, at += 20) {
    const d = half(view.getUint16(at, true));
    const m = half(view.getUint16(at + 2, true));
    for (let i = 0; i < 16; i++) {
      const byte = view.getUint8(at + 4 + i);
      out[block * 32 + i] = d * (byte & 15) + m;
      out[block * 32 + 16 + i] = d * (byte >> 4) + m;
    }
  }
  return out;
}

/** d · q */
function decodeQ8_0(view, at, count) {
  const out = new Float32Array(count * 32);
  for (let block = 0; block < count; block++, at += 34) {
    const d = half(view.getUint16(at, true));
    for (let i = 0; i < 32; i++) out[block * 32 + i] = d * view.getInt8(at + 2 + i);
  }
  return out;
}

/**
 * @param {string} path
 * @returns `metadata` (key → value), `has(name)`, and `tensor(name)`: { shape, bits, data }, shape outermost first
 */
export function readGguf(path) {
  const cursor = new Cursor(readFileSync(path));
  if (cursor.bytes.toString("latin1", 0, 4) !== "GGUF") throw new Error(`${path} is no GGUF file`);
  cursor.at = 8; // magic and version
  const tensorCount = cursor.u64();
  const keyCount = cursor.u64();
  const metadata = {};
  for (let i = 0; i < keyCount; i++) {
    const key = cursor.string();
    metadata[key] = cursor.value(cursor.u32());
  }
  const infos = new Map();
  for (let i = 0; i < tensorCount; i++) {
    const name = cursor.string();
    const shape = Array.from({ length: cursor.u32() }, () => cursor.u64()).reverse();
    infos.set(name, { shape, type: cursor.u32(), offset: cursor.u64() });
  }
  const alignment = metadata["general.alignment"] ?? 32;
  const start = Math.ceil(cursor.at / alignment) * alignment;
  return { metadata, has: (name) => infos.has(name), tensor: (name) => decode(cursor.view, start, name, infos.get(name)) };
}

function decode(view, start, name, info) {
  if (!info) throw new Error(`tensor "${name}" is not in the file`);
  const format = FORMATS[info.type];
  const known = Object.values(FORMATS).map((each) => each.name).join(", ");
  if (!format) throw new Error(`tensor "${name}": type ${info.type} is not among ${known}`);
  const count = info.shape.reduce((product, size) => product * size, 1) / format.values;
  return { shape: info.shape, bits: format.bits, data: format.decode(view, start + info.offset, count) };
}
