// tiles: pairs of a row and one of its experts, row · used + k, sorted by expert, each expert's in whole tiles
//
// Prompts with a mixture of experts, before matrix_matrix.wgsl. A thread counts an expert's pairs, and puts them where those
// of the experts before it end. Grid: (1, 1, 1).

struct Parameters {
  pairs: u32,
  experts: u32,
  tokens: u32,   // of a tile
  tiles: u32,    // at most
}

@group(0) @binding(0) var<storage, read> routes: array<vec2<f32>>;     // [pairs]: expert, weight
@group(0) @binding(1) var<storage, read_write> tiles: array<u32>;      // [tiles]: experts; [tiles, tokens]: pairs; or NOBODY

const THREADS = 256u;
const NOBODY = 0xffffffffu;

var<workgroup> needed: array<u32, THREADS>;   // tiles of an expert

fn expert_of(pair: u32) -> u32 {
  return u32(routes[pair].x);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) local: u32) {
  for (var i = local; i < parameters.tiles * (1u + parameters.tokens); i += THREADS) {
    tiles[i] = NOBODY;
  }
  storageBarrier();
  var before = 0u;   // tiles of the experts before these
  for (var base = 0u; base < parameters.experts; base += THREADS) {
    let expert = base + local;
    var count = 0u;
    for (var pair = 0u; pair < parameters.pairs; pair += 1u) {
      count += select(0u, 1u, expert_of(pair) == expert);
    }
    needed[local] = (count + parameters.tokens - 1u) / parameters.tokens;
    workgroupBarrier();
    var tile = before;
    for (var i = 0u; i < THREADS; i += 1u) {
      before += needed[i];
      tile += select(0u, needed[i], i < local);
    }
    for (var i = 0u; i < needed[local]; i += 1u) {
      tiles[tile + i] = expert;
    }
    var at = parameters.tiles + tile * parameters.tokens;
    for (var pair = 0u; count > 0u && pair < parameters.pairs; pair += 1u) {
      if (expert_of(pair) == expert) {
        tiles[at] = pair;
        at += 1u;
      }
    }
    workgroupBarrier();
  }
}
