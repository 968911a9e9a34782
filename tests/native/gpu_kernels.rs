//! The GPU's verbs alone against their definitions: random inputs, odd sizes, extremes, in every variant.

use azulejo::checkpoint::TensorType;
use azulejo::device::gpu::{Gpu, Kernels, Wishes};
use azulejo::device::{Activation, Device, Input, Linear, NormWeights, Projection, TokenIds};
use std::rc::Rc;

use crate::blocks::random_bytes;
use crate::devices::{self, cpu, gpu, gpus};
use crate::random::Random;
use crate::sample::share;
use crate::verbs::{begin, fill, filled, floats, matrix, read};

/// Columns that are no multiple of a tile, or of sixteen where the format allows.
pub const WIDTHS: [(TensorType, usize); 19] = [
    (TensorType::F32, 36),
    (TensorType::F16, 68),
    (TensorType::BF16, 84),
    (TensorType::Q4_0, 96),
    (TensorType::Q4_1, 576),
    (TensorType::Q5_0, 160),
    (TensorType::Q5_1, 96),
    (TensorType::Q8_0, 1056),
    (TensorType::Q2_K, 256),
    (TensorType::Q3_K, 768),
    (TensorType::Q4_K, 512),
    (TensorType::Q5_K, 256),
    (TensorType::Q6_K, 1280),
    (TensorType::IQ4_NL, 32),
    (TensorType::IQ4_XS, 768),
    (TensorType::MXFP4, 224),
    (TensorType::Q1_0, 640),
    (TensorType::TQ1_0, 256),
    (TensorType::TQ2_0, 768),
];

pub fn dequantised(ty: TensorType, bytes: &[u8], len: usize) -> Vec<f32> {
    let mut values = vec![0.0; len];
    ty.dequantize(bytes, &mut values);
    values
}

/// Sums in f32 of products that were made in f64: what an order of summation may cost, and no more.
fn assert_close(found: &[f32], expected: &[f64], size: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*found) - expected).abs();
        assert!(error <= 3e-6 * size.max(expected.abs()), "{what}[{i}]: {found}, expected {expected}");
    }
}

/// x · weightᵀ, and the largest sum of the products' sizes.
fn product(x: &[f32], weight: &[f32], columns: usize) -> (Vec<f64>, f64) {
    let mut size: f64 = 0.0;
    let mut out = Vec::new();
    for x in x.chunks(columns) {
        for weight in weight.chunks(columns) {
            let products = x.iter().zip(weight).map(|(x, w)| f64::from(*x) * f64::from(*w));
            size = size.max(products.clone().map(f64::abs).sum());
            out.push(products.sum());
        }
    }
    (out, size)
}

fn normed(x: &[f32], weight: &[f32], epsilon: f32) -> Vec<f32> {
    x.chunks(weight.len())
        .flat_map(|x| {
            let mean = x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / x.len() as f64;
            let scale = (mean + f64::from(epsilon)).sqrt().recip();
            x.iter().zip(weight).map(move |(x, w)| (f64::from(*x) * scale * f64::from(*w)) as f32)
        })
        .collect()
}

fn silu(x: f64) -> f64 {
    x / (1.0 + (-x).exp())
}

/// Three products with the same input, one of them onto what is there: with a norm and biases.
pub fn check_projection(kernels: &Rc<Kernels>, ty: TensorType, columns: usize, tokens: usize, name: &str) {
    check_heights(kernels, ty, columns, tokens, [70, 3, 129], name);
}

