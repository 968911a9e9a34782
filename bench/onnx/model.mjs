// Gathers the nodes and tensors of an ONNX graph, and writes the file.
// Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto

import { closeSync, openSync, writevSync } from "node:fs";
import { bytes, float, int, join, message, string } from "./protobuf.mjs";

export const FLOAT = 1, UINT8 = 2, INT8 = 3, INT32 = 6, INT64 = 7;
const ATTRIBUTE_FLOAT = 1, ATTRIBUTE_INT = 2, ATTRIBUTE_INTS = 7;
/** Node's limit on the buffers of one call. */
const PIECES_A_WRITE = 1000;

/** Operators of ONNX itself have domain "". */
export const MICROSOFT = "com.microsoft";

/** A float attribute; a plain number is an integer one, and a list has integers. */
export const asFloat = (value) => ({ float: value });

function attribute(name, value) {
  const [type, field] = Array.isArray(value)
    ? [ATTRIBUTE_INTS, value.map((each) => int(8, each))]
    : typeof value === "object" ? [ATTRIBUTE_FLOAT, float(2, value.float)] : [ATTRIBUTE_INT, int(3, value)];
  return message(5, [string(1, name), int(20, type), field]);
}

/** `shape` has numbers, and names of what differs from run to run. */
function valueInfo(field, name, type, shape) {
  const dimensions = shape.map((size) => message(1, [typeof size === "string" ? string(2, size) : int(1, size)]));
  return message(field, [string(1, name), message(2, [message(1, [int(1, type), message(2, dimensions)])])]);
}

export class Model {
  nodes = [];
  tensors = [];
  values = [];

  input(name, type, shape) {
    this.values.push(valueInfo(11, name, type, shape));
    return name;
  }

  output(name, type, shape) {
    this.values.push(valueInfo(12, name, type, shape));
  }

  /** A constant; returns its name. */
  tensor(name, type, shape, data) {
    this.tensors.push(message(5, [shape.map((size) => int(1, size)), int(2, type), string(8, name), bytes(9, data)]));
    return name;
  }

  /** An operator with one or more outputs, "" where one is not wanted; returns the first one's name. */
  node(operator, domain, inputs, outputs, attributes = {}) {
    this.nodes.push(message(1, [
      inputs.map((name) => string(1, name)), outputs.map((name) => string(2, name)), string(3, `${operator}/${outputs[0]}`),
      string(4, operator), Object.entries(attributes).map(([name, value]) => attribute(name, value)), string(7, domain),
    ]));
    return outputs[0];
  }

  write(path, name) {
    const { list } = join([
      int(1, 10), string(2, "azulejo-bench"),
      message(7, [this.nodes, string(2, name), this.tensors, this.values]),
      message(8, [string(1, ""), int(2, 21)]), message(8, [string(1, MICROSOFT), int(2, 1)]),
    ]);
    const file = openSync(path, "w");
    for (let at = 0; at < list.length; at += PIECES_A_WRITE) writevSync(file, list.slice(at, at + PIECES_A_WRITE));
    closeSync(file);
  }
}
