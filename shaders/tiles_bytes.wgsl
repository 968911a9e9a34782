// Before matrix_matrix.wgsl: tiles of signed bytes, of quantised weights and of what quantise.wgsl makes of the inputs.
// Σ_c weight · x = Σ_u x_scale · scale · Σ level · x_level + minimum · x_sum, sixteen columns u at a time, with the inner
// sum in integers, four products an instruction where the hardware has that. Inputs lose what 8 bits cannot hold:
// SmolLM2 in Q4_1 has a perplexity 0.3 % lower to 1.2 % higher than the reference's on its five texts (floats: 0.02 %), and
// its first choice at 419 of 428 positions (floats: 427), at all 344 where the reference is sure. SwiftShader has no such
// instruction, and is twice as slow with it; on a GPU it has not been measured.

const PARTS = 2u;   // halves of a unit

alias Input = vec4<u32>;

/// Sums of a token's products are whole as they are.
fn whole(token: u32, sums: vec4<f32>) -> vec4<f32> {
  return sums;
}

var<workgroup> weight_levels: array<vec4<u32>, PARTS * ROWS>;   // [halves, rows]
var<workgroup> weight_scales: array<vec2<f32>, PARTS * ROWS>;   // scale, minimum
var<workgroup> x_levels: array<vec4<u32>, PARTS * TOKENS>;      // [halves, tokens]
var<workgroup> x_scales: array<vec2<f32>, PARTS * TOKENS>;      // scale, Σ scale · level

// Of a step's weights and inputs, a thread fetches a unit and half of one at most.
const INPUTS = PARTS * TOKENS;

fn has_unit(thread: u32) -> bool {
  return thread < ROWS;
}

fn has_input(thread: u32) -> bool {
  return thread < INPUTS;
}

struct Fetched {
  unit: Unit,
  x: vec4<u32>,
  x_scale: vec2<f32>,
}

fn fetch(thread: u32, first_row: u32, first_token: u32, step: u32) -> Fetched {
  var next: Fetched;
  if (has_unit(thread)) {
    next.unit = fetch_unit(thread, first_row, step);
  }
  if (has_input(thread)) {
    // Rows that are quantised are whole steps of 32.
    let sixteens = parameters.columns / 4u;
    let at = 2u * (input_row(first_token + thread / PARTS) * sixteens + step * PARTS + thread % PARTS);
    next.x = x[at];
    next.x_scale = bitcast<vec2<f32>>(x[at + 1u].xy);
  }
  return next;
}

fn half_levels(w: Unit, half: u32) -> vec4<u32> {
  let first = 4u * half;
  return vec4<u32>(level_word(w, first), level_word(w, first + 1u), level_word(w, first + 2u), level_word(w, first + 3u));
}

fn store(thread: u32, next: Fetched) {
  if (has_unit(thread)) {
    weight_levels[thread] = half_levels(next.unit, 0u);
    weight_scales[thread] = vec2<f32>(next.unit.scale.x, next.unit.minimum.x);
    weight_levels[ROWS + thread] = half_levels(next.unit, 1u);
    weight_scales[ROWS + thread] = vec2<f32>(next.unit.scale.y, next.unit.minimum.y);
  }
  if (has_input(thread)) {
    let at = thread % PARTS * TOKENS + thread / PARTS;
    x_levels[at] = next.x;
    x_scales[at] = next.x_scale;
  }
}

/// Half a unit of each of a thread's rows: levels, and scales and minima.
struct Weights {
  a: vec4<u32>,
  b: vec4<u32>,
  c: vec4<u32>,
  d: vec4<u32>,
  scales: vec4<f32>,
  minima: vec4<f32>,
}

fn weights_at(part: u32, row: u32) -> Weights {
  let at = part * ROWS + row;
  var w: Weights;
  w.a = weight_levels[at];
  w.scales.x = weight_scales[at].x;
  w.minima.x = weight_scales[at].y;
  if (ROWS_EACH != 1u) {
    w.b = weight_levels[at + ACROSS];
    w.scales.y = weight_scales[at + ACROSS].x;
    w.minima.y = weight_scales[at + ACROSS].y;
  }
  if (ROWS_EACH == 4u) {
    w.c = weight_levels[at + 2u * ACROSS];
    w.d = weight_levels[at + 3u * ACROSS];
    w.scales = vec4<f32>(w.scales.xy, weight_scales[at + 2u * ACROSS].x, weight_scales[at + 3u * ACROSS].x);
    w.minima = vec4<f32>(w.minima.xy, weight_scales[at + 2u * ACROSS].y, weight_scales[at + 3u * ACROSS].y);
  }
  return w;
}

fn level_sum(a: vec4<u32>, b: vec4<u32>) -> f32 {
  return f32(dot4I8Packed(a.x, b.x) + dot4I8Packed(a.y, b.y) + dot4I8Packed(a.z, b.z) + dot4I8Packed(a.w, b.w));
}

/// A part of a token against a thread's rows.
fn products(part: u32, token: u32, w: Weights) -> vec4<f32> {
  let mine = x_levels[part * TOKENS + token];
  let scale = x_scales[part * TOKENS + token];
  var sums = vec4<f32>();
  sums.x = level_sum(mine, w.a);
  if (ROWS_EACH != 1u) {
    sums.y = level_sum(mine, w.b);
  }
  if (ROWS_EACH == 4u) {
    sums = vec4<f32>(sums.xy, level_sum(mine, w.c), level_sum(mine, w.d));
  }
  return scale.x * w.scales * sums + scale.y * w.minima;
}
