//! Look-ups, norms, caps and products of a batch on the GPU and on the CPU, against their formulas in f64.

use azulejo::checkpoint::TensorType;
use azulejo::device::gpu::Context;
use azulejo::device::{Activation, Device, Input, Linear, NormWeights, Patching, TokenIds};

use crate::devices::{cpu, gpu, gpus};
use crate::random::Random;
use crate::verbs::{begin, filled, floats, matrix, read};

/// Runs the same on the CPU and on the GPU in every variant.
macro_rules! on_each_device {
    (|$device:ident, $context:ident, $name:ident| $work:expr) => {
        for (n, ($name, kernels)) in gpus().into_iter().enumerate() {
            let $context = &kernels.context;
            {
                let $device = &mut gpu(&kernels);
                $work
            }
            if n == 0 {
                let ($device, $name) = (&mut cpu(2), "CPU");
                $work
            }
        }
    };
}

/// `size`: of what was summed.
fn assert_close(found: &[f32], expected: &[f64], size: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*found) - expected).abs();
        assert!(error <= 1e-6 * size.max(expected.abs()), "{what}[{i}]: {found}, expected {expected}");
    }
}

fn doubles(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

/// Tokens, positions and types: three tables and lists of ids, each scaled by its own number, the latter two added.
fn look_up_three<D: Device>(device: &mut D, context: &Context, rows: usize, what: &str) {
    let width = 44;
    let mut random = Random::new(rows as u64);
    let tables = [50, 40, 2].map(|entries| random.floats(entries * width));
    let ids = [50, 40, 2].map(|entries| (0..rows).map(|_| random.next() % entries).collect::<Vec<u32>>());
    let scales = [6.5, 1.0, -0.25];
    let matrices = tables.each_ref().map(|table| floats(device, table.len() / width, width, table));
    let mut out = filled(device, &vec![9.0; rows * width], width);
    begin(device, rows);
    for (n, ((table, ids), scale)) in matrices.iter().zip(&ids).zip(scales).enumerate() {
        device.embed(table, &TokenIds::Known(ids), scale, n > 0, &mut out);
    }
    let at = |row: usize, i: usize| -> f64 {
        let parts = tables.iter().zip(&ids).zip(scales);
        parts.map(|((table, ids), scale)| f64::from(scale * table[ids[row] as usize * width + i])).sum()
    };
    let expected: Vec<f64> = (0..rows * width).map(|i| at(i / width, i % width)).collect();
    assert_close(&read(device, context, &out, rows * width), &expected, 8.0, what);
}

#[test]
pub fn each_look_up_of_a_batch_reads_its_own_ids_and_is_scaled_and_added() {
    on_each_device!(|device, context, name| {
        for rows in [1, 7, 128, 300] {
            look_up_three(device, context, rows, &format!("{rows} rows, {name}"));
        }
    });
}

#[test]
pub fn as_many_look_ups_and_gatherings_as_one_likes_go_into_a_batch() {
    let (width, rows) = (8, 100);
    on_each_device!(|device, context, name| {
        // Row t of the table is t, in every column.
        let table: Vec<f32> = (0..50 * width).map(|i| (i / width) as f32).collect();
        let table = floats(device, 50, width, &table);
        let mut out = device.buffer(rows * width).unwrap();
        let mut gathered: Vec<_> = (0..40).map(|_| device.buffer(width).unwrap()).collect();
        begin(device, rows);
        for (n, gathered) in gathered.iter_mut().enumerate() {
            let ids: Vec<u32> = (0..rows).map(|row| ((row + n) % 50) as u32).collect();
            device.embed(&table, &TokenIds::Known(&ids), 1.0, n > 0, &mut out);
            device.gather_mean(&out, width, std::slice::from_ref(&(n..n + 1)), gathered);
        }
        for (n, gathered) in gathered.iter().enumerate() {
            let sum: usize = (0..=n).map(|m| (n + m) % 50).sum();
            assert_eq!(read(device, context, gathered, width), vec![sum as f32; width], "{n}, {name}");
        }
    });
}

#[test]
pub fn runs_of_rows_become_their_means() {
    let (width, rows) = (12, 9);
    on_each_device!(|device, context, name| {
        let x = Random::new(6).floats(rows * width);
        let buffer = filled(device, &x, width);
        let runs = [0..1, 1..4, 3..9, 8..9, 2..4];
        let mut out = device.buffer(runs.len() * width).unwrap();
        begin(device, rows);
        device.gather_mean(&buffer, width, &runs, &mut out);
        let mean = |run: &std::ops::Range<usize>, column: usize| {
            run.clone().map(|row| f64::from(x[row * width + column])).sum::<f64>() / run.len() as f64
        };
        let expected: Vec<f64> = runs.iter().flat_map(|run| (0..width).map(|column| mean(run, column))).collect();
        assert_close(&read(device, context, &out, runs.len() * width), &expected, 1.0, name);
    });
}

#[test]
pub fn patches_have_their_pixels_line_by_line_and_zeros_behind() {
    let patching = Patching { channels: 2, height: 4, width: 6, patch: [2, 3], before: 1, columns: 16 };
    on_each_device!(|device, context, name| {
        let images = Random::new(8).floats(2 * 2 * 4 * 6);
        let pixel = |image: usize, channel: usize, y: usize, x: usize| images[((image * 2 + channel) * 4 + y) * 6 + x];
        let mut expected = Vec::new();
        for image in 0..2 {
            expected.extend([0.0; 16]);
            for (y, x) in [(0, 0), (0, 3), (2, 0), (2, 3)] {
                let places = (0..12).map(|at| (at / 6, y + at % 6 / 3, x + at % 3));
                expected.extend(places.map(|(channel, y, x)| pixel(image, channel, y, x)));
                expected.extend([0.0; 4]);
            }
        }
        let mut buffer = device.buffer(images.len()).unwrap();
        device.write(&images, 0, &mut buffer);
        let mut out = device.buffer(expected.len()).unwrap();
        begin(device, 10);
        device.patches(&buffer, 2, &patching, &mut out);
        assert_eq!(read(device, context, &out, expected.len()), expected, "{name}");
    });
}

#[test]
pub fn rows_of_a_quantised_table_are_scaled_and_added() {
    let (ty, rows, width) = (TensorType::Q4_1, 9, 64);
    on_each_device!(|device, context, name| {
        let mut random = Random::new(4);
        let mut bytes: Vec<u8> = (0..rows * ty.row_bytes(width).unwrap()).map(|_| random.next() as u8).collect();
        for block in bytes.chunks_mut(ty.block_bytes()) {
            for half in block[..4].chunks_mut(2) {
                half.copy_from_slice(&half::f16::from_f32(0.1 * random.float()).to_le_bytes());
            }
        }
        let mut values = vec![0.0; rows * width];
        ty.dequantize(&bytes, &mut values);
        let table = matrix(device, ty, rows, width, &bytes);
        let mut out = filled(device, &vec![1.0; 2 * width], width);
        begin(device, 2);
        device.embed(&table, &TokenIds::Known(&[8, 3]), 3.0, true, &mut out);
        let found = read(device, context, &out, 2 * width);
        let rows = values[8 * width..].iter().chain(&values[3 * width..4 * width]);
        let expected: Vec<f64> = rows.map(|value| 1.0 + 3.0 * f64::from(*value)).collect();
        assert_close(&found, &expected, 4.0, name);
    });
}

/// A norm's formula, in f64.
fn normed(x: &[f32], weight: &[f32], bias: Option<&[f32]>, centred: bool, epsilon: f32) -> Vec<f64> {
    let row = |x: &[f32]| -> Vec<f64> {
        let x = doubles(x);
        let mean = if centred { x.iter().sum::<f64>() / x.len() as f64 } else { 0.0 };
        let square = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64;
        let scale = (square + f64::from(epsilon)).sqrt().recip();
        let bias = |i: usize| bias.map_or(0.0, |bias| f64::from(bias[i]));
        x.iter().enumerate().map(|(i, x)| (x - mean) * scale * f64::from(weight[i]) + bias(i)).collect()
    };
    x.chunks(weight.len()).flat_map(row).collect()
}

fn norm_rows<D: Device>(device: &mut D, context: &Context, [rows, width]: [usize; 2], name: &str) {
    let mut random = Random::new((rows * width) as u64);
    let (x, before) = (random.floats(rows * width), random.floats(rows * width));
    let (weight, bias) = (random.floats(width), random.floats(width));
    device.expect_vectors(&mut [7, width, width].into_iter()).unwrap();
    let [_, weights, biases] = [&[0.5; 7], &weight[..], &bias].map(|vector| device.upload(vector).unwrap());
    let x_buffer = filled(device, &x, width);
    for (centred, biased) in [(false, false), (true, false), (true, true)] {
        for accumulate in [false, true] {
            let what = format!("{rows} × {width}, centred: {centred}, biased: {biased}, added: {accumulate}, {name}");
            let mut out = filled(device, &before, width);
            begin(device, rows);
            let norm = NormWeights { weight: &weights, bias: biased.then_some(&biases), centred, epsilon: 1e-5 };
            device.norm(&Input { x: &x_buffer, rows, norm: Some(norm) }, width, accumulate, &mut out);
            let mut expected = normed(&x, &weight, biased.then_some(&bias[..]), centred, 1e-5);
            if accumulate {
                expected.iter_mut().zip(&before).for_each(|(value, before)| *value += f64::from(*before));
            }
            assert_close(&read(device, context, &out, rows * width), &expected, 3.0, &what);
        }
    }
    let mut out = filled(device, &before, width);
    begin(device, rows);
    device.norm(&Input { x: &x_buffer, rows, norm: None }, width, true, &mut out);
    let expected: Vec<f64> = x.iter().zip(&before).map(|(x, before)| f64::from(x + before)).collect();
    assert_close(&read(device, context, &out, rows * width), &expected, 2.0, &format!("no norm, {name}"));
    begin(device, rows);
    device.norm(&Input { x: &x_buffer, rows, norm: None }, width, false, &mut out);
    assert_eq!(read(device, context, &out, rows * width), x, "a copy, {name}");
}

#[test]
pub fn norms_of_every_kind_replace_or_are_added() {
    on_each_device!(|device, context, name| {
        for size in [[1, 4], [6, 60], [70, 32], [3, 516]] {
            norm_rows(device, context, size, name);
        }
    });
}

#[test]
pub fn caps_hold_the_first_values_and_leave_the_rest() {
    // More than a grid has threads; and a number that is no multiple of four.
    for len in [1, 7, 300, 4096 * 64 + 3000 + 1] {
        let columns = 12;
        let mut values = Random::new(len as u64).floats((len + 13) / columns * columns + columns);
        values.iter_mut().enumerate().for_each(|(i, value)| *value *= [1e-3, 10.0, 300.0][i % 3]);
        values[len / 2] = -1e30;
        values[len - 1] = 3e38;
        on_each_device!(|device, context, name| {
            let mut x = filled(device, &values, columns);
            begin(device, 1);
            device.soft_cap(&mut x, len, 30.0);
            let found = read(device, context, &x, values.len());
            let expected: Vec<f64> = values[..len].iter().map(|x| 30.0 * (f64::from(*x) / 30.0).tanh()).collect();
            assert_close(&found[..len], &expected, 15.0, &format!("{len}, {name}"));
            assert_eq!(found[len..], values[len..], "{len}, {name}");
        });
    }
}

/// Φ, by its series.
fn normal_distribution(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return f64::from(u8::from(x > 0.0));
    }
    let (mut term, mut sum, mut n) = (x, x, 1.0);
    while term.abs() > 1e-18 {
        term *= -x * x / (2.0 * n);
        sum += term / (2.0 * n + 1.0);
        n += 1.0;
    }
    0.5 + sum / std::f64::consts::TAU.sqrt()
}

