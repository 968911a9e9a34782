// truncation = the least logit that top-k and then top-p leave: see weights.wgsl
//
// One workgroup looks for it among those that gather.wgsl has put aside, a byte of its bits at a time, from the top: a
// histogram of counts for top-k, of shares for top-p. Logits that equal the least one all stay. Leaves the words as zeros
// for the next token. Grid: (1).

struct Parameters {
  runs: u32,
  top_k: u32,        // 0: all
  top_p: f32,        // 1: all
}

@group(0) @binding(0) var<storage, read> partial: array<vec2<u32>>;         // [runs]: the best logit in its order, token
@group(0) @binding(1) var<storage, read_write> words: array<atomic<u32>>;
@group(0) @binding(2) var<storage, read_write> truncation: array<f32>;      // [1]: the least logit

var<workgroup> histogram: array<atomic<u32>, THREADS>;
var<workgroup> masses: array<atomic<u32>, 3>;

/// The largest `least` for which the logits from it on weigh `enough`, beginning with `before`; a logit weighs 1, or with
/// `mass` its share. Only those from `lowest` on count.
fn search(thread: u32, lowest: u32, before: u32, enough: u32, best: f32, mass: f32) -> u32 {
  var least = 0u;
  var above = before;
  for (var shift = 32u; shift > 0u; shift -= 8u) {
    atomicStore(&histogram[thread], 0u);
    workgroupBarrier();
    for (var i = thread; i < atomicLoad(&words[COUNT]); i += THREADS) {
      let order = atomicLoad(&words[ORDERS + i]);
      // A shift by all bits is none.
      if (order >= lowest && (shift == 32u || (order >> (shift % 32u)) == (least >> (shift % 32u)))) {
        var weight = 1u;
        if (mass > 0.0) {
          weight = share(logit_of(order), best, mass);
        }
        atomicAdd(&histogram[(order >> (shift - 8u)) & 0xffu], weight);
      }
    }
    workgroupBarrier();
    let byte = THREADS - 1u - thread;
    let next = first_enough(thread, atomicLoad(&histogram[byte]), above, enough);
    least |= (THREADS - 1u - next.x) << (shift - 8u);
    above = next.y;
  }
  return least;
}

/// Σ exp(logit − best) of those from `lowest` on. In whole numbers, since it is chance who is added first: three of 10
/// binary places each, of which a million do not come to 2³².
fn mass_from(thread: u32, lowest: u32, best: f32) -> f32 {
  var sums = vec3<u32>(0u);
  for (var i = thread; i < atomicLoad(&words[COUNT]); i += THREADS) {
    let order = atomicLoad(&words[ORDERS + i]);
    if (order >= lowest) {
      let weight = u32(round(exp(logit_of(order) - best) * 1073741824.0));
      sums += (vec3<u32>(weight) >> vec3<u32>(20u, 10u, 0u)) & vec3<u32>(2047u, 1023u, 1023u);
    }
  }
  atomicAdd(&masses[0], sums.x);
  atomicAdd(&masses[1], sums.y);
  atomicAdd(&masses[2], sums.z);
  workgroupBarrier();
  let whole = vec3<f32>(vec3<u32>(atomicLoad(&masses[0]), atomicLoad(&masses[1]), atomicLoad(&masses[2])));
  return (whole.x + (whole.y + whole.z / 1024.0) / 1024.0) / 1024.0;
}

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) thread: u32) {
  let best = logit_of(best_of_runs(thread));
  let above = atomicLoad(&words[ABOVE]);
  var threshold = ~atomicLoad(&words[LEAST]);
  var mass = bitcast<f32>(atomicLoad(&words[MASS]));
  if (parameters.top_k > 0u) {
    threshold = search(thread, 0u, above, parameters.top_k, best, 0.0);
    mass = mass_from(thread, threshold, best);
  }
  if (parameters.top_p < 1.0) {
    threshold = max(threshold, search(thread, threshold, above, target_share(parameters.top_p), best, mass));
  }
  if (thread == 0u) {
    truncation[0] = logit_of(max(threshold, ordered(LOWEST)));
  }
  for (var i = thread; i < ORDERS; i += THREADS) {
    atomicStore(&words[i], 0u);
  }
}
