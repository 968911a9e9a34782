// F32: a unit is a four.
const FOURS = 1u;

alias Unit = vec4<f32>;

fn unit_at(place: Place, unit: u32) -> Unit {
  return bitcast<vec4<f32>>(weights[place.x + unit]);
}

fn unit_four(w: Unit, index: u32) -> vec4<f32> {
  return w;
}
