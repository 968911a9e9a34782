//! More rows than a dimension of a grid may have (65,535 everywhere): folded into another, or refused by name.

use azulejo::checkpoint::TensorType;
use azulejo::device::gpu::native::run;
use azulejo::device::gpu::{Context, Gpu, Kernels, Wishes};
use azulejo::device::picture::PRECISION;
use azulejo::device::{
    CacheType, Device, Input, Linear, NormWeights, Patching, Picture, Preparation, Progress, Taps, TokenIds,
};
use azulejo::error::{Code, Error};
use std::ops::Range;
use std::rc::Rc;

use crate::attention::{Case, Heading, attend, attention_map, numbers, shape};
use crate::devices::{self, cpu, gpu};
use crate::random::Random;
use crate::sample::due;
use crate::verbs::{begin, filled, floats, matrix, read};

/// One more than the grids of every device have, and one more than that.
const MANY: usize = 65_537;

/// Devices whose norms and products take a workgroup a row, and others.
fn variants() -> [(&'static str, Rc<Kernels>); 2] {
    let without = Wishes { without: vec!["subgroups".into()], ..Wishes::default() };
    [("all features", devices::first()), ("without subgroups", devices::shared(&without))]
}

/// `work`'s numbers on both devices, which have to be as good as the same.
macro_rules! same_as_the_cpu {
    (|$device:ident, $context:ident| $work:expr) => {
        for (name, kernels) in variants() {
            let $context: &Context = &kernels.context;
            let expected: Vec<f32> = {
                let $device = &mut cpu(2);
                $work
            };
            let found: Vec<f32> = {
                let $device = &mut gpu(&kernels);
                $work
            };
            assert_eq!(found.len(), expected.len(), "{name}");
            for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let error = (found - expected).abs();
                assert!(error <= 1e-5 * expected.abs().max(1.0), "{name}[{i}]: {found}, expected {expected}");
            }
        }
    };
}

#[test]
pub fn a_head_of_262144_rows_is_right_whatever_the_lanes_of_a_row() {
    let (ty, rows, columns) = (TensorType::Q8_0, 262_144, 32);
    let mut random = Random::new(1);
    let mut bytes: Vec<u8> = (0..rows * ty.row_bytes(columns).unwrap()).map(|_| random.next() as u8).collect();
    for block in bytes.chunks_mut(ty.block_bytes()) {
        block[..2].copy_from_slice(&half::f16::from_f32(0.01).to_le_bytes());
    }
    let mut weights = vec![0.0; rows * columns];
    ty.dequantize(&bytes, &mut weights);
    let x = random.floats(columns);
    let expected: Vec<f32> =
        weights.chunks(columns).map(|row| row.iter().zip(&x).map(|(w, x)| w * x).sum::<f32>()).collect();
    let lanes = [4, 8, 16, 32, 64, 128].into_iter();
    let cases = lanes.flat_map(|lanes| [vec![], vec!["subgroups".to_owned()]].map(|without| (lanes, without)));
    // 64 is what most GPUs get whose grids are too short for it.
    for (_, (lanes, without)) in cases.enumerate().filter(|(at, (lanes, _))| due(*at) || *lanes == 64) {
        let what = format!("{lanes} lanes, without {without:?}");
        let kernels = devices::open(&Wishes { lanes: Some(lanes), without, ..Wishes::default() });
        let mut device = gpu(&kernels);
        let head = Linear { weight: matrix(&mut device, ty, rows, columns, &bytes), bias: None };
        let input = filled(&mut device, &x, columns);
        let mut out = device.buffer(rows).unwrap();
        begin(&mut device, 1);
        device.project(&Input { x: &input, rows: 1, norm: None }, &mut [head.to(&mut out)]);
        let found = read(&mut device, &kernels.context, &out, rows);
        for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert!((found - expected).abs() < 1e-4, "{what}, row {i}: {found}, expected {expected}");
        }
    }
}

