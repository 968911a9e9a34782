// out[t, r] = (Σ_c weight[r, c] · x[t, c] + bias[r]) · scale[r], replacing, adding, activated, or as activation(out) · that
//
// Prompts and images; with product_experts.wgsl in place of product.wgsl, prompts with a mixture of experts. A workgroup makes a tile of TOKENS tokens and ROWS rows, a thread TOKENS_EACH × 8 of it, while
// sixteen columns at a time pass through workgroup memory: weights are unpacked once for all tokens of the tile.
// The tiles are tiles_floats.wgsl's or tiles_bytes.wgsl's. They lie columns first, so that neighbouring threads read
// neighbouring words.
// Grid: (ceil(rows / ROWS), ceil(tokens / TOKENS), further ones).

@group(0) @binding(0) var<storage, read> x: array<vec4<u32>>;           // [tokens, columns] floats, or from quantise.wgsl
@group(0) @binding(1) var<storage, read> weights: array<u32>;           // [rows, 16 · units], packed
@group(0) @binding(2) var<storage, read> vectors: array<f32>;           // biases and scales
@group(0) @binding(3) var<storage, read_write> out: array<f32>;         // [tokens, stride]

const ROWS = 64u;
const TOKENS = 8u * TOKENS_EACH;

fn write_eight(token: u32, row: u32, sums: mat2x4<f32>) {
  for (var i = 0u; i < 4u; i += 1u) {
    write(token, row + 8u * i, sums[0][i]);
    write(token, row + 32u + 8u * i, sums[1][i]);
  }
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let first_row = group.x * ROWS;
  let first_token = (group.z * groups.y + group.y) * TOKENS;
  if (!begin_tile(first_token)) {
    return;
  }
  let row = thread % 8u;
  let token = thread / 8u;
  // Sums by name, not in an array: whoever compiles this without unrolling would keep an array in memory.
  var sums0 = mat2x4<f32>();
  var sums1 = mat2x4<f32>();
  var sums2 = mat2x4<f32>();
  var sums3 = mat2x4<f32>();
  var sums4 = mat2x4<f32>();
  var sums5 = mat2x4<f32>();
  var sums6 = mat2x4<f32>();
  var sums7 = mat2x4<f32>();
  for (var unit = 0u; unit < parameters.units; unit += 1u) {
    load_weights(thread, first_row, unit);
    load_x(thread, first_token, unit);
    workgroupBarrier();
    for (var step = 0u; step < STEPS; step += 1u) {
      let w = weights_at(step, row);
      sums0 += products(step, token, w);
      if (TOKENS_EACH > 1u) {
        sums1 += products(step, token + 8u, w);
      }
      if (TOKENS_EACH > 2u) {
        sums2 += products(step, token + 16u, w);
        sums3 += products(step, token + 24u, w);
      }
      if (TOKENS_EACH > 4u) {
        sums4 += products(step, token + 32u, w);
        sums5 += products(step, token + 40u, w);
        sums6 += products(step, token + 48u, w);
        sums7 += products(step, token + 56u, w);
      }
    }
    workgroupBarrier();
  }
  let t = first_token + token;
  let r = first_row + row;
  write_eight(t, r, sums0);
  if (TOKENS_EACH > 1u) {
    write_eight(t + 8u, r, sums1);
  }
  if (TOKENS_EACH > 2u) {
    write_eight(t + 16u, r, sums2);
    write_eight(t + 24u, r, sums3);
  }
  if (TOKENS_EACH > 4u) {
    write_eight(t + 32u, r, sums4);
    write_eight(t + 40u, r, sums5);
    write_eight(t + 48u, r, sums6);
    write_eight(t + 56u, r, sums7);
  }
}
