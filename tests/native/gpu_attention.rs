//! Attention on the GPU against the CPU's, which is the definition: the same inputs, the same words, in every variant.

use azulejo::device::gpu::{Kernels, Wishes};
use azulejo::device::{AttentionShape, CacheType};
use std::rc::Rc;

use crate::attention::{Bias, Case, Numbers, attend, attend_own_rows, attention_map, numbers, shape};
use crate::devices::{cpu, first, gpu, gpus, shared};
use crate::random::Random;
use crate::sample::share;

const CACHES: [CacheType; 3] = [CacheType::F32, CacheType::F16, CacheType::Q8];

/// Both caches hold the same numbers, none over 2: what is left is the order of summation in f32, and exp's last bits.
pub const TOLERANCE: f32 = 1e-5;

/// The GPU's result after the CPU's, and that they agree.
pub fn check_numbers(kernels: &Rc<Kernels>, name: &str, case: &Case, numbers: &[Numbers], tolerance: f32) -> Vec<f32> {
    let found = attend(&mut gpu(kernels), &kernels.context, case, numbers).out;
    let expected = attend(&mut cpu(1), &kernels.context, case, numbers).out;
    assert_eq!(found.len(), expected.len());
    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let close = (found - expected).abs() <= tolerance;
        assert!(close, "{}, {name}, [{i}]: {found}, expected {expected}", case.label());
    }
    found
}

/// On each variant a share of the cases: compiling all kernels for all takes minutes on a driver without a GPU. The inner
/// loops go by other steps than three, so that a share has some of everything.
fn check_shares(cases: impl Fn() -> Vec<Case>) {
    for (variant, (name, kernels)) in gpus().into_iter().enumerate() {
        for case in share(cases(), variant) {
            check_numbers(&kernels, name, &case, &numbers(&case, 1), TOLERANCE);
        }
    }
}

#[test]
pub fn heads_of_every_size_are_right_in_every_cache() {
    // A prompt, one query, and one whose keys are split over workgroups.
    let lengths = [(3, 18), (33, 1), (260, 1)];
    for (variant, (name, kernels)) in gpus().into_iter().enumerate() {
        let sizes = |cache| [8, 12, 20, 64, 80, 100, 128, 256].map(|head_dim| (cache, head_dim));
        for (cache, head_dim) in share(CACHES.into_iter().flat_map(sizes), variant) {
            for (before, len) in lengths {
                let case = Case::new(shape(2, 1, head_dim), cache, before, len);
                check_numbers(&kernels, name, &case, &numbers(&case, 1), TOLERANCE);
            }
        }
    }
}

/// An encoder's keys are nothing but its batch's rows, wherever in it a sequence begins.
#[test]
pub fn a_batch_that_looks_at_its_own_rows_sees_what_a_cache_of_floats_would_show() {
    let shapes = [shape(3, 3, 16), shape(4, 2, 64), AttentionShape { window: Some(9), ..shape(2, 1, 12) }];
    for (name, kernels) in gpus() {
        for shape in shapes.map(|shape| AttentionShape { causal: false, ..shape }) {
            let sequences = [70, 1, 33, 64, 130].map(|len| (0, len)).to_vec();
            let case = Case { sequences, ..Case::new(shape, CacheType::F32, 0, 0) };
            let numbers = numbers(&case, 3);
            let expected = attend(&mut cpu(1), &kernels.context, &case, &numbers).out;
            assert_eq!(attend_own_rows(&mut cpu(1), &kernels.context, &case, &numbers), expected, "{}", case.label());
            let found = attend_own_rows(&mut gpu(&kernels), &kernels.context, &case, &numbers);
            for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let close = (found - expected).abs() <= TOLERANCE;
                assert!(close, "{}, {name}, [{i}]: {found}, expected {expected}", case.label());
            }
        }
    }
}

/// As images are, whose tokens end within a tile.
#[test]
pub fn sequences_of_one_length_do_not_see_each_other() {
    check_shares(|| {
        let of = |len| {
            let shape = AttentionShape { causal: false, ..shape(3, 3, 16) };
            Case { sequences: vec![(0, len); 4], ..Case::new(shape, CacheType::F32, 0, 0) }
        };
        [1, 5, 16, 17, 50, 197].map(of).to_vec()
    });
}