#[test]
pub fn as_many_rows_as_one_likes_are_looked_up_normed_and_gathered() {
    let width = 4;
    let ids: Vec<u32> = (0..MANY as u32).map(|row| row * 7919 % 1000).collect();
    let runs: Vec<Range<usize>> = (0..MANY).map(|row| MANY - 1 - row..MANY - row).collect();
    same_as_the_cpu!(|device, context| {
        let mut random = Random::new(2);
        let table = floats(device, 1000, width, &random.floats(1000 * width));
        let weight = device.upload(&random.floats(width)).unwrap();
        let [mut x, mut normed, mut gathered] = [(); 3].map(|()| device.buffer(MANY * width).unwrap());
        begin(device, MANY);
        device.embed(&table, &TokenIds::Known(&ids), 2.0, false, &mut x);
        let input = Input { x: &x, rows: MANY, norm: Some(NormWeights::rms(&weight, 1e-5)) };
        device.norm(&input, width, false, &mut normed);
        device.gather_mean(&normed, width, &runs, &mut gathered);
        read(device, context, &gathered, MANY * width)
    });
}

/// Multiplies as many rows as are too many for the short grids of the device.
fn multiply_rows(wishes: Wishes, ty: TensorType, bytes: &[u8], x: &[f32], columns: usize) {
    let (rows, tokens) = (bytes.len() / ty.row_bytes(columns).unwrap(), x.len() / columns);
    let kernels = devices::open(&Wishes { most_groups: Some(3), ..wishes });
    fn multiply<D: Device>(
        device: &mut D,
        context: &Context,
        (ty, bytes, rows): (TensorType, &[u8], usize),
        (x, tokens): (&[f32], usize),
    ) -> Vec<f32> {
        let columns = x.len() / tokens;
        let weight = Linear { weight: matrix(device, ty, rows, columns, bytes), bias: None };
        let mut input = device.buffer(x.len()).unwrap();
        device.write(x, 0, &mut input);
        let mut out = device.buffer(tokens * rows).unwrap();
        begin(device, tokens);
        device.project(&Input { x: &input, rows: tokens, norm: None }, &mut [weight.to(&mut out)]);
        read(device, context, &out, tokens * rows)
    }
    let expected = multiply(&mut cpu(2), &kernels.context, (ty, bytes, rows), (x, tokens));
    let found = multiply(&mut gpu(&kernels), &kernels.context, (ty, bytes, rows), (x, tokens));
    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert!((found - expected).abs() <= 1e-3, "{tokens} tokens, {ty}, {i}: {found}, expected {expected}");
    }
}

#[test]
pub fn rows_beyond_a_grid_are_multiplied_and_become_bytes() {
    let (columns, rows) = (32, 3);
    let floats: Vec<u8> = Random::new(3).floats(rows * columns).iter().flat_map(|value| value.to_le_bytes()).collect();
    let row = |row: usize| half::f16::ONE.to_le_bytes().into_iter().chain((0..32).map(move |i| (i + row) as u8));
    let bytes: Vec<u8> = (0..rows).flat_map(row).collect();
    // Levels that are whole numbers: nothing is rounded away.
    let x = |tokens: usize| -> Vec<f32> {
        (0..tokens * columns).map(|i| if i % 16 == 0 { 127.0 } else { (i * 31 % 200) as f32 - 100.0 }).collect()
    };
    // 3 groups of 16 tokens, of one where they become bytes.
    for tokens in [49, 130] {
        multiply_rows(Wishes::default(), TensorType::F32, &floats, &x(100), columns);
        let without = Wishes { without: vec!["subgroups".into()], ..Wishes::default() };
        multiply_rows(without, TensorType::F32, &floats, &x(tokens), columns);
    }
    multiply_rows(Wishes { integer_dot: true, ..Wishes::default() }, TensorType::Q8_0, &bytes, &x(8), columns);
}

#[test]
pub fn as_many_heads_as_one_likes_are_turned_stored_and_attended_to() {
    // Each query sees the last few keys only.
    let mut shape = shape(1, 1, 4);
    shape.window = Some(3);
    let mut case = Case::new(shape, CacheType::F32, 0, MANY);
    case.heading = Heading { frequencies: vec![0.5, 0.01], ..Heading::none() };
    let numbers = numbers(&case, 4);
    same_as_the_cpu!(|device, context| attend(device, context, &case, &numbers).out);
}

