//! A mixture of experts with random weights, and what a device makes of it against the definition in f64.
#![allow(dead_code)] // Each test file takes what it needs.

use azulejo::checkpoint::TensorType;
use azulejo::device::gpu::Context;
use azulejo::device::{Activation, Device, ExpertLinear, Gating, Input, NormWeights, Routing};

use crate::blocks::random_bytes;
use crate::random::Random;
use crate::verbs::{begin, filled, read};

#[derive(Clone, Debug)]
pub struct Case {
    /// Of gate, up and down.
    pub types: [TensorType; 3],
    pub routing: Routing,
    pub gating: Gating,
    pub rows: usize,
    /// Of the model.
    pub width: usize,
    /// Of an expert.
    pub inner: usize,
    pub biases: bool,
    pub normed: bool,
    /// Bytes of the arenas that the matrices are cut for, where a device has any.
    pub arenas: Option<usize>,
}

impl Case {
    pub fn new(ty: TensorType, rows: usize) -> Self {
        let block = ty.block_len().max(4);
        Self {
            types: [ty; 3],
            routing: Routing { experts: 5, used: 2, renormalise: true },
            gating: Gating::Plain(Activation::Silu),
            rows,
            // No multiples of a panel or of a tile, where the format allows.
            width: 36usize.next_multiple_of(block),
            inner: 20usize.next_multiple_of(block),
            biases: false,
            normed: false,
            arenas: None,
        }
    }
}

/// A row's scores: expert 0 is everybody's, the last nobody's unless all are used, and there are equal ones.
fn scores(random: &mut Random, case: &Case) -> Vec<f32> {
    let experts = case.routing.experts;
    let score = |random: &mut Random, expert: usize| match expert {
        0 => 3.0 + random.float(),
        _ if expert == experts - 1 => -9.0 + random.float(),
        _ => (random.next() % 5) as f32 / 2.0 - 1.0,
    };
    (0..case.rows * experts).map(|i| score(random, i % experts)).collect()
}

/// The numbers of a case's weights, [experts, rows, columns], in f64, beside their bytes.
struct Weights {
    ty: TensorType,
    bytes: Vec<u8>,
    values: Vec<f64>,
    shape: [usize; 2],
    bias: Vec<f32>,
}

impl Weights {
    fn new(random: &mut Random, ty: TensorType, experts: usize, [rows, columns]: [usize; 2]) -> Self {
        let bytes = random_bytes(random, ty, experts * rows, columns);
        let mut values = vec![0.0; experts * rows * columns];
        ty.dequantize(&bytes, &mut values);
        let values = values.into_iter().map(f64::from).collect();
        Self { ty, bytes, values, shape: [rows, columns], bias: random.floats(experts * rows) }
    }

    /// An expert's product with an input, and the sum of its terms' sizes; `biased`: with its bias.
    fn product(&self, expert: usize, x: &[f64], biased: bool) -> Vec<[f64; 2]> {
        let [rows, columns] = self.shape;
        let row = |r: usize| {
            let weights = &self.values[(expert * rows + r) * columns..][..columns];
            let bias = if biased { f64::from(self.bias[expert * rows + r]) } else { 0.0 };
            let products = weights.iter().zip(x).map(|(w, x)| w * x);
            [bias + products.clone().sum::<f64>(), bias.abs() + products.map(f64::abs).sum::<f64>()]
        };
        (0..rows).map(row).collect()
    }

    /// On a device, the experts' bytes arriving by turns.
    fn upload<D: Device>(&self, device: &mut D, biased: bool) -> ExpertLinear<D> {
        let [rows, columns] = self.shape;
        let one = rows * self.ty.row_bytes(columns).unwrap();
        let experts = self.bytes.len() / one;
        let mut builders = device.expert_matrices(self.ty, experts, rows, columns).unwrap();
        for at in (0..one).step_by(97) {
            for (bytes, builder) in self.bytes.chunks(one).zip(&mut builders) {
                device.push(builder, &bytes[at..one.min(at + 97)]);
            }
        }
        let matrices = builders.into_iter().map(|builder| device.finish(builder)).collect();
        let bias = biased.then(|| device.upload(&self.bias).unwrap());
        ExpertLinear { weight: device.join_experts(matrices), bias }
    }
}

/// How far a result may be from the definition, for each unit of the sizes of what was summed.
pub struct Tolerance(pub f64);

fn assert_close(found: &[f32], expected: &[[f64; 2]], tolerance: &Tolerance, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (found, [expected, size])) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*found) - expected).abs();
        assert!(error <= tolerance.0 * size.max(1e-3), "{what} [{i}]: {found}, expected {expected}, of {size}");
    }
}

/// The routes of a row by the definition, some of whose scores may be −∞.
pub fn routed(scores: &[f32], routing: &Routing) -> Vec<(usize, f64)> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    // A stable sort: of equal ones the first.
    order.sort_by(|a, b| scores[*b].partial_cmp(&scores[*a]).unwrap());
    let largest = f64::from(scores[order[0]]);
    let share = |expert: usize| (f64::from(scores[expert]) - largest).exp();
    let chosen = &order[..routing.used];
    let whole: f64 = if routing.renormalise { chosen } else { &order[..] }.iter().map(|expert| share(*expert)).sum();
    chosen.iter().map(|expert| (*expert, share(*expert) / whole)).collect()
}

