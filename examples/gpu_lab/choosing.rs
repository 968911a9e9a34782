//! What follows the head: norms, and choosing a token.

use crate::random::Random;
use crate::{Lab, clock, say};
use azulejo::device::gpu::{Gpu, native};
use azulejo::device::{Device, Following, Input, NormWeights, Rotations, Span};
use azulejo::model::choosing;
use azulejo::text::{GenerateOptions, Sampling};
use serde_json::json;
use std::time::Instant;

/// SmolLM2's, Qwen's and Gemma's.
const VOCABULARIES: [usize; 3] = [49_152, 151_936, 262_144];
const WAYS: [(&str, &str); 3] = [
    ("greedy", r#"{"temperature": 0}"#),
    ("drawn from all", r#"{"temperature": 0.8}"#),
    ("drawn from topK 40, topP 0.95", r#"{"temperature": 0.8, "topK": 40, "topP": 0.95}"#),
];
const ATTEMPTS: usize = 4;

pub fn measure(lab: &Lab) {
    for vocabulary in lab.size(&VOCABULARIES[..], &VOCABULARIES[..1]) {
        for (way, json) in WAYS {
            if !lab.goes_on() {
                return say(json!({ "ended": format!("before {way}, {vocabulary}") }));
            }
            let seconds = choose(lab, json, *vocabulary);
            let what = format!("choosing of {vocabulary}, {way}");
            say(json!({ "what": what, "ms": 1e3 * seconds, "bytes": 4 * vocabulary, "operations": 0 }));
        }
    }
    let empty = clock::empty(lab);
    for (rows, width) in [(1, 576), (1, 4096), (128, 4096)] {
        norm(lab, rows, width, empty);
    }
}

/// Seconds of one token chosen: each is a submit of its own, so a submit that only sends for a word is taken off.
fn choose(lab: &Lab, json: &str, vocabulary: usize) -> f64 {
    let options: GenerateOptions = serde_json::from_str(json).expect("options");
    let sampling = Sampling::new(&options, vocabulary).expect("options that can be");
    let mut gpu = Gpu::new(lab.kernels.clone()).expect("a device");
    let mut chooser = gpu.chooser(&choosing(&sampling, vocabulary, &[], 0)).expect("memory").expect("a GPU chooses");
    let mut logits = gpu.buffer(vocabulary).expect("memory");
    let mut random = Random::new(1);
    let values: Vec<f32> = (0..vocabulary).map(|_| 10.0 * random.float()).collect();
    gpu.write(&values, 0, &mut logits);
    let (context, count) = (lab.kernels.context.clone(), lab.size(64, 4));
    let mut round = |chosen: bool| {
        let start = Instant::now();
        let mut readings = Vec::new();
        for position in 0..count {
            gpu.begin(&[Span::new(0, 1, position, 0)], Rotations::default());
            readings.push(match chosen {
                true => gpu.choose(&mut logits, Following::one(), &mut chooser).expect("a device"),
                false => gpu.send(&logits, 1).expect("a device"),
            });
        }
        for reading in readings {
            match chosen {
                true => native::run(Some(&context), gpu.chosen(reading)).map(|_| ()).expect("a device"),
                false => native::run(Some(&context), gpu.receive(reading, &mut [0.0])).expect("a device"),
            }
        }
        start.elapsed().as_secs_f64() / count as f64
    };
    let mut best = |chosen: bool| (0..ATTEMPTS).map(|_| round(chosen)).fold(f64::INFINITY, f64::min);
    (best(true) - best(false)).max(0.0)
}

fn norm(lab: &Lab, rows: usize, width: usize, empty: f64) {
    let mut gpu = Gpu::new(lab.kernels.clone()).expect("a device");
    let (x, mut out) = (gpu.buffer(rows * width).expect("memory"), gpu.buffer(rows * width).expect("memory"));
    let weight = gpu.upload(&vec![1.0; width]).expect("memory");
    let timed = clock::time(lab, &mut gpu, &[Span::new(0, rows, 0, 0)], empty, |gpu, _| {
        let input = Input { x: &x, rows, norm: Some(NormWeights::rms(&weight, 1e-5)) };
        gpu.norm(&input, width, false, &mut out);
    });
    let bytes = 8 * rows * width + 4 * width;
    let what = format!("norm of {rows} × {width}");
    say(json!({ "what": what, "times": timed.times, "ms": 1e3 * timed.seconds, "bytes": bytes, "operations": 0 }));
}
