// Q4_0, 5 words of 32: scale (f16, padded to a word), levels in nibbles. weight = scale · (level − 8).
fn sixteen(start: u32, unit: u32) -> Sixteen {
  let at = start + 5u * (unit / 2u);
  let shift = 4u * (unit % 2u);
  let scale = unpack2x16float(weights[at]).x;
  return Sixteen(
    mat4x4<f32>(nibbles(weights[at + 1u], shift), nibbles(weights[at + 2u], shift), nibbles(weights[at + 3u], shift), nibbles(weights[at + 4u], shift)),
    scale,
    -8.0 * scale,
  );
}
