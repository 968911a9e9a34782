// Before the products of few rows (matrix_vector.wgsl, experts.wgsl, experts_down.wgsl): LANES lanes share ROWS rows of
// weights, a unit at a time, and up to TOKENS rows of inputs share what is unpacked.

const THREADS = max(64u << STAGED, LANES);
const ROWS = 4u;                    // of a run of lanes
const RUNS = THREADS / LANES;

// The sums of a row's lanes: fold_whole.wgsl, fold_subgroups.wgsl or fold_shared.wgsl makes them.
struct Folded {
  sums: vec4<f32>,
  squares: f32,
}

/// A lane's part: of each input's products with the four rows, and of its squares.
struct Parts {
  sums: mat4x4<f32>,
  squares: vec4<f32>,
}

/// Four rows of weights: two of one matrix and two of another, or of the same; each is so many units from where its matrix
/// begins.
struct Rows {
  first: Place,
  second: Place,
  at: vec4<u32>,
}

/// Of what `input` has given: added up where there is a norm.
var<private> squares: f32;

fn norm_weight(column: u32) -> vec4<f32> {
  return vectors[(parameters.norm - 1u) / 4u + column];
}

/// Four columns of the input before the norm's root. There are none beyond the last, whose weights are zeros.
fn fetched(token: u32, column: u32) -> vec4<f32> {
  let last = parameters.columns - 1u;
  var four = x[token * parameters.columns + min(column, last)];
  if (parameters.norm != 0u) {
    squares += select(dot(four, four), 0.0, column > last);
    four *= norm_weight(min(column, last));
  }
  return four;
}

/// The products of a unit of each row with a token's.
fn add_token(parts: ptr<function, Parts>, index: u32, token: u32, unit: u32, a: Unit, b: Unit, c: Unit, d: Unit) {
  squares = 0.0;
  let inputs = inputs_at(token, unit);
  (*parts).sums[index] += vec4<f32>(product(a, inputs), product(b, inputs), product(c, inputs), product(d, inputs));
  (*parts).squares[index] += squares;
}

/// Likewise of all tokens from the first on; there are none beyond `last`, whose products take their place.
fn add_unit(parts: ptr<function, Parts>, first: u32, last: u32, rows: Rows, unit: u32) {
  let a = unit_at(rows.first, rows.at.x + unit);
  let b = unit_at(rows.first, rows.at.y + unit);
  let c = unit_at(rows.second, rows.at.z + unit);
  let d = unit_at(rows.second, rows.at.w + unit);
  add_token(parts, 0u, first, unit, a, b, c, d);
  if (TOKENS != 1u) {
    add_token(parts, 1u, min(first + 1u, last), unit, a, b, c, d);
  }
  if (TOKENS == 4u) {
    add_token(parts, 2u, min(first + 2u, last), unit, a, b, c, d);
    add_token(parts, 3u, min(first + 3u, last), unit, a, b, c, d);
  }
}
