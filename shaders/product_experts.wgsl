// Before matrix_matrix.wgsl, in place of product.wgsl: a tile's tokens are pairs of a row and one of its experts that have
// the same expert, as experts_group.wgsl has sorted them.

struct Parameters {
  start: Place,  // of the weights of expert `first`
  second: Place, // GATED: of those that it gates
  stride: u32,   // words of an expert
  first: u32,
  experts: u32,  // in this dispatch
  rows: u32,     // of an expert
  bias: u32,     // where that of expert `first` begins, plus 1; 0: none
  second_bias: u32,
  units: u32,    // of a row; the last may reach beyond it
  columns: u32,  // fours of a row
  sharing: u32,  // pairs that have the same input, one after the other
  gates: u32,    // unless GATED. 0: write, 1: be gated by what is there
  gating: u32,
  limit: f32,
  tiles: u32,    // at most
}

@group(0) @binding(5) var<storage, read> tiles: array<u32>; // [tiles]: their experts; [tiles, TOKENS]: their pairs

const NOBODY = 0xffffffffu;

/// The tile's expert, from `first` on.
var<private> expert: u32;

/// Whether anything is to be done for the tile that begins with a token.
fn begin_tile(group: u32, token: u32) -> bool {
  if (token / TOKENS >= parameters.tiles) {
    return false;
  }
  // One before the first wraps around, and so does nobody.
  let mine = tiles[token / TOKENS] - parameters.first;
  expert = mine;
  return mine < parameters.experts;
}

fn pair_of(token: u32) -> u32 {
  return tiles[parameters.tiles + token];
}

/// Workgroups of the same matrix before one.
fn groups_before(group: u32) -> u32 {
  return group;
}

fn weights_start() -> Place {
  return of_expert(parameters.start, expert, parameters.stride);
}

fn second_start() -> Place {
  return of_expert(parameters.second, expert, parameters.stride);
}

fn matrix_rows() -> u32 {
  return parameters.rows;
}

/// The row of the input that a token reads. Where nobody is, any is computed, and not written.
fn input_row(token: u32) -> u32 {
  let pair = pair_of(token);
  return select(pair / parameters.sharing, 0u, pair == NOBODY);
}

/// A sum with an expert's bias.
fn finished(row: u32, sum: f32, bias: u32) -> f32 {
  if (bias == 0u) {
    return sum;
  }
  return sum + vectors[bias - 1u + expert * parameters.rows + row];
}

fn write(token: u32, row: u32, sum: f32) {
  let pair = pair_of(token);
  if (pair == NOBODY || row >= parameters.rows) {
    return;
  }
  let at = pair * parameters.rows + row;
  let value = finished(row, sum, parameters.bias);
  if (parameters.gates != 0u) {
    out[at] = gated(out[at], value);
  } else {
    out[at] = value;
  }
}

fn write_gated(token: u32, row: u32, gate: f32, sum: f32) {
  let pair = pair_of(token);
  if (pair == NOBODY || row >= parameters.rows) {
    return;
  }
  out[pair * parameters.rows + row] = gated(finished(row, gate, parameters.bias), finished(row, sum, parameters.second_bias));
}
