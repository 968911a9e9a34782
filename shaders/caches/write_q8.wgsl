// A cache of signed bytes: HEAD_DIM / 4 words for each position and head, then a float's scale for each 32 values.
const LEVEL_WORDS = HEAD_DIM / 4u;
const HEAD_WORDS = LEVEL_WORDS + (HEAD_DIM + 31u) / 32u;

/// The scale of 32 values: the largest becomes 127.
fn group_scale(group: u32) -> f32 {
  var largest = 0.0;
  for (var i = 32u * group; i < min(32u * group + 32u, HEAD_DIM); i += 1u) {
    largest = max(largest, abs(head[i]));
  }
  return largest / 127.0;
}

fn packed(word: u32) -> u32 {
  if (word >= LEVEL_WORDS) {
    return bitcast<u32>(group_scale(word - LEVEL_WORDS));
  }
  let scale = group_scale(word / 8u);
  let four = vec4<f32>(head[4u * word], head[4u * word + 1u], head[4u * word + 2u], head[4u * word + 3u]);
  let level = vec4<i32>(round(select(four / scale, vec4<f32>(0.0), scale == 0.0)));
  let byte = vec4<u32>(level) & vec4<u32>(0xffu);
  return byte.x | (byte.y << 8u) | (byte.z << 16u) | (byte.w << 24u);
}

