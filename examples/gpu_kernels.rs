//! Times the products of a decoder's shapes on this machine's Vulkan device:
//!
//!     cargo run --release --example gpu_kernels [ROUNDS]
//!
//! For work on a kernel: milliseconds and billions of multiplications a second of each, as the host sees them.

use azulejo::checkpoint::TensorType;
use azulejo::device::gpu::{Gpu, Wishes, native};
use azulejo::device::{Device, Input, Projection, Span};
use std::time::Instant;

fn main() {
    let rounds: usize = std::env::args().nth(1).map_or(5, |text| text.parse().expect("a number of rounds"));
    let kernels = native::open(&Wishes::default()).expect("a Vulkan driver");
    println!("{}", kernels.context.description);
    for ty in [TensorType::Q4_1, TensorType::Q4_K, TensorType::Q8_0, TensorType::F16] {
        for (rows, columns) in [(1536, 768), (768, 1536)] {
            for tokens in [1, 16, 128] {
                let seconds =
                    time(&mut Gpu::new(kernels.clone()).expect("a device"), ty, rows, columns, tokens, rounds);
                let rate = (rows * columns * tokens) as f64 / seconds / 1e9;
                println!("{ty:5} {rows} × {columns}, {tokens:3} tokens: {:8.3} ms, {rate:7.2} G/s", seconds * 1e3);
            }
        }
    }
}

/// Seconds of one product.
fn time(gpu: &mut Gpu, ty: TensorType, rows: usize, columns: usize, tokens: usize, rounds: usize) -> f64 {
    let mut builder = gpu.matrix(ty, rows, columns).expect("memory");
    gpu.push(&mut builder, &vec![0; rows * ty.row_bytes(columns).expect("whole blocks")]);
    let weight = gpu.finish(builder);
    let (x, mut out) = (gpu.buffer(tokens * columns).expect("memory"), gpu.buffer(tokens * rows).expect("memory"));
    let context = gpu.context();
    let mut run = |gpu: &mut Gpu, rounds: usize| {
        gpu.begin(&[Span { row: 0, len: tokens, position: 0, cache: 0 }], &[1.0], 1.0);
        for _ in 0..rounds {
            let mut projections = [Projection { weight: &weight, bias: None, out: &mut out, accumulate: false }];
            gpu.project(&Input { x: &x, rows: tokens, norm: None }, &mut projections);
        }
        let reading = gpu.send(&out, 1).expect("a device");
        native::run(Some(&context), gpu.receive(reading, &mut [0.0])).expect("a device");
    };
    run(gpu, 1);
    let start = Instant::now();
    run(gpu, rounds);
    start.elapsed().as_secs_f64() / rounds as f64
}
