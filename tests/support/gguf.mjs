// Writes GGUF files for tests: right ones, and ones that lie. Runs in Node and in a page.

const TYPES = { u8: 0, i8: 1, u16: 2, i16: 3, u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9, u64: 10, i64: 11, f64: 12 };

/** The tensor types that the tests write: number in the file, elements and bytes a block. */
export const TENSOR_TYPES = {
  F32: { id: 0, elements: 1, bytes: 4 },
  F16: { id: 1, elements: 1, bytes: 2 },
  Q4_0: { id: 2, elements: 32, bytes: 18 },
  Q8_0: { id: 8, elements: 32, bytes: 34 },
};

export const u32 = (value) => ({ type: "u32", value });
export const u64 = (value) => ({ type: "u64", value });
export const i32 = (value) => ({ type: "i32", value });
export const f32 = (value) => ({ type: "f32", value });
export const bool = (value) => ({ type: "bool", value });
export const string = (value) => ({ type: "string", value });
/** `length` may claim another number of elements than there are. */
export const array = (element, values, length = values.length) => ({ type: "array", element, values, length });
/** A value of a made-up type, or bytes that are not what the type says. */
export const raw = (type, bytes) => ({ type: "raw", id: type, bytes });

/** Gathers little-endian values. */
class Writer {
  chunks = [];
  length = 0;

  bytes(bytes) {
    this.chunks.push(bytes);
    this.length += bytes.length;
  }

  number(size, set) {
    const view = new DataView(new ArrayBuffer(size));
    set(view);
    this.bytes(new Uint8Array(view.buffer));
  }

  u32(value) { this.number(4, (view) => view.setUint32(0, value, true)); }
  u64(value) { this.number(8, (view) => view.setBigUint64(0, BigInt(value), true)); }

  string(text, length) {
    const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
    this.u64(length ?? bytes.length);
    this.bytes(bytes);
  }

  scalar(type, value) {
    const write = {
      u8: () => this.bytes(Uint8Array.of(value)),
      bool: () => this.bytes(Uint8Array.of(value)),
      u32: () => this.u32(value),
      i32: () => this.number(4, (view) => view.setInt32(0, value, true)),
      f32: () => this.number(4, (view) => view.setFloat32(0, value, true)),
      u64: () => this.u64(value),
      string: () => this.string(value),
    }[type];
    write();
  }

  value(value) {
    if (value.type === "raw") {
      this.u32(value.id);
      this.bytes(value.bytes);
    } else if (value.type === "array") {
      this.u32(TYPES.array);
      this.u32(TYPES[value.element]);
      this.u64(value.length);
      for (const element of value.values) this.scalar(value.element, element);
    } else {
      this.u32(TYPES[value.type]);
      this.scalar(value.type, value.value);
    }
  }

  pad(alignment) {
    this.bytes(new Uint8Array((alignment - (this.length % alignment)) % alignment));
  }

  join() {
    const all = new Uint8Array(this.length);
    let at = 0;
    for (const chunk of this.chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }
}

/** Bytes that a tensor of this shape and type takes. */
export function tensorBytes(shape, type) {
  const { elements, bytes } = TENSOR_TYPES[type];
  return (shape.reduce((product, size) => product * size, 1) / elements) * bytes;
}

/**
 * A file of `metadata` (key → value as made above) and `tensors` ({ name, shape, type, data }, shape outermost first).
 * To lie: `magic`, `version`, `tensorCount`, `keyCount`; in a tensor `nameLength`, `dimensions` (as stored: innermost
 * first), `dimensionCount`, `typeId`, `offset`.
 * @returns {{ bytes: Uint8Array, headerEnd: number, dataStart: number }}
 */
export function writeGguf(model) {
  const out = new Writer();
  const { headerEnd, dataStart, alignment } = writeHeader(out, model);
  for (const { data } of model.tensors) {
    out.bytes(data);
    out.pad(alignment);
  }
  return { bytes: out.join(), headerEnd, dataStart };
}

/** All that comes before the data of the tensors, which need only have a `size`. */
export function ggufHeader(model) {
  const out = new Writer();
  writeHeader(out, model);
  return out.join();
}

function writeHeader(out, { metadata, tensors, alignment = 32, magic = "GGUF", version = 3, tensorCount, keyCount }) {
  out.bytes(new TextEncoder().encode(magic));
  out.u32(version);
  out.u64(tensorCount ?? tensors.length);
  out.u64(keyCount ?? Object.keys(metadata).length);
  for (const [key, value] of Object.entries(metadata)) {
    out.string(key);
    out.value(value);
  }
  let offset = 0;
  for (const tensor of tensors) {
    const dimensions = tensor.dimensions ?? [...tensor.shape].reverse();
    out.string(tensor.name, tensor.nameLength);
    out.u32(tensor.dimensionCount ?? dimensions.length);
    for (const dimension of dimensions) out.u64(dimension);
    out.u32(tensor.typeId ?? TENSOR_TYPES[tensor.type].id);
    out.u64(tensor.offset ?? offset);
    offset += Math.ceil((tensor.size ?? tensor.data.length) / alignment) * alignment;
  }
  const headerEnd = out.length;
  out.pad(alignment);
  return { headerEnd, dataStart: out.length, alignment };
}