/// Likewise of matrices with so many rows.
pub fn check_heights(
    kernels: &Rc<Kernels>,
    ty: TensorType,
    columns: usize,
    tokens: usize,
    heights: [usize; 3],
    name: &str,
) {
    let what = format!("{ty}, {tokens} tokens, {name}");
    let mut random = Random::new((columns + tokens) as u64);
    let mut device = gpu(kernels);
    let x = random.floats(tokens * columns);
    let norm = random.floats(columns);
    let weights = heights.map(|rows| random_bytes(&mut random, ty, rows, columns));
    let biases = heights.map(|rows| random.floats(rows));
    // Side by side, as a model's are: few rows are then multiplied with all three at once.
    device.expect_weights(heights.map(|rows| Gpu::matrix_bytes(ty, rows, columns)).iter().sum()).unwrap();
    let matrices: Vec<_> =
        heights.iter().zip(&weights).map(|(rows, bytes)| matrix(&mut device, ty, *rows, columns, bytes)).collect();
    let bias_buffers: Vec<_> = biases.iter().map(|bias| device.upload(bias).unwrap()).collect();
    let norm_buffer = device.upload(&norm).unwrap();
    let mut x_buffer = device.buffer(tokens * columns).unwrap();
    fill(&mut device, &mut x_buffer, &x, columns);
    let mut outs: Vec<_> = heights.iter().map(|rows| device.buffer(tokens * rows).unwrap()).collect();
    begin(&mut device, tokens);
    let norm_of = || Some(NormWeights::rms(&norm_buffer, 1e-5));
    // Twice, the second time onto the first.
    for accumulate in [false, true] {
        let mut projections: Vec<_> = (matrices.iter().zip(&bias_buffers).zip(&mut outs))
            .map(|((weight, bias), out)| Projection { weight, bias: Some(bias), scale: None, out, accumulate })
            .collect();
        device.project(&Input { x: &x_buffer, rows: tokens, norm: norm_of() }, &mut projections);
    }
    let input = normed(&x, &norm, 1e-5);
    for ((rows, bytes), (bias, out)) in heights.iter().zip(&weights).zip(biases.iter().zip(&outs)) {
        let (mut expected, size) = product(&input, &dequantised(ty, bytes, rows * columns), columns);
        for (i, value) in expected.iter_mut().enumerate() {
            *value = 2.0 * (*value + f64::from(bias[i % rows]));
        }
        let found = read(&mut device, &kernels.context, out, tokens * rows);
        assert_close(&found, &expected, 2.0 * size, &format!("{what}, {rows} rows"));
    }
}

/// A GPU with work for all its cores has 4 × 4 sums a thread, or 4 × 2 and 2 × 4, and gates in them.
#[test]
pub fn products_are_right_in_tiles_of_every_size() {
    let kernels = devices::shared(&Wishes { without: vec!["subgroups".into()], ..Wishes::default() });
    let (f32s, f16s, nibbles) = ((TensorType::F32, 36), (TensorType::F16, 68), (TensorType::Q4_1, 96));
    for ((ty, columns), rows, tokens) in [
        (f32s, 2100, 130),
        (f32s, 4100, 15),
        (f32s, 1030, 64),
        (f32s, 520, 130),
        (f16s, 2100, 65),
        (nibbles, 2100, 130),
        (nibbles, 4100, 31),
    ] {
        check_heights(&kernels, ty, columns, tokens, [rows, 3, 129], "tiles");
    }
    for (rows, tokens) in [(2100, 130), (520, 17)] {
        check_gated_heights(&kernels, tokens, [TensorType::Q4_K; 2], rows, "tiles");
    }
}

#[test]
pub fn products_of_bytes_are_right_in_tiles_of_every_size() {
    let kernels = devices::shared(&Wishes { integer_dot: true, ..Wishes::default() });
    for (rows, tokens) in [(2100, 130), (4100, 15), (1030, 64), (520, 130)] {
        check_bytes_of_rows(&kernels, TensorType::Q4_1, 96, tokens, rows);
    }
}

/// Otherwise a test in every variant would be three times the same.
#[test]
pub fn the_variants_differ_in_what_their_kernels_use() {
    let [all, without, basic] = gpus().map(|(name, kernels)| {
        println!("{}, {name}: {:?}", kernels.context.description, kernels.features());
        kernels.features()
    });
    // scripts/chromium.mjs sets it where a driver is there that has them.
    let halves = std::env::var_os("AZULEJO_HALVES").is_some();
    assert!(!halves || all.contains(&"shader-f16"), "{all:?}: a driver with shader-f16 was promised");
    assert!(all.contains(&"subgroups"), "{all:?}: a driver with subgroups is needed");
    assert!(!without.contains(&"subgroups"), "{without:?}");
    assert!(!["subgroups", "shader-f16", "timestamp-query"].iter().any(|feature| basic.contains(feature)), "{basic:?}");
}

