//! Times the products of a decoder's shapes on this machine's Vulkan device:
//!
//!     cargo run --release --example gpu_kernels [ROUNDS [FORMAT]]
//!
//! For work on a kernel: milliseconds of each as the host sees them, and as processors have spent on them, which is
//! what counts on a busy machine where the device is software; billions of multiplications a second of either.

use azulejo::checkpoint::TensorType;
use azulejo::device::gpu::{Gpu, Wishes, native};
use azulejo::device::{Device, Input, Projection, Rotations, Span};
use std::time::Instant;

fn main() {
    let rounds: usize = std::env::args().nth(1).map_or(5, |text| text.parse().expect("a number of rounds"));
    let only = std::env::args().nth(2);
    let kernels = native::open(&Wishes::default()).expect("a Vulkan driver");
    println!("{}", kernels.context.description);
    for ty in TensorType::ALL.into_iter().filter(|ty| only.as_ref().is_none_or(|only| ty.name() == only)) {
        for (rows, columns) in [(1536, 768), (768, 1536)] {
            for tokens in [1, 16, 128] {
                let (seconds, spent) =
                    time(&mut Gpu::new(kernels.clone()).expect("a device"), ty, rows, columns, tokens, rounds);
                let rate = |seconds: f64| (rows * columns * tokens) as f64 / seconds / 1e9;
                let times = format!("{:8.3} ms, {:6.2} G/s", seconds * 1e3, rate(seconds));
                let spent = format!("processors {:8.3} ms, {:6.2} G/s", spent * 1e3, rate(spent));
                println!("{ty:5} {rows} × {columns}, {tokens:3} tokens: {times}; {spent}");
            }
        }
    }
}

/// Seconds of processor time so far, of all threads; on Linux only.
fn spent() -> f64 {
    let line = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = line.rsplit(')').next().unwrap_or_default().split(' ').skip(12).take(2);
    ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Seconds of one product: until it is done, and of processors.
fn time(gpu: &mut Gpu, ty: TensorType, rows: usize, columns: usize, tokens: usize, rounds: usize) -> (f64, f64) {
    let mut builder = gpu.matrix(ty, rows, columns).expect("memory");
    gpu.push(&mut builder, &vec![0; rows * ty.row_bytes(columns).expect("whole blocks")]);
    let weight = gpu.finish(builder);
    let (x, mut out) = (gpu.buffer(tokens * columns).expect("memory"), gpu.buffer(tokens * rows).expect("memory"));
    let context = gpu.context();
    let mut run = |gpu: &mut Gpu, rounds: usize| {
        gpu.begin(&[Span::new(0, tokens, 0, 0)], Rotations::default());
        for _ in 0..rounds {
            let mut projections =
                [Projection { weight: &weight, bias: None, scale: None, out: &mut out, accumulate: false }];
            gpu.project(&Input { x: &x, rows: tokens, norm: None }, &mut projections);
        }
        let reading = gpu.send(&out, 1).expect("a device");
        native::run(Some(&context), gpu.receive(reading, &mut [0.0])).expect("a device");
    };
    run(gpu, 1);
    let (start, before) = (Instant::now(), spent());
    run(gpu, rounds);
    let seconds = [start.elapsed().as_secs_f64(), spent() - before].map(|seconds| seconds / rounds as f64);
    (seconds[0], seconds[1])
}
