// What the conversion needs of an ONNX file: its constants and who uses them; and one more output, to see inside.
// Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto

import { PbfReader, PbfWriter } from "pbf";

const FLOAT = 1;

function readTensor(field, tensor, pbf) {
  if (field === 1) pbf.readPackedVarint(tensor.shape, true);
  else if (field === 2) tensor.type = pbf.readVarint();
  else if (field === 8) tensor.name = pbf.readString();
  else if (field === 9) tensor.bytes = pbf.readBytes();
}

function readNode(field, node, pbf) {
  if (field === 1) node.inputs.push(pbf.readString());
  else if (field === 3) node.name = pbf.readString();
  else if (field === 4) node.operator = pbf.readString();
}

function readGraph(field, graph, pbf) {
  if (field === 1) graph.nodes.push(pbf.readMessage(readNode, { inputs: [] }));
  else if (field === 5) graph.tensors.push(pbf.readMessage(readTensor, { shape: [] }));
}

function readModel(field, graph, pbf) {
  if (field === 7) pbf.readMessage(readGraph, graph);
}

/** Floats of their own: the place in the file need not be aligned. */
function floats({ name, type, bytes, shape }) {
  const count = shape.reduce((product, size) => product * size, 1);
  if (type !== FLOAT || bytes?.length !== 4 * count) throw new Error(`tensor "${name}" is not stored as raw floats`);
  return new Float32Array(Uint8Array.prototype.slice.call(bytes).buffer);
}

/**
 * The nodes of a model, and its constants by name, all floats.
 * @param {Uint8Array} bytes
 * @returns {{ nodes: { name: string, operator: string, inputs: string[] }[], tensors: Map<string, { shape: number[], data: Float32Array }> }}
 */
export function readOnnx(bytes) {
  const { nodes, tensors } = new PbfReader(bytes).readFields(readModel, { nodes: [], tensors: [] });
  return { nodes, tensors: new Map(tensors.map((tensor) => [tensor.name, { shape: tensor.shape, data: floats(tensor) }])) };
}

/** The model with the value `name` of its graph as one more output. Messages that follow each other are merged by whoever reads them. */
export function withOutput(bytes, name) {
  const writer = new PbfWriter();
  writer.writeMessage(7, (_, graph) => graph.writeMessage(12, (_, output) => output.writeStringField(1, name)));
  return Buffer.concat([bytes, writer.finish()]);
}