#[test]
pub fn lengths_around_the_edges_of_tiles_and_splits_are_right() {
    check_shares(|| {
        let mut cases = Vec::new();
        for causal in [true, false] {
            let shape = AttentionShape { causal, ..shape(3, 1, 32) };
            let prompts = [1, 2, 15, 16, 17, 31, 33, 65, 257, 600].into_iter().flat_map(|len| [(0, len), (5, len)]);
            let steps = [1, 14, 15, 16, 62, 63, 64, 127, 128, 254, 255, 256, 511, 512, 1100].map(|before| (before, 1));
            cases.extend(prompts.chain(steps).map(|(before, len)| Case::new(shape, CacheType::F16, before, len)));
        }
        cases
    });
}

/// With more tiles of keys than workgroups are wanted, each takes several: just as many, one more, and some.
#[test]
pub fn splits_have_several_tiles_where_there_are_many() {
    let kernels = first();
    for (heads, before) in [(16, 1023), (16, 1024), (16, 1100), (1, 16_447)] {
        let case = Case::new(shape(heads, heads, 8), CacheType::F32, before, 1);
        check_numbers(&kernels, "all features", &case, &numbers(&case, 1), TOLERANCE);
    }
}

#[test]
pub fn query_heads_find_their_key_head_in_groups_of_any_size() {
    check_shares(|| {
        let lengths = [(4, 37), (40, 1), (260, 1)];
        let groups = |(before, len)| {
            [(1, 1), (5, 5), (4, 2), (9, 3), (7, 1), (14, 2), (16, 1)]
                .map(|(heads, kv_heads)| Case::new(shape(heads, kv_heads, 16), CacheType::Q8, before, len))
        };
        lengths.into_iter().flat_map(groups).collect()
    });
}

#[test]
pub fn one_head_s_splits_are_joined_too() {
    for (name, kernels) in gpus() {
        let case = Case::new(shape(1, 1, 16), CacheType::F32, 260, 1);
        check_numbers(&kernels, name, &case, &numbers(&case, 1), TOLERANCE);
    }
}

pub fn biases(heads: usize) -> Vec<Bias> {
    let mut random = Random::new(5);
    let mut table = |reach: usize| Bias::Table { table: random.floats(heads * (2 * reach + 1)), reach };
    let tables = [table(1), table(10), table(200)];
    let slopes = (0..heads).map(|head| 0.5f32.powi(head as i32 + 1)).collect();
    [Bias::None, Bias::Linear(slopes)].into_iter().chain(tables).collect()
}

#[test]
pub fn masks_windows_caps_and_biases_are_right_together() {
    check_shares(|| {
        let mut cases = Vec::new();
        for causal in [true, false] {
            for window in [None, Some(1), Some(2), Some(15), Some(16), Some(17), Some(40), Some(260)] {
                for (n, bias) in biases(3).into_iter().enumerate() {
                    let soft_cap = [None, Some(0.7), Some(30.0)][(n + window.unwrap_or(0)) % 3];
                    let shape = AttentionShape { causal, window, soft_cap, ..shape(3, 1, 8) };
                    cases.extend([(0, 47), (31, 18), (50, 1), (270, 1)].map(|(before, len)| Case {
                        bias: bias.clone(),
                        ..Case::new(shape, CacheType::F32, before, len)
                    }));
                }
            }
        }
        cases
    });
}

