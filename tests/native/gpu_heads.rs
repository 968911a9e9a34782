//! Heads on their way to the cache on the GPU, against the CPU's: norms, rotary positions, and what each cache makes of
//! them.

use azulejo::device::gpu::{Kernels, Wishes};
use azulejo::device::{AttentionShape, CacheType, RopePairs};
use std::rc::Rc;

use crate::attention::{Attended, Case, Heading, Numbers, attend, keep_and_attend, numbers, shape};
use crate::devices::{cpu, gpu, gpus, shared};
use crate::gpu_attention::biases;
use crate::random::Random;
use crate::sample::share;

fn assert_close(found: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let close = (found - expected).abs() <= tolerance;
        assert!(close, "{what}[{i}]: {found}, expected {expected}");
    }
}

/// Both devices' results.
fn both(kernels: &Rc<Kernels>, case: &Case, numbers: &[Numbers]) -> [Attended; 2] {
    [attend(&mut gpu(kernels), &kernels.context, case, numbers), attend(&mut cpu(1), &kernels.context, case, numbers)]
}

/// Every way of turning and norming heads of that size: pairs of all its dimensions, of some, of none.
fn headings(head_dim: usize) -> Vec<Heading> {
    let mut headings = Vec::new();
    let mut random = Random::new(head_dim as u64);
    for pairs in [RopePairs::HalfSplit, RopePairs::Interleaved] {
        for turning in [head_dim / 2, head_dim / 4, 1, 0] {
            for normed in [false, true] {
                let frequencies = (0..turning).map(|pair| 10_000f32.powf(-(pair as f32) / turning as f32)).collect();
                let mut norm = || random.floats(head_dim);
                let norms = normed.then(|| [norm(), norm()]);
                headings.push(Heading { norms, epsilon: 0.05, pairs, frequencies, magnitude: 1.25 });
            }
        }
    }
    headings
}

#[test]
pub fn heads_are_normed_and_turned_as_on_the_cpu() {
    for (variant, (name, kernels)) in gpus().into_iter().enumerate() {
        let cases = [8, 12, 80, 256]
            .into_iter()
            .flat_map(|head_dim| headings(head_dim).into_iter().map(move |h| (head_dim, h)));
        for (head_dim, heading) in share(cases, variant) {
            let what = format!("{head_dim}, {:?}, {} pairs, {name}", heading.pairs, heading.frequencies.len());
            let mut case = Case { heading, ..Case::new(shape(3, 1, head_dim), CacheType::F32, 0, 0) };
            // Far positions have large angles; two sequences, each from its own.
            case.sequences = vec![(5, 3), (90, 1)];
            let [found, expected] = both(&kernels, &case, &numbers(&case, 1));
            // A turn of numbers up to 20 is two products and a sum, and after a norm of 256 squares.
            assert_close(&found.query, &expected.query, 1e-5, &format!("query: {what}"));
            assert_close(&found.key, &expected.key, 1e-5, &format!("key: {what}"));
            assert_close(&found.out, &expected.out, 3e-5, &format!("out: {what}"));
        }
    }
}

/// A key that stands alone has all of the weight: what comes out is the value as its cache has it.
#[test]
pub fn values_come_out_of_each_cache_within_its_precision_as_on_the_cpu() {
    for (variant, (name, kernels)) in gpus().into_iter().enumerate() {
        let caches = [(CacheType::F32, 0.0), (CacheType::F16, 1.0 / 2048.0), (CacheType::Q8, 0.5 / 127.0)];
        let sizes = |cache| [8, 12, 20, 64, 80, 96, 256].map(|head_dim| (cache, head_dim));
        for ((cache, precision), head_dim) in share(caches.into_iter().flat_map(sizes), variant) {
            let case = Case::new(shape(2, 2, head_dim), cache, 0, 1);
            let mut numbers = numbers(&case, 2);
            numbers[0].value = Random::new(3).floats(2 * head_dim);
            let [found, expected] = both(&kernels, &case, &numbers).map(|attended| attended.out);
            let what = format!("{cache:?}, {head_dim}, {name}");
            assert_close(&found, &numbers[0].value, precision * 1.0001, &format!("stored: {what}"));
            // A value halfway between two that the cache knows may go either way.
            assert_close(&found, &expected, 2.0001 * precision, &format!("the CPU's: {what}"));
            let differing = found.iter().zip(&expected).filter(|(a, b)| (**a - **b).abs() > 1e-6).count();
            assert!(differing <= found.len() / 50, "{differing} of {}: {what}", found.len());
        }
    }
}

