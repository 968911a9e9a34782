// After F16 and BF16: a unit is two fours, two numbers a word.
const FOURS = 2u;

alias Unit = vec4<u32>;

fn unit_at(place: Place, unit: u32) -> Unit {
  return weights[place.x + unit];
}

fn unit_four(w: Unit, index: u32) -> vec4<f32> {
  return vec4<f32>(numbers(w[2u * index]), numbers(w[2u * index + 1u]));
}
