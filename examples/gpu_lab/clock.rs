//! How long something takes: many times over in one submit, without what a submit takes by itself. A profile gives each
//! dispatch a pass of its own, which costs more than a small kernel does.

use crate::Lab;
use azulejo::device::gpu::{Buffer, Gpu, native};
use azulejo::device::{Device, Rotations, Span};
use std::time::Instant;

/// So long that what a submit takes by itself hardly counts.
const LONG: [f64; 2] = [0.02, 0.004];
const ATTEMPTS: usize = 3;
const MOST_TIMES: usize = 1 << 14;

/// Seconds until the GPU has done what `record` records. `word`: what is sent for then; a buffer that was there before, since
/// drivers take their time to give memory and to take it back.
fn until_done(gpu: &mut Gpu, word: &Buffer, spans: &[Span], record: &mut dyn FnMut(&mut Gpu)) -> f64 {
    let context = gpu.context();
    let start = Instant::now();
    gpu.begin(spans, Rotations::default());
    record(gpu);
    let reading = gpu.send(word, 1).expect("a device");
    native::run(Some(&context), gpu.receive(reading, &mut [0.0])).expect("a device that does it");
    start.elapsed().as_secs_f64()
}

/// Seconds of a submit without a dispatch, and of the answer.
pub fn empty(lab: &Lab) -> f64 {
    let mut gpu = Gpu::new(lab.kernels.clone()).expect("a device");
    let word = gpu.buffer(4).expect("memory");
    let all = (0..20).map(|_| until_done(&mut gpu, &word, &[Span::new(0, 1, 0, 0)], &mut |_| ()));
    all.fold(f64::INFINITY, f64::min)
}

/// What was found of one thing.
pub struct Timed {
    /// Of one time, the best of a few attempts.
    pub seconds: f64,
    /// So many times in each.
    pub times: usize,
}

/// How often something was recorded before: in all, for whose turn it is of the copies of what it reads, so that no cache
/// has them; and in this batch.
#[derive(Clone, Copy)]
pub struct Before {
    pub all: usize,
    pub in_batch: usize,
}

/// Seconds of what `once` records. `empty`: see above.
pub fn time(lab: &Lab, gpu: &mut Gpu, spans: &[Span], empty: f64, mut once: impl FnMut(&mut Gpu, Before)) -> Timed {
    let word = gpu.buffer(4).expect("memory");
    let mut all = 0;
    let mut attempt = |times: usize| {
        let mut record = |gpu: &mut Gpu| {
            for in_batch in 0..times {
                once(gpu, Before { all, in_batch });
                all += 1;
            }
        };
        (until_done(gpu, &word, spans, &mut record) - empty).max(1e-9)
    };
    // Compiles, and uploads what is recorded for the first time.
    attempt(1);
    let mut times = 1;
    let mut best = attempt(times).min(attempt(times));
    while best < lab.size(LONG[0], LONG[1]) && times < MOST_TIMES {
        times *= 2;
        best = attempt(times).min(attempt(times));
    }
    for _ in 1..ATTEMPTS {
        best = best.min(attempt(times));
    }
    Timed { seconds: best / times as f64, times }
}