fn activated(x: f64, activation: Activation) -> f64 {
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    match activation {
        Activation::Silu => x * sigmoid(x),
        Activation::Gelu => x * normal_distribution(x),
        Activation::GeluTanh => x * sigmoid((8.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))),
        Activation::GeluQuick => x * sigmoid(1.702 * x),
        Activation::Relu => x.max(0.0),
        Activation::Tanh => x.tanh(),
    }
}

#[test]
pub fn every_activation_is_its_formula() {
    use Activation::{Gelu, GeluQuick, GeluTanh, Relu, Silu, Tanh};
    let width = 20;
    let ones: Vec<f32> = (0..width * width).map(|i| f32::from(u8::from(i / width == i % width))).collect();
    on_each_device!(|device, context, name| {
        // Few rows and many have different kernels.
        for rows in [1, 6] {
            let mut x = Random::new(rows as u64).floats(rows * width);
            x.iter_mut().for_each(|x| *x *= 4.0);
            x[..4].copy_from_slice(&[1e4, -1e4, 100.0, 0.0]);
            let buffer = filled(device, &x, width);
            let up = Linear { weight: floats(device, width, width, &ones), bias: None };
            for activation in [Silu, Gelu, GeluTanh, GeluQuick, Relu, Tanh] {
                let mut out = device.buffer(rows * width).unwrap();
                begin(device, rows);
                let input = Input { x: &buffer, rows, norm: None };
                device.project_activated(&input, None, &up, activation, &mut out);
                let expected: Vec<f64> = x.iter().map(|x| activated(f64::from(*x), activation)).collect();
                let what = format!("{activation:?}, {rows} rows, {name}");
                assert_close(&read(device, context, &out, rows * width), &expected, 1.0, &what);
            }
        }
    });
}

