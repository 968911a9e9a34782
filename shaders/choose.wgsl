// token = the best of all runs; seen[token] += 1
//
// Last step of choosing a token. Grid: (1).

struct Parameters {
  runs: u32,
}

@group(0) @binding(0) var<storage, read> partial: array<vec2<u32>>;         // [runs]: the score in its order, token
@group(0) @binding(1) var<storage, read_write> seen: array<u32>;            // [vocabulary]
@group(0) @binding(2) var<storage, read_write> token: array<u32>;           // [1]: what is chosen, or BAD

const BAD = 0xffffffffu;

@compute @workgroup_size(1)
fn main() {
  var best = partial[0].x;
  var chosen = partial[0].y;
  for (var run = 1u; run < parameters.runs; run += 1u) {
    let score = partial[run].x;
    if (partial[run].y == BAD || chosen == BAD) {
      chosen = BAD;
    } else if (score > best) {
      best = score;
      chosen = partial[run].y;
    }
  }
  token[0] = chosen;
  if (chosen != BAD) {
    seen[chosen] = (seen[chosen] + 1u) | 0x80000000u;
  }
}
