// Q4_1: nibbles; a word a unit: scale and minimum (f16).
fn unit_at(place: Place, unit: u32) -> Unit {
  let scale = halves(scales[place.y + unit]);
  return Unit(weights[place.x + unit], scale.xx, scale.yy);
}
