// Q4_K: nibbles; five words for eight units: scales and minima.
fn unit_at(place: Place, unit: u32) -> Unit {
  let scale = scale_at(place.y + 5u * (unit / 8u), unit);
  return Unit(weights[place.x + unit], scale.xx, -scale.yy);
}
