// out[i] = the halves of a word as floats, and two floats as halves
//
// Asked once for a device: WGSL lets it take subnormal halves for zeros and round as it likes. What is asked comes from a
// buffer, so that nobody computes it beforehand. Grid: (1).

struct Parameters {
  count: u32,
}

@group(0) @binding(0) var<storage, read> given: array<vec4<u32>>;           // [count]: two halves, bits of two floats
@group(0) @binding(1) var<storage, read_write> out: array<vec4<u32>>;       // [count]: bits of two floats, two halves

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) local: u32) {
  if (local >= parameters.count) {
    return;
  }
  let pair = bitcast<vec2<u32>>(device_unpack(given[local].x));
  out[local] = vec4<u32>(pair, device_pack(bitcast<vec2<f32>>(given[local].yz)), 0u);
}
