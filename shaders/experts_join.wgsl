// out[t, r] = Σₖ weight[t, k] · products[t, k, r], or that added to what is there
//
// Prompts with a mixture of experts, after the products with down. Grid: (ceil(width / 64), tokens, further ones).

struct Parameters {
  width: u32,
  used: u32,       // experts a token
  accumulate: u32, // add to what is there
}

@group(0) @binding(0) var<storage, read> products: array<f32>;        // [tokens, used, width]
@group(0) @binding(1) var<storage, read> routes: array<vec2<f32>>;    // [tokens, used]: expert, weight
@group(0) @binding(2) var<storage, read_write> out: array<f32>;       // [tokens, width]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let token = id.z * groups.y + id.y;
  if (token >= batch.len || id.x >= parameters.width) {
    return;
  }
  var sum = 0.0;
  for (var k = 0u; k < parameters.used; k += 1u) {
    let pair = token * parameters.used + k;
    sum += routes[pair].y * products[pair * parameters.width + id.x];
  }
  let at = token * parameters.width + id.x;
  out[at] = sum + select(0.0, out[at], parameters.accumulate != 0u);
}
