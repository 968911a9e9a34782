//! Ways of kernels that are chosen by measurement: each computes the same, and what is measured is one of them.

use azulejo::checkpoint::TensorType;
use azulejo::device::gpu::native::run;
use azulejo::device::gpu::{Choices, Gpu, Kernel, Kernels, ManyRows, OneRow, Shader, Wishes};
use azulejo::device::{Device, Input, Linear};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::alone::{Alone, source};
use crate::blocks::random_bytes;
use crate::devices::{self, gpu};
use crate::gpu_kernels::{WIDTHS, check_gated, check_projection};
use crate::random::Random;
use crate::verbs::{begin, matrix, read};

fn with(choices: Choices, without: &[&str]) -> Rc<Kernels> {
    let without = without.iter().map(|name| name.to_string()).collect();
    devices::shared(&Wishes { choices, without, ..Wishes::default() })
}

#[test]
pub fn one_row_is_multiplied_right_in_every_way() {
    // The default way has all other tests.
    for one_row in [OneRow::Apart, OneRow::Wide, OneRow::WideApart] {
        // Subgroups that are a row's lanes, subgroups of any size, and none.
        for without in [&[][..], &["subgroup-size"], &["subgroups"]] {
            let kernels = with(Choices { one_row, ..Choices::default() }, without);
            let name = format!("{one_row:?}, without {without:?}");
            // Long enough for twice as many lanes, and too short.
            for (ty, columns) in [(TensorType::Q4_1, 2112), (TensorType::F32, 36)] {
                check_projection(&kernels, ty, columns, 1, &name);
            }
            check_gated(&kernels, 1, [TensorType::Q4_K; 2], &name);
        }
    }
}

#[test]
pub fn many_rows_are_multiplied_right_in_every_way() {
    // Halves are another matter: see below.
    for many_rows in [ManyRows::Even, ManyRows::Large, ManyRows::Small] {
        let kernels = with(Choices { many_rows, ..Choices::default() }, &["subgroups"]);
        let name = format!("{many_rows:?}");
        for tokens in [9, 130] {
            check_projection(&kernels, TensorType::Q4_1, 576, tokens, &name);
        }
        check_gated(&kernels, 33, [TensorType::Q4_K; 2], &name);
    }
}

#[test]
fn what_is_measured_is_chosen_and_leaves_nothing_behind() {
    let kernels = devices::open(&Wishes::default());
    let tuning = run(Some(&kernels.context), kernels.tune()).unwrap();
    println!("{tuning:?}");
    assert_eq!(kernels.choices(), tuning.choices);
    assert_eq!(kernels.context.allocated(), 0);
    assert_eq!(kernels.context.errors(), 0);
    for (kernel, times) in &tuning.measured {
        let without_halves = usize::from(!kernels.extras().halves);
        let ways = if kernel == "oneRow" { OneRow::ALL.len() } else { ManyRows::ALL.len() - without_halves };
        assert_eq!(times.len(), ways, "{kernel}: {times:?}");
        let default = if kernel == "oneRow" { "staged" } else { "even" };
        assert_eq!(times[default], 1.0, "{kernel}: {times:?}");
    }
    let text = serde_json::to_string(&tuning).unwrap();
    assert_eq!(serde_json::from_str::<azulejo::device::gpu::Tuning>(&text).unwrap(), tuning);
}

fn still() -> f64 {
    0.0
}

/// Half a minute goes by whenever somebody looks.
fn flying() -> f64 {
    static NOW: AtomicU64 = AtomicU64::new(0);
    NOW.fetch_add(30_000, Ordering::Relaxed) as f64
}

#[test]
fn where_nothing_can_be_measured_or_there_is_no_time_for_it_the_default_ways_stay() {
    for clock in [still, flying] {
        let kernels = devices::open(&Wishes { clock: Some(clock), ..Wishes::default() });
        let tuning = run(Some(&kernels.context), kernels.tune()).unwrap();
        assert_eq!(tuning.choices, Choices::default());
        assert!(tuning.measured.is_empty(), "{tuning:?}");
    }
}

