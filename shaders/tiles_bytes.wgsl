// Before matrix_matrix.wgsl: tiles of signed bytes, of quantised weights and of what quantise.wgsl makes of the inputs.
// Σ_c weight · x = Σ_u x_scale · scale · Σ level · x_level + minimum · x_sum, sixteen columns u at a time, with the inner
// sum in integers, four products an instruction where the hardware has that. Inputs lose what 8 bits cannot hold:
// SmolLM2 in Q4_1 has a perplexity 0.3 % lower to 1.2 % higher than the reference's on its five texts (floats: 0.02 %), and
// its first choice at 419 of 428 positions (floats: 427), at all 344 where the reference is sure. SwiftShader has no such
// instruction, and is twice as slow with it; on a GPU it has not been measured.

const STEPS = 1u;

var<workgroup> weight_levels: array<vec4<u32>, ROWS>;
var<workgroup> weight_scales: array<vec2<f32>, ROWS>;   // scale, minimum
var<workgroup> x_levels: array<vec4<u32>, TOKENS>;
var<workgroup> x_scales: array<vec2<f32>, TOKENS>;      // scale, sum

/// Each thread fetches a sixteen of its row.
fn load_weights(row: u32, first_row: u32, unit: u32) {
  var w = Packed(vec4<u32>(), 0.0, 0.0);
  if (first_row + row < parameters.rows) {
    w = packed(weights_start(), (first_row + row) * parameters.units + unit);
  }
  weight_levels[row] = w.levels;
  weight_scales[row] = vec2<f32>(w.scale, w.minimum);
}

fn load_x(thread: u32, first_token: u32, unit: u32) {
  if (thread >= TOKENS) {
    return;
  }
  let at = 2u * (input_row(first_token + thread) * parameters.units + unit);
  x_levels[thread] = x[at];
  x_scales[thread] = bitcast<vec2<f32>>(x[at + 1u].xy);
}

/// Eight rows: their levels, and scales and minima.
struct Weights {
  a: vec4<u32>,
  b: vec4<u32>,
  c: vec4<u32>,
  d: vec4<u32>,
  e: vec4<u32>,
  f: vec4<u32>,
  g: vec4<u32>,
  h: vec4<u32>,
  scales: mat2x4<f32>,
  minima: mat2x4<f32>,
}

fn weights_at(step: u32, row: u32) -> Weights {
  let low = mat4x2<f32>(weight_scales[row], weight_scales[row + 8u], weight_scales[row + 16u], weight_scales[row + 24u]);
  let high = mat4x2<f32>(weight_scales[row + 32u], weight_scales[row + 40u], weight_scales[row + 48u], weight_scales[row + 56u]);
  let rows = array<mat2x4<f32>, 2>(transpose(low), transpose(high));
  return Weights(
    weight_levels[row], weight_levels[row + 8u], weight_levels[row + 16u], weight_levels[row + 24u],
    weight_levels[row + 32u], weight_levels[row + 40u], weight_levels[row + 48u], weight_levels[row + 56u],
    mat2x4<f32>(rows[0][0], rows[1][0]),
    mat2x4<f32>(rows[0][1], rows[1][1]),
  );
}

fn level_sum(a: vec4<u32>, b: vec4<u32>) -> f32 {
  return f32(dot4I8Packed(a.x, b.x) + dot4I8Packed(a.y, b.y) + dot4I8Packed(a.z, b.z) + dot4I8Packed(a.w, b.w));
}

/// A token against eight rows.
fn products(step: u32, token: u32, w: Weights) -> mat2x4<f32> {
  let mine = x_levels[token];
  let scale = x_scales[token];
  let low = vec4<f32>(level_sum(mine, w.a), level_sum(mine, w.b), level_sum(mine, w.c), level_sum(mine, w.d));
  let high = vec4<f32>(level_sum(mine, w.e), level_sum(mine, w.f), level_sum(mine, w.g), level_sum(mine, w.h));
  return mat2x4<f32>(
    scale.x * w.scales[0] * low + scale.y * w.minima[0],
    scale.x * w.scales[1] * high + scale.y * w.minima[1],
  );
}
