// Between lanes.wgsl and matrix_vector.wgsl, where a workgroup is more than a run of lanes or a norm is to be made: the
// workgroup fetches and norms its input once, a tile at a time. There it lies so that neighbouring lanes read neighbouring
// fours. For one token.

const TILE = 512u;                // fours
const TILE_UNITS = TILE / FOURS;

var<workgroup> tile: array<vec4<f32>, TILE>;         // [FOURS, TILE_UNITS]
var<workgroup> thread_squares: array<f32, THREADS>;

/// Four columns of a unit of the input.
fn input(token: u32, unit: u32, index: u32) -> vec4<f32> {
  return tile[index * TILE_UNITS + unit % TILE_UNITS];
}

/// The sum of all threads' squares.
fn squares_of_all(local: u32, mine: f32) -> f32 {
  thread_squares[local] = mine;
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (local < half) {
      thread_squares[local] += thread_squares[local + half];
    }
  }
  workgroupBarrier();
  return thread_squares[0];
}

fn lane_products(local: u32, token: u32, last: u32, rows: Rows) -> Parts {
  var parts = Parts();
  var mine = 0.0;
  for (var first = 0u; first < parameters.units; first += TILE_UNITS) {
    workgroupBarrier();
    squares = 0.0;
    for (var i = local; i < TILE; i += THREADS) {
      tile[i % FOURS * TILE_UNITS + i / FOURS] = fetched(token, FOURS * first + i);
    }
    mine += squares;
    workgroupBarrier();
    let end = min(first + TILE_UNITS, parameters.units);
    for (var unit = first + local % LANES; unit < end; unit += LANES) {
      add_unit(&parts, token, last, rows, unit);
    }
  }
  parts.squares[0] = squares_of_all(local, mine);
  return parts;
}

fn fold_parts(local: u32, parts: Parts, index: u32) -> Folded {
  return Folded(fold(local, parts.sums[index], 0.0).sums, parts.squares[index]);
}
