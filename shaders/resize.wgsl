// sum = Σⱼ weights[i, j] · source[first[i] + j] + ½ along one axis; out = sum, or the number that its level becomes
//
// One of two passes that bring a picture to the size of a model, in integers. ROWS: the axis is that of rows, else of
// columns. LAST: the second pass, which writes planes of numbers; the first one writes colours again. A thread has one
// pixel. Grid: (ceil(width / 64), rows, further ones).

struct Parameters {
  width: u32,      // of the output
  row: u32,        // its first row in this dispatch
  stride: u32,     // pixels of a row of the source
  skip: u32,       // pixels that would be before the source's first
  count: u32,      // inputs of an output
  first: u32,      // where this axis's first begin among the tables
  weights: u32,    // and its weights
  out: u32,        // where planes begin
  plane: u32,      // values of a plane
  channels: u32,   // 3, or 1: luminance
}

@group(0) @binding(0) var<storage, read> source: array<u32>;        // [rows, stride]: RGBA
@group(0) @binding(1) var<storage, read> tables: array<u32>;        // levels [channels, 256]; of an axis: first [outputs], weights [outputs, count]
@group(0) @binding(2) var<storage, read_write> out: array<u32>;     // [rows, width]: RGBA; LAST: [channels, rows, width]: f32

const PRECISION = 22u;

/// In front of white, and as luminance where that is wanted.
fn opaque(pixel: u32) -> vec3<i32> {
  var colour = bytes(pixel);
  if (colour.a != 255u) {
    let sum = colour * colour.a + 255u * (255u - colour.a) + 128u;
    colour = (sum + (sum >> vec4<u32>(8u))) >> vec4<u32>(8u);
  }
  if (parameters.channels == 1u) {
    colour = vec4<u32>((19595u * colour.r + 38470u * colour.g + 7471u * colour.b + 0x8000u) >> 16u);
  }
  return vec3<i32>(colour.rgb);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let index = id.z * groups.y + id.y;
  if (index >= batch.len || id.x >= parameters.width) {
    return;
  }
  let row = parameters.row + index;
  var output = id.x;
  var at = index * parameters.stride + tables[parameters.first + id.x];
  var apart = 1u;
  if (ROWS == 1u) {
    output = row;
    at = tables[parameters.first + row] * parameters.stride + id.x;
    apart = parameters.stride;
  }
  at -= parameters.skip;
  var sum = vec3<i32>(1i << (PRECISION - 1u));
  for (var i = 0u; i < parameters.count; i += 1u) {
    let weight = bitcast<i32>(tables[parameters.weights + output * parameters.count + i]);
    sum += weight * opaque(source[at + i * apart]);
  }
  let levels = vec3<u32>(clamp(sum >> vec3<u32>(PRECISION), vec3<i32>(0), vec3<i32>(255)));
  let place = row * parameters.width + id.x;
  if (LAST == 0u) {
    out[place] = levels.r | (levels.g << 8u) | (levels.b << 16u) | 0xff000000u;
    return;
  }
  for (var channel = 0u; channel < parameters.channels; channel += 1u) {
    out[parameters.out + channel * parameters.plane + place] = tables[256u * channel + levels[channel]];
  }
}