#[test]
pub fn products_are_right_in_every_format() {
    for (variant, (name, kernels)) in gpus().into_iter().enumerate() {
        for (ty, columns) in share(WIDTHS, variant) {
            for tokens in [1, 3, 21] {
                check_projection(&kernels, ty, columns, tokens, name);
            }
        }
        // A tile of 16 tokens, of 64, and several.
        for tokens in [12, 40, 130] {
            check_projection(&kernels, TensorType::Q4_1, 576, tokens, name);
        }
    }
}

#[test]
pub fn products_of_few_rows_are_right_with_subgroups_of_any_size() {
    let kernels = devices::any_subgroups();
    for (ty, columns) in [(TensorType::F32, 36), (TensorType::Q4_1, 576), (TensorType::Q6_K, 1280)] {
        for tokens in [1, 3] {
            check_projection(&kernels, ty, columns, tokens, "subgroups of any size");
        }
    }
    check_gated(&kernels, 3, [TensorType::Q4_K; 2], "subgroups of any size");
}

pub fn check_gated(kernels: &Rc<Kernels>, tokens: usize, types: [TensorType; 2], name: &str) {
    check_gated_heights(kernels, tokens, types, 70, name);
}

/// Likewise of matrices with so many rows.
pub fn check_gated_heights(kernels: &Rc<Kernels>, tokens: usize, types: [TensorType; 2], rows: usize, name: &str) {
    let columns = 256;
    let mut random = Random::new(tokens as u64);
    let mut device = gpu(kernels);
    let x = random.floats(tokens * columns);
    let mut x_buffer = device.buffer(tokens * columns).unwrap();
    fill(&mut device, &mut x_buffer, &x, columns);
    let bytes = types.map(|ty| random_bytes(&mut random, ty, rows, columns));
    let biases = [random.floats(rows), random.floats(rows)];
    device.expect_weights(types.map(|ty| Gpu::matrix_bytes(ty, rows, columns)).iter().sum()).unwrap();
    let [gate, up] = [0, 1].map(|i| Linear::<Gpu> {
        weight: matrix(&mut device, types[i], rows, columns, &bytes[i]),
        bias: Some(device.upload(&biases[i]).unwrap()),
    });
    let mut out = device.buffer(tokens * rows).unwrap();
    begin(&mut device, tokens);
    let input = Input { x: &x_buffer, rows: tokens, norm: None };
    device.project_activated(&input, Some(&gate), &up, Activation::Silu, &mut out);
    let [(gates, size), (ups, up_size)] =
        [0, 1].map(|i| product(&x, &dequantised(types[i], &bytes[i], rows * columns), columns));
    let bias = |which: usize, i: usize| f64::from(biases[which][i % rows]);
    let expected: Vec<f64> = (0..gates.len()).map(|i| silu(gates[i] + bias(0, i)) * (ups[i] + bias(1, i))).collect();
    let found = read(&mut device, &kernels.context, &out, expected.len());
    assert_close(&found, &expected, 4.0 * size * up_size, &format!("gated {types:?}, {tokens} tokens, {name}"));
}

#[test]
pub fn gated_products_are_right_also_where_gate_and_up_differ_in_format() {
    for (name, kernels) in gpus() {
        for tokens in [1, 4, 5, 33] {
            check_gated(&kernels, tokens, [TensorType::Q4_K; 2], name);
            check_gated(&kernels, tokens, [TensorType::Q4_K, TensorType::Q6_K], name);
        }
    }
}

#[test]
pub fn rows_of_every_format_are_looked_up_and_gathered() {
    let kernels = devices::first();
    WIDTHS.into_iter().for_each(|(ty, columns)| check_look_up(&kernels, ty, columns));
}

