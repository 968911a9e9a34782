// orders = those of the logits in the bin where the best come to what top-k or top-p asks for: see weights.wgsl
//
// Of both, it is top-k's bin, and those before it belong to them. In which order they lie is chance. Grid: (ceil(vocabulary / RUN)).

struct Parameters {
  vocabulary: u32,
  first: u32,        // of the logits
  runs: u32,
  top_k: u32,        // 0: all
  top_p: f32,        // 1: all
}

@group(0) @binding(0) var<storage, read> logits: array<f32>;                // [vocabulary], from parameters.first on
@group(0) @binding(1) var<storage, read> partial: array<vec2<u32>>;         // [runs]: the best logit in its order, token
@group(0) @binding(2) var<storage, read_write> words: array<atomic<u32>>;

const BINS_EACH = BINS / THREADS;

var<workgroup> taken: atomic<u32>;
var<workgroup> lowest: atomic<u32>;     // the complement of the least order
var<workgroup> start: u32;

/// The bin, what those before it weigh, and whether it is enough with that.
fn find_bin(thread: u32, enough: u32) -> vec3<u32> {
  var weight = 0u;
  for (var i = 0u; i < BINS_EACH; i += 1u) {
    weight += atomicLoad(&words[BINS_EACH * thread + i]);
  }
  let among = first_enough(thread, weight, 0u, enough);
  var bin = BINS_EACH * among.x;
  var above = among.y;
  let last = bin + BINS_EACH - 1u;
  while (bin < last && above + atomicLoad(&words[bin]) < enough) {
    above += atomicLoad(&words[bin]);
    bin += 1u;
  }
  return vec3<u32>(bin, above, u32(above + atomicLoad(&words[bin]) >= enough));
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let best = logit_of(best_of_runs(thread));
  let both = parameters.top_k > 0u && parameters.top_p < 1.0;
  let bin = find_bin(thread, select(target_share(parameters.top_p), parameters.top_k, parameters.top_k > 0u));
  let first = select(bin.x, 0u, both);
  let end = min(RUN * (group.x + 1u), parameters.vocabulary);
  var count = 0u;
  for (var token = RUN * group.x + thread; token < end; token += THREADS) {
    let logit = logits[parameters.first + token];
    let own = bin_of(logit, best);
    if (own >= first && own <= bin.x) {
      count += 1u;
      atomicMax(&lowest, ~ordered(logit));
    }
  }
  var place = atomicAdd(&taken, count);
  workgroupBarrier();
  if (thread == 0u) {
    start = atomicAdd(&words[COUNT], atomicLoad(&taken));
    // Where shares do not come to what is asked for, all stay: there is no least one.
    atomicMax(&words[LEAST], select(0xffffffffu, atomicLoad(&lowest), bin.z != 0u));
    atomicStore(&words[ABOVE], select(bin.y, 0u, both));
  }
  place += workgroupUniformLoad(&start);
  for (var token = RUN * group.x + thread; token < end; token += THREADS) {
    let logit = logits[parameters.first + token];
    let own = bin_of(logit, best);
    if (own >= first && own <= bin.x) {
      atomicStore(&words[ORDERS + place], ordered(logit));
      place += 1u;
    }
  }
}
