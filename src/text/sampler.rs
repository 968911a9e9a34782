//! From logits to the next token.
//!
//! In this order: logit bias; repetition penalty (over prompt and generated tokens, as transformers
//! defines it); presence and frequency penalty (over generated tokens, as OpenAI and vLLM define them); what the text's
//! [`Rules`](super::Rules) forbid; what a grammar does not allow; top-k; top-p; min-p; temperature; draw. This is the
//! order of llama.cpp's default chain: the truncations see the model's own distribution, of what a grammar left, and
//! temperature reshapes what they left. transformers applies temperature before them, so there the same topP keeps more
//! tokens the higher the temperature.
//! Both renormalise after top-k, so topP is a share of what top-k left. Tokens whose logits equal the least one that a
//! truncation keeps are kept too.
//!
//! The draw is the token with the best score: its logit's distance from the best, divided by the temperature, and noise
//! that seed, position in the sequence and token decide ([`noise`](super::noise)); of equals, the lowest id. So neither
//! what was cached nor how a device looks through the logits changes it.
//!
//! Temperature 0 takes the best token after bias and penalties; of equals, the lowest id.
//!
//! Log-probabilities are those of the model's own distribution, before bias, penalties and all else.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};

use super::noise::{LEAST, Noise, ONE, bound, gumbel, scale, score};
use super::options::Sampling;
use crate::{Code, Error, Result};

/// A token that was chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub id: u32,
    /// Where log-probabilities were asked for.
    pub logprob: Option<f32>,
    /// Best first; the chosen token may be one of them.
    pub alternatives: Vec<Alternative>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alternative {
    pub id: u32,
    pub logprob: f32,
}

/// Chooses tokens for one generation. Same logits, options, seed and position: same token.
pub struct Sampler {
    sampling: Sampling,
    vocabulary: usize,
    seed: u64,
    /// Prompt and generated text.
    sequence: Vec<u32>,
    /// Tokens of it that the prompt has.
    prompt: usize,
    counts: Counts,
}

/// Tokens of a prompt and a text, with how often each was generated.
#[derive(Clone, Debug, Default)]
pub struct Counts(HashMap<u32, u32>);

impl Counts {
    pub fn new(prompt: &[u32]) -> Self {
        Self(prompt.iter().map(|&id| (id, 0)).collect())
    }

    pub fn add(&mut self, id: u32) {
        *self.0.entry(id).or_default() += 1;
    }
}

impl Sampling {
    /// Bias, penalties and rules. The logits may be log-probabilities: those of several beams have to be, to be compared.
    pub fn shape(&self, counts: &Counts, sequence: &[u32], made: usize, logits: &mut [f32]) {
        for &(id, bias) in &self.logit_bias {
            logits[id as usize] += bias;
        }
        if self.repetition_penalty != 1.0 || self.presence_penalty != 0.0 || self.frequency_penalty != 0.0 {
            for (&id, &count) in &counts.0 {
                let Some(logit) = logits.get_mut(id as usize) else { continue };
                let penalty = self.repetition_penalty;
                *logit = if *logit > 0.0 { *logit / penalty } else { *logit * penalty };
                if count > 0 {
                    *logit -= self.presence_penalty + self.frequency_penalty * count as f32;
                }
            }
        }
        self.rules.apply(sequence, made, logits);
    }
}

/// Logits that are no numbers mean that the model or a kernel is broken: better to say so than to
/// go on with nonsense. `-∞` is an honest "never", as long as something remains.
pub fn check_logits(logits: &[f32]) -> Result<()> {
    let internal = |message| Err(Error::new(Code::Internal, message));
    // Without a way out in its midst, the compiler makes vectors of this loop and of the next ones.
    if logits.iter().fold(false, |wrong, l| wrong | l.is_nan() | (*l == f32::INFINITY)) {
        let id = logits.iter().position(|l| l.is_nan() || *l == f32::INFINITY).expect("one that is wrong");
        return internal(format!("the logit of token {id} is {}", logits[id]));
    }
    if logits.iter().all(|l| *l == f32::NEG_INFINITY) {
        return internal("no token has a finite logit".to_owned());
    }
    Ok(())
}

