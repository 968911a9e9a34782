//! Products with weights, at the shapes that models have: of a token or a few, and of a prompt.

use crate::blocks::random_bytes;
use crate::clock::{self, Timed};
use crate::random::Random;
use crate::{Lab, say};
use azulejo::checkpoint::TensorType;
use azulejo::device::gpu::Gpu;
use azulejo::device::{Activation, Device, Input, Linear, NormWeights, Projection, Span};
use serde_json::json;

/// Rows and columns; and whether there is a gate of the same shape beside. The first three are SmolLM2-135M's, then those
/// of a 7B, then heads.
const SHAPES: [(usize, usize, bool); 8] = [
    (4096, 4096, false),
    (1536, 576, true),
    (11008, 4096, true),
    (576, 576, false),
    (4096, 11008, false),
    (576, 1536, false),
    (49152, 576, false),
    (128_256, 4096, false),
];
const SMALL_SHAPES: [(usize, usize, bool); 3] = [(256, 256, false), (512, 256, true), (4096, 256, false)];

/// The most telling first: a step may end before the last.
const FORMATS: [TensorType; 18] = [
    TensorType::Q4_0,
    TensorType::Q4_K,
    TensorType::Q6_K,
    TensorType::Q8_0,
    TensorType::F16,
    TensorType::Q4_1,
    TensorType::F32,
    TensorType::Q5_K,
    TensorType::BF16,
    TensorType::Q5_0,
    TensorType::MXFP4,
    TensorType::IQ4_NL,
    TensorType::Q3_K,
    TensorType::Q2_K,
    TensorType::IQ4_XS,
    TensorType::Q1_0,
    TensorType::TQ2_0,
    TensorType::TQ1_0,
];
const PROMPT_FORMATS: [TensorType; 5] =
    [TensorType::Q4_0, TensorType::Q4_K, TensorType::F16, TensorType::Q8_0, TensorType::Q6_K];

/// Copies of the weights are worth that many bytes together, so that none is in a cache when its turn comes again: the
/// largest caches have some 100 MB.
const COLD: [usize; 2] = [512 << 20, 8 << 20];
const MOST_COPIES: usize = 1024;

/// Matrices of one shape and format, with their gates.
struct Weights {
    ty: TensorType,
    rows: usize,
    columns: usize,
    all: Vec<(Linear<Gpu>, Option<Linear<Gpu>>)>,
}

impl Weights {
    fn new(lab: &Lab, gpu: &mut Gpu, ty: TensorType, (rows, columns, gated): (usize, usize, bool)) -> Option<Self> {
        let whole = rows * ty.row_bytes(columns)?;
        let each = if gated { 2 * whole } else { whole };
        let copies = lab.size(COLD[0], COLD[1]).div_ceil(each).clamp(1, MOST_COPIES);
        gpu.expect_weights(copies * (each / whole) * Gpu::matrix_bytes(ty, rows, columns)).ok()?;
        let bytes = random_rows(ty, columns, whole);
        let mut all = Vec::new();
        for _ in 0..copies {
            let mut one = || -> Option<Linear<Gpu>> {
                let mut builder = gpu.matrix(ty, rows, columns).ok()?;
                bytes.chunks(1 << 20).for_each(|piece| gpu.push(&mut builder, piece));
                Some(Linear { weight: gpu.finish(builder), bias: None })
            };
            let (up, gate) = (one()?, if gated { Some(one()?) } else { None });
            all.push((up, gate));
        }
        Some(Self { ty, rows, columns, all })
    }