/// A device that multiplies halves, where there are any.
fn halving() -> Option<Rc<Kernels>> {
    let kernels = with(Choices { many_rows: ManyRows::Halves, ..Choices::default() }, &["subgroups"]);
    kernels.extras().halves.then_some(kernels)
}

/// x · weightᵀ in floats of 64 bits, and the sum of the sizes of what is added; each [tokens, rows].
fn product(x: &[f32], weights: &[f32], columns: usize) -> Vec<(f64, f64)> {
    let of = |x: &[f32], w: &[f32]| {
        let products = x.iter().zip(w).map(|(x, w)| f64::from(*x) * f64::from(*w));
        (products.clone().sum(), products.map(f64::abs).sum())
    };
    x.chunks(columns).flat_map(|x| weights.chunks(columns).map(move |w| of(x, w))).collect()
}

/// What a device makes of the product.
fn multiplied(kernels: &Rc<Kernels>, ty: TensorType, bytes: &[u8], rows: usize, columns: usize, x: &[f32]) -> Vec<f32> {
    let (mut device, tokens) = (gpu(kernels), x.len() / columns);
    let weight = Linear::<Gpu> { weight: matrix(&mut device, ty, rows, columns, bytes), bias: None };
    let mut x_buffer = device.buffer(x.len()).unwrap();
    device.write(x, 0, &mut x_buffer);
    let mut out = device.buffer(tokens * rows).unwrap();
    begin(&mut device, tokens);
    device.project(&Input { x: &x_buffer, rows: tokens, norm: None }, &mut [weight.to(&mut out)]);
    read(&mut device, &kernels.context, &out, tokens * rows)
}

/// Sizes of a token's inputs: what floats hold and halves do not, on both sides.
const SIZES: [f32; 9] = [1.0, 1e5, 3e-5, 7e9, 2e-12, 1e30, 1e-30, 65504.0, 0.25];

#[test]
pub fn products_of_halves_are_off_by_what_halves_are_rounded_by() {
    let Some(kernels) = halving() else { return };
    // Two roundings, of a product, and of three sums; and the sums in floats.
    let most = (1.0 + 2f64.powi(-11)).powi(6) - 1.0 + 3e-6;
    for (ty, columns) in WIDTHS.into_iter().filter(|(ty, _)| ty.is_quantised() || *ty == TensorType::F16) {
        for (rows, tokens) in [(70, 5), (70, 21), (2100, 130)] {
            if rows > 100 && ty != TensorType::Q4_1 {
                continue;
            }
            let mut random = Random::new((columns + tokens) as u64);
            let bytes = random_bytes(&mut random, ty, rows, columns);
            let mut weights = vec![0.0; rows * columns];
            ty.dequantize(&bytes, &mut weights);
            let mut x = random.floats(tokens * columns);
            for (at, x) in x.iter_mut().enumerate() {
                *x *= SIZES[at / columns % SIZES.len()];
            }
            let found = multiplied(&kernels, ty, &bytes, rows, columns, &x);
            let (mut off, expected) = (false, product(&x, &weights, columns));
            for (at, (found, (expected, size))) in found.iter().zip(&expected).enumerate() {
                let error = (f64::from(*found) - expected).abs();
                assert!(error <= most * size, "{ty}, {tokens} tokens [{at}]: {found}, expected {expected}, of {size}");
                off |= error > 3e-6 * size;
            }
            assert!(off, "{ty}, {tokens} tokens: not computed in halves");
        }
    }
}

