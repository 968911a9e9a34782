// Before matrix_matrix.wgsl: tiles of floats, or of halves: reals_floats.wgsl and reals_halves.wgsl say which.

const PARTS = 8u;   // fours of a step

var<workgroup> weight_tile: array<vec4<real>, PARTS * ROWS>;   // [fours, rows]
var<workgroup> x_tile: array<vec4<real>, PARTS * TOKENS>;      // [fours, tokens]

// Of a step's weights and inputs, what a thread fetches.
const UNITS = ROWS * UNITS_OF_STEP;
const INPUTS = TOKENS * PARTS;

fn has_unit(thread: u32) -> bool {
  return thread < UNITS;
}

fn has_input(thread: u32) -> bool {
  return thread < INPUTS;
}

struct Fetched {
  unit: Unit,
  second_unit: Unit,
  x: vec4<real>,
  second_x: vec4<real>,
}

/// Four columns of a token, zeros beyond the last.
fn fetch_x(index: u32, first_token: u32, step: u32) -> vec4<real> {
  let column = step * PARTS + index % PARTS;
  if (column >= parameters.columns) {
    return vec4<real>();
  }
  return input_four(input_row(first_token + index / PARTS), column);
}

fn fetch(thread: u32, first_row: u32, first_token: u32, step: u32) -> Fetched {
  var next: Fetched;
  if (has_unit(thread)) {
    next.unit = fetch_unit(thread, first_row, step);
  }
  if (UNITS == 2u * THREADS) {
    next.second_unit = fetch_unit(thread + THREADS, first_row, step);
  }
  if (has_input(thread)) {
    next.x = fetch_x(thread, first_token, step);
  }
  if (INPUTS == 2u * THREADS) {
    next.second_x = fetch_x(thread + THREADS, first_token, step);
  }
  return next;
}

fn store_unit(index: u32, unit: Unit) {
  let at = index % UNITS_OF_STEP * FOURS * ROWS + index / UNITS_OF_STEP;
  weight_tile[at] = vec4<real>(unit_four(unit, 0u));
  if (FOURS != 1u) {
    weight_tile[at + ROWS] = vec4<real>(unit_four(unit, 1u));
  }
  if (FOURS == 8u) {
    weight_tile[at + 2u * ROWS] = vec4<real>(unit_four(unit, 2u));
    weight_tile[at + 3u * ROWS] = vec4<real>(unit_four(unit, 3u));
    weight_tile[at + 4u * ROWS] = vec4<real>(unit_four(unit, 4u));
    weight_tile[at + 5u * ROWS] = vec4<real>(unit_four(unit, 5u));
    weight_tile[at + 6u * ROWS] = vec4<real>(unit_four(unit, 6u));
    weight_tile[at + 7u * ROWS] = vec4<real>(unit_four(unit, 7u));
  }
}

fn store(thread: u32, next: Fetched) {
  if (has_unit(thread)) {
    store_unit(thread, next.unit);
  }
  if (UNITS == 2u * THREADS) {
    store_unit(thread + THREADS, next.second_unit);
  }
  if (has_input(thread)) {
    x_tile[thread % PARTS * TOKENS + thread / PARTS] = next.x;
  }
  if (INPUTS == 2u * THREADS) {
    x_tile[thread % PARTS * TOKENS + (thread + THREADS) / PARTS] = next.second_x;
  }
}

/// A part's weights of a thread's rows.
struct Weights {
  a: vec4<real>,
  b: vec4<real>,
  c: vec4<real>,
  d: vec4<real>,
}

fn weights_at(part: u32, row: u32) -> Weights {
  let at = part * ROWS + row;
  var w: Weights;
  w.a = weight_tile[at];
  if (ROWS_EACH != 1u) {
    w.b = weight_tile[at + ACROSS];
  }
  if (ROWS_EACH == 4u) {
    w.c = weight_tile[at + 2u * ACROSS];
    w.d = weight_tile[at + 3u * ACROSS];
  }
  return w;
}

/// A part of a token against a thread's rows.
fn products(part: u32, token: u32, w: Weights) -> vec4<f32> {
  let four = x_tile[part * TOKENS + token];
  var sums = vec4<real>();
  sums.x = dot(four, w.a);
  if (ROWS_EACH != 1u) {
    sums.y = dot(four, w.b);
  }
  if (ROWS_EACH == 4u) {
    sums = vec4<real>(sums.xy, dot(four, w.c), dot(four, w.d));
  }
  return vec4<f32>(sums);
}