/// Leaves only what a constraint allows.
fn restrict(logits: &mut [f32], allowed: &[u32]) -> Result<()> {
    let mut left = false;
    let words = allowed.iter().copied().chain(std::iter::repeat(0));
    for (logits, word) in logits.chunks_mut(32).zip(words) {
        for (bit, logit) in logits.iter_mut().enumerate() {
            *logit = if word >> bit & 1 == 1 { *logit } else { f32::NEG_INFINITY };
            left |= *logit > f32::NEG_INFINITY;
        }
    }
    if left { Ok(()) } else { Err(nothing_left()) }
}

/// Where a constraint and the options leave no token.
pub fn nothing_left() -> Error {
    Error::invalid("all that the grammar allows next is forbidden by logitBias, minTokens or the like")
}

impl Sampler {
    /// `prompt` counts for the repetition penalty. `seed` is used where the options bring none.
    pub fn new(sampling: Sampling, vocabulary: usize, prompt: &[u32], seed: u64) -> Self {
        let seed = sampling.seed.unwrap_or(seed);
        let (sequence, counts) = (prompt.to_vec(), Counts::new(prompt));
        Self { sampling, vocabulary, seed, prompt: sequence.len(), sequence, counts }
    }

    /// No token is forced at the end.
    pub fn free_end(&mut self) {
        self.sampling.rules.forced = None;
    }

    /// Tells of a token that is now part of the text (`sample` does not, so that a caller may refuse).
    pub fn accept(&mut self, id: u32) {
        self.sequence.push(id);
        self.counts.add(id);
    }

    /// Chooses the next token, of those that are `allowed`: see [`Constraint::allowed`](super::Constraint). `logits` are
    /// changed: bias, penalties and rules are applied in place. Errors: internal for logits that are no numbers;
    /// invalid-argument where the options forbid all that is allowed.
    pub fn sample(&self, logits: &mut [f32], allowed: Option<&[u32]>) -> Result<Sample> {
        if logits.len() != self.vocabulary {
            let message = format!("{} logits, expected {}", logits.len(), self.vocabulary);
            return Err(Error::new(Code::Internal, message));
        }
        check_logits(logits)?;
        let before = self.sampling.logprobs.map(|count| (log_sum_exp(logits), best(logits, count), logits.to_vec()));
        let made = self.sequence.len() - self.prompt;
        self.sampling.shape(&self.counts, &self.sequence, made, logits);
        if let Some(allowed) = allowed {
            restrict(logits, allowed)?;
        }
        let id = if self.sampling.temperature == 0.0 { argmax(logits) } else { self.draw(logits) };
        let Some((sum, alternatives, raw)) = before else {
            return Ok(Sample { id, logprob: None, alternatives: Vec::new() });
        };
        let of = |id: u32| (f64::from(raw[id as usize]) - sum) as f32;
        let alternatives = alternatives.into_iter().map(|id| Alternative { id, logprob: of(id) }).collect();
        Ok(Sample { id, logprob: Some(of(id)), alternatives })
    }

    fn draw(&self, logits: &[f32]) -> u32 {
        let largest = largest(logits);
        if largest == f32::NEG_INFINITY {
            // Every token is forbidden.
            return argmax(logits);
        }
        let least = self.least(logits, largest);
        let scale = scale(self.sampling.temperature);
        // A context holds fewer tokens than 32 bits count.
        let noise = Noise::at(self.seed, self.sequence.len() as u32);
        let (mut chosen, mut best) = (0, i32::MIN);
        for (id, &logit) in (0..).zip(logits) {
            if logit < least || logit == f32::NEG_INFINITY {
                continue;
            }
            let score = score(logit, largest, scale);
            // Most of a vocabulary cannot win, whatever its noise, and much of the rest has not that much.
            if score + NOISE_ENDS <= best {
                continue;
            }
            let hash = noise.hash(id);
            if score + bound(hash) > best && score + gumbel(hash) > best {
                (chosen, best) = (id, score + gumbel(hash));
            }
        }
        chosen
    }

