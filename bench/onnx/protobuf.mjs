// Writes protobuf: only what an ONNX model needs. A message is a list of fields, a field its number and value; tensors
// stay where they are, so that a model of a hundred megabytes is not copied once a level.

/** Pieces of bytes that follow each other. */
class Pieces {
  list = [];
  length = 0;

  add(bytes) {
    this.list.push(bytes);
    this.length += bytes.length;
  }
}

function varint(value) {
  const bytes = [];
  for (let rest = BigInt.asUintN(64, BigInt(value)); ; rest >>= 7n) {
    if (rest < 128n) return Uint8Array.of(...bytes, Number(rest));
    bytes.push(Number(rest & 127n) | 128);
  }
}

const tag = (field, wire) => varint((field << 3) | wire);

function delimited(field, pieces) {
  const out = new Pieces();
  out.add(tag(field, 2));
  out.add(varint(pieces.length));
  for (const piece of pieces.list) out.add(piece);
  return out;
}

/** int32, int64, enum */
export function int(field, value) {
  const out = new Pieces();
  out.add(tag(field, 0));
  out.add(varint(value));
  return out;
}

export function float(field, value) {
  const out = new Pieces();
  out.add(tag(field, 5));
  out.add(new Uint8Array(Float32Array.of(value).buffer));
  return out;
}

export function bytes(field, value) {
  const pieces = new Pieces();
  pieces.add(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  return delimited(field, pieces);
}

export const string = (field, text) => bytes(field, new TextEncoder().encode(text));

/** A message inside a message. */
export const message = (field, fields) => delimited(field, join(fields));

/** The fields of a message, one after the other; `list` are its bytes. */
export function join(fields) {
  const out = new Pieces();
  for (const field of fields.flat(Infinity)) for (const piece of field.list) out.add(piece);
  return out;
}