/// Below all scores, among them, above; nothing that belongs to them is added. Of heads that are computed side by side, one
/// sees nothing of the other's.
#[test]
pub fn sinks_take_their_share_once_however_the_keys_are_split() {
    check_shares(|| {
        let mut cases = Vec::new();
        for (n, bias) in biases(6).into_iter().enumerate() {
            for (before, len) in [(0, 1), (0, 47), (31, 18), (270, 1), (600, 1)] {
                let shape = AttentionShape { window: [None, Some(20), Some(300)][n % 3], ..shape(6, 2, 12) };
                let sinks = Some(vec![-120.0, 0.0, 1.5, -2.0, 4.0, 60.0]);
                cases.push(Case { bias: bias.clone(), sinks, ..Case::new(shape, CACHES[n % 3], before, len) });
            }
        }
        cases
    });
    // The first split has the sink, and keys that are next to nothing.
    let bias = Bias::Linear(vec![0.5; 2]);
    let case = Case { bias, sinks: Some(vec![0.0; 2]), ..Case::new(shape(2, 1, 12), CacheType::F32, 600, 1) };
    for (name, kernels) in gpus() {
        check_numbers(&kernels, name, &case, &numbers(&case, 1), TOLERANCE);
    }
    // Scores and sinks so low that beside anything else nothing would be left of them.
    let bias = Bias::Table { table: vec![-200.0; 6], reach: 1 };
    for (before, len) in [(0, 47), (40, 1), (600, 1)] {
        let sinks = Some(vec![-200.0, -201.0]);
        let case = Case { bias: bias.clone(), sinks, ..Case::new(shape(2, 1, 12), CacheType::F32, before, len) };
        check_numbers(&first(), "low scores", &case, &numbers(&case, 1), TOLERANCE);
    }
}

/// A workgroup has up to four of the heads that share keys: four, five, and eight.
#[test]
pub fn each_of_the_heads_that_share_keys_has_its_own_bias_and_sink() {
    for (heads, kv_heads) in [(4, 1), (5, 1), (16, 2)] {
        for bias in biases(heads) {
            for before in [40, 270] {
                let sinks = Some((0..heads).map(|head| 3.0 - head as f32).collect());
                let shape = shape(heads, kv_heads, 8);
                let case = Case { bias: bias.clone(), sinks, ..Case::new(shape, CacheType::F32, before, 1) };
                check_numbers(&first(), "heads that share keys", &case, &numbers(&case, 1), TOLERANCE);
            }
        }
    }
}

/// By more than an exponential can hold, in both directions: the sink is above all scores of its split, and far below one of
/// another.
#[test]
pub fn a_sink_may_lie_far_from_the_scores_of_any_split() {
    let shape = AttentionShape { scale: 1.0, ..shape(1, 1, 8) };
    let case = Case { sinks: Some(vec![100.0]), ..Case::new(shape, CacheType::F32, 300, 1) };
    let mut numbers = numbers(&case, 1);
    numbers[0].query.fill(1.0);
    numbers[0].key.fill(0.0);
    numbers[0].key[200 * 8] = 250.0;
    let found = check_numbers(&first(), "a sink of 100", &case, &numbers, TOLERANCE);
    assert_eq!(found, numbers[0].value[200 * 8..][..8]);
}

/// By more than an exponential can hold, of one head in turn: no other head's maximum has to do with it.
#[test]
pub fn a_head_s_sink_may_lie_far_from_the_scores_and_from_the_sinks_of_the_others() {
    let shape = shape(12, 2, 8);
    for (head, before) in (0..shape.heads).flat_map(|head| [(head, 0), (head, 300)]) {
        let sinks = (0..shape.heads).map(|other| if other == head { 200.0 } else { 0.5 }).collect();
        let case = Case { sinks: Some(sinks), ..Case::new(shape, CacheType::F32, before, 1) };
        check_numbers(&first(), "a sink of 200", &case, &numbers(&case, 1), TOLERANCE);
    }
}

/// As on processors: of the largest heads, one slice of the keys takes all threads.
#[test]
pub fn the_largest_heads_are_right_where_a_thread_has_a_key() {
    let kernels = shared(&Wishes { lanes: Some(4), ..Wishes::default() });
    for before in [63, 300] {
        let case = Case::new(shape(2, 1, 256), CacheType::F32, before, 1);
        check_numbers(&kernels, "a thread a key", &case, &numbers(&case, 1), TOLERANCE);
    }
}

