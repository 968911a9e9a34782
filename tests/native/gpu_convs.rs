//! Short convolutions on the GPU and on the CPU, against their formula in f64.

use azulejo::device::gpu::{Context, Kernel, Shader};
use azulejo::device::{CacheType, CachedConv, Device, PAGE, Rotations, Span, StateShape};

use crate::alone::{Alone, source};
use crate::devices::{cpu, first, gpu, gpus};
use crate::kept::Kept;
use crate::random::Random;
use crate::verbs::{filled, read};

/// Not the first layer, so that a layer's place counts.
const LAYER: usize = 1;

/// Which sequences get how many tokens in each batch.
const BATCHES: [&[(usize, usize)]; 6] = [
    &[(0, 5), (1, 1), (2, 70)],
    &[(2, 1), (0, 1), (1, 1)],
    &[(1, 130), (0, 2)],
    &[(2, 3)],
    // One whose columns of long ago are gone.
    &[(1, 200), (2, 1)],
    &[(1, 1), (2, 2)],
];

struct Case {
    width: usize,
    taps: usize,
    bias: bool,
}

impl Case {
    /// The result of each batch's rows by the definition, and what is found.
    fn check<D: Device>(&self, device: &mut D, context: &Context, name: &str) {
        let Self { width, taps, bias } = *self;
        let mut random = Random::new((width + taps) as u64);
        let (weight, bias) = (random.floats(width * taps), bias.then(|| random.floats(width)));
        let weight_there = device.upload(&weight).unwrap();
        let bias_there = bias.as_ref().map(|bias| device.upload(bias).unwrap());
        let columns = |width, window| StateShape::Columns { width, window };
        let mut kept = Kept::of(&[columns(8, 2), columns(width, taps)], CacheType::F16, 3);
        let mut pasts = [const { Vec::<Vec<f64>>::new() }; 3];
        for (n, batch) in BATCHES.iter().enumerate() {
            let rows: usize = batch.iter().map(|(_, len)| len).sum();
            let x = random.floats(rows * 3 * width);
            let (mut row, mut spans, mut expected) = (0, Vec::new(), Vec::new());
            for (sequence, len) in *batch {
                let past = &mut pasts[*sequence];
                spans.push(Span::new(row, *len, past.len(), *sequence));
                kept.reserve(device, context, *sequence, past.len()..past.len() + len).unwrap();
                for x in x[row * 3 * width..(row + len) * 3 * width].chunks(3 * width) {
                    past.push((0..width).map(|c| f64::from(x[c]) * f64::from(x[2 * width + c])).collect());
                    for c in 0..width {
                        let back = |t: usize| past.len().checked_sub(taps - t).map_or(0.0, |at| past[at][c]);
                        let sum: f64 = (0..taps).map(|t| f64::from(weight[c * taps + t]) * back(t)).sum();
                        let bias = bias.as_ref().map_or(0.0, |bias| f64::from(bias[c]));
                        expected.push(f64::from(x[width + c]) * (sum + bias));
                    }
                }
                row += len;
            }
            let x = filled(device, &x, 3 * width);
            let mut out = device.buffer(rows * width).unwrap();
            device.begin(&spans, Rotations::default());
            let places = kept.places(device, &spans);
            let (weight, bias) = (&weight_there, bias_there.as_ref());
            let conv = CachedConv { layer: LAYER, width, taps, weight, bias };
            device.short_conv(&conv, &x, &places, &mut kept.state, &mut out);
            for (i, (found, expected)) in read(device, context, &out, rows * width).iter().zip(expected).enumerate() {
                let what = format!("{width} × {taps}, batch {n}, {name} [{i}]");
                assert!((f64::from(*found) - expected).abs() < 1e-5, "{what}: {found}, expected {expected}");
            }
        }
        assert!(kept.tables[1].pages(1).0 > 0, "a window lets pages go");
        assert!(kept.tables[1].pages(1).1.len() * PAGE < pasts[1].len());
    }
}

#[test]
pub fn short_convolutions_go_on_from_what_came_before_in_each_sequence() {
    for (width, taps, bias) in [(12, 3, false), (68, 4, true), (8, 1, true)] {
        let case = Case { width, taps, bias };
        let kernels = gpus();
        for threads in [1, 3] {
            case.check(&mut cpu(threads), &kernels[0].1.context, "CPU");
        }
        kernels.iter().for_each(|(name, kernels)| case.check(&mut gpu(kernels), &kernels.context, name));
    }
}

/// Two rows of 12 channels, by a workgroup of 64 and in a grid of three rows.
#[test]
pub fn rows_and_channels_behind_the_last_are_left_alone() {
    const ALONE: f32 = 0.5;
    let (width, rows) = (12, 2);
    // [rows, 3, width] and rows behind: every product is of whole numbers.
    let x: Vec<f32> = (0..5 * 3 * width).map(|i| (1 + i) as f32).collect();
    let column = |row: usize, channel: usize| x[3 * row * width + channel] * x[(3 * row + 2) * width + channel];
    // One span, whose page begins at the pool's first place.
    let places = vec![2, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 2, 14, 0, 0];
    let floats = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    let alone = Alone {
        storage: vec![
            (0, floats(&x)),
            (1, floats(&[1.0; 24])),
            (2, floats(&[ALONE; 100])),
            (3, floats(&[ALONE; 100])),
            (4, places),
        ],
        uniforms: &[&[width as u32, 1, 0, 0, 0]],
        grid: [1, rows as u32 + 1, 1],
    };
    let kernels = first();
    let found = alone.run(&kernels.context, source(&Kernel::new(Shader::ShortConv), kernels.extras()));
    for (i, (kept, out)) in found[2].iter().zip(&found[3]).enumerate() {
        let [kept, out] = [*kept, *out].map(f32::from_bits);
        let (row, channel) = (i / width, i % width);
        let column = if row < rows { column(row, channel) } else { ALONE };
        let expected = if row < rows { x[(3 * row + 1) * width + channel] * column } else { ALONE };
        assert_eq!([kept, out], [column, expected], "row {row}, channel {channel}");
    }
}
