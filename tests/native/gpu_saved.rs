//! Sequences that are saved and put back, on the GPU and on the CPU: the same bytes, from one to the other.

use azulejo::device::gpu::Context;
use azulejo::device::gpu::native::run;
use azulejo::device::{
    AttentionShape, CacheType, CachedConv, Device, PAGE, Qkv, RopePairs, Rotations, Span, StateShape,
};
use azulejo::error::Code;

use crate::attention::levels;
use crate::devices::{cpu, gpu, gpus};
use crate::kept::Kept;
use crate::random::Random;
use crate::verbs::filled;

const HEADS: usize = 2;
const TOKENS: usize = 300;
/// Each layer's first page that is there: before the last hundred came, 200 − 64 − 70 positions were no longer needed of one,
/// and 200 − 64 − 3 of another.
const FIRST: [usize; 3] = [0, 1, 2];

/// A layer that sees everything, one with a window, and a short convolution.
fn shapes(head_dim: usize) -> [StateShape; 3] {
    let layer = |window| StateShape::KeysValues { kv_heads: HEADS, head_dim, window };
    [layer(None), layer(Some(70)), StateShape::Columns { width: 8, window: 3 }]
}

/// A sequence whose windows have let their first pages go, in numbers that every cache holds exactly.
fn stored<D: Device>(device: &mut D, context: &Context, head_dim: usize, ty: CacheType) -> Kept<D> {
    let mut kept = Kept::of(&shapes(head_dim), ty, 1);
    let mut random = Random::new(head_dim as u64);
    let shape =
        AttentionShape { heads: 0, kv_heads: HEADS, head_dim, scale: 1.0, causal: true, window: None, soft_cap: None };
    for start in (0..TOKENS).step_by(100) {
        kept.reserve(device, context, 0, start..start + 100).unwrap();
        let mut rows = |width: usize| levels(&mut random, 100 * width, head_dim);
        let [key, value, x] = [HEADS * head_dim, HEADS * head_dim, 24].map(|width| (rows(width), width));
        let [mut key, value, x] = [key, value, x].map(|(values, width)| filled(device, &values, width));
        let taps = device.upload(&[1.0; 24]).unwrap();
        let mut query = device.buffer(0).unwrap();
        let mut out = device.buffer(800).unwrap();
        let span = [Span::new(0, 100, start, 0)];
        device.begin(&span, Rotations::default());
        let places = kept.places(device, &span);
        for layer in 0..2 {
            let pairs = RopePairs::HalfSplit;
            let mut heads = Qkv { query: &mut query, key: &mut key, value: &value, norms: None, turn: None, pairs };
            device.rope_and_cache(layer, &shape, &mut heads, &places, &mut kept.state);
        }
        let conv = CachedConv { layer: 2, width: 8, taps: 3, weight: &taps, bias: None };
        device.short_conv(&conv, &x, &places, &mut kept.state, &mut out);
    }
    kept
}

fn save<D: Device>(device: &mut D, context: &Context, kept: &Kept<D>, positions: usize) -> Vec<u8> {
    run(Some(context), device.save(&kept.state, &kept.tables[0], positions)).unwrap()
}

/// The same sequence in another pool.
fn restored<D: Device>(device: &mut D, context: &Context, head_dim: usize, ty: CacheType, saved: &[u8]) -> Kept<D> {
    let mut kept = Kept::of(&shapes(head_dim), ty, 1);
    kept.tables[0].bind(&kept.pages);
    kept.tables[0].leave_out(&FIRST);
    kept.reserve(device, context, 0, 0..TOKENS).unwrap();
    assert!(kept.tables[0].can_cut_to(TOKENS));
    let short = device.restore(&mut kept.state, &kept.tables[0], TOKENS, &saved[4..]);
    assert_eq!(short.unwrap_err().code, Code::CorruptFile);
    device.restore(&mut kept.state, &kept.tables[0], TOKENS, saved).unwrap();
    kept
}

#[test]
fn a_saved_sequence_is_the_same_on_every_device() {
    let [(name, kernels), ..] = gpus();
    let context = &kernels.context;
    for (ty, head_dim, head) in [(CacheType::F32, 12, 48), (CacheType::F16, 20, 40), (CacheType::Q8, 36, 36 + 8)] {
        let (cpu, gpu) = (&mut cpu(2), &mut gpu(&kernels));
        let kept = (stored(cpu, context, head_dim, ty), stored(gpu, context, head_dim, ty));
        assert_eq!([0, 1, 2].map(|group| kept.0.tables[0].pages(group).0), FIRST);
        let expected = 2 * HEADS * head * (2 * TOKENS - PAGE * FIRST[1]) + 32 * (TOKENS - PAGE * FIRST[2]);
        let saved = save(cpu, context, &kept.0, TOKENS);
        assert_eq!(saved.len(), expected, "{ty:?}");
        assert!(saved == save(gpu, context, &kept.1, TOKENS), "{ty:?}, {name}");
        let (on_cpu, on_gpu) =
            (restored(cpu, context, head_dim, ty, &saved), restored(gpu, context, head_dim, ty, &saved));
        assert!(saved == save(cpu, context, &on_cpu, TOKENS) && saved == save(gpu, context, &on_gpu, TOKENS), "{ty:?}");
        // Of fewer positions the beginning.
        let shorter = save(cpu, context, &kept.0, 200);
        assert!(shorter.len() < saved.len() && shorter == save(gpu, context, &kept.1, 200), "{ty:?}");
        assert_eq!(shorter[..200 * HEADS * head], saved[..200 * HEADS * head]);
    }
}
