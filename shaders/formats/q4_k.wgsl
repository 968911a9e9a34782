// Q4_K, 36 words of 256: scales of scales and of minima (f16), those in 6 bits for each 32, levels in nibbles.
fn sixteen(start: u32, unit: u32) -> Sixteen {
  let block = start + 36u * (unit / 16u);
  let u = unit % 16u;
  let group = u / 2u;
  let at = block + 4u + 8u * (group / 2u) + 4u * (u % 2u);
  let shift = 4u * (group % 2u);
  let scale = unpack2x16float(weights[block]) * six_bits(block + 1u, group);
  return Sixteen(
    mat4x4<f32>(nibbles(weights[at], shift), nibbles(weights[at + 1u], shift), nibbles(weights[at + 2u], shift), nibbles(weights[at + 3u], shift)),
    scale.x,
    -scale.y,
  );
}
