// Q3_K, 28 words of 256: the levels' third bits, their lower two, a scale of 6 bits for each sixteen, the scales' scale
// (f16, padded to a word). weight = scale · (level − 4): a third bit that is missing takes 4 away.
const SIGNED = false;

fn packed(start: u32, unit: u32) -> Packed {
  let block = start + 28u * (unit / 16u);
  let u = unit % 16u;
  let low = words(block + 8u + 8u * (u / 8u) + 4u * (u % 2u), 2u * (u % 8u / 2u), 0x03030303u);
  let third = words(block + 4u * (u % 2u), u / 2u, 0x01010101u);
  // Four bits among the first eight bytes, two among the last four.
  let lower = (byte(weights[block + 24u + u % 8u / 4u], u % 4u) >> (4u * (u / 8u))) & 0xfu;
  let upper = (byte(weights[block + 26u], u % 4u) >> (2u * (u / 4u))) & 3u;
  let scale = halves(weights[block + 27u]).x * (f32(lower | (upper << 4u)) - 32.0);
  return Packed(low | (third << vec4<u32>(2u)), scale, -4.0 * scale);
}
