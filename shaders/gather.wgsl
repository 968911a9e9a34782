// out[i] = x[selected[i]]
//
// A thread copies four values. Grid: (ceil(columns / 64), selected).

struct Parameters {
  columns: u32,  // fours of a row
}

@group(0) @binding(0) var<storage, read> selected: array<u32>;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;           // [rows, columns]
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;   // [selected, columns]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < parameters.columns) {
    out[id.y * parameters.columns + id.x] = x[selected[id.y] * parameters.columns + id.x];
  }
}
