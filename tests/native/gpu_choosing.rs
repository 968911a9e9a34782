//! Choosing tokens on the GPU against `text::Sampler`, which is the definition: the same token, drawn or not.

use azulejo::device::gpu::native::run;
use azulejo::device::gpu::{Gpu, Kernels};
use azulejo::device::{Device, Following, Rotations, Span};
use azulejo::error::Code;
use azulejo::model::choosing;
use azulejo::text::noise::{Noise, gumbel, scale, score};
use azulejo::text::{GenerateOptions, Sampler, Sampling};
use std::collections::BTreeSet;
use std::rc::Rc;

use crate::devices::{self, gpu, gpus};
use crate::random::Random;

/// A vocabulary's edges: nothing to choose from, less than a thread each, one run of the kernels, many.
const VOCABULARIES: [usize; 5] = [1, 5, 1000, 1025, 49_152];

fn sampling(json: &str, vocabulary: usize) -> Sampling {
    let options: GenerateOptions = serde_json::from_str(json).unwrap();
    Sampling::new(&options, vocabulary).unwrap()
}

/// Chooses on the GPU, step by step.
struct Steps {
    device: Gpu,
    kernels: Rc<Kernels>,
    chooser: <Gpu as Device>::Chooser,
    logits: <Gpu as Device>::Buffer,
    position: usize,
}

impl Steps {
    fn new(kernels: &Rc<Kernels>, json: &str, vocabulary: usize, prompt: &[u32]) -> Self {
        let mut device = gpu(kernels);
        let chooser = device.chooser(&choosing(&sampling(json, vocabulary), vocabulary, prompt, 0)).unwrap();
        let logits = device.buffer(vocabulary).unwrap();
        Self { device, kernels: kernels.clone(), chooser: chooser.expect("the GPU chooses"), logits, position: 0 }
    }

    fn put(&mut self, logits: &[f32]) {
        let mut padded = logits.to_vec();
        // What the buffer has beyond the vocabulary is nobody's logit.
        padded.resize(logits.len().next_multiple_of(4), f32::NAN);
        // As they are: a kernel may make of a zero another one.
        self.device.write(&padded, 0, &mut self.logits);
    }

    /// Chooses from the logits that were put last, as they are now, at the next position.
    fn send(&mut self) -> <Gpu as Device>::Reading {
        // Where a draw stands is in the whole text, of which the sequence may have lost some.
        let following = Following { gone: self.position / 2, ..Following::one() };
        let span = Span::new(0, 1, self.position - following.gone, 0);
        self.position += 1;
        self.device.begin(&[span], Rotations::default());
        self.device.choose(&mut self.logits, following, &mut self.chooser).unwrap()
    }

    fn receive(&mut self, reading: <Gpu as Device>::Reading) -> azulejo::Result<u32> {
        let ids = run(Some(&self.kernels.context), self.device.chosen(reading))?;
        ids[0].ok_or_else(|| azulejo::Error::new(Code::Internal, "a logit is no number"))
    }

    fn choose(&mut self, logits: &[f32]) -> azulejo::Result<u32> {
        self.put(logits);
        let reading = self.send();
        self.receive(reading)
    }

    fn draw(&mut self, logits: &[f32], draws: usize) -> Vec<u32> {
        self.put(logits);
        let readings: Vec<_> = (0..draws).map(|_| self.send()).collect();
        readings.into_iter().map(|reading| self.receive(reading).unwrap()).collect()
    }
}

/// Steps of one generation on both: the tokens chosen before count for the next.
pub fn check_greedy(
    kernels: &Rc<Kernels>,
    json: &str,
    vocabulary: usize,
    logits: impl Fn(&mut Random) -> f32,
    what: &str,
) {
    let mut random = Random::new(vocabulary as u64);
    let prompt: Vec<u32> = (0..20).map(|_| random.next() % vocabulary as u32).collect();
    let mut steps = Steps::new(kernels, json, vocabulary, &prompt);
    let mut sampler = Sampler::new(sampling(json, vocabulary), vocabulary, &prompt, 0);
    for step in 0..12 {
        let logits: Vec<f32> = (0..vocabulary).map(|_| logits(&mut random)).collect();
        let found = steps.choose(&logits).unwrap();
        let expected = sampler.sample(&mut logits.clone(), None).unwrap().id;
        assert_eq!(found, expected, "{json}, vocabulary of {vocabulary}, {what}, step {step}");
        sampler.accept(expected);
    }
}

