//! Times a token's step through a mixture of experts on the CPU, beside a dense feed-forward of as many weights as the
//! experts that it goes through have:
//!
//!     cargo run --release --example cpu_experts [THREADS [FORMAT]]
//!
//! The least of many rounds, in turns: a busy machine makes the others slower. Each round has other experts than the one
//! before, and the dense networks take turns too: nothing is left in a cache that a model would not have there.

use azulejo::checkpoint::TensorType;
use azulejo::device::cpu::{Cpu, pool::Pool};
use azulejo::device::{Activation, Device, ExpertLinear, Gating, Input, Linear, Projection, Routing};
use std::time::Instant;

/// Of Qwen3-30B-A3B's layers, with half as many experts.
const WIDTH: usize = 2048;
const INNER: usize = 768;
const EXPERTS: usize = 64;
const USED: usize = 8;
const ROUNDS: usize = 200;

/// Bytes that are a matrix of some numbers in any format: neither so small that their products are subnormal, which
/// processors take long over, nor so large that they are infinite.
fn bytes(ty: TensorType, rows: usize, columns: usize) -> Vec<u8> {
    let mut bytes = vec![0x2a; rows * ty.row_bytes(columns).expect("whole blocks")];
    if ty == TensorType::MXFP4 {
        bytes.iter_mut().step_by(ty.block_bytes()).for_each(|exponent| *exponent = 120);
    }
    bytes
}

fn experts(device: &mut Cpu, ty: TensorType, rows: usize, columns: usize) -> ExpertLinear<Cpu> {
    let mut builders = device.expert_matrices(ty, EXPERTS, rows, columns).expect("memory");
    builders.iter_mut().for_each(|builder| device.push(builder, &bytes(ty, rows, columns)));
    let matrices = builders.into_iter().map(|builder| device.finish(builder)).collect();
    ExpertLinear { weight: device.join_experts(matrices), bias: None }
}

fn dense(device: &mut Cpu, ty: TensorType, rows: usize, columns: usize) -> Linear<Cpu> {
    let mut builder = device.matrix(ty, rows, columns).expect("memory");
    device.push(&mut builder, &bytes(ty, rows, columns));
    Linear { weight: device.finish(builder), bias: None }
}

fn main() {
    let threads: usize = std::env::args().nth(1).map_or(1, |text| text.parse().expect("a number of threads"));
    let only = std::env::args().nth(2);
    use TensorType::*;
    for ty in [F16, Q8_0, Q4_K, MXFP4].into_iter().filter(|ty| only.as_ref().is_none_or(|only| ty.name() == only)) {
        for rows in [1, 64] {
            let [mixture, dense] = time(&mut Cpu::new(Pool::native(threads)), ty, rows);
            println!("{ty:5} {rows:2} rows: mixture {mixture:7.3} ms, dense {dense:7.3}, ratio {:.3}", mixture / dense);
        }
    }
}

/// Milliseconds of a mixture, and of a dense network.
fn time(device: &mut Cpu, ty: TensorType, rows: usize) -> [f64; 2] {
    let [gate, up] = [(); 2].map(|()| experts(device, ty, INNER, WIDTH));
    let down = experts(device, ty, WIDTH, INNER);
    let networks: Vec<_> = (0..EXPERTS / USED)
        .map(|_| {
            let [gate, up] = [(); 2].map(|()| dense(device, ty, USED * INNER, WIDTH));
            (gate, up, dense(device, ty, WIDTH, USED * INNER))
        })
        .collect();
    let x: Vec<f32> = (0..rows * WIDTH).map(|i| (i * 7919 % 1000) as f32 / 500.0 - 1.0).collect();
    let routing = Routing { experts: EXPERTS, used: USED, renormalise: true };
    let (mut routes, mut inner) = (vec![0.0; 2 * rows * USED], vec![0.0; rows * USED * INNER]);
    let mut out = vec![0.0; rows * WIDTH];
    let mut least = [f64::INFINITY; 2];
    for round in 0..ROUNDS / rows.min(8) {
        let scores: Vec<f32> = (0..rows * EXPERTS).map(|i| ((i + round * 37) * 7919 % 997) as f32 / 500.0).collect();
        let input = Input { x: &x, rows, norm: None };
        let start = Instant::now();
        device.route(&scores, rows, &routing, &mut routes);
        device.project_experts(&input, &gate, &up, Gating::Plain(Activation::Silu), &routes, USED, &mut inner);
        device.project_experts_down(&inner, rows, &down, &routes, USED, true, &mut out);
        least[0] = least[0].min(start.elapsed().as_secs_f64() * 1e3);
        let (gate, up, down) = &networks[round % networks.len()];
        let start = Instant::now();
        device.project_activated(&input, Some(gate), up, Activation::Silu, &mut inner);
        let input = Input { x: &inner, rows, norm: None };
        let (weight, out) = (&down.weight, &mut out);
        device.project(&input, &mut [Projection { weight, bias: None, scale: None, out, accumulate: true }]);
        least[1] = least[1].min(start.elapsed().as_secs_f64() * 1e3);
    }
    least
}
