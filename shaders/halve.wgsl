// halves[t, c] = x[t, c] · 2^−exponent[t], so that the largest of a token lies between an eighth and a quarter
//
// Inputs as halves, for reals_halves.wgsl: whatever their size, four products of them with weights that are halves, too,
// come to no more than a half can hold. What is 2^22 times less than a token's largest is lost. A workgroup has a token.
// Grid: (1, tokens, further ones).

struct Parameters {
  columns: u32, // fours of a row
}

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;           // [tokens, columns]
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f16>>;   // [tokens, columns + 1]: behind a token its exponent

const THREADS = 64u;

var<workgroup> largest: array<f32, THREADS>;

/// Of a token, with all threads.
fn largest_of(token: u32, thread: u32) -> f32 {
  var mine = vec4<f32>();
  for (var i = thread; i < parameters.columns; i += THREADS) {
    mine = max(mine, abs(x[token * parameters.columns + i]));
  }
  largest[thread] = max(max(mine.x, mine.y), max(mine.z, mine.w));
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) {
      largest[thread] = max(largest[thread], largest[thread + half]);
    }
  }
  workgroupBarrier();
  return largest[0];
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let token = group.z * groups.y + group.y;
  if (token >= batch.len) {
    return;
  }
  // Powers of two from their bits. Of tokens of zeros, or nearly, there are only zeros.
  let exponent = min(i32(bitcast<u32>(largest_of(token, thread)) >> 23u) - 124, 126);
  let factor = bitcast<f32>(u32(127 - exponent) << 23u);
  let at = token * (parameters.columns + 1u);
  for (var i = thread; i < parameters.columns; i += THREADS) {
    out[at + i] = vec4<f16>(x[token * parameters.columns + i] * factor);
  }
  if (thread == 0u) {
    out[at + parameters.columns] = vec4<f16>(f16(exponent));
  }
}
