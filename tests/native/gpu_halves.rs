//! Halves: exact also on devices that take subnormal ones for zeros and round towards zero, as WGSL lets them. There are
//! none where the tests run, so that a shader stands in for one: `shaders/halves/poor.wgsl`.

use azulejo::checkpoint::TensorType;
use azulejo::device::gpu::{Kernels, Wishes};
use azulejo::device::{CacheType, Device, Input, Linear};
use std::rc::Rc;

use crate::attention::{Case, Numbers, attend, shape};
use crate::blocks::scales_of;
use crate::devices::{self, cpu, gpu};
use crate::random::Random;
use crate::sample::share;
use crate::verbs::{begin, filled, matrix, read};

fn poor() -> Rc<Kernels> {
    devices::open(&Wishes { poor_halves: true, ..Wishes::default() })
}

/// The same, if nobody had asked.
fn trusted(kernels: &Kernels) -> Rc<Kernels> {
    Kernels::new(kernels.context.clone())
}

#[test]
pub fn a_poor_device_is_found_out() {
    let kernels = poor();
    assert!(kernels.extras().inexact_halves);
    assert!(!trusted(&kernels).extras().inexact_halves);
    let good = devices::open(&Wishes::default());
    assert!(!good.extras().inexact_halves, "the drivers of the tests are exact");
}

/// Weights whose scales are all subnormal halves, or that are so themselves.
fn tiny_weights(random: &mut Random, ty: TensorType, rows: usize, columns: usize) -> Vec<u8> {
    let tiny =
        |random: &mut Random| ((random.next() % 1023 + 1) as u16 | (random.next() as u16 & 0x8000)).to_le_bytes();
    if ty == TensorType::F16 {
        return (0..rows * columns).flat_map(|_| tiny(random)).collect();
    }
    let mut bytes: Vec<u8> = (0..rows * ty.row_bytes(columns).unwrap()).map(|_| random.next() as u8).collect();
    for block in bytes.chunks_mut(ty.block_bytes()) {
        scales_of(ty).iter().for_each(|at| block[*at..at + 2].copy_from_slice(&tiny(random)));
    }
    bytes
}

/// The largest error of a product, as a part of its terms' sizes.
fn error_of_product(kernels: &Rc<Kernels>, ty: TensorType, tokens: usize) -> f64 {
    let (rows, columns, mut random) = (9, 512, Random::new(7));
    let bytes = tiny_weights(&mut random, ty, rows, columns);
    let mut weights = vec![0.0; rows * columns];
    ty.dequantize(&bytes, &mut weights);
    let x = random.floats(tokens * columns);
    let mut device = gpu(kernels);
    let weight = Linear { weight: matrix(&mut device, ty, rows, columns, &bytes), bias: None };
    let input = filled(&mut device, &x, columns);
    let mut out = device.buffer(tokens * rows).unwrap();
    begin(&mut device, tokens);
    device.project(&Input { x: &input, rows: tokens, norm: None }, &mut [weight.to(&mut out)]);
    let found = read(&mut device, &kernels.context, &out, tokens * rows);
    let error = |(i, found): (usize, &f32)| {
        let (x, weight) = (&x[i / rows * columns..][..columns], &weights[i % rows * columns..][..columns]);
        let products = || x.iter().zip(weight).map(|(x, w)| f64::from(*x) * f64::from(*w));
        (f64::from(*found) - products().sum::<f64>()).abs() / products().map(f64::abs).sum::<f64>()
    };
    found.iter().enumerate().map(error).fold(0.0, f64::max)
}

#[test]
pub fn scales_that_are_subnormal_halves_are_right_in_every_format() {
    let kernels = poor();
    let own = trusted(&kernels);
    let formats = TensorType::ALL.into_iter().filter(|ty| match ty.is_quantised() {
        true => !scales_of(*ty).is_empty(),
        false => *ty == TensorType::F16,
    });
    for ty in share(formats, 0) {
        for tokens in [1, 8] {
            let error = error_of_product(&kernels, ty, tokens);
            assert!(error < 3e-6, "{ty}, {tokens} tokens: {error}");
        }
        // Zeros in place of the weights: the case has teeth.
        assert!(error_of_product(&own, ty, 1) > 0.01, "{ty}");
        assert!(error_of_product(&devices::first(), ty, 1) < 3e-6, "{ty}, on the device as it is");
    }
}

/// Values as they come out of the cache: each query sees its own key alone.
fn through_the_cache<D: Device>(device: &mut D, kernels: &Kernels) -> Vec<f32> {
    let mut shape = shape(1, 1, 8);
    shape.window = Some(1);
    let case = Case::new(shape, CacheType::F16, 0, 64);
    let mut random = Random::new(9);
    // Of all sizes, down to less than the least half.
    let mut values = || -> Vec<f32> { (0..64 * 8).map(|i| random.float() * 2f32.powi(14 - (i % 40))).collect() };
    let numbers = Numbers { query: values(), key: values(), value: values() };
    attend(device, &kernels.context, &case, &[numbers]).out
}

#[test]
pub fn what_is_cached_in_halves_is_rounded_to_the_nearest_as_on_the_cpu() {
    let kernels = poor();
    let expected = through_the_cache(&mut cpu(1), &kernels);
    assert_eq!(through_the_cache(&mut gpu(&kernels), &kernels), expected);
    assert_ne!(through_the_cache(&mut gpu(&trusted(&kernels)), &kernels), expected);
    let first = devices::first();
    assert_eq!(through_the_cache(&mut gpu(&first), &first), expected, "on the device as it is");
}
