// Before matrix_matrix.wgsl, in place of product.wgsl: a tile's tokens are pairs of a row and one of its experts that have
// the same expert, as experts_group.wgsl has sorted them.

struct Parameters {
  start: u32,    // of the weights of expert `first`, in words
  stride: u32,   // words of an expert
  first: u32,
  experts: u32,  // in this dispatch
  rows: u32,     // of an expert
  bias: u32,     // where that of expert `first` begins, plus 1; 0: none
  units: u32,    // sixteens of a row; the last may reach beyond it
  columns: u32,  // fours of a row
  sharing: u32,  // pairs that have the same input, one after the other
  gates: u32,    // 0: write, 1: be gated by what is there
  gating: u32,
  limit: f32,
  tiles: u32,    // at most
}

@group(0) @binding(4) var<storage, read> tiles: array<u32>; // [tiles]: their experts; [tiles, TOKENS]: their pairs

const NOBODY = 0xffffffffu;

/// The tile's expert, from `first` on.
var<private> expert: u32;

/// Whether anything is to be done for the tile that begins with a token.
fn begin_tile(token: u32) -> bool {
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

fn weights_start() -> u32 {
  return parameters.start + expert * parameters.stride;
}

/// The row of the input that a token reads. Where nobody is, any is computed, and not written.
fn input_row(token: u32) -> u32 {
  let pair = pair_of(token);
  return select(pair / parameters.sharing, 0u, pair == NOBODY);
}

fn write(token: u32, row: u32, sum: f32) {
  let pair = pair_of(token);
  if (pair == NOBODY || row >= parameters.rows) {
    return;
  }
  var value = sum;
  if (parameters.bias != 0u) {
    value += vectors[parameters.bias - 1u + expert * parameters.rows + row];
  }
  let at = pair * parameters.rows + row;
  if (parameters.gates != 0u) {
    value = gated(out[at], value);
  }
  out[at] = value;
}
