// out[t, r] = (Σ_c weight[r, c] · x[t, c] + bias[r]) · scale[r], replacing, adding, activated, or as activation(out) · that
//
// Prompts and images where subgroups have four lanes: on processors that stand in for a GPU. There a look into memory
// costs as much as thirty operations, since every lane looks by itself, and a wait for the workgroup costs thousands.
// So each lane keeps the weights of its own eight rows, packed until they are used; the lanes of a quad fetch a token
// each and hand it round; and there is no workgroup memory. Grid: (ceil(rows / ROWS), ceil(tokens / TOKENS),
// further ones).
//
//   tried                                       1536 × 576 in Q4_1, 128 tokens, SwiftShader on 2 cores, busy
//   matrix_matrix.wgsl                          138 ms
//   4 rows by 16 tokens, unpacked at once       138
//   4 by 16, unpacked when used                  82
//   8 by 8, 8 by 16, 8 by 32                     85, 67, 62
//   8 by 16, the four steps of a unit in line    60  <- this

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;           // [tokens, columns]
@group(0) @binding(1) var<storage, read> weights: array<u32>;           // [rows, 16 · units], packed
@group(0) @binding(2) var<storage, read> vectors: array<f32>;           // biases and scales
@group(0) @binding(3) var<storage, read_write> out: array<f32>;         // [tokens, stride]

const ROWS = 32u;
const TOKENS = 16u;

/// The sums of four tokens and a lane's eight rows.
struct Sums {
  low: mat4x4<f32>,
  high: mat4x4<f32>,
}

/// A sixteen of each of a lane's rows.
struct Rows {
  a: Unit, b: Unit, c: Unit, d: Unit, e: Unit, f: Unit, g: Unit, h: Unit,
}

fn rows_at(row: u32, unit: u32) -> Rows {
  return Rows(row_at(row, unit), row_at(row + 1u, unit), row_at(row + 2u, unit), row_at(row + 3u, unit),
    row_at(row + 4u, unit), row_at(row + 5u, unit), row_at(row + 6u, unit), row_at(row + 7u, unit));
}

/// Rows beyond the matrix are computed as its last, and not written.
fn row_at(row: u32, unit: u32) -> Unit {
  return unit_at(weights_start(), min(row, parameters.rows - 1u) * parameters.units + unit);
}

/// Where a token's input begins.
fn token_at(token: u32) -> u32 {
  return input_row(token) * parameters.columns;
}

/// Four columns of the quad's tokens against four rows: a column a token.
fn products(mine: vec4<f32>, w: mat4x4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(quadBroadcast(mine, 0u) * w, quadBroadcast(mine, 1u) * w, quadBroadcast(mine, 2u) * w, quadBroadcast(mine, 3u) * w);
}

fn write_tokens(token: u32, row: u32, sums: mat4x4<f32>) {
  for (var i = 0u; i < 4u; i += 1u) {
    write(token, row + i, sums[0][i]);
    write(token + 1u, row + i, sums[1][i]);
    write(token + 2u, row + i, sums[2][i]);
    write(token + 3u, row + i, sums[3][i]);
  }
}

fn write_sums(token: u32, row: u32, sums: Sums) {
  write_tokens(token, row, sums.low);
  write_tokens(token, row + 4u, sums.high);
}

/// Four columns of every token against the lane's rows. Each call says itself which of a unit's fours `index` is, so
/// that whoever compiles it can see.
fn step(sums: ptr<function, array<Sums, 4>>, rows: Rows, tokens: vec4<u32>, unit: u32, index: u32) {
  let low = mat4x4<f32>(unit_four(rows.a, index), unit_four(rows.b, index), unit_four(rows.c, index), unit_four(rows.d, index));
  let high = mat4x4<f32>(unit_four(rows.e, index), unit_four(rows.f, index), unit_four(rows.g, index), unit_four(rows.h, index));
  // Weights beyond the last column are zeros.
  let at = tokens + min(4u * unit + index, parameters.columns - 1u);
  (*sums)[0].low += products(x[at.x], low);
  (*sums)[0].high += products(x[at.x], high);
  (*sums)[1].low += products(x[at.y], low);
  (*sums)[1].high += products(x[at.y], high);
  (*sums)[2].low += products(x[at.z], low);
  (*sums)[2].high += products(x[at.z], high);
  (*sums)[3].low += products(x[at.w], low);
  (*sums)[3].high += products(x[at.w], high);
}

@compute @workgroup_size(4)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = ROWS * group.x + 8u * lane;
  let token = TOKENS * (group.z * groups.y + group.y);
  let tokens = vec4<u32>(token_at(token + lane), token_at(token + 4u + lane), token_at(token + 8u + lane), token_at(token + 12u + lane));
  var sums: array<Sums, 4>;
  for (var unit = 0u; unit < parameters.units; unit += 1u) {
    let rows = rows_at(row, unit);
    step(&sums, rows, tokens, unit, 0u);
    step(&sums, rows, tokens, unit, 1u);
    step(&sums, rows, tokens, unit, 2u);
    step(&sums, rows, tokens, unit, 3u);
  }
  write_sums(token, row, sums[0]);
  write_sums(token + 4u, row, sums[1]);
  write_sums(token + 8u, row, sums[2]);
  write_sums(token + 12u, row, sums[3]);
}