/// Each token's largest elsewhere, or beyond all exponents that are as they should be; further tokens than a grid is long.
#[test]
pub fn tokens_become_halves_by_the_largest_of_each() {
    let Some(kernels) = halving() else { return };
    // More fours than threads.
    let (fours, halves_of) = (65, |value: f32| u32::from(half::f16::from_f32(value).to_bits()));
    let width = 4 * fours;
    let token = |largest: f32, at: usize| (0..width).map(move |i| if i == at { largest } else { i as f32 / -512.0 });
    let mut x: Vec<f32> = (0..width).flat_map(|at| token([1000.0, -700.0][at % 2], at)).collect();
    let extremes = [(f32::MAX, 126), (0.0, -124), (f32::MIN_POSITIVE, -123), (f32::NAN, 126)];
    for (extreme, _) in extremes {
        x.extend((0..width).map(|_| extreme));
    }
    let tokens = width + extremes.len() - 1;
    let words = fours * 2 + 2;
    let alone = Alone {
        storage: vec![(0, x.iter().map(|value| value.to_bits()).collect()), (1, vec![7; (tokens + 1) * words])],
        uniforms: &[&[fours as u32], &[0, tokens as u32, 0, 0]],
        grid: [1, 2, (tokens as u32 + 1).div_ceil(2)],
    };
    let found = alone.run(&kernels.context, source(&Kernel::new(Shader::Halve), kernels.extras())).remove(1);
    let exponents = (0..width).map(|at| [1000f32, 700.0][at % 2].log2() as i32 + 3).chain(extremes.map(|(_, e)| e));
    for ((found, x), exponent) in found.chunks(words).zip(x.chunks(width)).zip(exponents).take(tokens) {
        let factor = 2f64.powi(-exponent);
        let halves = x.iter().map(|value| halves_of((f64::from(*value) * factor) as f32));
        let expected: Vec<u32> = halves.chain([halves_of(exponent as f32); 4]).collect();
        let found: Vec<u32> = found.iter().flat_map(|word| [word & 0xffff, word >> 16]).collect();
        assert_eq!(found, expected, "of {:?}", &x[..4]);
    }
    assert_eq!(found[tokens * words..], vec![7; words], "behind the last");
}

/// Small whole numbers, times a power of two for each token: nothing is rounded. Tokens of zeros, one that is no number,
/// and the largest weights there are.
#[test]
pub fn halves_that_hold_their_numbers_lose_nothing_whatever_their_size() {
    let Some(kernels) = halving() else { return };
    let (ty, rows, columns) = (TensorType::F16, 35, 72);
    for (tokens, heaviest) in [(9, 3.0), (33, 65504.0)] {
        let mut random = Random::new(tokens as u64);
        let weights: Vec<f32> = (0..rows * columns)
            .map(|at| if at % columns == 5 { heaviest } else { f32::from(random.next() as i8 % 4) })
            .collect();
        let bytes: Vec<u8> = weights.iter().flat_map(|w| half::f16::from_f32(*w).to_le_bytes()).collect();
        let exponents = [0, 20, -20, 100, -100, 3];
        let mut x: Vec<f32> = (0..tokens * columns)
            .map(|at| f32::from(random.next() as i8 % 8) * 2f32.powi(exponents[at / columns % exponents.len()]))
            .collect();
        // The heaviest has neighbours of nothing and a power of two for it, so that halves hold its product.
        for (token, row) in x.chunks_mut(columns).enumerate() {
            row[4..8].copy_from_slice(&[0.0, 2f32.powi(exponents[token % exponents.len()]), 0.0, 0.0]);
        }
        x[columns..2 * columns].fill(0.0);
        x[2 * columns + 7] = f32::NAN;
        let found = multiplied(&kernels, ty, &bytes, rows, columns, &x);
        for (at, (found, (expected, _))) in found.iter().zip(product(&x, &weights, columns)).enumerate() {
            if at / rows == 2 {
                assert!(found.is_nan(), "{at}: {found}");
            } else {
                assert_eq!(f64::from(*found), expected, "{tokens} tokens, {} of {}", at % rows, at / rows);
            }
        }
    }
}
