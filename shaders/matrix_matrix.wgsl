// out[t, r] = Σ_c weight[r, c] · x[t, c] + bias[r], replacing, adding, or as silu(out) · that
//
// Prompts and images. A workgroup makes a tile of TOKENS tokens and ROWS rows, a thread TOKENS_EACH × 4 of it, while
// 32 columns at a time pass through workgroup memory: weights are unpacked once for all tokens of the tile.
// Both tiles lie columns first, so that neighbouring threads read neighbouring words.
// Grid: (ceil(rows / ROWS), ceil(tokens / TOKENS)).

struct Parameters {
  start: u32,    // of the weights, in words
  rows: u32,
  bias: u32,     // where it begins, plus 1; 0: none
  first: u32,    // its first row in the output
  stride: u32,   // rows of the output
  units: u32,    // sixteens of a row; the last may reach beyond it
  columns: u32,  // fours of a row
  how: u32,      // 0: replace, 1: add, 2: multiply with silu of what is there
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;           // [tokens, columns]
@group(0) @binding(1) var<storage, read> weights: array<u32>;           // [rows, 16 · units], packed
@group(0) @binding(2) var<storage, read> vectors: array<f32>;           // biases
@group(0) @binding(3) var<storage, read_write> out: array<f32>;         // [tokens, stride]

const ROWS = 64u;
const TOKENS = 16u * TOKENS_EACH;
const FOURS = 4u;                   // of columns in a tile: a unit

var<workgroup> weight_tile: array<vec4<f32>, FOURS * ROWS>;   // [columns / 4, rows]
var<workgroup> x_tile: array<vec4<f32>, FOURS * TOKENS>;      // [columns / 4, tokens]

/// The first 64 threads unpack a sixteen of weights each.
fn load_weights(thread: u32, first_row: u32, first_unit: u32) {
  let row = thread;
  let unit = 0u;
  var w = Sixteen(mat4x4<f32>(), 0.0, 0.0);
  if (first_row + row < parameters.rows && first_unit + unit < parameters.units) {
    w = sixteen(parameters.start, (first_row + row) * parameters.units + first_unit + unit);
  }
  let at = 4u * unit * ROWS + row;
  weight_tile[at] = w.scale * w.levels[0] + w.minimum;
  weight_tile[at + ROWS] = w.scale * w.levels[1] + w.minimum;
  weight_tile[at + 2u * ROWS] = w.scale * w.levels[2] + w.minimum;
  weight_tile[at + 3u * ROWS] = w.scale * w.levels[3] + w.minimum;
}

/// The others fetch the inputs.
fn load_x(thread: u32, first_token: u32, first_column: u32) {
  for (var i = thread; i < FOURS * TOKENS; i += 192u) {
    let token = first_token + i / FOURS;
    let column = first_column + i % FOURS;
    var four = vec4<f32>(0.0);
    if (token < batch.len && column < parameters.columns) {
      four = x[token * parameters.columns + column];
    }
    x_tile[(i % FOURS) * TOKENS + i / FOURS] = four;
  }
}

fn write(token: u32, row: u32, sum: f32) {
  if (token >= batch.len || row >= parameters.rows) {
    return;
  }
  var value = sum;
  if (parameters.bias != 0u) {
    value += vectors[parameters.bias - 1u + row];
  }
  let at = token * parameters.stride + parameters.first + row;
  if (parameters.how == 1u) {
    value += out[at];
  } else if (parameters.how == 2u) {
    let gate = out[at];
    value *= gate / (1.0 + exp(-gate));
  }
  out[at] = value;
}

fn write_four(token: u32, row: u32, sums: vec4<f32>) {
  write(token, row, sums.x);
  write(token, row + 16u, sums.y);
  write(token, row + 32u, sums.z);
  write(token, row + 48u, sums.w);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let first_row = group.x * ROWS;
  let first_token = group.y * TOKENS;
  let row = thread % 16u;
  let token = thread / 16u;
  // Sums by name, not in an array: whoever compiles this without unrolling would keep an array in memory.
  var sums0 = vec4<f32>();
  var sums1 = vec4<f32>();
  var sums2 = vec4<f32>();
  var sums3 = vec4<f32>();
  var sums4 = vec4<f32>();
  var sums5 = vec4<f32>();
  var sums6 = vec4<f32>();
  var sums7 = vec4<f32>();
  for (var unit = 0u; unit < parameters.units; unit += 1u) {
    if (thread < 64u) {
      load_weights(thread, first_row, unit);
    } else {
      load_x(thread - 64u, first_token, 4u * unit);
    }
    workgroupBarrier();
    for (var k = 0u; k < FOURS; k += 1u) {
      let at = k * ROWS + row;
      let w = mat4x4<f32>(weight_tile[at], weight_tile[at + 16u], weight_tile[at + 32u], weight_tile[at + 48u]);
      let x_at = k * TOKENS + token;
      sums0 += x_tile[x_at] * w;
      if (TOKENS_EACH > 1u) {
        sums1 += x_tile[x_at + 16u] * w;
      }
      if (TOKENS_EACH > 2u) {
        sums2 += x_tile[x_at + 32u] * w;
        sums3 += x_tile[x_at + 48u] * w;
      }
      if (TOKENS_EACH > 4u) {
        sums4 += x_tile[x_at + 64u] * w;
        sums5 += x_tile[x_at + 80u] * w;
        sums6 += x_tile[x_at + 96u] * w;
        sums7 += x_tile[x_at + 112u] * w;
      }
    }
    workgroupBarrier();
  }
  let t = first_token + token;
  let r = first_row + row;
  write_four(t, r, sums0);
  if (TOKENS_EACH > 1u) {
    write_four(t + 16u, r, sums1);
  }
  if (TOKENS_EACH > 2u) {
    write_four(t + 32u, r, sums2);
    write_four(t + 48u, r, sums3);
  }
  if (TOKENS_EACH > 4u) {
    write_four(t + 64u, r, sums4);
    write_four(t + 80u, r, sums5);
    write_four(t + 96u, r, sums6);
    write_four(t + 112u, r, sums7);
  }
}
