// out[t, r] = Σ_c weight[r, c] · x[t, c] + bias[r], replacing, adding, or as silu(out) · that
//
// Prompts and images where subgroups have four lanes: on processors that stand in for a GPU. There a look into memory
// costs as much as thirty operations, since every lane looks by itself, and a wait for the workgroup costs thousands.
// So each lane keeps the weights of its own four rows, unpacked in registers; the lanes of a quad fetch a token each
// and hand it round; and there is no workgroup memory. Grid: (ceil(rows / ROWS), ceil(tokens / TOKENS)).
//
//   tried                                    1536 × 576 in Q4_1, 128 tokens, SwiftShader, 2 cores
//   matrix_matrix.wgsl                       125 ms
//   4 rows by 16 tokens, weights as floats    67
//   the same, weights stay bytes until used   42  <- this
//   8 rows by 8 tokens, bytes                 60
//   4 by 32, 8 by 16, 8 by 32                 53, 51, 41
//   8 by 16, all four steps of a unit in line 35  (twice the text)

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;           // [tokens, columns]
@group(0) @binding(1) var<storage, read> weights: array<u32>;           // [rows, 16 · units], packed
@group(0) @binding(2) var<storage, read> vectors: array<f32>;           // biases
@group(0) @binding(3) var<storage, read_write> out: array<f32>;         // [tokens, stride]

const ROWS = 16u;
const TOKENS = 16u;

/// Where a row's weights begin, in units; rows beyond the matrix are computed as its last, and not written.
fn row_at(row: u32) -> u32 {
  return min(row, parameters.rows - 1u) * parameters.units;
}

/// Four columns of the lane's token, zeros beyond the last.
fn input(token: u32, column: u32) -> vec4<f32> {
  if (column >= parameters.columns) {
    return vec4<f32>();
  }
  return x[min(token, batch.len - 1u) * parameters.columns + column];
}

/// Four columns of the quad's tokens against the lane's rows: a column a token.
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

@compute @workgroup_size(4)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = ROWS * group.x + 4u * lane;
  let token = TOKENS * group.y;
  let rows = vec4<u32>(row_at(row), row_at(row + 1u), row_at(row + 2u), row_at(row + 3u));
  var sums0 = mat4x4<f32>();
  var sums1 = mat4x4<f32>();
  var sums2 = mat4x4<f32>();
  var sums3 = mat4x4<f32>();
  for (var unit = 0u; unit < parameters.units; unit += 1u) {
    let a = unit_at(parameters.start, rows.x + unit);
    let b = unit_at(parameters.start, rows.y + unit);
    let c = unit_at(parameters.start, rows.z + unit);
    let d = unit_at(parameters.start, rows.w + unit);
    for (var k = 0u; k < 4u; k += 1u) {
      let w = mat4x4<f32>(unit_four(a, k), unit_four(b, k), unit_four(c, k), unit_four(d, k));
      let column = 4u * unit + k;
      sums0 += products(input(token + lane, column), w);
      sums1 += products(input(token + 4u + lane, column), w);
      sums2 += products(input(token + 8u + lane, column), w);
      sums3 += products(input(token + 12u + lane, column), w);
    }
  }
  write_tokens(token, row, sums0);
  write_tokens(token + 4u, row, sums1);
  write_tokens(token + 8u, row, sums2);
  write_tokens(token + 12u, row, sums3);
}