fn activated(gating: Gating, gate: f64, up: f64) -> f64 {
    match gating {
        Gating::Plain(Activation::Silu) => gate / (1.0 + (-gate).exp()) * up,
        Gating::Plain(Activation::Relu) => gate.max(0.0) * up,
        Gating::Plain(other) => panic!("{other:?}: not among these cases"),
        Gating::Clamped { limit } => {
            let limit = f64::from(limit);
            let (gate, up) = (gate.min(limit), up.clamp(-limit, limit));
            (up + 1.0) * gate / (1.0 + (-1.702 * gate).exp())
        }
    }
}

/// A norm's, large enough to count.
const EPSILON: f32 = 0.1;

/// x after its RMSNorm.
fn normed(x: &[f32], weight: &[f32], epsilon: f32) -> Vec<f64> {
    let mean = x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / x.len() as f64;
    let scale = (mean + f64::from(epsilon)).sqrt().recip();
    x.iter().zip(weight).map(|(x, w)| f64::from(*x) * scale * f64::from(*w)).collect()
}

/// What stands behind the last row that a verb writes, and how many values of it.
const ALONE: f32 = 0.5;
const BEHIND: usize = 300;

/// A buffer of these values, by no kernel.
fn written<D: Device>(device: &mut D, values: &[f32]) -> D::Buffer {
    let mut buffer = device.buffer(values.len()).unwrap();
    device.write(values, 0, &mut buffer);
    buffer
}

/// Runs a case's verbs, each on what the device has made before, and compares each with its definition.
pub fn check<D: Device>(device: &mut D, context: &Context, case: &Case, tolerance: &Tolerance, what: &str) {
    let Case { types, routing, rows, width, inner, biases, .. } = case;
    let (rows, width, inner, biases, used) = (*rows, *width, *inner, *biases, routing.used);
    let what = format!("{what}: {case:?}");
    let mut random = Random::new((rows + width + routing.experts) as u64);
    let [gate, up, down] = [(types[0], [inner, width]), (types[1], [inner, width]), (types[2], [width, inner])]
        .map(|(ty, shape)| Weights::new(&mut random, ty, routing.experts, shape));
    let all = [&gate, &up, &down];
    if let Some(bytes) = case.arenas {
        (0..100).for_each(|_| device.expect_weights(bytes).unwrap());
    } else {
        let bytes = |w: &Weights| routing.experts * D::matrix_bytes(w.ty, w.shape[0], w.shape[1]);
        device.expect_weights(all.iter().map(|w| bytes(w)).sum()).unwrap();
    }
    let norm_weight = random.floats(width);
    device.expect_vectors(&mut [width].into_iter().chain(all.iter().map(|w| w.bias.len()))).unwrap();
    // That of down, or else the norm's, lies before all other vectors, where a place's number is 0.
    let [on_down, on_gate, on_up] = [&down, &gate, &up].map(|weights| weights.upload(device, biases));
    let norm = device.upload(&norm_weight).unwrap();

    let scores = scores(&mut random, case);
    let x = random.floats(rows * width);
    let score_buffer = written(device, &scores);
    let x_buffer = filled(device, &x, width);
    let before = random.floats(rows * width);
    let [route_len, gated_len, out_len] = [2 * rows * used, rows * used * inner, rows * width];
    let [mut routes, mut gated, mut out, mut replaced] =
        [route_len, gated_len, out_len, out_len].map(|len| written(device, &vec![ALONE; len + BEHIND]));
    device.write(&before, 0, &mut out);
    begin(device, rows);
    device.route(&score_buffer, rows, routing, &mut routes);
    let input = Input { x: &x_buffer, rows, norm: case.normed.then(|| NormWeights::rms(&norm, EPSILON)) };
    device.project_experts(&input, &on_gate, &on_up, case.gating, &routes, used, &mut gated);
    device.project_experts_down(&gated, rows, &on_down, &routes, used, true, &mut out);
    device.project_experts_down(&gated, rows, &on_down, &routes, used, false, &mut replaced);

    let all = [(&routes, route_len), (&gated, gated_len), (&out, out_len), (&replaced, out_len)];
    let [found_routes, found_gated, found, replaced] = all.map(|(buffer, len)| {
        let mut found = read(device, context, buffer, len + BEHIND);
        assert!(found.split_off(len).iter().all(|value| *value == ALONE), "behind {len} of {what}");
        found
    });
    for row in 0..rows {
        let what = format!("row {row}, {what}");
        let expected = routed(&scores[row * routing.experts..][..routing.experts], routing);
        let routes = found_routes[2 * row * used..][..2 * used].as_chunks::<2>().0;
        for ([expert, weight], (expected, share)) in routes.iter().zip(&expected) {
            assert_eq!(*expert as usize, *expected, "{what}: {routes:?}");
            assert!((f64::from(*weight) - share).abs() < 2e-6, "{what}: {weight}, expected {share}");
        }
        let x_row = &x[row * width..][..width];
        let x_row = match case.normed {
            true => normed(x_row, &norm_weight, EPSILON),
            false => x_row.iter().map(|x| f64::from(*x)).collect(),
        };
        let mut sums: Vec<[f64; 2]> = vec![[0.0; 2]; width];
        for (k, (expert, share)) in expected.iter().enumerate() {
            let [gates, ups] = [&gate, &up].map(|weights| weights.product(*expert, &x_row, biases));
            let pair = |(gate, up): (&[f64; 2], &[f64; 2])| {
                [activated(case.gating, gate[0], up[0]), 4.0 * (1.0 + gate[1]) * (1.0 + up[1])]
            };
            let expected: Vec<[f64; 2]> = gates.iter().zip(&ups).map(pair).collect();
            let found = &found_gated[(row * used + k) * inner..][..inner];
            assert_close(found, &expected, tolerance, &format!("gated {k}, {what}"));
            let found: Vec<f64> = found.iter().map(|x| f64::from(*x)).collect();
            for (sum, [product, size]) in sums.iter_mut().zip(down.product(*expert, &found, biases)) {
                *sum = [sum[0] + share * product, sum[1] + share * size];
            }
        }
        let at = row * width..(row + 1) * width;
        assert_close(&replaced[at.clone()], &sums, tolerance, &format!("replaced, {what}"));
        let added: Vec<_> =
            sums.iter().zip(&before[at.clone()]).map(|(s, b)| [s[0] + f64::from(*b), s[1] + 1.0]).collect();
        assert_close(&found[at], &added, tolerance, &format!("added, {what}"));
    }
}

