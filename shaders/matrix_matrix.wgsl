// out[t, r] = (Σ_c weight[r, c] · x[t, c] + bias[r]) · scale[r], replacing, adding, activated, or as activation(gate) · up
//
// Prompts and images; with product_experts.wgsl in place of product.wgsl, prompts with a mixture of experts. A workgroup makes
// a tile of TOKENS tokens and ROWS rows, a thread TOKENS_EACH × ROWS_EACH of it, while 32 columns at a time pass through
// workgroup memory: each word of the weights is fetched once a tile, and while a step is multiplied the next is on its
// way. The tiles are those of tiles_floats.wgsl, of floats or halves, or of tiles_bytes.wgsl. They lie columns first, so
// that neighbouring threads read neighbouring words. GATED: the first half of a tile's rows are of a gate, the others of
// the matrix that it gates.
// Grid: (Σ ceil(rows / ROWS), ceil(tokens / TOKENS), further ones).
//
// By arithmetic: a step of a thread with 4 × 4 sums is 128 multiplications of fours for 64 reads of them out of workgroup
// memory, of which the sixteen threads beside it, or behind, read the same. SmolLM2's 576 rows and 128 tokens were 18
// workgroups of 64 threads, one for each seventh core of a large GPU; with 2 × 2 sums they are 72 of 256.

@group(0) @binding(0) var<storage, read> x: array<Input>;               // [tokens, columns] floats, or from quantise.wgsl or halve.wgsl
@group(0) @binding(1) var<storage, read> weights: array<vec4<u32>>;     // [rows, units], packed
@group(0) @binding(2) var<storage, read> scales: array<u32>;            // the same memory
@group(0) @binding(3) var<storage, read> vectors: array<f32>;           // biases and scales
@group(0) @binding(4) var<storage, read_write> out: array<f32>;         // [tokens, stride]

const THREADS = 256u;
const ACROSS = 16u;                       // threads along the rows, and along the tokens
const ROWS = ACROSS * ROWS_EACH;
const TOKENS = ACROSS * TOKENS_EACH;
const OUTPUTS = ROWS / (1u + GATED);      // rows of the output
const FOURS_OF_STEP = 8u;
const UNITS_OF_STEP = FOURS_OF_STEP / FOURS;

/// A step's `index`-th unit. Rows and units beyond the matrix are fetched as its last: nobody writes those rows, and inputs
/// beyond the last column are zeros.
fn fetch_unit(index: u32, first_row: u32, step: u32) -> Unit {
  let row = index / UNITS_OF_STEP;
  let unit = min(step * UNITS_OF_STEP + index % UNITS_OF_STEP, parameters.units - 1u);
  var start = weights_start();
  if (GATED != 0u && row >= OUTPUTS) {
    start = second_start();
  }
  return unit_at(start, min(first_row + row % OUTPUTS, matrix_rows() - 1u) * parameters.units + unit);
}

fn write_token(token: u32, row: u32, sums: vec4<f32>) {
  if (GATED != 0u) {
    if (ROWS_EACH == 4u) {
      write_gated(token, row, sums.x, sums.z);
      write_gated(token, row + ACROSS, sums.y, sums.w);
    } else {
      write_gated(token, row, sums.x, sums.y);
    }
    return;
  }
  write(token, row, sums.x);
  if (ROWS_EACH != 1u) {
    write(token, row + ACROSS, sums.y);
  }
  if (ROWS_EACH == 4u) {
    write(token, row + 2u * ACROSS, sums.z);
    write(token, row + 3u * ACROSS, sums.w);
  }
}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let first_token = (group.z * groups.y + group.y) * TOKENS;
  if (!begin_tile(group.x, first_token)) {
    return;
  }
  let first_row = groups_before(group.x) * OUTPUTS;
  let row = thread % ACROSS;
  let token = thread / ACROSS;
  // Sums by name, not in an array: whoever compiles this without unrolling would keep an array in memory.
  var sums0 = vec4<f32>();
  var sums1 = vec4<f32>();
  var sums2 = vec4<f32>();
  var sums3 = vec4<f32>();
  let steps = (parameters.columns + FOURS_OF_STEP - 1u) / FOURS_OF_STEP;
  var next = fetch(thread, first_row, first_token, 0u);
  for (var step = 0u; step < steps; step += 1u) {
    store(thread, next);
    workgroupBarrier();
    if (step + 1u < steps) {
      next = fetch(thread, first_row, first_token, step + 1u);
    }
    for (var part = 0u; part < PARTS; part += 1u) {
      let w = weights_at(part, row);
      sums0 += products(part, token, w);
      if (TOKENS_EACH != 1u) {
        sums1 += products(part, token + ACROSS, w);
      }
      if (TOKENS_EACH == 4u) {
        sums2 += products(part, token + 2u * ACROSS, w);
        sums3 += products(part, token + 3u * ACROSS, w);
      }
    }
    workgroupBarrier();
  }
  let t = first_token + token;
  let r = first_row + row;
  write_token(t, r, whole(t, sums0));
  if (TOKENS_EACH != 1u) {
    write_token(t + ACROSS, r, whole(t + ACROSS, sums1));
  }
  if (TOKENS_EACH == 4u) {
    write_token(t + 2u * ACROSS, r, whole(t + 2u * ACROSS, sums2));
    write_token(t + 3u * ACROSS, r, whole(t + 3u * ACROSS, sums3));
  }
}
