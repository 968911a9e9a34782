// Before the products of many rows: where the weights lie, and what becomes of a sum.

struct Parameters {
  start: u32,    // of the weights, in words
  rows: u32,
  bias: u32,     // where it begins, plus 1; 0: none
  first: u32,    // its first row in the output
  stride: u32,   // rows of the output
  units: u32,    // sixteens of a row; the last may reach beyond it
  columns: u32,  // fours of a row
  how: u32,      // 0: replace, 1: add, 2: multiply with the activation of what is there, 3: activate
  activation: u32,
  scale: u32,    // where LayerScale's factors begin, plus 1; 0: none
  spare: vec2<u32>,
}

/// Whether anything is to be done for the tile that begins with a token.
fn begin_tile(token: u32) -> bool {
  return token < batch.len;
}

fn weights_start() -> u32 {
  return parameters.start;
}

/// The row of the input that a token reads. Tokens beyond the batch are computed as its last, and not written.
fn input_row(token: u32) -> u32 {
  return min(token, batch.len - 1u);
}

/// Writes one sum; what lies beyond the matrix or the batch is nobody's.
fn write(token: u32, row: u32, sum: f32) {
  if (token >= batch.len || row >= parameters.rows) {
    return;
  }
  var value = sum;
  if (parameters.bias != 0u) {
    value += vectors[parameters.bias - 1u + row];
  }
  if (parameters.scale != 0u) {
    value *= vectors[parameters.scale - 1u + row];
  }
  let at = token * parameters.stride + parameters.first + row;
  if (parameters.how == 1u) {
    value += out[at];
  } else if (parameters.how == 2u) {
    value *= activated(out[at], parameters.activation);
  } else if (parameters.how == 3u) {
    value = activated(value, parameters.activation);
  }
  out[at] = value;
}
