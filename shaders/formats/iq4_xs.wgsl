// IQ4_XS: nibbles; three words for eight units: the scales' scale (f16), and a signed byte of scale for each.
fn unit_at(place: Place, unit: u32) -> Unit {
  let record = place.y + 3u * (unit / 8u);
  let scale = halves(scales[record]).x * signed(byte(scales[record + 1u + unit % 8u / 4u], unit % 4u));
  return Unit(weights[place.x + unit], vec2<f32>(scale), vec2<f32>());
}