#[test]
pub fn sequences_of_one_batch_do_not_see_each_other() {
    // They differ in what came before and what comes, and lie in other caches than their places in the batch.
    let sequences = vec![(0, 5), (40, 1), (3, 33), (260, 1), (0, 1), (17, 2), (0, 64)];
    for (name, kernels) in gpus() {
        for causal in [true, false] {
            let shape = AttentionShape { causal, ..shape(6, 2, 20) };
            let case = Case { sequences: sequences.clone(), ..Case::new(shape, CacheType::F16, 0, 0) };
            let numbers = numbers(&case, 2);
            let together = check_numbers(&kernels, name, &case, &numbers, TOLERANCE);
            let mut rows = together.as_slice();
            for (sequence, numbers) in case.sequences.iter().zip(&numbers) {
                let one = Case { sequences: vec![*sequence], ..case.clone() };
                let alone = attend(&mut gpu(&kernels), &kernels.context, &one, std::slice::from_ref(numbers)).out;
                let (own, rest) = rows.split_at(alone.len());
                assert_eq!(own, alone, "bit by bit: {sequence:?}, causal: {causal}, {name}");
                rows = rest;
            }
            assert!(rows.is_empty());
        }
    }
}

/// A case of each kernel: a prompt, one query, a long cache.
fn each_kernel(shape: AttentionShape, cache: CacheType) -> [Case; 3] {
    [(2, 35), (40, 1), (500, 1)].map(|(before, len)| Case::new(shape, cache, before, len))
}

/// Every cache in a case of each kernel, for every variant.
fn check_extremes(shape: AttentionShape, caches: &[CacheType], work: impl Fn(&Rc<Kernels>, &str, Case)) {
    for (name, kernels) in gpus() {
        for case in caches.iter().flat_map(|cache| each_kernel(shape, *cache)) {
            work(&kernels, name, case);
        }
    }
}

#[test]
pub fn scores_of_tens_of_thousands_leave_the_softmax_whole() {
    // Whole levels, and a power of two: the scores are the same in any order of summation.
    let huge = AttentionShape { scale: 2048.0, ..shape(2, 1, 32) };
    check_extremes(huge, &CACHES, |kernels, name, mut case| {
        let numbers = numbers(&case, 3);
        let score = |query: &[f32], key: &[f32]| 2048.0 * query.iter().zip(key).map(|(q, k)| q * k).sum::<f32>();
        let scores = numbers[0].query.chunks(32).map(|query| score(query, &numbers[0].key[..32]));
        let (least, most) = scores.fold((0.0f32, 0.0f32), |(least, most), s| (least.min(s), most.max(s)));
        assert!(least < -1e4 && most > 1e4, "{least} to {most}");
        for soft_cap in [None, Some(30.0)] {
            case.shape.soft_cap = soft_cap;
            check_numbers(kernels, name, &case, &numbers, TOLERANCE);
        }
    });
}

#[test]
pub fn equal_scores_give_the_mean_however_large_they_are() {
    let shape = AttentionShape { scale: 1.0, ..shape(2, 1, 32) };
    check_extremes(shape, &CACHES, |kernels, name, case| {
        for score in [0.0, 12_800.0, -12_800.0, 1e-30] {
            let mut numbers = numbers(&case, 4);
            numbers[0].key.fill(1.0);
            numbers[0].query.fill(score / 32.0);
            let found = attend(&mut gpu(kernels), &kernels.context, &case, &numbers).out;
            let (before, len) = case.sequences[0];
            for (i, found) in found.iter().enumerate() {
                let (seen, d) = (before + 1 + i / 64, i % 32);
                assert!(seen <= before + len);
                let values = numbers[0].value.chunks(32).take(seen).map(|value| f64::from(value[d]));
                let mean = values.sum::<f64>() / seen as f64;
                assert!((f64::from(*found) - mean).abs() < 2e-6, "{score}, {name}, [{i}]: {found}, expected {mean}");
            }
        }
    });
}

#[test]
pub fn huge_and_tiny_values_come_through_floats() {
    check_extremes(shape(2, 1, 32), &[CacheType::F32], |kernels, name, case| {
        for (values, keys) in [(1e30, 1.0), (1e-30, 1.0), (1.0, 1e15), (1.0, 1e-15)] {
            let mut numbers = numbers(&case, 5);
            numbers[0].value.iter_mut().for_each(|value| *value *= values);
            numbers[0].key.iter_mut().for_each(|key| *key *= keys);
            numbers[0].query.iter_mut().for_each(|query| *query /= keys);
            check_numbers(kernels, name, &case, &numbers, values * TOLERANCE);
        }
    });
}