    /// The least logit that top-k, top-p and min-p leave, in this order.
    fn least(&self, logits: &[f32], largest: f32) -> f32 {
        let s = &self.sampling;
        let mut least = f32::NEG_INFINITY;
        if s.top_k > 0 && s.top_k < logits.len() {
            least = best(logits, s.top_k).last().map_or(least, |&id| logits[id as usize]);
        }
        if s.top_p < 1.0 {
            least = least_of_share(logits, least, largest, f64::from(s.top_p));
        }
        if s.min_p > 0.0 {
            least = least.max(largest + s.min_p.ln());
        }
        least
    }
}

/// More than any noise.
const NOISE_ENDS: i32 = 33 * ONE;
// A score and its noise are added as they are.
const _: () = assert!(LEAST.checked_sub(6 * ONE).is_some());

fn largest(logits: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if a < b { b } else { a };
    let (fours, rest) = logits.as_chunks::<4>();
    let lanes =
        fours.iter().fold([f32::NEG_INFINITY; 4], |lanes, four| std::array::from_fn(|i| larger(lanes[i], four[i])));
    lanes.into_iter().chain(rest.iter().copied()).fold(f32::NEG_INFINITY, larger)
}

fn weight(logit: f32, best: f32) -> f64 {
    f64::from(logit - best).exp()
}

/// The least logit of the smallest set of the best that holds `share` of the weight of those from `least` on. Only
/// those above a threshold are sorted, and the threshold falls until they are enough: of 150,000 tokens that is mostly a
/// few hundred.
fn least_of_share(logits: &[f32], least: f32, largest: f32, share: f64) -> f32 {
    let from = |least: f32| logits.iter().copied().filter(move |logit| *logit >= least);
    let mass = |least: f32| from(least).map(|logit| weight(logit, largest)).sum::<f64>();
    let share = share * mass(least);
    let mut depth = 4.0;
    while depth < 1e3 && largest - depth > least && mass(largest - depth) < share {
        depth *= 2.0;
    }
    let mut head: Vec<f32> = from(least.max(largest - depth)).collect();
    head.sort_unstable_by(|a, b| b.total_cmp(a));
    let mut mass = 0.0;
    let enough = head.iter().position(|logit| {
        mass += weight(*logit, largest);
        mass >= share
    });
    enough.or(head.len().checked_sub(1)).map_or(least, |at| head[at])
}

fn argmax(logits: &[f32]) -> u32 {
    let largest = largest(logits);
    logits.iter().position(|logit| *logit == largest).unwrap_or(0) as u32
}

fn log_sum_exp(logits: &[f32]) -> f64 {
    let best = largest(logits);
    f64::from(best) + logits.iter().map(|&logit| weight(logit, best)).sum::<f64>().ln()
}

/// The ids of the `count` largest logits, largest first; of equals the lowest id. A heap of the best so
/// far turns almost every other logit away with one comparison.
fn best(logits: &[f32], count: usize) -> Vec<u32> {
    let mut heap: BinaryHeap<Reverse<(Ordered, Reverse<u32>)>> = BinaryHeap::with_capacity(count.min(logits.len()));
    for (id, &logit) in (0..).zip(logits) {
        if heap.len() < count {
            heap.push(Reverse((Ordered(logit), Reverse(id))));
        } else if let Some(mut worst) = heap.peek_mut()
            && logit > worst.0.0.0
        {
            *worst = Reverse((Ordered(logit), Reverse(id)));
        }
    }
    heap.into_sorted_vec().into_iter().map(|Reverse((_, Reverse(id)))| id).collect()
}

