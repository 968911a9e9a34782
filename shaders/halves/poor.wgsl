// In place of device.wgsl, in tests: a device as poor as WGSL allows, which takes subnormal halves for zeros and rounds
// towards zero. Of such devices there are many, and none where the tests run.

fn device_unpack(word: u32) -> vec2<f32> {
  let pair = unpack2x16float(word);
  let exponents = vec2<u32>(word & 0x7c00u, (word >> 16u) & 0x7c00u);
  return select(pair, vec2<f32>(0.0), exponents == vec2<u32>(0u));
}

fn device_pack(pair: vec2<f32>) -> u32 {
  // Without the bits of a float that a half has no room for; what is less than the least normal half is nothing.
  let short = bitcast<vec2<f32>>(bitcast<vec2<u32>>(pair) & vec2<u32>(0xffffe000u));
  return pack2x16float(select(short, vec2<f32>(0.0), abs(short) < vec2<f32>(6.1035156e-5)));
}
