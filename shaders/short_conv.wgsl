// out[row, c] = C[row, c] · (Σ_t taps[c, t] · bx[position − (taps − 1) + t, c] + bias[c]), bx = B · x; the pool's columns = bx
//
// LFM2's gated short convolution. What came with this batch is computed again from its rows, what came before lies in the
// pool: nobody waits for another. A thread has a channel of a row. Grid: (ceil(width / 64), rows, further ones).

struct Parameters {
  width: u32,
  taps: u32,
  weight: u32,   // where the taps begin
  bias: u32,     // 1 more than where it begins; 0: none
  places: u32,   // where the rows' begin: see places.wgsl
}

@group(0) @binding(0) var<storage, read> x: array<f32>;                 // [rows, 3, width]: B, C, x
@group(0) @binding(1) var<storage, read> vectors: array<f32>;           // [width, taps], [width]
@group(0) @binding(2) var<storage, read_write> columns: array<f32>;     // [pages, PAGE, width]
@group(0) @binding(3) var<storage, read_write> out: array<f32>;         // [rows, width]
@group(0) @binding(4) var<storage, read> places: array<u32>;

/// What a row of the batch brings to a channel.
fn gated(row: u32, channel: u32) -> f32 {
  let at = 3u * row * parameters.width + channel;
  return x[at] * x[at + 2u * parameters.width];
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let row = id.z * groups.y + id.y;
  let channel = id.x;
  if (row >= places[parameters.places] || channel >= parameters.width) {
    return;
  }
  let span = span_of_row(row);
  let position = span.position + row - span.row;
  var sum = 0.0;
  if (parameters.bias != 0u) {
    sum = vectors[parameters.bias - 1u + channel];
  }
  for (var tap = 0u; tap < parameters.taps; tap += 1u) {
    let back = parameters.taps - 1u - tap;
    if (back > position) {
      continue;
    }
    var value = 0.0;
    if (position - back >= span.position) {
      value = gated(row - back, channel);
    } else {
      value = columns[kept_at(span.pages, position - back) * parameters.width + channel];
    }
    sum += vectors[parameters.weight + channel * parameters.taps + tap] * value;
  }
  columns[places[parameters.places + HEADER + row] * parameters.width + channel] = gated(row, channel);
  out[row * parameters.width + channel] = x[(3u * row + 1u) * parameters.width + channel] * sum;
}
