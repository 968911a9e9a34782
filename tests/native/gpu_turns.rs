//! Several tables of rotary angles in one batch, and sequences with a common beginning, on the GPU and on the CPU.

use azulejo::device::gpu::{Context, Wishes};
use azulejo::device::{
    AttentionShape, CacheType, CachedAttention, Device, PositionBias, Qkv, RopePairs, Rotations, Seen, Span,
};
use azulejo::model::rope::{Angles, RopeTable};

use crate::devices::{cpu, first, gpu, gpus, shared};
use crate::kept::Kept;
use crate::random::Random;
use crate::verbs::{filled, read};

fn shape(heads: usize, kv_heads: usize, head_dim: usize) -> AttentionShape {
    AttentionShape { heads, kv_heads, head_dim, scale: 0.3, causal: true, window: None, soft_cap: None }
}

/// A head at `position` after its turn, in f64.
fn turned(head: &[f32], position: usize, turn: Option<&RopeTable>, pairs: RopePairs) -> Vec<f64> {
    let mut out: Vec<f64> = head.iter().map(|value| f64::from(*value)).collect();
    let Some(RopeTable { frequencies, magnitude, .. }) = turn else { return out };
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
    let turns =
        [(slow, 1.0), (quick, 1.25)].map(|(frequencies, magnitude)| RopeTable { frequencies, magnitude, beyond: None });
    let spans = [Span::new(0, 3, 5, 0), Span::new(3, 1, 90, 1), Span::new(4, 2, 0, 2)];
    let positions: Vec<usize> = spans.iter().flat_map(|span| span.position..span.keys).collect();
    let mut kept = Kept::new(3, &shape, CacheType::F32, spans.len());
    for span in &spans {
        kept.reserve(device, context, span.table, 0..span.keys).unwrap();
    }
    let mut rows = |device: &mut D, heads: usize| {
        let values = random.floats(positions.len() * heads * head_dim);
        (filled(device, &values, heads * head_dim), values)
    };
    let mut layers = [(); 3].map(|()| [rows(device, 3), rows(device, 1)]);
    let order = [Some(1), None, Some(0)];
    device.begin(&spans, Angles::of(&turns, &spans).rotations());
    let places = kept.places(device, &spans);
    for (layer, ([(query, _), (key, values)], turn)) in layers.iter_mut().zip(order).enumerate() {
        let value = device.upload(values).unwrap();
        let mut heads = Qkv { query, key, value: &value, norms: None, turn, pairs };
        device.rope_and_cache(layer, &shape, &mut heads, &places, &mut kept.state);
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

fn kept<D: Device>(ty: CacheType) -> Kept<D> {
    Kept::new(2, &shape(4, 2, 40), ty, 1)
}

/// Stores random keys and values of that span in all layers.
fn store<D: Device>(device: &mut D, context: &Context, span: Span, kept: &mut Kept<D>, seed: u64) {
    let (shape, mut random) = (shape(0, 2, 40), Random::new(seed));
    kept.reserve(device, context, span.table, span.position..span.keys).unwrap();
    for layer in 0..2 {
        let mut rows = || filled(device, &random.floats(span.len * 80), 80);
        let (mut key, value) = (rows(), rows());
        let mut query = device.buffer(0).unwrap();
        device.begin(&[span], Rotations::default());
        let places = kept.places(device, &[span]);
        let pairs = RopePairs::HalfSplit;
        let mut heads = Qkv { query: &mut query, key: &mut key, value: &value, norms: None, turn: None, pairs };
        device.rope_and_cache(layer, &shape, &mut heads, &places, &mut kept.state);
    }
}

/// What a token sees of the first `keys` of a sequence, in all layers.
fn seen<D: Device>(device: &mut D, context: &Context, keys: usize, kept: &Kept<D>, table: usize) -> Vec<f32> {
    let query = filled(device, &Random::new(3).floats(160), 160);
    let span = [Span::new(0, 1, keys - 1, table)];
    let mut all = Vec::new();
    for layer in 0..2 {
        let mut out = device.buffer(160).unwrap();
        device.begin(&span, Rotations::default());
        let places = kept.places(device, &span);
        let attention = CachedAttention { layer, shape: shape(4, 2, 40), bias: PositionBias::None, sinks: None };
        device.attend(&attention, &query, &places, Seen::Kept(&kept.state), &mut out);
        all.extend(read(device, context, &out, 160));
    }
    all
}

/// A sequence of `all` tokens, and others that go on from the first `common` of them.
fn share<D: Device>(device: &mut D, context: &Context, ty: CacheType, [all, common]: [usize; 2], name: &str) {
    let (what, mut kept) = (format!("{ty:?}, {common} of {all}, {name}"), kept(ty));
    store(device, context, Span::new(0, all, 0, 0), &mut kept, 1);
    let (original, front) = (seen(device, context, all, &kept, 0), seen(device, context, common, &kept, 0));
    for other in [1, 2] {
        let mut table = kept.tables[0].clone();
        table.cut_to(common);
        kept.tables.push(table);
        assert_eq!(seen(device, context, common, &kept, other), front, "{what}");
        store(device, context, Span::new(0, all - common, common, other), &mut kept, 4);
        assert_ne!(seen(device, context, all, &kept, other), original, "{what}");
        assert_eq!(seen(device, context, common, &kept, other), front, "{what}");
        assert_eq!(seen(device, context, all, &kept, 0), original, "each goes on by itself: {what}");
    }
    let others = [1, 2].map(|other| seen(device, context, all, &kept, other));
    assert_eq!(others[0], others[1], "{what}");
    // The first one too, in what is then its own.
    store(device, context, Span::new(0, all - common, common, 0), &mut kept, 4);
    assert_eq!(seen(device, context, all, &kept, 0), others[0], "{what}");
}

#[test]
pub fn sequences_with_a_common_beginning_share_it_and_go_on_by_themselves() {
    for (name, kernels) in gpus() {
        for ty in [CacheType::F32, CacheType::F16, CacheType::Q8] {
            for lengths in [[30, 23], [100, 64], [150, 70]] {
                share(&mut cpu(1), &kernels.context, ty, lengths, "CPU");
                share(&mut gpu(&kernels), &kernels.context, ty, lengths, name);
            }
        }
    }
}

/// Tokens that are stored among others, turned: what was behind them is still there. One alone is kept as it attends.
fn store_among<D: Device>(device: &mut D, context: &Context, ty: CacheType, len: usize) -> Vec<f32> {
    let mut kept = kept(ty);
    store(device, context, Span::new(0, 30, 0, 0), &mut kept, 1);
    let (span, shape, mut random) = ([Span::new(0, len, 6, 0)], shape(4, 2, 40), Random::new(5));
    let frequencies: Vec<f32> = (0..20).map(|pair| 0.1 * pair as f32).collect();
    let mut rows = |width: usize| filled(device, &random.floats(len * width), width);
    let (mut query, mut key, value) = (rows(160), rows(80), rows(80));
    let table = RopeTable { frequencies, magnitude: 1.0, beyond: None };
    device.begin(&span, Angles::of(&[table], &span).rotations());
    let places = kept.places(device, &span);
    let pairs = RopePairs::HalfSplit;
    let mut heads = Qkv { query: &mut query, key: &mut key, value: &value, norms: None, turn: Some(0), pairs };
    if len > 1 {
        device.rope_and_cache(0, &shape, &mut heads, &places, &mut kept.state);
    } else {
        let attention = CachedAttention { layer: 0, shape, bias: PositionBias::None, sinks: None };
        let mut out = device.buffer(160).unwrap();
        device.keep_and_attend(&attention, &mut heads, &places, &mut kept.state, &mut out);
    }
    seen(device, context, 30, &kept, 0)
}

#[test]
pub fn tokens_behind_those_that_are_stored_stay_as_they_are() {
    // In short grids, too: those are folded, so that their last workgroups have nothing to do.
    let short = shared(&Wishes { most_groups: Some(12), ..Wishes::default() });
    for (name, kernels) in [("all features", first()), ("short grids", short)] {
        for (ty, tolerance) in [(CacheType::F32, 1e-5), (CacheType::F16, 1e-3), (CacheType::Q8, 1e-2)] {
            for len in [17, 1] {
                let expected = store_among(&mut cpu(1), &kernels.context, ty, len);
                let found = store_among(&mut gpu(&kernels), &kernels.context, ty, len);
                for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                    let what = format!("{len} of {ty:?}, {name} [{i}]");
                    assert!((found - expected).abs() < tolerance, "{what}: {found}, expected {expected}");
                }
            }
        }
    }
}
