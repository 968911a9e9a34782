// out[t, r] = Σ_c weight[r, c] · x[t, c] + bias[r], replacing, adding, or as silu(out) · that
//
// Prompts and images. A workgroup makes a tile of TOKENS tokens and ROWS rows, a thread TOKENS_EACH × 8 of it, while
// sixteen columns at a time pass through workgroup memory: weights are unpacked once for all tokens of the tile.
// Both tiles lie columns first, so that neighbouring threads read neighbouring words.
// Grid: (ceil(rows / ROWS), ceil(tokens / TOKENS)).

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;           // [tokens, columns]
@group(0) @binding(1) var<storage, read> weights: array<u32>;           // [rows, 16 · units], packed
@group(0) @binding(2) var<storage, read> vectors: array<f32>;           // biases
@group(0) @binding(3) var<storage, read_write> out: array<f32>;         // [tokens, stride]

const ROWS = 64u;
const TOKENS = 8u * TOKENS_EACH;
const FOURS = 4u;                   // of columns in a tile: a unit

var<workgroup> weight_tile: array<vec4<f32>, FOURS * ROWS>;   // [columns / 4, rows]
var<workgroup> x_tile: array<vec4<f32>, FOURS * TOKENS>;      // [columns / 4, tokens]

/// Each thread unpacks a sixteen of its row.
fn load_weights(row: u32, first_row: u32, unit: u32) {
  var w = Sixteen(mat4x4<f32>(), 0.0, 0.0);
  if (first_row + row < parameters.rows) {
    w = sixteen(parameters.start, (first_row + row) * parameters.units + unit);
  }
  weight_tile[row] = w.scale * w.levels[0] + w.minimum;
  weight_tile[row + ROWS] = w.scale * w.levels[1] + w.minimum;
  weight_tile[row + 2u * ROWS] = w.scale * w.levels[2] + w.minimum;
  weight_tile[row + 3u * ROWS] = w.scale * w.levels[3] + w.minimum;
}

fn load_x(thread: u32, first_token: u32, first_column: u32) {
  for (var i = thread; i < FOURS * TOKENS; i += 64u) {
    let token = first_token + i / FOURS;
    let column = first_column + i % FOURS;
    var four = vec4<f32>(0.0);
    if (token < batch.len && column < parameters.columns) {
      four = x[token * parameters.columns + column];
    }
    x_tile[(i % FOURS) * TOKENS + i / FOURS] = four;
  }
}

/// Four columns of a token against eight rows.
fn products(x_at: u32, low: mat4x4<f32>, high: mat4x4<f32>) -> mat2x4<f32> {
  let four = x_tile[x_at];
  return mat2x4<f32>(four * low, four * high);
}

fn write_eight(token: u32, row: u32, sums: mat2x4<f32>) {
  for (var i = 0u; i < 4u; i += 1u) {
    write(token, row + 8u * i, sums[0][i]);
    write(token, row + 32u + 8u * i, sums[1][i]);
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let first_row = group.x * ROWS;
  let first_token = group.y * TOKENS;
  let row = thread % 8u;
  let token = thread / 8u;
  // Sums by name, not in an array: whoever compiles this without unrolling would keep an array in memory.
  var sums0 = mat2x4<f32>();
  var sums1 = mat2x4<f32>();
  var sums2 = mat2x4<f32>();
  var sums3 = mat2x4<f32>();
  var sums4 = mat2x4<f32>();
  var sums5 = mat2x4<f32>();
  var sums6 = mat2x4<f32>();
  var sums7 = mat2x4<f32>();
  for (var unit = 0u; unit < parameters.units; unit += 1u) {
    load_weights(thread, first_row, unit);
    load_x(thread, first_token, 4u * unit);
    workgroupBarrier();
    for (var k = 0u; k < FOURS; k += 1u) {
      let at = k * ROWS + row;
      let low = mat4x4<f32>(weight_tile[at], weight_tile[at + 8u], weight_tile[at + 16u], weight_tile[at + 24u]);
      let high = mat4x4<f32>(weight_tile[at + 32u], weight_tile[at + 40u], weight_tile[at + 48u], weight_tile[at + 56u]);
      let x_at = k * TOKENS + token;
      sums0 += products(x_at, low, high);
      if (TOKENS_EACH > 1u) {
        sums1 += products(x_at + 8u, low, high);
      }
      if (TOKENS_EACH > 2u) {
        sums2 += products(x_at + 16u, low, high);
        sums3 += products(x_at + 24u, low, high);
      }
      if (TOKENS_EACH > 4u) {
        sums4 += products(x_at + 32u, low, high);
        sums5 += products(x_at + 40u, low, high);
        sums6 += products(x_at + 48u, low, high);
        sums7 += products(x_at + 56u, low, high);
      }
    }
    workgroupBarrier();
  }
  let t = first_token + token;
  let r = first_row + row;
  write_eight(t, r, sums0);
  if (TOKENS_EACH > 1u) {
    write_eight(t + 8u, r, sums1);
  }
  if (TOKENS_EACH > 2u) {
    write_eight(t + 16u, r, sums2);
    write_eight(t + 24u, r, sums3);
  }
  if (TOKENS_EACH > 4u) {
    write_eight(t + 32u, r, sums4);
    write_eight(t + 40u, r, sums5);
    write_eight(t + 48u, r, sums6);
    write_eight(t + 56u, r, sums7);
  }
}