#[test]
pub fn without_temperature_the_gpu_takes_the_sampler_s_token() {
    let plain = "{}";
    let penalties = r#"{"repetitionPenalty": 1.3, "presencePenalty": 0.2, "frequencyPenalty": 0.45}"#;
    let rewards = r#"{"repetitionPenalty": 0.7, "presencePenalty": -0.2, "frequencyPenalty": -0.01}"#;
    let biases = r#"{"logitBias": {"0": -3.5}, "frequencyPenalty": 2}"#;
    // Exact in binary: of equals, and of those that penalties make equal, the first.
    let exact = r#"{"repetitionPenalty": 2, "presencePenalty": 0.5, "frequencyPenalty": 0.25}"#;
    for (name, kernels) in gpus() {
        for vocabulary in VOCABULARIES {
            for json in [plain, penalties, rewards, biases] {
                check_greedy(
                    &kernels,
                    json,
                    vocabulary,
                    |random| 10.0 * random.float(),
                    &format!("any logits, {name}"),
                );
            }
            let few = |random: &mut Random| f32::from(random.next() as i8 / 16);
            check_greedy(&kernels, exact, vocabulary, few, &format!("many equal ones, {name}"));
            check_greedy(&kernels, plain, vocabulary, |_| -1e30, &format!("lowest, {name}"));
        }
    }
}

/// Steps of one generation on both, of tokens that some grammar allows: others in each step, at the edges of words too.
pub fn check_allowed(kernels: &Rc<Kernels>, json: &str, vocabulary: usize, what: &str) {
    let mut random = Random::new(vocabulary as u64 + 1);
    let mut steps = Steps::new(kernels, json, vocabulary, &[0]);
    let mut sampler = Sampler::new(sampling(json, vocabulary), vocabulary, &[0], 0);
    for step in 0..16 {
        let logits: Vec<f32> = (0..vocabulary).map(|_| 10.0 * random.float()).collect();
        let mut allowed = vec![0u32; vocabulary.div_ceil(32)];
        let mut allow = |id: usize| allowed[id / 32] |= 1 << (id % 32);
        match step % 4 {
            0 => [0, 31, 32, vocabulary - 1].into_iter().filter(|id| *id < vocabulary).for_each(&mut allow),
            1 => allow(random.next() as usize % vocabulary),
            2 => (0..vocabulary).for_each(&mut allow),
            _ => {
                (0..vocabulary).filter(|_| random.next().is_multiple_of(9)).chain([vocabulary / 2]).for_each(&mut allow)
            }
        }
        steps.device.restrict(&mut steps.chooser, &allowed).unwrap();
        let found = steps.choose(&logits).unwrap();
        let expected = sampler.sample(&mut logits.clone(), Some(&allowed)).unwrap().id;
        assert_eq!(found, expected, "{json}, vocabulary of {vocabulary}, {what}, step {step}");
        sampler.accept(expected);
    }
}

