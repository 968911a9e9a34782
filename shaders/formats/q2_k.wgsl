// Q2_K, 21 words of 256: for each sixteen a byte of scale and minimum (4 bits each), levels of 2 bits, their scales (f16).
const SIGNED = false;

fn packed(start: u32, unit: u32) -> Packed {
  let block = start + 21u * (unit / 16u);
  let u = unit % 16u;
  let levels = words(block + 4u + 8u * (u / 8u) + 4u * (u % 2u), 2u * (u % 8u / 2u), 0x03030303u);
  let both = byte(weights[block + u / 4u], u % 4u);
  let scale = halves(weights[block + 20u]);
  return Packed(levels, scale.x * f32(both & 0xfu), -scale.y * f32(both >> 4u));
}