#[test]
pub fn heads_that_were_turned_are_cached_so() {
    for (name, kernels) in gpus() {
        for (cache, tolerance) in [(CacheType::F16, 1e-3), (CacheType::Q8, 1e-2)] {
            for heading in share(headings(64), 0) {
                let case = Case { heading, ..Case::new(shape(3, 1, 64), cache, 18, 17) };
                let mut numbers = numbers(&case, 4);
                // So that scores stay sane after norms: the rounding of keys goes into the exponents.
                numbers[0].key.iter_mut().for_each(|key| *key *= 0.5);
                let [found, expected] = both(&kernels, &case, &numbers).map(|attended| attended.out);
                assert_close(&found, &expected, tolerance, &format!("{cache:?}, {name}"));
            }
        }
    }
}

/// Rows that continue their sequences are normed, turned, kept and attended from by one kernel, among others that are not.
pub fn check_steps(kernels: &Rc<Kernels>, case: &Case, name: &str) {
    let mut numbers = numbers(case, 4);
    // So that scores stay sane after norms: the rounding of keys goes into the exponents.
    numbers.iter_mut().for_each(|numbers| numbers.key.iter_mut().for_each(|key| *key *= 0.5));
    let found = keep_and_attend(&mut gpu(kernels), &kernels.context, case, &numbers);
    let expected = keep_and_attend(&mut cpu(1), &kernels.context, case, &numbers);
    let tolerance = match case.cache {
        CacheType::F32 => 3e-5,
        CacheType::F16 => 1e-3,
        CacheType::Q8 => 1e-2,
    };
    for ((found, expected), what) in found.iter().zip(&expected).zip(["at once", "from what is kept"]) {
        let pairs = case.heading.frequencies.len();
        let heading = format!("{:?}, {pairs} pairs, norms: {}", case.heading.pairs, case.heading.norms.is_some());
        assert_close(found, expected, tolerance, &format!("{what}: {}, {heading}, {name}", case.label()));
    }
}

/// One after the other: a first token, one whose keys are split and whose own is in an odd split, a prompt among them, one
/// that begins a page, one whose keys are several tiles.
fn steps() -> Vec<(usize, usize)> {
    vec![(0, 1), (330, 1), (5, 3), (64, 1), (150, 1)]
}

#[test]
pub fn steps_are_normed_turned_kept_and_attended_from_at_once() {
    for (variant, (name, kernels)) in gpus().into_iter().enumerate() {
        let kinds = [(8, 3, 1), (12, 4, 4), (80, 7, 1), (256, 4, 2), (64, 9, 3)];
        let caches = [CacheType::F32, CacheType::F16, CacheType::Q8];
        let each =
            kinds.into_iter().zip(caches.into_iter().cycle()).flat_map(|((head_dim, heads, kv_heads), cache)| {
                let case = move |heading| Case {
                    heading,
                    sequences: steps(),
                    ..Case::new(shape(heads, kv_heads, head_dim), cache, 0, 0)
                };
                headings(head_dim).into_iter().map(case)
            });
        share(each, variant).for_each(|case| check_steps(&kernels, &case, name));
    }
}

#[test]
pub fn steps_are_right_in_every_cache_with_masks_biases_and_sinks() {
    let serial = shared(&Wishes { lanes: Some(4), ..Wishes::default() });
    // Of caches and biases each some; a thread a key is compiled slowly.
    for (variant, (name, kernels)) in gpus().into_iter().chain([("a thread a key", serial)]).enumerate() {
        for (n, cache) in share([CacheType::F32, CacheType::F16, CacheType::Q8].into_iter().enumerate(), variant) {
            for (m, bias) in biases(6).into_iter().enumerate().skip(variant % 2).step_by(2) {
                let window = [None, Some(20), Some(300)][(n + m) % 3];
                let shape =
                    AttentionShape { window, soft_cap: (m == 1).then_some(5.0), ..shape(6, 2, [64, 12][m % 2]) };
                let sinks = (m % 2 == 0).then(|| vec![-1.0, 0.0, 1.5, -2.0, 4.0, 60.0]);
                let heading = headings(shape.head_dim).swap_remove(m);
                let case = Case { heading, bias, sinks, sequences: steps(), ..Case::new(shape, cache, 0, 0) };
                check_steps(&kernels, &case, name);
            }
        }
    }
}
