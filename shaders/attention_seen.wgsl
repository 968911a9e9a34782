// Before attention_one.wgsl: queries as they are, and keys that are all kept.

@group(0) @binding(0) var<storage, read> query: array<vec4<f32>>;           // [rows, heads, head_dim / 4]
@group(0) @binding(1) var<storage, read> keys: array<u32>;                  // [pages, PAGE, kv_heads, head], packed
@group(0) @binding(2) var<storage, read> values: array<u32>;                // likewise
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;       // as query, or [spans, heads, splits, head_dim / 4 + 1]
@group(0) @binding(4) var<storage, read> vectors: array<f32>;               // see score.wgsl
@group(0) @binding(5) var<storage, read> places: array<u32>;

var<workgroup> queries: array<vec4<f32>, HEADS * FOURS>;

/// The query heads from `head` to `last`; then the last one again.
fn load_queries(thread: u32, span: Span, number: u32, kv_head: u32, head: u32, last: u32) {
  for (var i = thread; i < HEADS * FOURS; i += THREADS) {
    queries[i] = query[(span.row * parameters.heads + min(head + i / FOURS, last)) * FOURS + i % FOURS];
  }
  workgroupBarrier();
}

fn keep(thread: u32, span: Span, kv_head: u32) {}

fn place_of(span: Span, position: u32, kv_head: u32) -> u32 {
  return (kept_at(span.pages, position) * parameters.kv_heads + kv_head) * HEAD_WORDS;
}

fn key_at(place: u32, four: u32) -> vec4<f32> {
  return key_four(place, four);
}

fn value_at(place: u32, four: u32) -> vec4<f32> {
  return value_four(place, four);
}
