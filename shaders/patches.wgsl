// out[image, before + p] = the pixels of patch p, channel by channel and line by line, then zeros
//
// Rows before an image's patches are zeros: its class token and the like stand there. A thread has one value.
// Grid: (ceil(columns / 64), images · tokens, further ones).

struct Parameters {
  channels: u32,
  height: u32,         // of an image
  width: u32,
  patch_height: u32,
  patch_width: u32,
  before: u32,
  columns: u32,        // of a row
  tokens: u32,         // rows of an image
  across: u32,         // patches side by side
}

@group(0) @binding(0) var<storage, read> images: array<f32>;            // [images, channels, height, width]
@group(0) @binding(1) var<storage, read_write> out: array<f32>;         // [images, tokens, columns]

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let row = id.z * groups.y + id.y;
  let column = id.x;
  if (row >= batch.len || column >= parameters.columns) {
    return;
  }
  let image = row / parameters.tokens;
  let token = row % parameters.tokens;
  let area = parameters.patch_height * parameters.patch_width;
  var value = 0.0;
  if (token >= parameters.before && column < parameters.channels * area) {
    let patch_index = token - parameters.before;
    let channel = column / area;
    let y = patch_index / parameters.across * parameters.patch_height + column % area / parameters.patch_width;
    let x = patch_index % parameters.across * parameters.patch_width + column % parameters.patch_width;
    value = images[((image * parameters.channels + channel) * parameters.height + y) * parameters.width + x];
  }
  out[row * parameters.columns + column] = value;
}
