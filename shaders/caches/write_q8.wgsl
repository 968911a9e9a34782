// A cache of signed bytes. `number`: which of the heads at hand that are to be kept.

const GROUPS = (HEAD_DIM + 31u) / 32u;

var<workgroup> scales: array<f32, KEPT * GROUPS>;

/// Before heads are packed, by all threads: the scale of each 32 values, of which the largest becomes 127.
fn settle(thread: u32) {
  for (var group = thread; group < KEPT * GROUPS; group += THREADS) {
    let start = HEAD_DIM * (group / GROUPS);
    let first = 32u * (group % GROUPS);
    var largest = 0.0;
    for (var i = first; i < min(first + 32u, HEAD_DIM); i += 1u) {
      largest = max(largest, abs(head_value(start + i)));
    }
    scales[group] = largest / 127.0;
  }
}

/// Four levels, as whole numbers.
fn four_levels(number: u32, four: u32) -> vec4<f32> {
  let i = HEAD_DIM * number + 4u * four;
  let scale = scales[GROUPS * number + four / 8u];
  let values = vec4<f32>(head_value(i), head_value(i + 1u), head_value(i + 2u), head_value(i + 3u));
  return round(select(values / scale, vec4<f32>(0.0), scale == 0.0));
}

fn packed(number: u32, word: u32) -> u32 {
  if (word >= LEVEL_WORDS) {
    return bitcast<u32>(scales[GROUPS * number + word - LEVEL_WORDS]);
  }
  let byte = vec4<u32>(vec4<i32>(four_levels(number, word))) & vec4<u32>(0xffu);
  return byte.x | (byte.y << 8u) | (byte.z << 16u) | (byte.w << 24u);
}

/// What will be read of it.
fn rounded(number: u32, four: u32) -> vec4<f32> {
  return scales[GROUPS * number + four / 8u] * four_levels(number, four);
}