pub fn check_look_up(kernels: &Rc<Kernels>, ty: TensorType, columns: usize) {
    let mut random = Random::new(7);
    let bytes = random_bytes(&mut random, ty, 50, columns);
    let tokens = [49, 0, 7, 7, 31];
    let mut device = gpu(kernels);
    let table = matrix(&mut device, ty, 50, columns, &bytes);
    let mut rows = device.buffer(5 * columns).unwrap();
    begin(&mut device, 5);
    device.embed(&table, &TokenIds::Known(&tokens), 1.0, false, &mut rows);
    let mut gathered = device.buffer(2 * columns).unwrap();
    device.gather_mean(&rows, columns, &[4..5, 1..2], &mut gathered);
    let all = dequantised(ty, &bytes, 50 * columns);
    let row = |token: u32| all[token as usize * columns..][..columns].iter().map(|x| f64::from(*x));
    let expected: Vec<f64> = tokens.iter().flat_map(|token| row(*token)).collect();
    assert_close(&read(&mut device, &kernels.context, &rows, 5 * columns), &expected, 1.0, ty.name());
    let expected: Vec<f64> = row(31).chain(row(0)).collect();
    assert_close(&read(&mut device, &kernels.context, &gathered, 2 * columns), &expected, 1.0, ty.name());
}

/// Powers of two, of which the least are subnormal: a device may take those for zeros, as it may what they make.
#[test]
pub fn every_scale_of_mxfp4_is_exact() {
    let kernels = devices::first();
    let (ty, columns, rows) = (TensorType::MXFP4, 32, 253);
    let levels: Vec<u8> = (0..16).map(|i| i | (15 - i) << 4).collect();
    let bytes: Vec<u8> = (0..rows as u8).flat_map(|e| [vec![e], levels.clone()].concat()).collect();
    let mut device = gpu(&kernels);
    let table = matrix(&mut device, ty, rows, columns, &bytes);
    let mut out = device.buffer(rows * columns).unwrap();
    begin(&mut device, rows);
    let tokens: Vec<u32> = (0..rows as u32).collect();
    device.embed(&table, &TokenIds::Known(&tokens), 1.0, false, &mut out);
    let found = read(&mut device, &kernels.context, &out, rows * columns);
    for (i, (found, expected)) in found.iter().zip(dequantised(ty, &bytes, rows * columns)).enumerate() {
        let tiny = i / columns < 2 || expected.is_subnormal();
        assert!(*found == expected || tiny && *found == 0.0, "{i}: {found}, expected {expected}");
    }
}

#[test]
pub fn a_matrix_over_the_binding_limit_is_cut_between_rows() {
    let kernels = devices::basic();
    let (ty, rows, columns) = (TensorType::F16, 140_000, 512);
    assert!(Gpu::matrix_bytes(ty, rows, columns) as u64 > kernels.context.limits.max_storage_buffer_binding_size);
    // A row is its number, in every column: small enough for exact halves.
    let value = |row: usize| (row % 2048) as f32;
    let bytes: Vec<u8> =
        (0..rows).flat_map(|row| half::f16::from_f32(value(row)).to_le_bytes().repeat(columns)).collect();
    let mut device = gpu(&kernels);
    let weight = matrix(&mut device, ty, rows, columns, &bytes);
    let tokens = [0, 131_071, 131_072, 139_999];
    let mut x = device.buffer(4 * columns).unwrap();
    begin(&mut device, 4);
    device.embed(&weight, &TokenIds::Known(&tokens), 1.0, false, &mut x);
    let found = read(&mut device, &kernels.context, &x, 4 * columns);
    for (found, token) in found.chunks(columns).zip(tokens) {
        assert!(found.iter().all(|found| *found == value(token as usize)), "row {token}");
    }
    // Each row comes from one part, and is added once.
    begin(&mut device, 4);
    device.embed(&weight, &TokenIds::Known(&tokens), 1.0, true, &mut x);
    let found = read(&mut device, &kernels.context, &x, 4 * columns);
    for (found, token) in found.chunks(columns).zip(tokens) {
        assert!(found.iter().all(|found| *found == 2.0 * value(token as usize)), "row {token}, added");
    }
    // One row and many take other kernels.
    for tokens in [1, 9] {
        let ones = filled(&mut device, &vec![1.0; tokens * columns], columns);
        let mut out = device.buffer(tokens * rows).unwrap();
        let mut projections =
            [Projection { weight: &weight, bias: None, scale: None, out: &mut out, accumulate: false }];
        begin(&mut device, tokens);
        device.project(&Input { x: &ones, rows: tokens, norm: None }, &mut projections);
        let found = read(&mut device, &kernels.context, &out, tokens * rows);
        for (at, found) in found.iter().enumerate() {
            assert_eq!(*found, value(at % rows) * columns as f32, "row {} of {tokens}", at % rows);
        }
    }
}

