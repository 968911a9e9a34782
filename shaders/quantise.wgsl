// levels[t, c] = round(x[t, c] / scale[t, u]), scale[t, u] = max |x[t, 16u … 16u + 15]| / 127
//
// Inputs as signed bytes, for tiles_bytes.wgsl. A thread has a sixteen. Grid: (ceil(sixteens / 64), tokens, further
// ones).

struct Parameters {
  sixteens: u32, // of a row; the last may reach beyond it
  columns: u32,  // fours of a row
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;           // [tokens, columns]
@group(0) @binding(1) var<storage, read_write> out: array<vec4<u32>>;   // [tokens, sixteens, 2]: levels; scale, Σ scale · level

/// Four columns, zeros beyond the last.
fn input(token: u32, column: u32) -> vec4<f32> {
  if (column >= parameters.columns) {
    return vec4<f32>();
  }
  return x[token * parameters.columns + column];
}

fn largest(four: vec4<f32>) -> f32 {
  let size = abs(four);
  return max(max(size.x, size.y), max(size.z, size.w));
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let token = id.z * groups.y + id.y;
  if (token >= batch.len || id.x >= parameters.sixteens) {
    return;
  }
  let column = 4u * id.x;
  let a = input(token, column);
  let b = input(token, column + 1u);
  let c = input(token, column + 2u);
  let d = input(token, column + 3u);
  // Of inputs so small that the scale's inverse is no number, nothing is left.
  let size = max(max(largest(a), largest(b)), max(largest(c), largest(d)));
  let scale = select(size / 127.0, 0.0, size < 1.0e-35);
  let inverse = select(1.0 / scale, 0.0, scale == 0.0);
  let levels = mat4x4<f32>(round(a * inverse), round(b * inverse), round(c * inverse), round(d * inverse));
  let sum = dot(levels[0] + levels[1] + levels[2] + levels[3], vec4<f32>(1.0));
  let at = 2u * (token * parameters.sixteens + id.x);
  out[at] = vec4<u32>(
    pack4xI8(vec4<i32>(levels[0])),
    pack4xI8(vec4<i32>(levels[1])),
    pack4xI8(vec4<i32>(levels[2])),
    pack4xI8(vec4<i32>(levels[3])),
  );
  out[at + 1u] = vec4<u32>(bitcast<u32>(scale), bitcast<u32>(scale * sum), 0u, 0u);
}
