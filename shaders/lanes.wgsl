// Before the products of few rows (matrix_vector.wgsl, experts.wgsl, experts_down.wgsl): LANES lanes share ROWS rows of
// weights, sixteen columns at a time.

const THREADS = max(64u, LANES);
const ROWS = 4u;                    // of a run of lanes
const RUNS = THREADS / LANES;

// The sums of a row's lanes: fold_whole.wgsl, fold_subgroups.wgsl or fold_shared.wgsl makes them.
struct Folded {
  sums: vec4<f32>,
  squares: f32,
}

fn norm_weight(column: u32) -> vec4<f32> {
  return vectors[(parameters.norm - 1u) / 4u + column];
}

/// Four columns of the input, zeros beyond the last.
fn input(token: u32, column: u32) -> vec4<f32> {
  if (column >= parameters.columns) {
    return vec4<f32>();
  }
  return x[token * parameters.columns + column];
}

fn product(start: u32, unit: u32, a: mat4x4<f32>, total: f32) -> f32 {
  let w = sixteen(start, unit);
  let sum = dot(w.levels[0], a[0]) + dot(w.levels[1], a[1]) + dot(w.levels[2], a[2]) + dot(w.levels[3], a[3]);
  return w.scale * sum + w.minimum * total;
}

/// A lane's part of an input's products with four rows of weights, before the norm's root: each is so many sixteens from
/// where its matrix begins, in words. And of the input's squares, where there is a norm.
fn lane_products(token: u32, lane: u32, starts: vec4<u32>, rows: vec4<u32>) -> Folded {
  var sums = vec4<f32>(0.0);
  var squares = 0.0;
  // All lanes go round as often, so that they are together where they add up.
  for (var first = 0u; first < parameters.units; first += LANES) {
    let unit = first + lane;
    if (unit >= parameters.units) {
      continue;
    }
    let column = 4u * unit;
    var a = mat4x4<f32>(input(token, column), input(token, column + 1u), input(token, column + 2u), input(token, column + 3u));
    if (parameters.norm != 0u) {
      squares += dot(a[0], a[0]) + dot(a[1], a[1]) + dot(a[2], a[2]) + dot(a[3], a[3]);
      a = mat4x4<f32>(a[0] * norm_weight(column), a[1] * norm_weight(column + 1u), a[2] * norm_weight(column + 2u), a[3] * norm_weight(column + 3u));
    }
    let total = dot(a[0] + a[1] + a[2] + a[3], vec4<f32>(1.0));
    sums.x += product(starts.x, rows.x + unit, a, total);
    sums.y += product(starts.y, rows.y + unit, a, total);
    sums.z += product(starts.z, rows.z + unit, a, total);
    sums.w += product(starts.w, rows.w + unit, a, total);
  }
  return Folded(sums, squares);
}
