//! Whether kernels are right on this device: products against sums in f64, the rest against the CPU's verbs, which are the
//! definition. A few cases of each; `tests/native/gpu_*.rs` has all.

use crate::blocks::random_bytes;
use crate::kept::Kept;
use crate::random::Random;
use crate::verbs::{begin, filled, matrix, read};
use crate::{Lab, say};
use azulejo::checkpoint::TensorType;
use azulejo::device::cpu::{Cpu, pool::Pool};
use azulejo::device::gpu::{Context, Gpu, Wishes, native};
use azulejo::device::{
    Activation, AttentionShape, CacheType, CachedAttention, Device, Following, Input, Linear, NormWeights,
    PositionBias, Qkv, RopePairs, Rotations, Seen, Span, StateShape,
};
use azulejo::model::choosing;
use azulejo::text::{GenerateOptions, Sampler, Sampling};
use serde_json::json;

pub fn all(lab: &Lab) {
    for ty in TensorType::ALL {
        for tokens in lab.size(&[1, 3, 17, 70][..], &[1, 17]) {
            if !lab.goes_on() {
                return say(json!({ "ended": format!("before products of {ty}") }));
            }
            product(lab, ty, *tokens);
        }
    }
    rows_beyond_a_grid(lab);
    for cache in [CacheType::F32, CacheType::F16, CacheType::Q8] {
        // One query with few and with many keys, then a prompt's, after others.
        for (before, len) in [(40, 1), (700, 1), (0, 50), (30, 33)] {
            for head_dim in lab.size(&[64, 128][..], &[64]) {
                if !lab.goes_on() {
                    return say(json!({ "ended": format!("before attention, {cache:?}") }));
                }
                attention(lab, cache, *head_dim, before, len);
            }
        }
    }
    norms(lab);
    for (vocabulary, json) in [(1000, "{}"), (49_152, "{}"), (49_152, r#"{"repetitionPenalty": 1.3}"#)] {
        tokens(lab, vocabulary, json);
    }
    let drawn = r#"{"temperature": 0.8, "topK": 40, "topP": 0.95, "seed": 7}"#;
    tokens(lab, 49_152, drawn);
}

/// Says the largest error, as a part of what is allowed.
fn verdict(what: String, error: f64, allowed: f64) {
    // No number is not right either.
    let right = error <= allowed;
    say(json!({ "check": what, "error": error, "allowed": allowed, "right": right }));
}

/// The largest difference from what is expected, over `size` or what is expected, whichever is more.
fn largest(found: &[f32], expected: &[f32], size: f64) -> f64 {
    let errors = found.iter().zip(expected).map(|(found, expected)| {
        let error = (f64::from(*found) - f64::from(*expected)).abs() / size.max(f64::from(expected.abs()));
        if error.is_nan() { f64::MAX } else { error }
    });
    errors.fold(0.0, f64::max)
}

/// Two matrices with a norm, gated: compared with f64, since the CPU multiplies in bytes.
fn product(lab: &Lab, ty: TensorType, tokens: usize) {
    let (rows, columns) = (70, 512);
    let mut random = Random::new(tokens as u64);
    let bytes = [0, 1].map(|_| random_bytes(&mut random, ty, rows, columns));
    let x = random.floats(tokens * columns);
    let mut gpu = Gpu::new(lab.kernels.clone()).expect("a device");
    gpu.expect_weights(2 * Gpu::matrix_bytes(ty, rows, columns)).expect("memory");
    let [gate, up] = bytes.each_ref().map(|bytes| {
        let mut builder = gpu.matrix(ty, rows, columns).expect("memory");
        gpu.push(&mut builder, bytes);
        Linear { weight: gpu.finish(builder), bias: None }
    });
    let ones = gpu.upload(&vec![1.0; columns]).expect("memory");
    let input = filled(&mut gpu, &x, columns);
    let mut out = gpu.buffer(tokens * rows).expect("memory");
    begin(&mut gpu, tokens);
    let input = Input { x: &input, rows: tokens, norm: Some(NormWeights::rms(&ones, 1e-5)) };
    gpu.project_activated(&input, Some(&gate), &up, Activation::Silu, &mut out);
    let found = read(&mut gpu, &lab.kernels.context, &out, tokens * rows);
    let weights = bytes.map(|bytes| {
        let mut values = vec![0.0; rows * columns];
        ty.dequantize(&bytes, &mut values);
        values
    });
    let (mut expected, mut size) = (Vec::new(), 0.0f64);
    for x in x.chunks(columns) {
        let mean = x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / columns as f64;
        let scale = (mean + 1e-5).sqrt().recip();
        for row in 0..rows {
            let [gate, up] = weights.each_ref().map(|weights| {
                let weights = &weights[row * columns..][..columns];
                let products = x.iter().zip(weights).map(|(x, w)| scale * f64::from(*x) * f64::from(*w));
                size = size.max(products.clone().map(f64::abs).sum());
                products.sum::<f64>()
            });
            expected.push((gate / (1.0 + (-gate).exp()) * up) as f32);
        }
    }
    verdict(format!("{ty}, gated, {tokens} tokens"), largest(&found, &expected, size.max(size * size)), 6e-6);
}

/// A head of more rows than a grid has workgroups, where few rows have one: the last must be there.
fn rows_beyond_a_grid(lab: &Lab) {
    let rows = lab.size(262_144, 20_000);
    let wishes = Wishes { without: vec!["subgroup-size".into()], ..Wishes::default() };
    let kernels = native::open(&wishes).expect("a device");
    let mut gpu = Gpu::new(kernels.clone()).expect("a device");
    let mut random = Random::new(2);
    let bytes = random_bytes(&mut random, TensorType::Q8_0, rows, 32);
    let mut weights = vec![0.0; rows * 32];
    TensorType::Q8_0.dequantize(&bytes, &mut weights);
    let weight = Linear { weight: matrix(&mut gpu, TensorType::Q8_0, rows, 32, &bytes), bias: None };
    let x = random.floats(32);
    let input = filled(&mut gpu, &x, 32);
    let mut out = gpu.buffer(rows).expect("memory");
    begin(&mut gpu, 1);
    gpu.project(&Input { x: &input, rows: 1, norm: None }, &mut [weight.to(&mut out)]);
    let found = read(&mut gpu, &kernels.context, &out, rows);
    let sum = |row: &[f32]| row.iter().zip(&x).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum::<f64>() as f32;
    let expected: Vec<f32> = weights.chunks(32).map(sum).collect();
    let most = expected.iter().fold(0.0f32, |most, value| most.max(value.abs()));
    verdict(format!("a head of {rows} rows"), largest(&found, &expected, f64::from(most)), 1e-5);
}

/// Heads are turned and stored, then some queries attend.
fn attention(lab: &Lab, cache: CacheType, head_dim: usize, before: usize, len: usize) {
    let context = &lab.kernels.context;
    let mut gpu = Gpu::new(lab.kernels.clone()).expect("a device");
    let found = attended(&mut gpu, context, cache, head_dim, before, len);
    let expected = attended(&mut Cpu::new(Pool::native(1)), context, cache, head_dim, before, len);
    let what = format!("attention {cache:?}, heads of {head_dim}, {len} queries after {before}");
    // What is turned differs in its last digits, and so may levels and halves.
    let allowed = if cache == CacheType::F32 { 2e-5 } else { 5e-3 };
    verdict(what, largest(&found, &expected, 1.0), allowed);
}

fn attended<D: Device>(
    device: &mut D,
    context: &Context,
    cache: CacheType,
    head_dim: usize,
    before: usize,
    len: usize,
) -> Vec<f32> {
    let (heads, kv_heads) = (6, 2);
    let shape = AttentionShape {
        heads,
        kv_heads,
        head_dim,
        scale: (head_dim as f32).sqrt().recip(),
        causal: true,
        window: None,
        soft_cap: None,
    };
    let layer = StateShape::KeysValues { kv_heads, head_dim, window: None };
    let mut kept = Kept::<D>::of(&[layer], cache, 1);
    let mut random = Random::new((before + len) as u64);
    let mut out = device.buffer(len * heads * head_dim).expect("memory");
    for span in [Span::new(0, before, 0, 0), Span::new(0, len, before, 0)] {
        if span.len == 0 {
            continue;
        }
        kept.reserve(device, context, 0, span.position..span.keys).expect("memory");
        let mut some = |heads: usize| {
            let values = random.floats(span.len * heads * head_dim);
            filled(device, &values, heads * head_dim)
        };
        let (mut query, mut key, value) = (some(heads), some(kv_heads), some(kv_heads));
        let angle =
            |row: usize, i: usize| (span.position + row) as f32 * 10_000f32.powf(-2.0 * i as f32 / head_dim as f32);
        let angles = (0..span.len).flat_map(|row| (0..head_dim / 2).map(move |i| angle(row, i)));
        let values: Vec<f32> = angles.flat_map(|angle| [angle.cos(), angle.sin()]).collect();
        let table = 0..head_dim / 2;
        device.begin(&[span], Rotations { values: &values, tables: std::slice::from_ref(&table) });
        let places = kept.places(device, &[span]);
        let pairs = RopePairs::HalfSplit;
        let mut qkv = Qkv { query: &mut query, key: &mut key, value: &value, norms: None, turn: Some(0), pairs };
        device.rope_and_cache(0, &shape, &mut qkv, &places, &mut kept.state);
        if span.len == len && span.position == before {
            let attention = CachedAttention { layer: 0, shape, bias: PositionBias::None, sinks: None };
            device.attend(&attention, &query, &places, Seen::Kept(&kept.state), &mut out);
        }
    }
    read(device, context, &out, len * heads * head_dim)
}

fn norms(lab: &Lab) {
    for (rows, width, centred) in [(1, 576, false), (70, 4096, false), (3, 384, true)] {
        let mut random = Random::new(width as u64);
        let (x, weight) = (random.floats(rows * width), random.floats(width));
        let mut gpu = Gpu::new(lab.kernels.clone()).expect("a device");
        let found = normed(&mut gpu, &lab.kernels.context, &x, &weight, centred);
        let expected = normed(&mut Cpu::new(Pool::native(1)), &lab.kernels.context, &x, &weight, centred);
        verdict(format!("norm of {rows} × {width}, centred {centred}"), largest(&found, &expected, 1.0), 1e-5);
    }
}

fn normed<D: Device>(device: &mut D, context: &Context, x: &[f32], weight: &[f32], centred: bool) -> Vec<f32> {
    let rows = x.len() / weight.len();
    let input = filled(device, x, weight.len());
    let norm = device.upload(weight).expect("memory");
    let mut out = device.buffer(x.len()).expect("memory");
    begin(device, rows);
    let norm = NormWeights { weight: &norm, bias: None, centred, epsilon: 1e-5 };
    device.norm(&Input { x: &input, rows, norm: Some(norm) }, weight.len(), false, &mut out);
    read(device, context, &out, x.len())
}

/// A few tokens of one generation after a prompt of one, which the sampler chooses too.
fn tokens(lab: &Lab, vocabulary: usize, json: &str) {
    let options: GenerateOptions = serde_json::from_str(json).expect("options");
    let sampling = Sampling::new(&options, vocabulary).expect("options that can be");
    let mut gpu = Gpu::new(lab.kernels.clone()).expect("a device");
    let mut chooser = gpu.chooser(&choosing(&sampling, vocabulary, &[0], 0)).expect("memory").expect("a GPU chooses");
    let mut buffer = gpu.buffer(vocabulary).expect("memory");
    let mut sampler = Sampler::new(sampling, vocabulary, &[0], 0);
    let (mut random, steps, mut same) = (Random::new(3), 8, 0);
    for position in 0..steps {
        let logits: Vec<f32> = (0..vocabulary).map(|_| 10.0 * random.float()).collect();
        gpu.write(&logits, 0, &mut buffer);
        gpu.begin(&[Span::new(0, 1, position, 0)], Rotations::default());
        let reading = gpu.choose(&mut buffer, Following::one(), &mut chooser).expect("a device");
        let found = native::run(Some(&lab.kernels.context), gpu.chosen(reading)).expect("a device");
        let expected = sampler.sample(&mut logits.clone(), None).expect("numbers").id;
        same += usize::from(found == [Some(expected)]);
        sampler.accept(expected);
    }
    let error = (steps - same) as f64 / steps as f64;
    verdict(format!("tokens chosen of {vocabulary}, {json}"), error, 0.0);
}
