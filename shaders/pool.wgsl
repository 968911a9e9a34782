// out[i] = mean of the rows x[runs[i].x …], runs[i].y of them
//
// A run of one row is a copy: chosen rows are gathered so. A thread has four values. Grid: (ceil(columns / 64), runs,
// further ones).

struct Parameters {
  columns: u32,  // fours of a row
  first: u32,    // of the runs
}

@group(0) @binding(0) var<storage, read> runs: array<vec2<u32>>;        // first row, rows
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;           // [rows, columns]
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;   // [runs, columns]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let index = id.z * groups.y + id.y;
  if (index >= batch.len || id.x >= parameters.columns) {
    return;
  }
  let run = runs[parameters.first + index];
  var sum = x[run.x * parameters.columns + id.x];
  for (var row = run.x + 1u; row < run.x + run.y; row += 1u) {
    sum += x[row * parameters.columns + id.x];
  }
  out[index * parameters.columns + id.x] = sum / f32(run.y);
}
