// words[bin] += what the g-th run's logits in the bin weigh: see weights.wgsl
//
// Only where top-k or top-p truncate; of both, for top-k. A workgroup adds up its run by itself, so that at most BINS words
// are added to what all see. Grid: (ceil(vocabulary / RUN)).

struct Parameters {
  vocabulary: u32,
  first: u32,        // of the logits
  runs: u32,
  top_k: u32,        // 0: all
  top_p: f32,        // 1: all
}

@group(0) @binding(0) var<storage, read> logits: array<f32>;                // [vocabulary], from parameters.first on
@group(0) @binding(1) var<storage, read> partial: array<vec2<u32>>;         // [runs]: the best logit in its order, token
@group(0) @binding(2) var<storage, read> masses: array<f32>;                // [runs], where there is no top-k
@group(0) @binding(3) var<storage, read_write> words: array<atomic<u32>>;   // zeros before the first one's

var<workgroup> histogram: array<atomic<u32>, BINS>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let best = logit_of(best_of_runs(thread));
  var mass = 0.0;
  if (parameters.top_k == 0u) {
    for (var run = thread; run < parameters.runs; run += THREADS) {
      mass += masses[run] * exp(logit_of(partial[run].x) - best);
    }
    mass = sum_of(thread, mass);
  }
  let end = min(RUN * (group.x + 1u), parameters.vocabulary);
  for (var token = RUN * group.x + thread; token < end; token += THREADS) {
    let logit = logits[parameters.first + token];
    var weight = 1u;
    if (parameters.top_k == 0u) {
      weight = share(logit, best, mass);
    }
    atomicAdd(&histogram[bin_of(logit, best)], weight);
  }
  workgroupBarrier();
  for (var bin = thread; bin < BINS; bin += THREADS) {
    let weight = atomicLoad(&histogram[bin]);
    if (weight > 0u) {
      atomicAdd(&words[bin], weight);
    }
  }
  if (group.x == 0u && thread == 0u) {
    atomicStore(&words[MASS], bitcast<u32>(mass));
  }
}
