// out[row] = scale · table[tokens[row]], or that added to what is there
//
// A thread unpacks a unit. Grid: (ceil(units / 64), rows, further rows). A table that is cut into parts takes a
// dispatch for each part, which leaves the rows of the others alone.

struct Parameters {
  start: Place,  // of the part's weights
  first: u32,    // its first row
  rows: u32,     // its rows
  units: u32,    // of a row; the last may reach beyond it
  columns: u32,  // fours of a row
  tokens: u32,   // where the rows' begin
  scale: f32,
  accumulate: u32,
}

@group(0) @binding(0) var<storage, read> tokens: array<u32>;            // [rows], from parameters.tokens on
@group(0) @binding(1) var<storage, read> weights: array<vec4<u32>>;     // [vocabulary, units], packed
@group(0) @binding(2) var<storage, read> scales: array<u32>;            // the same memory
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;   // [rows, width / 4], from batch.row on

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let row = id.z * groups.y + id.y;
  let unit = id.x;
  if (row >= batch.len || unit >= parameters.units) {
    return;
  }
  let token = tokens[parameters.tokens + row];
  if (token < parameters.first || token - parameters.first >= parameters.rows) {
    return;
  }
  let weight = unit_at(parameters.start, (token - parameters.first) * parameters.units + unit);
  for (var i = 0u; i < FOURS; i += 1u) {
    let column = FOURS * unit + i;
    if (column < parameters.columns) {
      let at = (batch.row + row) * parameters.columns + column;
      var value = parameters.scale * unit_four(weight, i);
      if (parameters.accumulate != 0u) {
        value += out[at];
      }
      out[at] = value;
    }
  }
}
