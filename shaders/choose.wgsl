// tokens[at] = the best of all runs; seen[tokens[at]] += 1
//
// Last step of choosing a token: 256 runs are a look into memory each and then two steps of sixteen. Grid: (1).

struct Parameters {
  runs: u32,
  at: u32,  // among the tokens that are chosen of one sequence at a time
}

@group(0) @binding(0) var<storage, read> partial: array<vec2<u32>>;         // [runs]: the score in its order, token
@group(0) @binding(1) var<storage, read_write> seen: array<u32>;            // [vocabulary]
@group(0) @binding(2) var<storage, read_write> tokens: array<u32>;          // [MOST_CHOICES]: what is chosen, or BAD

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) thread: u32) {
  // Less than any.
  var best = vec2<u32>(0u, BAD);
  for (var run = thread; run < parameters.runs; run += THREADS) {
    best = better(best, partial[run]);
  }
  let chosen = best_of(thread, best).y;
  if (thread == 0u) {
    tokens[parameters.at] = chosen;
    if (chosen != BAD) {
      seen[chosen] = (seen[chosen] + 1u) | 0x80000000u;
    }
  }
}
