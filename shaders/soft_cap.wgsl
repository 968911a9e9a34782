// x = cap · tanh(x / cap)
//
// Logits. Threads go on by whole grids, since a grid cannot have a workgroup for each 64 of a large vocabulary's rows.
// Grid: (min(ceil(len / 64), most)).

struct Parameters {
  len: u32,
  cap: f32,
}

@group(0) @binding(0) var<storage, read_write> x: array<f32>;   // [len]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  for (var i = id.x; i < parameters.len; i += 64u * groups.x) {
    // Some drivers' tanh of large numbers is no number.
    x[i] = parameters.cap * tanh(clamp(x[i] / parameters.cap, -10.0, 10.0));
  }
}
