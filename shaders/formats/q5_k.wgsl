// Q5_K, 44 words of 256: as Q4_K, with the levels' fifth bits before their nibbles.
const SIGNED = false;

fn packed(start: u32, unit: u32) -> Packed {
  let block = start + 44u * (unit / 16u);
  let u = unit % 16u;
  let group = u / 2u;
  let low = words(block + 12u + 8u * (group / 2u) + 4u * (u % 2u), 4u * (group % 2u), NIBBLES);
  let fifth = words(block + 4u + 4u * (u % 2u), group, 0x01010101u);
  let scale = halves(weights[block]) * six_bits(block + 1u, group);
  return Packed(low | (fifth << vec4<u32>(4u)), scale.x, -scale.y);
}