    /// Times them by `tokens` inputs, as a forward pass has them: gates with a norm before, the others onto what is there.
    fn time(&self, lab: &Lab, gpu: &mut Gpu, tokens: usize, empty: f64) -> Option<Timed> {
        let Self { rows, columns, all, .. } = self;
        let (x, mut out) = (gpu.buffer(tokens * columns).ok()?, gpu.buffer(tokens * rows).ok()?);
        let norm = gpu.upload(&vec![1.0; *columns]).ok()?;
        let spans = [Span::new(0, tokens, 0, 0)];
        Some(clock::time(lab, gpu, &spans, empty, |gpu, before| match &all[before.all % all.len()] {
            (up, Some(gate)) => {
                let input = Input { x: &x, rows: tokens, norm: Some(NormWeights::rms(&norm, 1e-5)) };
                gpu.project_activated(&input, Some(gate), up, Activation::Silu, &mut out);
            }
            (Linear { weight, .. }, None) => {
                let projection = Projection { weight, bias: None, scale: None, out: &mut out, accumulate: true };
                gpu.project(&Input { x: &x, rows: tokens, norm: None }, &mut [projection]);
            }
        }))
    }

    /// With the least that has to be moved: what the file has, each once.
    fn say(&self, tokens: usize, timed: &Timed, in_bytes: bool) {
        let Self { ty, rows, columns, all } = self;
        let matrices = if all[0].1.is_some() { 2 } else { 1 };
        let weights = matrices * rows * ty.row_bytes(*columns).expect("whole blocks");
        let moved = weights + 4 * tokens * (columns + rows);
        let gated = if matrices == 2 { ", gated" } else { "" };
        say(json!({
            "what": format!("{ty} {rows} × {columns}{gated}, {tokens} rows"),
            "format": ty.name(), "shape": [rows, columns], "gated": matrices == 2, "rows": tokens, "copies": all.len(),
            "inBytes": in_bytes,
            "times": timed.times, "ms": 1e3 * timed.seconds,
            "bytes": moved, "operations": 2.0 * (matrices * rows * columns * tokens) as f64,
        }));
    }
}

/// Any bits under scales of a sane size: what is computed stays finite, and nothing is compared. A few rows come again.
fn random_rows(ty: TensorType, columns: usize, len: usize) -> Vec<u8> {
    let mut random = Random::new(columns as u64);
    let row = ty.row_bytes(columns).expect("whole blocks");
    let few = (len / row).min(16);
    let bytes = random_bytes(&mut random, ty, few, columns);
    bytes.iter().cycle().take(len).copied().collect()
}

fn measure(lab: &Lab, formats: &[TensorType], tokens: &[usize], in_bytes: bool) {
    let empty = clock::empty(lab);
    let shapes = lab.size(&SHAPES[..], &SMALL_SHAPES[..]);
    for ty in formats {
        for shape in shapes {
            let (started, mut gpu) = (std::time::Instant::now(), Gpu::new(lab.kernels.clone()).expect("a device"));
            let Some(weights) = Weights::new(lab, &mut gpu, *ty, *shape) else {
                if ty.row_bytes(shape.1).is_some() {
                    say(json!({ "what": format!("{ty} {shape:?}"), "skipped": "no memory for it" }));
                }
                continue;
            };
            let uploaded = started.elapsed().as_secs_f64();
            for tokens in tokens {
                if !lab.goes_on() {
                    return say(json!({ "ended": format!("before {ty} {shape:?}, {tokens} rows") }));
                }
                if let Some(timed) = weights.time(lab, &mut gpu, *tokens, empty) {
                    weights.say(*tokens, &timed, in_bytes);
                }
            }
            say(
                json!({ "spent": format!("{ty} {shape:?}"), "uploadS": uploaded, "allS": started.elapsed().as_secs_f64() }),
            );
        }
    }
}

pub fn rows(lab: &Lab) {
    measure(lab, lab.size(&FORMATS[..], &FORMATS[..4]), lab.size(&[1, 2, 4, 8][..], &[1, 2]), false);
}

pub fn prompts(lab: &Lab) {
    let in_bytes = lab.kernels.extras().integer_dot;
    measure(
        lab,
        lab.size(&PROMPT_FORMATS[..], &PROMPT_FORMATS[..2]),
        lab.size(&[8, 32, 128, 512][..], &[16]),
        in_bytes,
    );
}