#[test]
pub fn what_was_added_to_is_activated_as_products_are() {
    use Activation::{Gelu, GeluQuick, GeluTanh, Relu, Silu, Tanh};
    // The last is more than a grid has threads; and what lies behind stays as it was.
    for (len, activation) in
        [(1, Silu), (7, Gelu), (300, GeluTanh), (64, GeluQuick), (65, Relu), (4096 * 64 + 3000 + 1, Tanh)]
    {
        let columns = 12;
        let mut random = Random::new(len as u64);
        let [x, up] = [(); 2].map(|()| random.floats((len + 13) / columns * columns + columns));
        on_each_device!(|device, context, name| {
            let ups = filled(device, &up, columns);
            for gates in [false, true] {
                let mut buffer = filled(device, &x, columns);
                begin(device, 1);
                device.activate(&mut buffer, gates.then_some(&ups), len, activation);
                let found = read(device, context, &buffer, x.len());
                let by = |i: usize| if gates { f64::from(up[i]) } else { 1.0 };
                let expected: Vec<f64> = (0..len).map(|i| activated(f64::from(x[i]), activation) * by(i)).collect();
                assert_close(&found[..len], &expected, 1.0, &format!("{len}, {activation:?}, gates: {gates}, {name}"));
                assert_eq!(found[len..], x[len..], "{len}, {name}");
            }
        });
    }
}

