// x = activation(x) · up, or without `up` activation(x)
//
// Products that something was added to: else the kernels that make them do this on their way. Threads go on by whole
// grids. Grid: (min(ceil(len / 64), most)).

struct Parameters {
  len: u32,
  activation: u32,
  gates: u32,        // 1: there is an `up`
}

@group(0) @binding(0) var<storage, read_write> x: array<f32>;   // [len]
@group(0) @binding(1) var<storage, read> up: array<f32>;        // [len]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  for (var i = id.x; i < parameters.len; i += 64u * groups.x) {
    let value = activated(x[i], parameters.activation);
    if (parameters.gates != 0u) {
      x[i] = value * up[i];
    } else {
      x[i] = value;
    }
  }
}
