//! The kernels that choose tokens, each by itself on the first run of a vocabulary: it looks at what it is told of, and
//! leaves the rest alone. What a run took of the next one, or a count of what lies behind, would show by chance only.

use azulejo::device::gpu::{Kernel, Shader};
use azulejo::text::noise::{Noise, gumbel, scale, score};

use crate::alone::{Alone, source};
use crate::devices::first;
use crate::random::Random;

const RUN: usize = 1024;

/// Words of `shaders/weights.wgsl`: bins, and what lies behind them.
const BINS: usize = 1024;
const COUNT: usize = BINS;
const LEAST: usize = BINS + 1;
const ABOVE: usize = BINS + 2;
const MASS: usize = BINS + 3;
const ORDERS: usize = BINS + 4;

/// What stands where nobody writes.
const ALONE: u32 = 7;

/// Floats in their order, as `shaders/runs.wgsl` has them.
fn ordered(value: f32) -> u32 {
    let bits = value.to_bits();
    if bits > 1 << 31 { !bits } else { bits | 1 << 31 }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// What a kernel's first workgroup leaves of its storage. `batch`: where it reads that.
fn alone<const N: usize>(
    shader: Shader,
    storage: [Vec<u32>; N],
    parameters: &[u32],
    batch: Option<&[u32]>,
) -> [Vec<u32>; N] {
    let kernels = first();
    let uniforms: Vec<&[u32]> = [parameters].into_iter().chain(batch).collect();
    let alone = Alone { storage: (0..).zip(storage).collect(), uniforms: &uniforms, grid: [1, 1, 1] };
    alone.run(&kernels.context, source(&Kernel::new(shader), kernels.extras())).try_into().expect("as many")
}

/// Logits of which one run, or less, is the first workgroup's: the best is 8, and what lies behind is better. Each is exact,
/// and well within a bin.
struct Logits {
    vocabulary: usize,
    /// Tokens of the first run.
    own: usize,
    values: Vec<f32>,
}

/// Where they begin.
const FIRST: usize = 5;
const BEST: f32 = 8.0;

impl Logits {
    fn each() -> [Self; 2] {
        [2000, 1000].map(|vocabulary| {
            let (own, mut random) = (RUN.min(vocabulary), Random::new(vocabulary as u64));
            let mut values: Vec<f32> = (0..own).map(|_| BEST - bin_middle(random.next() as usize % 1100)).collect();
            values[own - 3] = BEST;
            values.resize(2 * RUN, BEST + 22.0);
            Self { vocabulary, own, values }
        })
    }

    fn words(&self) -> Vec<u32> {
        [vec![ALONE; FIRST], bits(&self.values)].concat()
    }

    fn runs(&self) -> usize {
        self.vocabulary.div_ceil(RUN)
    }

    /// The best of each run; a better one behind them.
    fn partial(&self) -> Vec<u32> {
        let bests = [(BEST, self.own - 3), (BEST - 0.5, RUN + 1)];
        let behind = [(BEST + 12.0, 3)].repeat(3);
        bests[..self.runs()].iter().chain(&behind).flat_map(|(best, token)| [ordered(*best), *token as u32]).collect()
    }

    /// A logit's bin.
    fn bin(logit: f32) -> usize {
        (((BEST - logit) * 32.0) as usize).min(BINS - 1)
    }

    /// What the logits of the first run come to in each bin.
    fn histogram(&self, weight: impl Fn(f32) -> f64) -> Vec<f64> {
        let mut bins = vec![0.0; BINS];
        self.values[..self.own].iter().for_each(|logit| bins[Self::bin(*logit)] += weight(*logit));
        bins
    }
}

/// How far from the best a logit in the middle of a bin is.
fn bin_middle(bin: usize) -> f32 {
    (bin as f32 + 0.5) / 32.0
}

#[test]
pub fn logits_of_a_run_are_penalised_and_the_best_of_them_is_taken() {
    for logits in Logits::each() {
        let (own, runs) = (logits.own, logits.runs());
        let [repetition, presence, frequency] = [2.0f32, 0.5, 0.25].map(f32::to_bits);
        let parameters = [logits.vocabulary as u32, FIRST as u32, repetition, presence, frequency, 1, runs as u32, 0];
        // All were chosen twice. Where nothing is restricted, no token's bit counts.
        let seen = vec![1 << 31 | 2; 2 * RUN];
        let storage =
            [logits.words(), seen, vec![0; 4], vec![ALONE; 2 * runs + 2], vec![ALONE; runs + 1], vec![0; 2 * RUN / 32]];
        let [found, _, _, partial, masses, _] = alone(Shader::Penalise, storage, &parameters, None);
        let penalised = |logit: &f32| if *logit > 0.0 { logit / 2.0 - 1.0 } else { logit * 2.0 - 1.0 };
        let expected: Vec<f32> = logits.values[..own].iter().map(penalised).collect();
        let all = [vec![ALONE; FIRST], bits(&expected), bits(&logits.values[own..])].concat();
        assert!(found == all, "logits of {}", logits.vocabulary);
        assert_eq!(partial, [&[ordered(3.0), own as u32 - 3], &vec![ALONE; 2 * runs][..]].concat());
        let mass: f64 = expected.iter().map(|logit| f64::from(logit - 3.0).exp()).sum();
        assert!((f64::from(f32::from_bits(masses[0])) / mass - 1.0).abs() < 1e-5, "{masses:?}, expected {mass}");
        assert!(masses[1..].iter().all(|mass| *mass == ALONE), "{masses:?}");
    }
}

#[test]
pub fn logits_of_a_run_are_weighed_in_bins() {
    for logits in Logits::each() {
        for top_k in [0, 10] {
            let parameters = [logits.vocabulary as u32, FIRST as u32, logits.runs() as u32, top_k, 0.5f32.to_bits()];
            let masses = [&[3.0, 2.0][..logits.runs()], &[1e9; 2]].concat();
            let storage = [logits.words(), logits.partial(), bits(&masses), vec![0; ORDERS + 8]];
            let [.., words] = alone(Shader::Weigh, storage, &parameters, None);
            let mass = 3.0 + if logits.runs() == 2 { 2.0 * (-0.5f64).exp() } else { 0.0 };
            let share = |logit: f32| (f64::from(logit - BEST).exp() / mass * 2f64.powi(31)).round();
            let expected = logits.histogram(|logit| if top_k > 0 { 1.0 } else { share(logit) });
            for (bin, (found, expected)) in words.iter().zip(&expected).enumerate() {
                // Each share may be rounded to the next one, and has what an f32's exp is off.
                let off = if top_k > 0 { 0.0 } else { 1e-5 * expected + 8.0 };
                let found = f64::from(*found);
                assert!((found - expected).abs() <= off, "bin {bin}: {found}, expected {expected}");
            }
            let mass = if top_k > 0 { 0.0 } else { mass };
            assert!((f64::from(f32::from_bits(words[MASS])) - mass).abs() < 1e-5, "{mass}");
            let rest = [&words[COUNT..MASS], &words[ORDERS..]].concat();
            assert!(rest.iter().all(|word| *word == 0), "{rest:?}");
        }
    }
}

/// Others have put aside so many before.
const BEFORE: usize = 5;

fn check_gathered(logits: &Logits, bins: &[u32], [top_k, enough]: [u32; 2], top_p: f32) {
    let words = [bins, &[BEFORE as u32, 3, ALONE, 0], &[ALONE; BEFORE], &[0; 2 * RUN]].concat();
    let parameters = [logits.vocabulary as u32, FIRST as u32, logits.runs() as u32, top_k, top_p.to_bits()];
    let storage = [logits.words(), logits.partial(), words];
    let [.., found] = alone(Shader::Gather, storage, &parameters, None);
    let what = format!("of {}, top-k {top_k}, top-p {top_p}", logits.vocabulary);
    let (both, mut bin, mut above) = (top_k > 0 && top_p < 1.0, 0, 0);
    while bin < BINS - 1 && above + bins[bin] < enough {
        above += bins[bin];
        bin += 1;
    }
    let least_bin = if both { 0 } else { bin };
    let chosen = logits.values[..logits.own].iter().filter(|logit| (least_bin..=bin).contains(&Logits::bin(**logit)));
    let mut orders: Vec<u32> = chosen.map(|logit| ordered(*logit)).collect();
    orders.sort_unstable();
    assert_eq!(found[..BINS], *bins, "{what}");
    assert_eq!(found[COUNT] as usize, BEFORE + orders.len(), "{what}");
    let comes_to_it = above + bins[bin] >= enough;
    let least = orders.first().filter(|_| comes_to_it).map_or(if comes_to_it { 0 } else { u32::MAX }, |order| !order);
    assert_eq!(found[LEAST], least.max(3), "{what}");
    assert_eq!(found[ABOVE], if both { 0 } else { above }, "{what}");
    assert_eq!(found[MASS], 0);
    let mut put = found[ORDERS + BEFORE..][..orders.len()].to_vec();
    put.sort_unstable();
    assert_eq!(put, orders, "{what}");
    let rest = &found[ORDERS + BEFORE + orders.len()..];
    assert!(
        found[ORDERS..][..BEFORE].iter().all(|word| *word == ALONE) && rest.iter().all(|word| *word == 0),
        "{what}"
    );
}

#[test]
pub fn logits_of_a_run_are_put_aside_where_the_best_come_to_what_is_asked_for() {
    for logits in Logits::each() {
        let mut counts: Vec<u32> = logits.histogram(|_| 1.0).into_iter().map(|count| count as u32).collect();
        // The other run's.
        counts[40] += 300;
        let sum = |bins: &[u32], to: usize| bins[..to].iter().sum::<u32>();
        // All of some bins and not one more, or one more: of each of the bins that a thread has.
        let exact = (50..54).flat_map(|bins| [sum(&counts, bins), sum(&counts, bins) + 1]);
        for top_k in [1, 2, 40, sum(&counts, BINS) - 1].into_iter().chain(exact) {
            for top_p in [1.0, 0.5] {
                check_gathered(&logits, &counts, [top_k, top_k], top_p);
            }
        }
        let shares = |scale: u32| counts.iter().map(|count| count * scale).collect::<Vec<u32>>();
        let shares = shares((1 << 31) / sum(&counts, BINS));
        for top_p in [0.0f32, 0.25, 0.5, 0.75] {
            check_gathered(&logits, &shares, [0, ((top_p * 2f32.powi(31)) as u32).max(1)], top_p);
        }
        // They do not come to it: all stay, and what others have put aside is none of the bins'.
        check_gathered(&logits, &counts, [0, 1 << 30], 0.5);
    }
}

/// The least logit that is left of those put aside; `before`: what lies before these.
fn truncated(orders: &[u32], [least, above]: [u32; 2], mass: f32, top_k: u32, top_p: f32) -> f32 {
    let (runs, behind) = (2u32, [ordered(BEST + 1.0); 300]);
    let header = [orders.len() as u32, least, above, mass.to_bits()];
    let words = [&[ALONE; BINS][..], &header, orders, &behind].concat();
    let partial = [ordered(1.0), 3, ordered(BEST), 1030, ordered(BEST + 12.0), 4].to_vec();
    let storage = [partial, words, vec![ALONE; 4]];
    let [_, words, truncation] = alone(Shader::Truncate, storage, &[runs, top_k, top_p.to_bits()], None);
    assert!(words[..ORDERS].iter().all(|word| *word == 0), "zeros for the next token");
    assert_eq!(words[ORDERS..], [orders, &behind].concat());
    assert!(truncation[1..].iter().all(|word| *word == ALONE));
    f32::from_bits(truncation[0])
}

#[test]
pub fn the_least_logit_that_is_left_is_found_among_those_put_aside() {
    let mut random = Random::new(4);
    let mut logits: Vec<f32> = (0..600).map(|_| BEST - 4.0 * random.float().abs()).collect();
    let orders: Vec<u32> = logits.iter().map(|logit| ordered(*logit)).collect();
    logits.sort_by(|a, b| b.total_cmp(a));
    for kept in [1, 2, 17, 300, 599, 600] {
        let found = truncated(&orders, [!0, 20], 0.0, 20 + kept as u32, 1.0);
        assert_eq!(found, logits[kept - 1], "top-k {kept}");
    }
    assert_eq!(truncated(&orders, [!ordered(logits[599]), 0], 0.0, 1, 1.0), logits[0], "top-1");
    // Shares of all, of which three tenths lie before these; and of those that top-k leaves.
    let weight = |logit: &f32| f64::from(logit - BEST).exp();
    let mass = logits.iter().map(weight).sum::<f64>() / 0.7;
    let least_of = |share: f64, mass: f64, mut sum: f64| {
        let enough = |logit: &&f32| {
            sum += weight(logit) / mass;
            sum >= share
        };
        *logits.iter().find(enough).expect("they come to it")
    };
    for top_p in [0.35f32, 0.5, 0.7, 0.95] {
        let found = truncated(&orders, [!ordered(logits[599]), (0.3 * 2f64.powi(31)) as u32], mass as f32, 0, top_p);
        assert_eq!(found, least_of(f64::from(top_p), mass, 0.3), "top-p {top_p}");
    }
    for (top_k, top_p) in [(400, 0.5f32), (20, 0.9), (600, 0.123)] {
        let mass: f64 = logits[..top_k].iter().map(weight).sum();
        let found = truncated(&orders, [!0, 0], 1e9, top_k as u32, top_p);
        assert_eq!(found, least_of(f64::from(top_p), mass, 0.0), "top-k {top_k}, top-p {top_p}");
    }
    // The best has all of the weight.
    let lonely = [-100.0, BEST, -120.0].map(ordered);
    assert_eq!(truncated(&lonely, [!0, 0], 0.0, 2, 0.9), BEST);
    assert_eq!(truncated(&lonely, [!0, 0], 0.0, 3, 1.0), -120.0);
    // Where they do not come to it, all stay from the least on; or all.
    assert_eq!(truncated(&orders, [!ordered(3.25), 0], mass as f32, 0, 0.9), 3.25);
    assert_eq!(truncated(&orders, [!0, 0], mass as f32, 0, 0.9), -3e38);
}

/// What many weigh that weigh little by themselves: half of it is left, within the digits that shares have.
#[test]
pub fn small_weights_count_as_large_ones_do() {
    for (distance, count) in [(14.0f32, 20_000), (9.0, 2000)] {
        let small = |i: usize| BEST - distance - 0.5 * i as f32 / count as f32;
        let orders: Vec<u32> = [BEST].into_iter().chain((0..count).map(small)).map(ordered).collect();
        let weights: Vec<f64> = (0..count).map(|i| f64::from(small(i) - BEST).exp()).collect();
        let all: f64 = weights.iter().sum();
        let top_p = (1.0 + all / 2.0) / (1.0 + all);
        let found = truncated(&orders, [!0, 0], 0.0, orders.len() as u32, top_p as f32);
        let mut sum = 1.0f64;
        let comes_to_it = |weight: &f64| {
            sum += weight;
            sum >= f64::from(top_p as f32) * (1.0 + all)
        };
        let expected = small(weights.iter().position(comes_to_it).expect("they do"));
        assert!((found - expected).abs() < 0.0015, "{distance}: {found}, expected {expected}");
    }
}

#[test]
pub fn a_token_is_drawn_from_its_run_alone() {
    for logits in Logits::each() {
        for (least, min_p) in [(-3e38f32, -3e38f32), (BEST - 2.0, -3e38), (-3e38, -1.5)] {
            let (seed, scale, position) = (0x1234_5678_9abc_def0u64, scale(8.0), 41 + 3);
            let parameters = [
                logits.vocabulary as u32,
                logits.runs() as u32,
                seed as u32,
                (seed >> 32) as u32,
                scale.to_bits(),
                FIRST as u32,
                min_p.to_bits(),
            ];
            let storage = [logits.words(), logits.partial(), bits(&[least, BEST, BEST, BEST]), vec![ALONE; 6]];
            let [.., drawn] = alone(Shader::Draw, storage, &parameters, Some(&[9, 3, 41, 9]));
            let noise = Noise::at(seed, position);
            let left = (0..logits.own).filter(|token| logits.values[*token] >= least.max(BEST + min_p));
            let noisy = |token: usize| score(logits.values[token], BEST, scale) + gumbel(noise.hash(token as u32));
            let token = left.max_by_key(|token| (noisy(*token), usize::MAX - token)).expect("the best is left");
            let expected = [noisy(token) as u32 ^ 1 << 31, token as u32];
            assert_eq!(drawn, [&expected[..], &[ALONE; 4]].concat(), "{least}, {min_p}, of {}", logits.vocabulary);
        }
    }
}

#[test]
pub fn the_best_of_all_runs_is_chosen_and_counted() {
    for (runs, best) in [(1, 0), (16, 15), (257, 256), (300, 255), (512, 16)] {
        // Behind them lies a better one.
        let mut partial: Vec<u32> = (0..=runs).flat_map(|run| [1000 + run % 7, 10 * run]).collect();
        (partial[2 * best], partial[2 * runs as usize]) = (2000, 3000);
        let seen = (0..10 * runs + 8).collect::<Vec<u32>>();
        let [_, found, token] = alone(Shader::Choose, [partial, seen.clone(), vec![ALONE; 4]], &[runs], None);
        let chosen = 10 * best;
        assert_eq!(token, [chosen as u32, ALONE, ALONE, ALONE], "of {runs} runs");
        let mut expected = seen;
        expected[chosen] = (expected[chosen] + 1) | 1 << 31;
        assert_eq!(found, expected, "of {runs} runs");
    }
}
