// Q4_K, 36 words of 256: scales of scales and of minima (f16), those in 6 bits for each 32, levels in nibbles.
const SIGNED = false;

fn packed(start: u32, unit: u32) -> Packed {
  let block = start + 36u * (unit / 16u);
  let u = unit % 16u;
  let group = u / 2u;
  let levels = words(block + 4u + 8u * (group / 2u) + 4u * (u % 2u), 4u * (group % 2u), NIBBLES);
  let scale = halves(weights[block]) * six_bits(block + 1u, group);
  return Packed(levels, scale.x, -scale.y);
}