/// Holds the routes of rows of scores against the definition.
pub fn check_routes<D: Device>(device: &mut D, context: &Context, routing: &Routing, scores: &[f32], what: &str) {
    let rows = scores.len() / routing.experts;
    let score_buffer = written(device, scores);
    let mut routes = device.buffer(2 * rows * routing.used).unwrap();
    begin(device, rows);
    device.route(&score_buffer, rows, routing, &mut routes);
    let found = read(device, context, &routes, 2 * rows * routing.used);
    for (row, (found, scores)) in found.chunks(2 * routing.used).zip(scores.chunks(routing.experts)).enumerate() {
        for (found, (expert, share)) in found.chunks(2).zip(routed(scores, routing)) {
            let right = found[0] as usize == expert && (f64::from(found[1]) - share).abs() < 2e-6;
            assert!(right, "row {row}, {routing:?}, {what}: {found:?}, expected {expert}, {share}");
        }
    }
}

/// Scores of many sizes for each of so many experts, row by row: small and equal ones, zeros of either sign, large ones,
/// some of −∞.
pub fn scores_of_many_sizes(experts: usize) -> Vec<f32> {
    let mut random = Random::new(experts as u64);
    let mut scores = Vec::new();
    for (mean, size) in [(0.0, 1.0), (0.0, 0.0), (0.0, 300.0), (150.0, 4.0), (-150.0, 4.0), (0.0, 1e4)] {
        for below in [false, true] {
            scores.extend((0..experts).map(|i| match below && i % 3 == 0 {
                true => f32::NEG_INFINITY,
                false => mean + size * random.float(),
            }));
        }
    }
    scores
}

/// Of a row with a score that is no number, whatever its experts are, nothing is a number; the other rows are.
pub fn check_no_numbers<D: Device>(device: &mut D, context: &Context, rows: usize, (bad, at): (f32, usize)) {
    let (experts, used, width) = (70, 3, 32);
    let renormalise = at > 0;
    let routing = Routing { experts, used, renormalise };
    let mut random = Random::new(5);
    let weights = [[8, width], [8, width], [width, 8]]
        .map(|shape| Weights::new(&mut random, TensorType::F32, experts, shape).upload(device, false));
    let mut scores = random.floats(rows * experts);
    scores[experts + at] = bad;
    let score_buffer = written(device, &scores);
    let x = filled(device, &random.floats(rows * width), width);
    let [mut routes, mut gated, mut out] =
        [2 * rows * used, rows * used * 8, rows * width].map(|len| device.buffer(len).unwrap());
    begin(device, rows);
    device.route(&score_buffer, rows, &routing, &mut routes);
    let input = Input { x: &x, rows, norm: None };
    let [gate, up, down] = &weights;
    device.project_experts(&input, gate, up, Gating::Plain(Activation::Silu), &routes, used, &mut gated);
    device.project_experts_down(&gated, rows, down, &routes, used, false, &mut out);
    let routes = read(device, context, &routes, 2 * rows * used);
    for routes in routes.chunks(2 * used) {
        let mut chosen: Vec<usize> = routes.chunks(2).map(|route| route[0] as usize).collect();
        chosen.sort();
        chosen.dedup();
        assert!(chosen.len() == used && chosen.iter().all(|expert| *expert < experts), "{bad} at {at}: {routes:?}");
    }
    for (row, out) in read(device, context, &out, rows * width).chunks(width).enumerate() {
        assert!(out.iter().all(|value| value.is_nan() == (row == 1)), "{bad} at {at}, row {row}: {out:?}");
    }
}
