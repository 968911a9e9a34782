//! Attention: of one query as in decoding, and of a prompt's.

use crate::kept::Kept;
use crate::{Lab, clock, say};
use azulejo::device::gpu::Gpu;
use azulejo::device::{AttentionShape, CacheType, CachedAttention, Device, PositionBias, Seen, Span, StateShape};
use serde_json::json;

/// Heads, heads of keys and values, and a head's size: SmolLM2-135M's, Llama 3 8B's.
const SHAPES: [[usize; 3]; 2] = [[9, 3, 64], [32, 8, 128]];
const CACHES: [CacheType; 3] = [CacheType::F16, CacheType::Q8, CacheType::F32];
/// Queries, and keys at the last of them.
const DECODING: [(usize, usize); 5] = [(1, 64), (1, 512), (1, 4096), (1, 16384), (1, 32768)];
const PROMPTS: [(usize, usize); 4] = [(128, 128), (512, 512), (128, 4096), (512, 4096)];
const SMALL: [(usize, usize); 3] = [(1, 64), (1, 300), (32, 64)];
/// Of all layers' keys and values together, at most: layers take turns, so that no cache has them.
const COLD: usize = 512 << 20;
const MOST_LAYERS: usize = 32;

pub fn measure(lab: &Lab) {
    let empty = clock::empty(lab);
    let sizes = lab.size([&DECODING[..], &PROMPTS[..]].concat(), SMALL.to_vec());
    for cache in CACHES {
        for shape in SHAPES {
            for (queries, keys) in &sizes {
                if !lab.goes_on() {
                    return say(json!({ "ended": format!("before {cache:?} {shape:?}, {keys} keys") }));
                }
                attend(lab, cache, shape, *queries, *keys, empty);
            }
        }
    }
}

fn value_bytes(cache: CacheType) -> f64 {
    match cache {
        CacheType::F32 => 4.0,
        CacheType::F16 => 2.0,
        // A level each, and a scale for each 32.
        CacheType::Q8 => 1.125,
    }
}

fn attend(
    lab: &Lab,
    cache: CacheType,
    [heads, kv_heads, head_dim]: [usize; 3],
    queries: usize,
    keys: usize,
    empty: f64,
) {
    let scale = (head_dim as f32).sqrt().recip();
    let shape = AttentionShape { heads, kv_heads, head_dim, scale, causal: true, window: None, soft_cap: None };
    let layer_bytes = 2.0 * (keys * kv_heads * head_dim) as f64 * value_bytes(cache);
    let layers = ((COLD as f64 / layer_bytes) as usize).clamp(1, lab.size(MOST_LAYERS, 2));
    let mut gpu = Gpu::new(lab.kernels.clone()).expect("a device");
    let layer = StateShape::KeysValues { kv_heads, head_dim, window: None };
    let mut kept = Kept::<Gpu>::of(&vec![layer; layers], cache, 1).dense();
    let what = format!("attention {cache:?} {heads}/{kv_heads} × {head_dim}, {queries} queries, {keys} keys");
    if let Err(error) = kept.reserve(&mut gpu, &lab.kernels.context, 0, 0..keys) {
        return say(json!({ "what": what, "skipped": error.to_string() }));
    }
    let len = queries * heads * head_dim;
    let (Ok(query), Ok(mut out)) = (gpu.buffer(len), gpu.buffer(len)) else {
        return say(json!({ "what": what, "skipped": "no memory for it" }));
    };
    let spans = [Span::new(0, queries, keys - queries, 0)];
    let mut places = None;
    let timed = clock::time(lab, &mut gpu, &spans, empty, |gpu, before| {
        if before.in_batch == 0 {
            places = Some(kept.places(gpu, &spans));
        }
        let bias = PositionBias::None;
        let attention = CachedAttention::<Gpu> { layer: before.all % layers, shape, bias, sinks: None };
        gpu.attend(&attention, &query, places.as_ref().expect("put there"), Seen::Kept(&kept.state), &mut out);
    });
    let pairs: usize = (0..queries).map(|query| keys - queries + query + 1).sum();
    say(json!({
        "what": what, "cache": format!("{cache:?}"), "queries": queries, "keys": keys, "layers": layers,
        "times": timed.times, "ms": 1e3 * timed.seconds,
        "bytes": layer_bytes + 8.0 * len as f64,
        "operations": 4.0 * (heads * head_dim) as f64 * pairs as f64,
    }));
}
