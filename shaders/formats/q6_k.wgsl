// Q6_K, 53 words of 256: the levels' lower four bits, their upper two, a signed byte of scale for each sixteen, the
// scales' scale (f16, padded to a word). weight = scale · (level − 32).
const SIGNED = false;

fn packed(start: u32, unit: u32) -> Packed {
  let block = start + 53u * (unit / 16u);
  let u = unit % 16u;
  let quarter = u % 8u / 2u;
  let low = words(block + 16u * (u / 8u) + 8u * (quarter % 2u) + 4u * (u % 2u), 4u * (quarter / 2u), NIBBLES);
  let high = words(block + 32u + 8u * (u / 8u) + 4u * (u % 2u), 2u * quarter, 0x03030303u);
  let scale = halves(weights[block + 52u]).x * signed(byte(weights[block + 48u + u / 4u], u % 4u));
  return Packed(low | (high << vec4<u32>(4u)), scale, -32.0 * scale);
}
