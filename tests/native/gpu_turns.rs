//! Several tables of rotary angles in one batch, and copied caches, on the GPU and on the CPU.

use azulejo::device::gpu::native::run;
use azulejo::device::gpu::{Context, Wishes};
use azulejo::device::{Attention, AttentionShape, CacheType, Device, Heads, PositionBias, RopePairs, Rotations, Span};
use azulejo::model::rope::{Angles, RopeTable};

use crate::devices::{cpu, first, gpu, gpus, shared};
use crate::random::Random;
use crate::verbs::{filled, read};

fn shape(heads: usize, kv_heads: usize, head_dim: usize) -> AttentionShape {
    AttentionShape { heads, kv_heads, head_dim, scale: 0.3, causal: true, window: None, soft_cap: None, block: None }
}

/// A head at `position` after its turn, in f64.
fn turned(head: &[f32], position: usize, turn: Option<&RopeTable>, pairs: RopePairs) -> Vec<f64> {
    let mut out: Vec<f64> = head.iter().map(|value| f64::from(*value)).collect();
    let Some(RopeTable { frequencies, magnitude }) = turn else { return out };
    for (pair, frequency) in frequencies.iter().enumerate() {
        let (i, j) = match pairs {
            RopePairs::HalfSplit => (pair, pair + frequencies.len()),
            RopePairs::Interleaved => (2 * pair, 2 * pair + 1),
        };
        // The angle is a float: far positions' are rounded.
        let (sin, cos) = f64::from(position as f32 * frequency).sin_cos();
        let (a, b) = (f64::from(head[i]), f64::from(head[j]));
        out[i] = f64::from(*magnitude) * (a * cos - b * sin);
        out[j] = f64::from(*magnitude) * (a * sin + b * cos);
    }
    out
}

/// Three layers in one batch, two of which turn, each its own way.
fn turn_layers<D: Device>(device: &mut D, context: &Context, head_dim: usize, pairs: RopePairs, name: &str) {
    let (shape, mut random) = (shape(3, 1, head_dim), Random::new(head_dim as u64));
    // Of all dimensions, slowly; of some, quickly.
    let slow: Vec<f32> = (0..head_dim / 2).map(|pair| 1e4f32.powf(-2.0 * pair as f32 / head_dim as f32)).collect();
    let quick: Vec<f32> = (0..head_dim / 4).map(|pair| 10f32.powf(-(pair as f32))).collect();
    let turns = [(slow, 1.0), (quick, 1.25)].map(|(frequencies, magnitude)| RopeTable { frequencies, magnitude });
    let spans = [Span::new(0, 3, 5, 0), Span::new(3, 1, 90, 1), Span::new(4, 2, 0, 2)];
    let positions: Vec<usize> = spans.iter().flat_map(|span| span.position..span.keys).collect();
    let mut caches: Vec<D::Cache> = spans.iter().map(|_| D::cache(3, 1, head_dim, CacheType::F32)).collect();
    for (span, cache) in spans.iter().zip(&mut caches) {
        run(Some(context), device.reserve(cache, span.keys)).unwrap();
    }
    let mut rows = |device: &mut D, heads: usize| {
        let values = random.floats(positions.len() * heads * head_dim);
        (filled(device, &values, heads * head_dim), values)
    };
    let mut layers = [(); 3].map(|()| [rows(device, 3), rows(device, 1)]);
    let order = [Some(1), None, Some(0)];
    device.begin(&spans, Angles::of(&turns, &spans).rotations());
    for (layer, ([(query, _), (key, values)], turn)) in layers.iter_mut().zip(order).enumerate() {
        let value = device.upload(values).unwrap();
        let mut heads = Heads { query, key, value: &value, norms: None, turn, pairs };
        device.store(layer, &shape, &mut heads, &spans, &mut caches);
    }
    for (layer, turn) in layers.iter().zip(order) {
        for ((buffer, values), heads) in layer.iter().zip([3, 1]) {
            let found = read(device, context, buffer, values.len());
            for (n, (found, head)) in found.chunks(head_dim).zip(values.chunks(head_dim)).enumerate() {
                let expected = turned(head, positions[n / heads], turn.map(|turn| &turns[turn]), pairs);
                for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
                    let what = format!("{pairs:?}, {turn:?}, {head_dim}, {name}, head {n} [{i}]");
                    assert!((f64::from(*found) - expected).abs() < 1e-6, "{what}: {found}, expected {expected}");
                }
            }
        }
    }
}

#[test]
pub fn layers_of_one_batch_turn_by_their_own_table_or_not_at_all() {
    for (name, kernels) in gpus() {
        for head_dim in [8, 12, 80] {
            for pairs in [RopePairs::HalfSplit, RopePairs::Interleaved] {
                turn_layers(&mut cpu(2), &kernels.context, head_dim, pairs, "CPU");
                turn_layers(&mut gpu(&kernels), &kernels.context, head_dim, pairs, name);
            }
        }
    }
}

