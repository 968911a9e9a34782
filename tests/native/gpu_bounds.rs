//! What kernels leave alone: rows behind the last one that they are asked for; and what they do not see.

use crate::attention::shape;
use crate::devices::{first, gpu, shared};
use crate::kept::Kept;
use crate::random::Random;
use crate::verbs::{begin, floats, matrix, read};
use azulejo::checkpoint::TensorType;
use azulejo::device::gpu::{Gpu, Kernels, Wishes};
use azulejo::device::{
    Activation, AttentionShape, CacheType, CachedAttention, Device, Input, Linear, NormWeights, Patching, PositionBias,
    Qkv, RopePairs, Rotations, Seen, Span, TokenIds,
};
use std::rc::Rc;

type Buffer = <Gpu as Device>::Buffer;

/// What stands in rows that nobody writes.
const ALONE: f32 = 0.5;

/// Rows of it behind the others: more than a workgroup of any kernel has.
const BEHIND: usize = 130;

/// Also in grids that are folded, so that their last workgroups have nothing to do.
fn variants() -> [(&'static str, Rc<Kernels>); 2] {
    let short = Wishes { without: vec!["subgroups".into()], most_groups: Some(12), ..Wishes::default() };
    [("all features", first()), ("without subgroups, in short grids", shared(&short))]
}

/// A buffer of these values, by no kernel.
fn written(device: &mut Gpu, values: &[f32]) -> Buffer {
    let mut buffer = device.buffer(values.len()).unwrap();
    device.write(values, 0, &mut buffer);
    buffer
}

/// Has `rows` of `width` values written to the front of a buffer.
fn check(device: &mut Gpu, [rows, width]: [usize; 2], what: &str, write: impl FnOnce(&mut Gpu, &mut Buffer)) {
    let mut out = written(device, &vec![ALONE; (rows + BEHIND) * width]);
    begin(device, rows);
    write(device, &mut out);
    let context = device.context();
    let found = read(device, &context, &out, (rows + BEHIND) * width);
    for (row, found) in found.chunks(width).enumerate() {
        let alone = found.iter().filter(|value| **value == ALONE).count();
        assert!(if row < rows { alone < width } else { alone == width }, "{what}: row {row} of {rows}: {found:?}");
    }
}

#[test]
pub fn rows_behind_those_of_look_ups_norms_and_gatherings_are_left_alone() {
    for (name, kernels) in variants() {
        let device = &mut gpu(&kernels);
        for [rows, width] in [[1, 4], [5, 36], [9, 60], [63, 256], [130, 20]] {
            let what = |verb: &str| format!("{verb}, {rows} × {width}, {name}");
            let mut random = Random::new((rows + width) as u64);
            let table = floats(device, 7, width, &random.floats(7 * width));
            let ids: Vec<u32> = (0..rows as u32).map(|row| row % 7).collect();
            let x = written(device, &random.floats(rows * width));
            let weight = device.upload(&random.floats(width)).unwrap();
            check(device, [rows, width], &what("looked up"), |device, out| {
                device.embed(&table, &TokenIds::Known(&ids), 1.0, false, out);
            });
            for centred in [false, true] {
                check(device, [rows, width], &what("normed"), |device, out| {
                    let norm = Some(NormWeights { weight: &weight, bias: None, centred, epsilon: 1e-5 });
                    device.norm(&Input { x: &x, rows, norm }, width, false, out);
                });
            }
            check(device, [rows, width], &what("gathered"), |device, out| {
                let runs: Vec<_> = (0..rows).map(|row| row / 2..row + 1).collect();
                device.gather_mean(&x, width, &runs, out);
            });
        }
    }
}

#[test]
pub fn rows_behind_those_of_patches_are_left_alone() {
    for (name, kernels) in variants() {
        let device = &mut gpu(&kernels);
        for [height, width] in [[2, 2], [7, 9], [16, 16]] {
            // The last columns are no pixels'.
            let patching = Patching { channels: 3, height, width, patch: [2, 2], before: 1, columns: 16 };
            let rows = 2 * (1 + patching.grid().iter().product::<usize>());
            let images = written(device, &Random::new(1).floats(2 * 3 * height * width));
            check(device, [rows, 16], &format!("{height} × {width}, {name}"), |device, out| {
                device.patches(&images, 2, &patching, out);
            });
        }
    }
}

/// A sequence with random keys and values; those of the last `none` tokens are no numbers.
fn cached(device: &mut Gpu, shape: &AttentionShape, ty: CacheType, tokens: usize, none: usize) -> Kept<Gpu> {
    let mut random = Random::new(tokens as u64);
    let mut kept = Kept::new(1, shape, ty, 1);
    let context = device.context();
    kept.reserve(device, &context, 0, 0..tokens).unwrap();
    let [mut query, mut key, value] = [shape.heads, shape.kv_heads, shape.kv_heads].map(|heads| {
        let mut values = random.floats(tokens * heads * shape.head_dim);
        values[(tokens - none) * heads * shape.head_dim..].fill(f32::NAN);
        written(device, &values)
    });
    let span = [Span::new(0, tokens, 0, 0)];
    device.begin(&span, Rotations::default());
    let pairs = RopePairs::HalfSplit;
    let mut heads = Qkv { query: &mut query, key: &mut key, value: &value, norms: None, turn: None, pairs };
    let places = kept.places(device, &span);
    device.rope_and_cache(0, shape, &mut heads, &places, &mut kept.state);
    kept
}

#[test]
pub fn rows_behind_those_that_attend_are_left_alone() {
    let kernels = first();
    let device = &mut gpu(&kernels);
    // Few fours, and some that are no multiple of what threads share.
    for (head_dim, ty) in [(8, CacheType::F32), (20, CacheType::F16)] {
        for (before, len) in [(0, 5), (0, 33), (4, 1), (300, 1)] {
            let shape = shape(6, 2, head_dim);
            let kept = cached(device, &shape, ty, before + len, 0);
            let width = shape.heads * head_dim;
            let query = written(device, &Random::new(3).floats(len * width));
            check(device, [len, width], &format!("{before} + {len}, {head_dim}, {ty:?}"), |device, out| {
                let attention = CachedAttention { layer: 0, shape, bias: PositionBias::None, sinks: None };
                let span = [Span::new(0, len, before, 0)];
                let places = kept.places(device, &span);
                device.attend(&attention, &query, &places, Seen::Kept(&kept.state), out);
            });
        }
    }
}

#[test]
pub fn keys_behind_those_that_are_there_may_be_no_numbers() {
    let kernels = first();
    let device = &mut gpu(&kernels);
    for causal in [true, false] {
        let shape = AttentionShape { causal, ..shape(2, 1, 8) };
        let kept = cached(device, &shape, CacheType::F32, 40, 7);
        for (before, len) in [(0, 33), (32, 1)] {
            let query = written(device, &Random::new(3).floats(len * 16));
            let mut out = device.buffer(len * 16).unwrap();
            let span = [Span::new(0, len, before, 0)];
            device.begin(&span, Rotations::default());
            let attention = CachedAttention { layer: 0, shape, bias: PositionBias::None, sinks: None };
            let places = kept.places(device, &span);
            device.attend(&attention, &query, &places, Seen::Kept(&kept.state), &mut out);
            let context = device.context();
            let found = read(device, &context, &out, len * 16);
            assert!(found.iter().all(|value| value.is_finite()), "causal: {causal}, {before} + {len}: {found:?}");
        }
    }
}

#[test]
pub fn rows_behind_those_of_products_are_left_alone() {
    // Fewer rows than share what is unpacked, and fewer than a tile has.
    let (height, columns) = (9, 36);
    for (name, kernels) in variants() {
        let device = &mut gpu(&kernels);
        let weight = floats(device, height, columns, &Random::new(5).floats(height * columns));
        let linear = Linear { weight, bias: None };
        for rows in [1, 3, 6, 21] {
            let x = written(device, &Random::new(6).floats(rows * columns));
            check(device, [rows, height], &format!("products, {rows}, {name}"), |device, out| {
                device.project(&Input { x: &x, rows, norm: None }, &mut [linear.to(out)]);
            });
            check(device, [rows, height], &format!("gated products, {rows}, {name}"), |device, out| {
                let input = Input { x: &x, rows, norm: None };
                device.project_activated(&input, Some(&linear), &linear, Activation::Relu, out);
            });
        }
    }
}

#[test]
pub fn what_is_no_number_stays_in_its_row_and_in_its_matrix() {
    // Less than whole sixteens, and than whole units: kernels go beyond the last column, where the next row of inputs begins.
    let (height, columns, mut random) = (9, 36, Random::new(8));
    let weights: Vec<f32> = random.floats(height * columns).iter().map(|w| half::f16::from_f32(*w).to_f32()).collect();
    let x = random.floats(40 * columns);
    let types = [TensorType::F32, TensorType::F16];
    for ((name, kernels), ty) in variants().into_iter().flat_map(|variant| types.map(|ty| (variant.clone(), ty))) {
        let device = &mut gpu(&kernels);
        device.expect_weights(3 * Gpu::matrix_bytes(ty, height, columns)).unwrap();
        let none = vec![f32::NAN; height * columns];
        let bytes = |values: &Vec<f32>| match ty {
            TensorType::F32 => values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>(),
            _ => values.iter().flat_map(|value| half::f16::from_f32(*value).to_le_bytes()).collect(),
        };
        let [_, weight, _] = [&none, &weights, &none].map(|values| matrix(device, ty, height, columns, &bytes(values)));
        let linear = Linear { weight, bias: None };
        for rows in [3, 6, 40] {
            let mut x = x[..rows * columns].to_vec();
            x.chunks_mut(columns).skip(1).step_by(2).for_each(|row| row.fill(f32::NAN));
            let (input, mut out) = (written(device, &x), device.buffer(rows * height).unwrap());
            begin(device, rows);
            device.project(&Input { x: &input, rows, norm: None }, &mut [linear.to(&mut out)]);
            let context = device.context();
            let found = read(device, &context, &out, rows * height);
            for (i, found) in found.iter().enumerate().filter(|(i, _)| (i / height) % 2 == 0) {
                let pairs = x[i / height * columns..].iter().zip(&weights[i % height * columns..][..columns]);
                let expected: f32 = pairs.map(|(x, weight)| x * weight).sum();
                let what = || format!("{ty}, {rows} rows, {name}, [{i}]: {found}, expected {expected}");
                assert!((found - expected).abs() < 1e-4, "{}", what());
            }
        }
    }
}