/// A logit as a key; none is NaN.
#[derive(PartialEq)]
struct Ordered(f32);

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.partial_cmp(&other.0).unwrap_or(Ordering::Equal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::GenerateOptions;
    use crate::text::random::Random;

    fn sampler(json: &str, vocabulary: usize, prompt: &[u32]) -> Sampler {
        let options: GenerateOptions = serde_json::from_str(json).unwrap();
        Sampler::new(Sampling::new(&options, vocabulary).unwrap(), vocabulary, prompt, 0)
    }

    /// Tokens that follow each other, always from the same logits.
    fn draws(sampler: &mut Sampler, logits: &[f32], count: usize) -> Vec<u32> {
        let mut draw = || {
            let id = sampler.sample(&mut logits.to_vec(), None).unwrap().id;
            sampler.accept(id);
            id
        };
        (0..count).map(|_| draw()).collect()
    }

    /// How often each token is drawn, as a share of `DRAWS` seeded draws.
    fn shares(json: &str, logits: &[f32]) -> Vec<f64> {
        const DRAWS: usize = 20_000;
        let mut sampler = sampler(json, logits.len(), &[]);
        let mut counts = vec![0; logits.len()];
        for id in draws(&mut sampler, logits, DRAWS) {
            counts[id as usize] += 1;
        }
        counts.into_iter().map(|count| f64::from(count) / DRAWS as f64).collect()
    }

    fn softmax(logits: &[f32], temperature: f64) -> Vec<f64> {
        let weights: Vec<f64> = logits.iter().map(|&logit| (f64::from(logit) / temperature).exp()).collect();
        let sum: f64 = weights.iter().sum();
        weights.iter().map(|weight| weight / sum).collect()
    }

    /// Within four standard deviations of 20,000 draws, and never where nothing is expected.
    fn assert_close(found: &[f64], expected: &[f64]) {
        for (id, (found, expected)) in found.iter().zip(expected).enumerate() {
            let deviation = (expected * (1.0 - expected) / 20_000.0).sqrt();
            assert!((found - expected).abs() <= 4.0 * deviation + 1e-9, "token {id}: {found}, expected {expected}");
        }
    }

    /// What is left of a distribution when only these tokens are kept.
    fn kept(expected: &[f64], keep: &[usize]) -> Vec<f64> {
        let sum: f64 = keep.iter().map(|&id| expected[id]).sum();
        (0..expected.len()).map(|id| if keep.contains(&id) { expected[id] / sum } else { 0.0 }).collect()
    }

    const LOGITS: [f32; 6] = [1.0, 3.0, 2.0, -1.0, 2.5, 0.0];

    #[test]
    fn without_temperature_the_best_token_is_taken() {
        assert_eq!(sampler("{}", 6, &[]).sample(&mut LOGITS.to_vec(), None).unwrap().id, 1);
        assert_eq!(sampler("{}", 3, &[]).sample(&mut [2.0, 7.0, 7.0], None).unwrap().id, 1, "of equals the first");
    }

    #[test]
    fn draws_follow_the_distribution_at_any_temperature() {
        for temperature in [0.3, 1.0, 2.5] {
            let json = format!(r#"{{"temperature": {temperature}, "seed": 1}}"#);
            assert_close(&shares(&json, &LOGITS), &softmax(&LOGITS, temperature));
        }
    }

    #[test]
    fn top_k_keeps_the_best() {
        let found = shares(r#"{"temperature": 1, "topK": 2, "seed": 2}"#, &LOGITS);
        assert_close(&found, &kept(&softmax(&LOGITS, 1.0), &[1, 4]));
        let one = shares(r#"{"temperature": 5, "topK": 1, "seed": 2}"#, &LOGITS);
        assert_eq!(one[1], 1.0);
    }

    #[test]
    fn top_p_keeps_the_smallest_set_that_reaches_it() {
        // Shares of the model's own distribution: 0.459, 0.278, 0.169, 0.062, …
        let own = softmax(&LOGITS, 1.0);
        for (top_p, keep) in [(0.1, &[1][..]), (0.5, &[1, 4]), (0.8, &[1, 4, 2]), (0.95, &[1, 4, 2, 0])] {
            let json = format!(r#"{{"temperature": 1, "topP": {top_p}, "seed": 3}}"#);
            assert_close(&shares(&json, &LOGITS), &kept(&own, keep));
        }
        // Temperature comes last: it changes how what is left is shared, not what is left.
        let json = r#"{"temperature": 3, "topP": 0.8, "seed": 3}"#;
        assert_close(&shares(json, &LOGITS), &kept(&softmax(&LOGITS, 3.0), &[1, 4, 2]));
        // After top-k, of what top-k left: 0.459 of 0.737 is 0.62.
        let json = r#"{"temperature": 1, "topK": 2, "topP": 0.6, "seed": 3}"#;
        assert_close(&shares(json, &LOGITS), &kept(&own, &[1]));
    }

    #[test]
    fn min_p_keeps_what_is_near_the_best() {
        // Relative to the best: 1, e^-0.5 = 0.61, e^-1 = 0.37, e^-2 = 0.14, …
        let own = softmax(&LOGITS, 1.0);
        for (min_p, keep) in [(0.7, &[1][..]), (0.5, &[1, 4]), (0.3, &[1, 4, 2]), (0.1, &[1, 4, 2, 0])] {
            let json = format!(r#"{{"temperature": 1, "minP": {min_p}, "seed": 4}}"#);
            assert_close(&shares(&json, &LOGITS), &kept(&own, keep));
        }
    }

    #[test]
    fn truncations_leave_the_same_of_a_large_vocabulary_as_a_full_sort() {
        let mut random = Random::new(9);
        let logits: Vec<f32> = (0..50_000).map(|_| (random.uniform() * random.uniform() * 12.0) as f32).collect();
        let mut sorted = logits.clone();
        sorted.sort_by(|a, b| b.total_cmp(a));
        for (top_k, top_p) in [(0, 0.1), (0, 0.7), (0, 0.999), (40, 1.0), (40, 0.5), (49_999, 0.9)] {
            let json = format!(r#"{{"topK": {top_k}, "topP": {top_p}}}"#);
            let least = sampler(&json, logits.len(), &[]).least(&logits, sorted[0]);
            let head = &sorted[..if top_k == 0 { logits.len() } else { top_k }];
            let total: f64 = head.iter().map(|logit| f64::from(*logit).exp()).sum();
            let mut mass = 0.0;
            let enough = head.iter().position(|logit| {
                mass += f64::from(*logit).exp();
                mass >= total * f64::from(top_p as f32)
            });
            assert_eq!(least, head[enough.unwrap_or(head.len() - 1)], "{json}");
        }
    }

    #[test]
    fn of_equals_a_truncation_keeps_all() {
        let logits = [1.0, 2.0, 2.0, 2.0, 0.0];
        for options in [r#""topK": 1"#, r#""topP": 0.1"#, r#""minP": 1"#] {
            let found = shares(&format!(r#"{{"temperature": 1, "seed": 1, {options}}}"#), &logits);
            assert_close(&found, &[0.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 0.0]);
        }
    }

    #[test]
    fn a_draw_depends_on_the_position_and_not_on_how_one_came_there() {
        let json = r#"{"temperature": 1.5, "seed": 3, "topP": 0.95}"#;
        let mut whole = sampler(json, 6, &[1]);
        let tokens = draws(&mut whole, &LOGITS, 12);
        for made in 0..12 {
            let prompt: Vec<u32> = [1].iter().chain(&tokens[..made]).copied().collect();
            assert_eq!(draws(&mut sampler(json, 6, &prompt), &LOGITS, 12 - made), tokens[made..], "after {made}");
        }
        let told = r#"{"temperature": 1.5, "seed": 3, "topP": 0.95, "logprobs": 2}"#;
        assert_eq!(draws(&mut sampler(told, 6, &[1]), &LOGITS, 12), tokens, "with log-probabilities");
        // A mask takes away what would not have been drawn.
        let mut masked = LOGITS;
        let least = whole.least(&LOGITS, 3.0);
        masked.iter_mut().filter(|logit| **logit < least).for_each(|logit| *logit = f32::NEG_INFINITY);
        assert!(masked.contains(&f32::NEG_INFINITY));
        assert_eq!(draws(&mut sampler(r#"{"temperature": 1.5, "seed": 3}"#, 6, &[1]), &masked, 12), tokens);
    }

    #[test]
    fn penalties_are_those_of_transformers_and_openai() {
        let mut sampler = sampler(
            r#"{"repetitionPenalty": 2, "presencePenalty": 0.5, "frequencyPenalty": 0.25, "logitBias": {"0": 4, "5": -3}}"#,
            6,
            &[1, 3],
        );
        sampler.accept(4);
        sampler.accept(4);
        let mut logits = LOGITS.to_vec();
        sampler.sampling.shape(&sampler.counts, &sampler.sequence, 2, &mut logits);
        // Biased; in the prompt: halved, or doubled where negative; generated twice: halved, then less 0.5 and 2 · 0.25.
        assert_eq!(logits, [5.0, 1.5, 2.0, -2.0, 0.25, -3.0]);
    }

    #[test]
    fn a_bias_can_forbid_tokens() {
        let bias = HashMap::from([("1".to_owned(), f64::NEG_INFINITY), ("4".to_owned(), f64::NEG_INFINITY)]);
        let options = GenerateOptions { logit_bias: Some(bias), temperature: Some(1.0), ..Default::default() };
        let mut sampler = Sampler::new(Sampling::new(&options, 6).unwrap(), 6, &[], 5);
        assert!(draws(&mut sampler, &LOGITS, 1000).iter().all(|id| ![1, 4].contains(id)));
    }

    #[test]
    fn the_same_seed_draws_the_same_tokens() {
        let run = |json: &str, fallback: u64| -> Vec<u32> {
            let options: GenerateOptions = serde_json::from_str(json).unwrap();
            let mut sampler = Sampler::new(Sampling::new(&options, 6).unwrap(), 6, &[], fallback);
            draws(&mut sampler, &LOGITS, 50)
        };
        let seeded = r#"{"temperature": 1, "seed": 7}"#;
        assert_eq!(run(seeded, 1), run(seeded, 2), "the caller's own seed counts");
        assert_ne!(run(seeded, 1), run(r#"{"temperature": 1, "seed": 8}"#, 1));
        let unseeded = r#"{"temperature": 1}"#;
        assert_eq!(run(unseeded, 3), run(unseeded, 3));
        assert_ne!(run(unseeded, 3), run(unseeded, 4));
    }

    #[test]
    fn log_probabilities_are_the_model_s_own() {
        let json = r#"{"temperature": 1, "topK": 1, "logprobs": 2, "logitBias": {"3": 50}}"#;
        let sample = sampler(json, 6, &[]).sample(&mut LOGITS.to_vec(), None).unwrap();
        let own = softmax(&LOGITS, 1.0);
        assert_eq!(sample.id, 3, "by the bias");
        assert!((f64::from(sample.logprob.unwrap()) - own[3].ln()).abs() < 1e-5);
        let alternatives: Vec<u32> = sample.alternatives.iter().map(|alternative| alternative.id).collect();
        assert_eq!(alternatives, [1, 4]);
        assert!((f64::from(sample.alternatives[1].logprob) - own[4].ln()).abs() < 1e-5);
        let none = sampler(r#"{"logprobs": 0}"#, 6, &[]).sample(&mut LOGITS.to_vec(), None).unwrap();
        assert!(none.logprob.is_some() && none.alternatives.is_empty());
    }

    #[test]
    fn logits_that_are_no_numbers_are_an_error() {
        for bad in [f32::NAN, f32::INFINITY] {
            let error = sampler("{}", 2, &[]).sample(&mut [0.0, bad], None).unwrap_err();
            assert_eq!(error.code, Code::Internal);
            assert!(error.message.contains("token 1"), "{error}");
        }
        assert!(sampler("{}", 2, &[]).sample(&mut [f32::NEG_INFINITY; 2], None).is_err());
        assert!(sampler("{}", 2, &[]).sample(&mut [0.0], None).is_err());
        let masked = sampler(r#"{"temperature": 1}"#, 2, &[]).sample(&mut [f32::NEG_INFINITY, -1e30], None).unwrap();
        assert_eq!(masked.id, 1);
    }
}
