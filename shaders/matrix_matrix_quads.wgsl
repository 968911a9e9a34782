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
@group(0) @binding(1) var<storage, read> weights: array<vec4<u32>>;     // [rows, units], packed
@group(0) @binding(2) var<storage, read> scales: array<u32>;            // the same memory
@group(0) @binding(3) var<storage, read> vectors: array<f32>;           // biases and scales
@group(0) @binding(4) var<storage, read_write> out: array<f32>;         // [tokens, stride]

const ROWS = 32u;
const TOKENS = 16u;

/// The sums of four tokens and a lane's eight rows.
struct Sums {
  low: mat4x4<f32>,
  high: mat4x4<f32>,
}

/// A unit of each of a lane's rows.
struct Rows {
  a: Unit, b: Unit, c: Unit, d: Unit, e: Unit, f: Unit, g: Unit, h: Unit,
}

/// Where a lane's rows begin, in units from where their matrix does.
struct Begins {
  start: Place,
  low: vec4<u32>,
  high: vec4<u32>,
}

/// Rows beyond the matrix are computed as its last, and not written.
fn begins_at(row: u32) -> Begins {
  let last = vec4<u32>(matrix_rows() - 1u);
  let rows = vec4<u32>(row) + vec4<u32>(0u, 1u, 2u, 3u);
  return Begins(weights_start(), min(rows, last) * parameters.units, min(rows + 4u, last) * parameters.units);
}

fn rows_at(begins: Begins, unit: u32) -> Rows {
  let start = begins.start;
  let low = begins.low + unit;
  let high = begins.high + unit;
  return Rows(unit_at(start, low.x), unit_at(start, low.y), unit_at(start, low.z), unit_at(start, low.w),
    unit_at(start, high.x), unit_at(start, high.y), unit_at(start, high.z), unit_at(start, high.w));
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
  let at = tokens + min(FOURS * unit + index, parameters.columns - 1u);
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
  let token = TOKENS * (group.z * groups.y + group.y);
  if (!begin_tile(group.x, token)) {
    return;
  }
  let row = ROWS * groups_before(group.x) + 8u * lane;
  let tokens = vec4<u32>(token_at(token + lane), token_at(token + 4u + lane), token_at(token + 8u + lane), token_at(token + 12u + lane));
  let begins = begins_at(row);
  var sums: array<Sums, 4>;
  for (var unit = 0u; unit < parameters.units; unit += 1u) {
    let rows = rows_at(begins, unit);
    step(&sums, rows, tokens, unit, 0u);
    if (FOURS != 1u) {
      step(&sums, rows, tokens, unit, 1u);
    }
    if (FOURS == 8u) {
      step(&sums, rows, tokens, unit, 2u);
      step(&sums, rows, tokens, unit, 3u);
      step(&sums, rows, tokens, unit, 4u);
      step(&sums, rows, tokens, unit, 5u);
      step(&sums, rows, tokens, unit, 6u);
      step(&sums, rows, tokens, unit, 7u);
    }
  }
  write_sums(token, row, sums[0]);
  write_sums(token + 4u, row, sums[1]);
  write_sums(token + 8u, row, sums[2]);
  write_sums(token + 12u, row, sums[3]);
}