/// Rows after their norm, by a product with one row that picks each column: nothing is summed.
fn normed_rows<D: Device>(device: &mut D, kernels: &Kernels, x: &[f32], weight: &[f32], epsilon: f32) -> Vec<f32> {
    let (width, rows) = (weight.len(), x.len() / weight.len());
    let picks: Vec<f32> = (0..width * width).map(|i| f32::from(u8::from(i / width == i % width))).collect();
    let picks = floats(device, width, width, &picks);
    let (x, weight) = (filled(device, x, width), device.upload(weight).unwrap());
    let mut out = device.buffer(rows * width).unwrap();
    begin(device, rows);
    let input = Input { x: &x, rows, norm: Some(NormWeights::rms(&weight, epsilon)) };
    device.project(
        &input,
        &mut [Projection { weight: &picks, bias: None, scale: None, out: &mut out, accumulate: false }],
    );
    read(device, &kernels.context, &out, rows * width)
}

#[test]
pub fn norms_of_any_width_and_of_extreme_rows_are_the_cpu_s() {
    for (name, kernels) in gpus() {
        for width in [4, 12, 60, 252, 256, 260, 516] {
            let mut random = Random::new(width as u64);
            // As it comes; huge and tiny; zeros; one that outweighs all others. Up to four rows another kernel norms.
            let mut x: Vec<f32> = [1.0, 1e17, 1e-12, 0.0, 1.0, 1e-3]
                .iter()
                .flat_map(|size| random.floats(width).into_iter().map(move |x| size * x))
                .collect();
            x[4 * width + width / 2] = 1e9;
            let weight = random.floats(width);
            for (rows, epsilon) in [(6, 1e-5), (6, 1e-12), (4, 1e-6)] {
                let x = &x[..rows * width];
                let found = normed_rows(&mut gpu(&kernels), &kernels, x, &weight, epsilon);
                let expected = normed_rows(&mut cpu(1), &kernels, x, &weight, epsilon);
                for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                    // Sums of 500 squares in another order, and a root that may be off by two units in the last place.
                    let close = (found - expected).abs() <= 1e-6 * expected.abs();
                    assert!(close, "{rows} × {width}, {name}, [{i}]: {found}, expected {expected}");
                }
            }
        }
    }
}

/// Inputs in bytes are off by half a level at most, a sixteen's largest being 127; the rest is sums in f32.
#[test]
pub fn products_of_bytes_are_off_by_half_a_level_of_each_input_at_most() {
    let kernels = devices::open(&Wishes { integer_dot: true, ..Wishes::default() });
    for (ty, columns) in share(WIDTHS.into_iter().filter(|(ty, _)| ty.is_quantised()), 0) {
        for tokens in [5, 21, 130] {
            check_bytes(&kernels, ty, columns, tokens);
        }
    }
}

pub fn check_bytes(kernels: &Rc<Kernels>, ty: TensorType, columns: usize, tokens: usize) {
    check_bytes_of_rows(kernels, ty, columns, tokens, 70);
}

fn check_bytes_of_rows(kernels: &Rc<Kernels>, ty: TensorType, columns: usize, tokens: usize, rows: usize) {
    let mut random = Random::new((columns + tokens) as u64);
    let bytes = random_bytes(&mut random, ty, rows, columns);
    let weights = dequantised(ty, &bytes, rows * columns);
    let mut x = random.floats(tokens * columns);
    // A sixteen of zeros has no scale, nor has one whose scale's inverse is beyond f32.
    x[..16].fill(0.0);
    x[16..32].fill(1e-37);
    let differs = check_bytes_of((kernels, &x), (ty, &bytes, &weights), rows, |x, w| half_a_level(x) * total(w));
    assert!(differs, "{ty}, {tokens} tokens: not computed in bytes");
    // What is whole levels already loses nothing.
    let level = |i: usize, random: &mut Random| if i % 16 == 5 { 127.0 } else { (random.next() % 255) as f32 - 127.0 };
    let x: Vec<f32> = (0..tokens * columns).map(|i| level(i, &mut random) / 64.0).collect();
    check_bytes_of((kernels, &x), (ty, &bytes, &weights), rows, |_, _| 0.0);
}