#[test]
pub fn attention_and_its_maps_go_on_in_another_dimension() {
    let kernels = devices::open(&Wishes { most_groups: Some(12), ..Wishes::default() });
    let case = Case::new(shape(3, 1, 16), CacheType::F16, 0, 130);
    let numbers = numbers(&case, 6);
    let [found, expected] = [
        attend(&mut gpu(&kernels), &kernels.context, &case, &numbers).out,
        attend(&mut cpu(2), &kernels.context, &case, &numbers).out,
    ];
    let [map, expected_map] = [
        attention_map(&mut gpu(&kernels), &kernels.context, &case, &numbers[0]),
        attention_map(&mut cpu(2), &kernels.context, &case, &numbers[0]),
    ];
    for (found, expected) in found.iter().zip(&expected).chain(map.iter().zip(&expected_map)) {
        assert!((found - expected).abs() < 1e-5, "{found}, expected {expected}");
    }
}

#[test]
pub fn as_many_patches_as_one_likes_are_cut() {
    let patching = Patching { channels: 1, height: 1, width: MANY - 1, patch: [1, 1], before: 1, columns: 4 };
    same_as_the_cpu!(|device, context| {
        let mut images = device.buffer(MANY - 1).unwrap();
        device.write(&Random::new(5).floats(MANY - 1), 0, &mut images);
        let mut out = device.buffer(MANY * 4).unwrap();
        begin(device, MANY);
        device.patches(&images, 1, &patching, &mut out);
        read(device, context, &out, MANY * 4)
    });
}

#[test]
pub fn a_picture_of_as_many_lines_as_one_likes_is_resampled() {
    let rgba: Vec<u8> = (0..4 * MANY).map(|i| if i % 4 == 3 { 255 } else { (i * 37 % 251) as u8 }).collect();
    let picture = Picture { rgba: &rgba, width: 1, height: MANY };
    let all = |len: usize| Taps { first: (0..len as u32).collect(), count: 1, weights: vec![1 << PRECISION; len] };
    let levels = (0..3 * 256).map(|level| level as f32).collect();
    let preparation = Preparation {
        channels: 3,
        width: 1,
        height: MANY,
        columns: all(1),
        rows: all(MANY),
        rows_first: false,
        levels,
    };
    same_as_the_cpu!(|device, context| {
        let mut out = device.buffer(preparation.len()).unwrap();
        device.pixels(&picture, &preparation, 0, &mut out).unwrap();
        read(device, context, &out, 3 * MANY)
    });
}

fn refused<T: std::fmt::Debug>(result: Result<T, Error>) {
    let error = result.unwrap_err();
    assert_eq!(error.code, Code::UnsupportedModel, "{error}");
    assert!(error.message.contains("SoftCap") || error.message.contains("MatrixVector"), "{error}");
    assert!(error.message.contains("this GPU takes 3 in each"), "{error}");
}

#[test]
pub fn what_no_fold_makes_fit_is_refused_by_the_kernels_name_at_load_and_the_device_goes_on() {
    let kernels = devices::open(&Wishes { most_groups: Some(3), ..Wishes::default() });
    let (mut device, context) = (gpu(&kernels), &kernels.context);
    let wide = Linear { weight: floats(&mut device, 1000, 4, &[1.0; 4000]), bias: None };
    let small = Linear { weight: floats(&mut device, 8, 4, &[1.0; 32]), bias: None };
    let x = device.buffer(4).unwrap();
    device.write(&[1.0, 2.0, 3.0, 4.0], 0, &mut x.clone());
    let mut out = device.buffer(1000).unwrap();
    begin(&mut device, 1);
    let mut multiply = |device: &mut Gpu, by: &Linear<_>| {
        let input = Input { x: &x, rows: 1, norm: None };
        device.project(&input, &mut [by.to(&mut out)]);
        out.clone()
    };
    let steps = |device: &mut Gpu| {
        multiply(device, &wide);
        Ok(())
    };
    refused(run(Some(context), device.warm_up(&Progress::default(), steps)));
    begin(&mut device, 1);
    multiply(&mut device, &wide);
    refused(run(Some(context), device.sync()));
    begin(&mut device, 1);
    let out = multiply(&mut device, &small);
    assert_eq!(read(&mut device, context, &out, 8), [10.0; 8]);
}