#[test]
pub fn products_have_as_many_rows_as_their_input_whatever_the_batch_has() {
    let (columns, height) = (36, 72);
    let mut random = Random::new(6);
    let (x, weight) = (random.floats(130 * columns), random.floats(height * columns));
    let product = |row: usize, column: usize| -> f64 {
        let pair = x[row * columns..][..columns].iter().zip(&weight[column * columns..][..columns]);
        pair.map(|(x, w)| f64::from(*x) * f64::from(*w)).sum()
    };
    on_each_device!(|device, context, name| {
        let linear = Linear { weight: floats(device, height, columns, &weight), bias: None };
        let buffer = filled(device, &x, columns);
        for (batch, many) in [(3, 130), (130, 7), (1, 21), (40, 5)] {
            let mut out = filled(device, &vec![0.5; 131 * height], height);
            begin(device, batch);
            device.project(&Input { x: &buffer, rows: many, norm: None }, &mut [linear.to(&mut out)]);
            let found = read(device, context, &out, 131 * height);
            let expected: Vec<f64> = (0..many * height).map(|i| product(i / height, i % height)).collect();
            let what = format!("{many} rows in a batch of {batch}, {name}");
            assert_close(&found[..many * height], &expected, 12.0, &what);
            assert!(found[many * height..].iter().all(|value| *value == 0.5), "{what}: the others are left alone");
        }
    });
}

#[test]
fn vectors_that_a_kernel_cannot_read_together_are_an_error() {
    let kernels = crate::devices::first();
    let device = &mut gpu(&kernels);
    let weight = device.upload(&[1.0; 4]).unwrap();
    // Fills what room there was beside it.
    device.upload(&[0.0; 1 << 16]).unwrap();
    let bias = device.upload(&[1.0; 4]).unwrap();
    let x = filled(device, &[1.0, 2.0, 3.0, 4.0], 4);
    let mut out = device.buffer(4).unwrap();
    begin(device, 1);
    let norm = NormWeights { weight: &weight, bias: Some(&bias), centred: true, epsilon: 1e-5 };
    device.norm(&Input { x: &x, rows: 1, norm: Some(norm) }, 4, false, &mut out);
    let Err(error) = device.send(&out, 4) else { panic!("the bias of another buffer was read") };
    assert!(error.message.contains("several buffers"), "{error}");
}