#[test]
pub fn halves_are_clamped_to_what_they_can_hold() {
    check_extremes(shape(2, 1, 32), &[CacheType::F16], |kernels, name, case| {
        let mut numbers = numbers(&case, 6);
        // Keys beyond the range too, against queries that make sane scores of them.
        let Numbers { query, key, value } = &mut numbers[0];
        for value in value.iter_mut().chain(key) {
            *value *= if value.abs() > 1.0 { 1e6 } else { 1e4 };
        }
        query.iter_mut().for_each(|query| *query /= 65504.0);
        check_numbers(kernels, name, &case, &numbers, 65504.0 * TOLERANCE);
    });
    let mut case = Case::new(shape(1, 1, 8), CacheType::F16, 0, 1);
    case.shape.scale = 0.0;
    let value = vec![65504.0, 65519.0, 65520.0, 1e30, -65504.0, -65520.0, f32::MAX, f32::MIN];
    let most: Vec<f32> = value.iter().map(|value| 65504.0f32.copysign(*value)).collect();
    let numbers = [Numbers { query: vec![1.0; 8], key: value.clone(), value }];
    for (name, kernels) in gpus() {
        assert_eq!(attend(&mut gpu(&kernels), &kernels.context, &case, &numbers).out, most, "{name}");
    }
}

#[test]
pub fn levels_of_nothing_are_nothing() {
    check_extremes(shape(2, 1, 64), &[CacheType::Q8], |kernels, name, case| {
        // Zeros; numbers whose scale is too small for a float; and some whose scale is 1.
        for size in [0.0, 1e-37, 64.0] {
            let mut numbers = numbers(&case, 7);
            let Numbers { key, value, .. } = &mut numbers[0];
            // Large keys would make of the last digits of a score other weights.
            let keys = if size < 1.0 { &mut key[..] } else { &mut [] };
            let halves = value.chunks_mut(32).chain(keys.chunks_mut(32));
            halves.step_by(2).for_each(|half| half.iter_mut().for_each(|value| *value *= size));
            check_numbers(kernels, name, &case, &numbers, TOLERANCE * size.max(1.0));
        }
    });
}

pub fn check_map(kernels: &Rc<Kernels>, name: &str, case: &Case) {
    let numbers = &numbers(case, 8)[0];
    let found = attention_map(&mut gpu(kernels), &kernels.context, case, numbers);
    let expected = attention_map(&mut cpu(1), &kernels.context, case, numbers);
    let rows = case.sequences[0].1;
    for (line, (found, expected)) in found.chunks(rows).zip(expected.chunks(rows)).enumerate() {
        let sum: f32 = found.iter().sum();
        // A sink has the rest.
        let whole = if case.sinks.is_some() { expected.iter().sum() } else { 1.0 };
        assert!((sum - whole).abs() < 1e-5, "{}, {name}: line {line} sums to {sum}", case.label());
        for (key, (found, expected)) in found.iter().zip(expected).enumerate() {
            let what = || format!("{}, {name}, line {line}, key {key}: {found}, expected {expected}", case.label());
            assert!((found - expected).abs() <= TOLERANCE, "{}", what());
            assert_eq!(*found == 0.0, *expected == 0.0, "what is hidden is nothing: {}", what());
        }
    }
}

#[test]
pub fn attention_maps_are_the_cpu_s() {
    for (name, kernels) in gpus() {
        for (n, rows) in [1, 2, 16, 63, 64, 65, 130].into_iter().enumerate() {
            for bias in biases(6) {
                let causal = n % 2 == 0;
                let window = [None, Some(1), Some(20)][n % 3];
                let soft_cap = (rows > 16).then_some(5.0);
                let shape = AttentionShape { causal, window, soft_cap, ..shape(6, 2, 12) };
                check_map(&kernels, name, &Case { bias, ..Case::new(shape, CacheType::F32, 0, rows) });
            }
        }
        let sunk = Case { sinks: Some(vec![-1.0, 0.0, 2.0]), ..Case::new(shape(3, 1, 12), CacheType::F32, 0, 70) };
        check_map(&kernels, name, &sunk);
        for head_dim in [8, 64, 80, 256] {
            let huge = AttentionShape { scale: 2048.0, ..shape(2, 1, head_dim) };
            check_map(&kernels, name, &Case::new(huge, CacheType::F32, 0, 20));
        }
    }
}