/// Stores random keys and values of that span in all layers of its cache.
fn store<D: Device>(device: &mut D, context: &Context, span: Span, cache: &mut D::Cache, seed: u64) {
    let (shape, mut random) = (shape(0, 2, 40), Random::new(seed));
    run(Some(context), device.reserve(cache, span.keys)).unwrap();
    for layer in 0..2 {
        let mut rows = || filled(device, &random.floats(span.len * 80), 80);
        let (mut key, value) = (rows(), rows());
        let mut query = device.buffer(0).unwrap();
        device.begin(&[span], Rotations::default());
        let pairs = RopePairs::HalfSplit;
        let mut heads = Heads { query: &mut query, key: &mut key, value: &value, norms: None, turn: None, pairs };
        device.store(layer, &shape, &mut heads, &[span], std::slice::from_mut(cache));
    }
}

/// What a token sees of the first `keys` of a cache, in all layers.
fn seen<D: Device>(device: &mut D, context: &Context, keys: usize, cache: &D::Cache) -> Vec<f32> {
    let query = filled(device, &Random::new(3).floats(160), 160);
    let span = [Span::new(0, 1, keys - 1, 0)];
    let mut all = Vec::new();
    for layer in 0..2 {
        let mut out = device.buffer(160).unwrap();
        device.begin(&span, Rotations::default());
        let attention = Attention { layer, shape: shape(4, 2, 40), bias: PositionBias::None, sinks: None };
        device.attend(&attention, &query, &span, std::slice::from_ref(cache), &mut out);
        all.extend(read(device, context, &out, 160));
    }
    all
}

fn copy<D: Device>(device: &mut D, context: &Context, ty: CacheType, name: &str) {
    let new = || D::cache(2, 2, 40, ty);
    let (mut from, mut empty, mut used) = (new(), new(), new());
    store(device, context, Span::new(0, 30, 0, 0), &mut from, 1);
    store(device, context, Span::new(0, 50, 0, 0), &mut used, 2);
    let (original, front) = (seen(device, context, 30, &from), seen(device, context, 23, &from));
    for to in [&mut empty, &mut used] {
        run(Some(context), device.copy_cache(&from, 23, to)).unwrap();
        assert_eq!(seen(device, context, 23, to), front, "{ty:?}, {name}");
        // Each goes on by itself.
        store(device, context, Span::new(0, 7, 23, 0), to, 4);
        assert_ne!(seen(device, context, 30, to), original, "{ty:?}, {name}");
        assert_eq!(seen(device, context, 30, &from), original, "{ty:?}, {name}");
        assert_eq!(seen(device, context, 23, to), front, "{ty:?}, {name}");
    }
    assert_eq!(seen(device, context, 30, &empty), seen(device, context, 30, &used), "{ty:?}, {name}");
    // Back, and nothing at all.
    run(Some(context), device.copy_cache(&used, 30, &mut from)).unwrap();
    assert_eq!(seen(device, context, 30, &from), seen(device, context, 30, &used), "{ty:?}, {name}");
    run(Some(context), device.copy_cache(&new(), 0, &mut from)).unwrap();
    assert_eq!(seen(device, context, 30, &from), seen(device, context, 30, &used), "{ty:?}, {name}");
}

#[test]
pub fn a_copied_cache_holds_the_first_tokens_and_goes_on_by_itself() {
    for (name, kernels) in gpus() {
        for ty in [CacheType::F32, CacheType::F16, CacheType::Q8] {
            copy(&mut cpu(1), &kernels.context, ty, "CPU");
            copy(&mut gpu(&kernels), &kernels.context, ty, name);
        }
    }
}

/// Tokens that are stored among others, turned: what was behind them is still there.
fn store_among<D: Device>(device: &mut D, context: &Context, ty: CacheType) -> Vec<f32> {
    let mut cache = D::cache(2, 2, 40, ty);
    store(device, context, Span::new(0, 30, 0, 0), &mut cache, 1);
    let (span, shape, mut random) = ([Span::new(0, 17, 6, 0)], shape(4, 2, 40), Random::new(5));
    let frequencies: Vec<f32> = (0..20).map(|pair| 0.1 * pair as f32).collect();
    let mut rows = |width: usize| filled(device, &random.floats(17 * width), width);
    let (mut query, mut key, value) = (rows(160), rows(80), rows(80));
    let table = RopeTable { frequencies, magnitude: 1.0 };
    device.begin(&span, Angles::of(&[table], &span).rotations());
    let pairs = RopePairs::HalfSplit;
    let mut heads = Heads { query: &mut query, key: &mut key, value: &value, norms: None, turn: Some(0), pairs };
    device.store(0, &shape, &mut heads, &span, std::slice::from_mut(&mut cache));
    seen(device, context, 30, &cache)
}

#[test]
pub fn tokens_behind_those_that_are_stored_stay_as_they_are() {
    // In short grids, too: those are folded, so that their last workgroups have nothing to do.
    let short = shared(&Wishes { most_groups: Some(12), ..Wishes::default() });
    for (name, kernels) in [("all features", first()), ("short grids", short)] {
        for (ty, tolerance) in [(CacheType::F32, 1e-5), (CacheType::F16, 1e-3), (CacheType::Q8, 1e-2)] {
            let expected = store_among(&mut cpu(1), &kernels.context, ty);
            let found = store_among(&mut gpu(&kernels), &kernels.context, ty);
            for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                assert!((found - expected).abs() < tolerance, "{ty:?}, {name} [{i}]: {found}, expected {expected}");
            }
        }
    }
}
