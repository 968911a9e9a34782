// Before matrix_matrix.wgsl: tiles of floats.

const STEPS = 4u;   // fours of columns

var<workgroup> weight_tile: array<vec4<f32>, STEPS * ROWS>;   // [columns / 4, rows]
var<workgroup> x_tile: array<vec4<f32>, STEPS * TOKENS>;      // [columns / 4, tokens]

/// Each thread unpacks a sixteen of its row.
fn load_weights(row: u32, first_row: u32, unit: u32) {
  var w = Sixteen(mat4x4<f32>(), 0.0, 0.0);
  if (first_row + row < parameters.rows) {
    w = sixteen(weights_start(), (first_row + row) * parameters.units + unit);
  }
  weight_tile[row] = w.scale * w.levels[0] + w.minimum;
  weight_tile[row + ROWS] = w.scale * w.levels[1] + w.minimum;
  weight_tile[row + 2u * ROWS] = w.scale * w.levels[2] + w.minimum;
  weight_tile[row + 3u * ROWS] = w.scale * w.levels[3] + w.minimum;
}

fn load_x(thread: u32, first_token: u32, unit: u32) {
  for (var i = thread; i < STEPS * TOKENS; i += 64u) {
    let column = 4u * unit + i % STEPS;
    var four = vec4<f32>();
    if (column < parameters.columns) {
      four = bitcast<vec4<f32>>(x[input_row(first_token + i / STEPS) * parameters.columns + column]);
    }
    x_tile[(i % STEPS) * TOKENS + i / STEPS] = four;
  }
}

/// A step's weights of eight rows.
struct Weights {
  low: mat4x4<f32>,
  high: mat4x4<f32>,
}

fn weights_at(step: u32, row: u32) -> Weights {
  let at = step * ROWS + row;
  return Weights(
    mat4x4<f32>(weight_tile[at], weight_tile[at + 8u], weight_tile[at + 16u], weight_tile[at + 24u]),
    mat4x4<f32>(weight_tile[at + 32u], weight_tile[at + 40u], weight_tile[at + 48u], weight_tile[at + 56u]),
  );
}

/// A step of a token against eight rows.
fn products(step: u32, token: u32, w: Weights) -> mat2x4<f32> {
  let four = x_tile[step * TOKENS + token];
  return mat2x4<f32>(four * w.low, four * w.high);
}
