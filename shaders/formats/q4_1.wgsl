// Q4_1, 5 words of 32: scale and minimum (f16), levels in nibbles: the low ones first.
fn sixteen(start: u32, unit: u32) -> Sixteen {
  let at = start + 5u * (unit / 2u);
  let shift = 4u * (unit % 2u);
  let scale = unpack2x16float(weights[at]);
  return Sixteen(
    mat4x4<f32>(nibbles(weights[at + 1u], shift), nibbles(weights[at + 2u], shift), nibbles(weights[at + 3u], shift), nibbles(weights[at + 4u], shift)),
    scale.x,
    scale.y,
  );
}
