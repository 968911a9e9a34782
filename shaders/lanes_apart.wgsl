// Between lanes.wgsl and a kernel of it: each lane fetches its inputs by itself.

/// Four columns of a unit of the input.
fn input(token: u32, unit: u32, index: u32) -> vec4<f32> {
  return fetched(token, FOURS * unit + index);
}

fn lane_products(local: u32, token: u32, last: u32, rows: Rows) -> Parts {
  var parts = Parts();
  // All lanes go round as often, so that they are together where they add up.
  for (var first = 0u; first < parameters.units; first += LANES) {
    let unit = first + local % LANES;
    if (unit < parameters.units) {
      add_unit(&parts, token, last, rows, unit);
    }
  }
  return parts;
}

fn fold_parts(local: u32, parts: Parts, index: u32) -> Folded {
  return fold(local, parts.sums[index], parts.squares[index]);
}
