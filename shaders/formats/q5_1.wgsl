// Q5_1: nibbles; two words a unit: scale and minimum (f16), fifth bits.
const SIGNED = false;

fn unit_at(place: Place, unit: u32) -> Unit {
  let record = place.y + 2u * unit;
  let scale = halves(scales[record]);
  let words = weights[place.x + unit];
  let fifth = scales[record + 1u];
  let low = (words & NIBBLES) | (single_bits(fifth, 0u) << vec4<u32>(4u));
  let high = ((words >> vec4<u32>(4u)) & NIBBLES) | (single_bits(fifth, 1u) << vec4<u32>(4u));
  return Unit(low, high, scale.xx, scale.yy);
}