#[test]
pub fn only_what_is_allowed_is_chosen() {
    for (name, kernels) in gpus() {
        for vocabulary in VOCABULARIES {
            check_allowed(&kernels, "{}", vocabulary, name);
            check_allowed(&kernels, r#"{"temperature": 2, "seed": 4, "topK": 3, "topP": 0.9}"#, vocabulary, name);
            check_allowed(&kernels, r#"{"temperature": 2, "seed": 4, "topP": 0.9, "minP": 0.1}"#, vocabulary, name);
        }
    }
}

#[test]
pub fn a_bias_forbids_tokens_or_all_of_them() {
    for (name, kernels) in gpus() {
        for temperature in [0.0, 1.0] {
            let options = format!(r#"{{"temperature": {temperature}, "seed": 3"#);
            // JSON has no infinity; the contract's −∞ comes as a number.
            let forbid = |tokens: &[u32]| {
                let mut choosing = choosing(&sampling(&format!("{options}}}"), 5), 5, &[], 0);
                choosing.biases = vec![(0, tokens.iter().map(|token| (*token, f32::NEG_INFINITY)).collect())];
                let mut steps = Steps::new(&kernels, "{}", 5, &[]);
                steps.chooser = steps.device.chooser(&choosing).unwrap().unwrap();
                (0..40).map(|_| steps.choose(&[1.0, 9.0, 0.5, 8.0, 0.0]).unwrap()).collect::<BTreeSet<u32>>()
            };
            let left = forbid(&[1, 3]);
            assert!(left.is_subset(&BTreeSet::from([0, 2, 4])), "{left:?}, temperature {temperature}, {name}");
            assert_eq!(left.len() == 1, temperature == 0.0, "{left:?}, {name}");
            // As the sampler has it where nothing is left.
            assert_eq!(forbid(&[0, 1, 2, 3, 4]), BTreeSet::from([0]), "temperature {temperature}, {name}");
        }
    }
}

#[test]
pub fn a_logit_that_is_no_number_is_an_error_wherever_it_is() {
    for (name, kernels) in gpus() {
        for json in ["{}", r#"{"temperature": 1, "topK": 3, "topP": 0.9, "seed": 1}"#] {
            for (vocabulary, places) in [(1, &[0][..]), (5, &[0, 4]), (3000, &[0, 255, 256, 1023, 1024, 2999])] {
                let mut steps = Steps::new(&kernels, json, vocabulary, &[]);
                let mut logits: Vec<f32> = Random::new(1).floats(vocabulary);
                for place in places {
                    for bad in [f32::NAN, -f32::NAN, f32::INFINITY] {
                        let good = std::mem::replace(&mut logits[*place], bad);
                        let refused = steps.choose(&logits).unwrap_err();
                        assert_eq!(refused.code, Code::Internal, "{bad} at {place} of {vocabulary}, {json}, {name}");
                        logits[*place] = good;
                    }
                }
                // −∞ is an honest never, and the errors have left nothing behind.
                if vocabulary > 1 {
                    logits.fill(f32::NEG_INFINITY);
                    logits[vocabulary - 1] = -1e30;
                }
                assert_eq!(steps.choose(&logits).unwrap(), vocabulary as u32 - 1, "{json}, {name}");
            }
        }
    }
}

pub const SIX: [f32; 6] = [1.0, 3.0, 2.0, -0.5, 2.5, 0.0];

/// The draws are spread over `possible` as the softmax of their logits says, and no further than chance allows.
fn assert_spread(drawn: &[u32], possible: &BTreeSet<u32>, logits: &[f32], temperature: f64, what: &str) {
    let weight = |token: u32| (f64::from(logits[token as usize]) / temperature).exp();
    let total: f64 = possible.iter().map(|token| weight(*token)).sum();
    let mut chi_square = 0.0;
    for token in possible {
        let expected = drawn.len() as f64 * weight(*token) / total;
        assert!(expected >= 5.0, "{what}: token {token} is too rare to be tested");
        let count = drawn.iter().filter(|drawn| *drawn == token).count();
        chi_square += (count as f64 - expected).powi(2) / expected;
    }
    // Its mean is the number of free shares, its deviation the root of twice that; the seeds are fixed.
    let free = possible.len() as f64 - 1.0;
    assert!(chi_square <= free + 4.0 * (2.0 * free).sqrt(), "{what}: χ² {chi_square:.1} of {free}");
}

/// Draws on the GPU, a position each, which are the sampler's.
fn draws_of_both(kernels: &Rc<Kernels>, json: &str, logits: &[f32], draws: usize) -> Vec<u32> {
    let vocabulary = logits.len();
    // The first is drawn at position 1: a prompt of one token came before it.
    let mut sampler = Sampler::new(sampling(json, vocabulary), vocabulary, &[0], 0);
    let mut by_sampler = || {
        let id = sampler.sample(&mut logits.to_vec(), None).unwrap().id;
        sampler.accept(id);
        id
    };
    let expected: Vec<u32> = (0..draws).map(|_| by_sampler()).collect();
    let drawn = Steps::new(kernels, json, vocabulary, &[0]).draw(logits, draws);
    assert_eq!(drawn, expected, "{json}, of {vocabulary}");
    drawn
}

/// The same, and as often as their logits say.
pub fn check_draws(kernels: &Rc<Kernels>, json: &str, logits: &[f32], draws: usize) {
    let vocabulary = logits.len();
    let temperature = f64::from(sampling(json, vocabulary).temperature);
    let drawn = draws_of_both(kernels, json, logits, draws);
    let possible: BTreeSet<u32> = drawn.iter().copied().collect();
    assert_spread(&drawn, &possible, logits, temperature, &format!("{json}, of {vocabulary}"));
}

/// Sixteen tokens that matter, anywhere in the vocabulary; the others weigh next to nothing.
pub fn peaks(vocabulary: usize) -> Vec<f32> {
    let mut random = Random::new(vocabulary as u64);
    let mut logits: Vec<f32> = (0..vocabulary).map(|_| -30.0 + random.float()).collect();
    for peak in 0..16 {
        let place = random.next() as usize % vocabulary;
        logits[place] = 5.0 - 0.11 * peak as f32;
    }
    logits
}

#[test]
pub fn draws_come_from_the_sampler_s_distribution() {
    let kernels = devices::first();
    for (seed, options) in [
        r#""temperature": 1"#,
        r#""temperature": 2.5"#,
        r#""temperature": 0.6, "topK": 4"#,
        r#""temperature": 1, "topP": 0.8"#,
        r#""temperature": 3, "topP": 0.8"#,
        r#""temperature": 1, "minP": 0.3"#,
        r#""temperature": 1, "topK": 2, "topP": 0.6"#,
        r#""temperature": 5, "topK": 3, "topP": 0.95, "minP": 0.5"#,
        r#""temperature": 1, "topP": 0"#,
        r#""temperature": 1, "minP": 1"#,
    ]
    .into_iter()
    .enumerate()
    {
        check_draws(&kernels, &format!(r#"{{"seed": {seed}, {options}}}"#), &SIX, 800);
    }
    for options in ["", r#", "topK": 9"#, r#", "topP": 0.9"#, r#", "minP": 0.4"#, r#", "topK": 12, "topP": 0.8"#] {
        let json = format!(r#"{{"temperature": 1, "seed": 5{options}}}"#);
        check_draws(&kernels, &json, &peaks(1025), 500);
    }
    // Fewer of the largest: a driver without a GPU takes a while to look through it.
    let json = r#"{"temperature": 1, "seed": 6, "topK": 12, "topP": 0.9, "minP": 0.4}"#;
    check_draws(&kernels, json, &peaks(49_152), 160);
}

#[test]
pub fn a_seed_draws_its_own_tokens_and_the_same_in_every_variant() {
    let draw = |kernels: &Rc<Kernels>, seed: u64, draws| {
        let json = format!(r#"{{"temperature": 1, "seed": {seed}}}"#);
        Steps::new(kernels, &json, SIX.len(), &[]).draw(&SIX, draws)
    };
    let variants = gpus();
    let (_, kernels) = &variants[0];
    for seed in [0, 7, (1 << 53) - 1] {
        let tokens = draw(kernels, seed, 50);
        variants.iter().for_each(|(name, kernels)| assert_eq!(draw(kernels, seed, 50), tokens, "{seed}, {name}"));
        // The upper half of its bits counts, too.
        assert_ne!(draw(kernels, seed ^ (1 << 40), 50), tokens, "{seed}");
    }
    // First tokens of seeds that follow each other are spread as later ones of one seed are.
    let firsts: Vec<u32> = (0..600).map(|seed| draw(kernels, seed, 1)[0]).collect();
    assert_spread(&firsts, &(0..6).collect(), &SIX, 1.0, "by seeds");
}

#[test]
pub fn zeros_of_either_sign_are_equal() {
    for (name, kernels) in gpus() {
        // In runs of their own; not the first, to which a bias of nothing is added.
        let mut logits = vec![-1.0; 1025];
        (logits[700], logits[1024]) = (-0.0, 0.0);
        assert_eq!(Steps::new(&kernels, "{}", 1025, &[]).choose(&logits).unwrap(), 700, "{name}");
        // 5 holds 0.987 of the weight of the best two or three, and would hold 0.993 of that of two.
        let json = r#"{"temperature": 5, "seed": 1, "topK": 2, "topP": 0.99}"#;
        let mut logits = [-9.0; 40];
        (logits[3], logits[20], logits[30]) = (5.0, 0.0, -0.0);
        check_draws(&kernels, json, &logits, 100);
    }
}

#[test]
pub fn presence_and_frequency_are_of_what_was_chosen() {
    for (name, kernels) in gpus() {
        // The prompt's token is not one of them.
        let mut logits = [0.8f32; 8];
        logits[3] = 1.0;
        for (json, expected) in
            [(r#"{"presencePenalty": 0.5}"#, [3, 0, 1, 2, 4]), (r#"{"frequencyPenalty": 0.15}"#, [3, 3, 0, 1, 2])]
        {
            let mut steps = Steps::new(&kernels, json, 8, &[3]);
            let chosen = [(); 5].map(|()| steps.choose(&logits).unwrap());
            assert_eq!(chosen, expected, "{json}, {name}");
        }
    }
}

#[test]
pub fn the_best_logit_may_be_any_number() {
    let kernels = devices::first();
    for best in [1e30f32, 2.5, 1e-30, 0.0, -0.0, -1e-30, -0.7, -1.5, -3.0, -1e30] {
        let less = best - best.abs().max(10.0) / 10.0;
        // A distance of 1 is as good as infinite; or it is enough to be left out.
        for options in [r#""temperature": 0.0005"#, r#""temperature": 1, "minP": 0.9"#] {
            let json = format!(r#"{{"seed": 4, {options}}}"#);
            let drawn = draws_of_both(&kernels, &json, &[less, less, best, less, less], 20);
            assert_eq!(drawn, [2; 20], "{best}, {json}");
        }
    }
}

#[test]
pub fn what_is_left_of_a_distribution_is_the_sampler_s() {
    let kernels = devices::first();
    // Shares that are rounded down do not come to the sum that is asked for: then all stay, on a GPU, whose shares have 31
    // binary places.
    let json = r#"{"seed": 1, "temperature": 100, "topP": 0.9999999}"#;
    let logits = [[0.0; 1600], [-40.0; 1600]].concat();
    let drawn = Steps::new(&kernels, json, 3200, &[0]).draw(&logits, 50);
    assert!(drawn.iter().any(|token| *token >= 1600), "{drawn:?}");
    let among = |vocabulary: usize, logits: &[(usize, f32)]| {
        let mut all = vec![-200.0; vocabulary];
        logits.iter().for_each(|(token, logit)| all[*token] = *logit);
        all
    };
    for (options, logits) in [
        (r#""temperature": 1, "topK": 1"#, SIX.to_vec()),
        // The last byte of the first one's order is the largest that there is.
        (r#""temperature": 1, "topK": 2"#, among(300, &[(3, 1.9999999), (4, 1.9999998)])),
        // Top-p leaves all, though one token's share is as good as the whole.
        (r#""temperature": 30, "topK": 3"#, vec![0.0, -30.0, -30.0, -200.0]),
        // One more than threads.
        (r#""temperature": 1, "topK": 1"#, among(300, &[(256, 0.0), (7, -0.1)])),
        // Of the whole weight one token has all but what no float shows.
        (r#""temperature": 100, "topP": 0.9"#, vec![0.0, -200.0, -200.0]),
        (r#""temperature": 30"#, vec![0.0, -30.0, -30.0]),
        // As many as threads: the first one's share counts, and the last one's.
        (r#""temperature": 1, "topP": 0.8"#, among(256, &[(255, 0.0), (7, -1.5)])),
        (r#""temperature": 1, "topP": 0.8"#, among(256, &[(7, 0.0), (0, -1.0)])),
        (r#""temperature": 1, "minP": 0.5"#, among(1025, &[(1024, 0.0), (3, -1.0)])),
        // A zero behind the last would be the best.
        (r#""temperature": 1"#, vec![-5.0, -5.5, -5.25, -6.0, -5.0, -5.75, -5.5, -5.0]),
    ] {
        check_draws(&kernels, &format!(r#"{{"seed": 8, {options}}}"#), &logits, 150);
    }
}

/// Where thousands lie near the least one that is left; where all are alike, or so far apart that all but the best are in one
/// bin; and where the same bits come out every time, in whatever order logits were put aside.
#[test]
pub fn of_many_logits_a_truncation_leaves_what_the_sampler_leaves() {
    let kernels = devices::first();
    let mut random = Random::new(9);
    let near: Vec<f32> = (0..20_000).map(|_| 12.0 * random.float() * random.float()).collect();
    let far: Vec<f32> = (0..3000).map(|_| 9000.0 * random.float()).collect();
    let levels: Vec<f32> = (0..5000).map(|_| f32::from(random.next() as i8 / 8)).collect();
    let cases = [
        (&near, r#""topP": 0.1"#),
        (&near, r#""topP": 0.7"#),
        (&near, r#""topP": 0.99"#),
        (&near, r#""topK": 1"#),
        (&near, r#""topK": 40"#),
        (&near, r#""topK": 19999"#),
        (&near, r#""topK": 900, "topP": 0.5"#),
        (&near, r#""topK": 12000, "topP": 0.9"#),
        (&far, r#""topK": 40"#),
        (&far, r#""topK": 2900, "topP": 0.9"#),
        (&far, r#""topP": 0.9"#),
        (&levels, r#""topK": 300"#),
        (&levels, r#""topP": 0.5"#),
        (&levels, r#""topK": 300, "topP": 0.5"#),
        (&vec![-2.5; 2500], r#""topK": 2499, "topP": 0.5"#),
    ];
    for (logits, options) in cases {
        // As good as equal, whatever their logits: those at the edge are drawn as often as others.
        for temperature in ["100", "1"] {
            let json = format!(r#"{{"seed": 3, "temperature": {temperature}, {options}}}"#);
            draws_of_both(&kernels, &json, logits, 25);
        }
    }
}

/// A logit whose score is that.
fn logit_of(expected: i32, scale: f32) -> f32 {
    let near = (expected as f32 / scale).to_bits();
    let mut bits = near.saturating_sub(64)..near + 64;
    let found = bits.find(|bits| score(f32::from_bits(*bits), 0.0, scale) == expected);
    f32::from_bits(found.unwrap_or_else(|| panic!("no logit has a score of {expected}")))
}

#[test]
pub fn of_equal_scores_the_first_token_s_is_drawn() {
    let kernels = devices::first();
    let (seed, vocabulary) = (11, 1025);
    let noise = Noise::at(seed, 1);
    // Of one thread; of two, the first of which has the later token; of two runs.
    for pair in [[3, 259], [2, 257], [3, 4], [260, 5], [3, 1024]] {
        let [mut less, mut more] = pair;
        if gumbel(noise.hash(less)) > gumbel(noise.hash(more)) {
            (less, more) = (more, less);
        }
        let mut logits = vec![-1e4; vocabulary];
        logits[less as usize] = 0.0;
        logits[more as usize] = logit_of(gumbel(noise.hash(less)) - gumbel(noise.hash(more)), scale(1.0));
        let json = format!(r#"{{"temperature": 1, "seed": {seed}}}"#);
        let sampler = Sampler::new(sampling(&json, vocabulary), vocabulary, &[0], 0);
        assert_eq!(sampler.sample(&mut logits.clone(), None).unwrap().id, pair[0].min(pair[1]));
        let found = Steps::new(&kernels, &json, vocabulary, &[0]).choose(&logits).unwrap();
        assert_eq!(found, pair[0].min(pair[1]), "{pair:?}");
    }
}

#[test]
pub fn tokens_at_the_ends_of_runs_are_biased_once() {
    let kernels = devices::first();
    for token in [0, 1023, 1024] {
        let mut logits = vec![0.0; 1026];
        (logits[token], logits[500]) = (10.0, 8.0);
        let json = format!(r#"{{"logitBias": {{"{token}": -1.5}}}}"#);
        assert_eq!(Steps::new(&kernels, &json, 1026, &[]).choose(&logits).unwrap(), token as u32);
    }
}