/// Whether a product in bytes differs from one in floats; each is off by the sum of what its sixteens may be off, at most.
fn check_bytes_of(
    (kernels, x): (&Rc<Kernels>, &[f32]),
    (ty, bytes, weights): (TensorType, &[u8], &[f32]),
    rows: usize,
    off: impl Fn(&[f32], &[f32]) -> f64,
) -> bool {
    let (columns, mut device) = (weights.len() / rows, gpu(kernels));
    let tokens = x.len() / columns;
    let weight = matrix(&mut device, ty, rows, columns, bytes);
    let x_buffer = filled(&mut device, x, columns);
    let mut out = device.buffer(tokens * rows).unwrap();
    begin(&mut device, tokens);
    let mut projections = [Projection { weight: &weight, bias: None, scale: None, out: &mut out, accumulate: false }];
    device.project(&Input { x: &x_buffer, rows: tokens, norm: None }, &mut projections);
    let (expected, size) = product(x, weights, columns);
    let found = read(&mut device, &kernels.context, &out, tokens * rows);
    let mut differs = false;
    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let (x, w) = (&x[i / rows * columns..][..columns], &weights[i % rows * columns..][..columns]);
        let most: f64 = x.chunks(16).zip(w.chunks(16)).map(|(x, w)| off(x, w)).sum();
        let error = (f64::from(*found) - expected).abs();
        assert!(error <= most + 3e-6 * size, "{ty}, {tokens} tokens [{i}]: {found}, expected {expected}");
        differs |= error > 3e-6 * size;
    }
    differs
}

fn half_a_level(x: &[f32]) -> f64 {
    f64::from(x.iter().fold(0.0f32, |most, x| most.max(x.abs())) / 254.0)
}

fn total(weights: &[f32]) -> f64 {
    weights.iter().map(|w| f64::from(w.abs())).sum()
}

#[test]
pub fn norms_and_biases_are_found_however_many_vectors_a_model_has() {
    let kernels = devices::first();
    let (columns, rows) = (256, [70, 64]);
    // A norm at the end of 65,536 values and its biases after them, and the like; as many as seven billion weights have.
    for before in [65_300, 65_536 - 256, 65_536 - 257, 330_000] {
        let mut device = gpu(&kernels);
        let mut random = Random::new(before as u64);
        let biases = rows.map(|rows| random.floats(rows));
        device.expect_vectors(&mut [before, columns, rows[0], rows[1]].into_iter()).unwrap();
        device.upload(&vec![9.0; before]).unwrap();
        let norm = device.upload(&random.floats(columns)).unwrap();
        let bias_buffers = biases.each_ref().map(|bias| device.upload(bias).unwrap());
        let x = filled(&mut device, &vec![1.0; 6 * columns], columns);
        let matrices = rows.map(|rows| floats(&mut device, rows, columns, &vec![0.0; rows * columns]));
        for tokens in [1, 6] {
            let mut outs = rows.map(|rows| device.buffer(tokens * rows).unwrap());
            begin(&mut device, tokens);
            let mut projections: Vec<_> = (matrices.iter().zip(&bias_buffers).zip(&mut outs))
                .map(|((weight, bias), out)| Projection {
                    weight,
                    bias: Some(bias),
                    scale: None,
                    out,
                    accumulate: false,
                })
                .collect();
            let norm = Some(NormWeights::rms(&norm, 1e-5));
            device.project(&Input { x: &x, rows: tokens, norm }, &mut projections);
            for (out, bias) in outs.iter().zip(&biases) {
                let found = read(&mut device, &kernels.context, out, tokens * bias.len());
                assert_eq!(found, bias.repeat(tokens), "{before} values before, {tokens} tokens");
            }
        }
    }
}
