// Reads and writes safetensors files: what the conformance cases and some tests are stored in.

const ARRAYS = { F32: Float32Array, I32: Int32Array, I64: BigInt64Array, U8: Uint8Array };

/**
 * The tensors of a file: name → { shape, data }, data a typed array of its own.
 * @param {Uint8Array} bytes
 * @returns {Record<string, { shape: number[], data: Float32Array | Int32Array | BigInt64Array | Uint8Array }>}
 */
export function readSafetensors(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = 8 + Number(view.getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start)));
  delete header.__metadata__;
  return Object.fromEntries(Object.entries(header).map(([name, { dtype, shape, data_offsets: [from, to] }]) => {
    const array = ARRAYS[dtype];
    if (!array) throw new Error(`tensor "${name}": ${dtype} is not read here`);
    // A copy starts aligned, which the place in the file need not be. (A Buffer's own slice would not copy.)
    const copy = Uint8Array.prototype.slice.call(bytes, start + from, start + to);
    return [name, { shape, data: new array(copy.buffer) }];
  }));
}

/** The parts of a file, one after the other, that holds `tensors` (as `readSafetensors` gives them). */
export function safetensorsParts(tensors) {
  const types = new Map(Object.entries(ARRAYS).map(([dtype, array]) => [array, dtype]));
  let end = 0;
  const header = Object.fromEntries(Object.entries(tensors).map(([name, { shape, data }]) => {
    const from = end;
    end += data.byteLength;
    return [name, { dtype: types.get(data.constructor), shape, data_offsets: [from, end] }];
  }));
  // Spaces bring the data to a multiple of 8 bytes.
  const text = JSON.stringify(header);
  const head = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(head.length));
  return [length, head, ...Object.values(tensors).map(({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength))];
}
