//! Attention from any spans to any sequences on the GPU and on the CPU, against its formula in f64.

use azulejo::device::gpu::{Context, Kernels};
use azulejo::device::{
    AttentionShape, CacheType, CachedAttention, Device, PositionBias, Qkv, RopePairs, Rotations, Seen, Span,
};
use std::rc::Rc;

use crate::devices::{cpu, first, gpu, gpus};
use crate::kept::Kept;
use crate::random::Random;
use crate::verbs::{filled, read};

/// Not the first layer's, so that a layer's place counts.
const LAYER: usize = 1;

#[derive(Clone)]
enum Bias {
    None,
    Linear(Vec<f32>),
    Table(Vec<f32>, usize),
}

/// Sequences in their caches, and queries that look at them.
struct Case {
    shape: AttentionShape,
    cache: CacheType,
    bias: Bias,
    /// Keys in each cache.
    stored: Vec<usize>,
    spans: Vec<Span>,
}

/// Queries of all rows, and each cache's keys and values, [tokens, heads or kv_heads, head_dim].
struct Numbers {
    query: Vec<f32>,
    caches: Vec<[Vec<f32>; 2]>,
}

fn shape(heads: usize, kv_heads: usize, head_dim: usize) -> AttentionShape {
    let scale = (head_dim as f32).sqrt().recip();
    AttentionShape { heads, kv_heads, head_dim, scale, causal: false, window: None, soft_cap: None }
}

/// Numbers that a cache of any type holds exactly: whole levels from −127 to 127, an outermost one in each 32.
fn levels(random: &mut Random, len: usize, head_dim: usize) -> Vec<f32> {
    let level = |i: usize, random: &mut Random| match (i % head_dim).is_multiple_of(32) {
        true => 127.0 * (1.0f32).copysign(random.float()),
        false => (random.next() % 255) as f32 - 127.0,
    };
    (0..len).map(|i| level(i, random) / 64.0).collect()
}

impl Case {
    fn new(shape: AttentionShape, cache: CacheType, stored: &[usize], spans: Vec<Span>) -> Self {
        Self { shape, cache, bias: Bias::None, stored: stored.to_vec(), spans }
    }

    fn rows(&self) -> usize {
        self.spans.iter().map(|span| span.row + span.len).max().unwrap()
    }

    fn numbers(&self) -> Numbers {
        let AttentionShape { heads, kv_heads, head_dim, .. } = self.shape;
        let mut random = Random::new(self.rows() as u64);
        let query = levels(&mut random, self.rows() * heads * head_dim, head_dim);
        let mut of = |tokens| [(); 2].map(|()| levels(&mut random, tokens * kv_heads * head_dim, head_dim));
        Numbers { query, caches: self.stored.iter().map(|tokens| of(*tokens)).collect() }
    }

    /// Whether the query of a span that stands at `position` sees a key.
    fn sees(&self, position: usize, key: usize) -> bool {
        let AttentionShape { causal, window, .. } = self.shape;
        (!causal || key <= position) && window.is_none_or(|window| key.abs_diff(position) < window)
    }

    fn bias(&self, head: usize, distance: i64) -> f64 {
        match &self.bias {
            Bias::None => 0.0,
            Bias::Linear(slopes) => f64::from(slopes[head]) * distance as f64,
            Bias::Table(table, reach) => {
                let reach = *reach as i64;
                f64::from(table[head * (2 * reach as usize + 1) + (distance.clamp(-reach, reach) + reach) as usize])
            }
        }
    }

    /// The definition.
    fn expected(&self, numbers: &Numbers) -> Vec<f64> {
        let AttentionShape { heads, kv_heads, head_dim, scale, soft_cap, .. } = self.shape;
        let mut out = vec![f64::NAN; self.rows() * heads * head_dim];
        for span in &self.spans {
            let [keys, values] = &numbers.caches[span.table];
            for (query, head) in (0..span.len).flat_map(|query| (0..heads).map(move |head| (query, head))) {
                let (position, at) = (span.position + query, ((span.row + query) * heads + head) * head_dim);
                let of = |rows: &'_ [f32], key: usize, i: usize| {
                    f64::from(rows[(key * kv_heads + head * kv_heads / heads) * head_dim + i])
                };
                let score = |key: usize| {
                    let product =
                        (0..head_dim).map(|i| f64::from(numbers.query[at + i]) * of(keys, key, i)).sum::<f64>();
                    let scaled = f64::from(scale) * product;
                    let capped = soft_cap.map_or(scaled, |cap| f64::from(cap) * (scaled / f64::from(cap)).tanh());
                    capped + self.bias(head, key as i64 - position as i64)
                };
                let seen = (0..span.keys).filter(|key| self.sees(position, *key));
                let weights: Vec<(usize, f64)> = seen.map(|key| (key, score(key))).collect();
                let most = weights.iter().fold(f64::MIN, |most, (_, score)| most.max(*score));
                let total: f64 = weights.iter().map(|(_, score)| (score - most).exp()).sum();
                for (i, out) in out[at..at + head_dim].iter_mut().enumerate() {
                    let mixed: f64 = weights.iter().map(|(key, s)| (s - most).exp() * of(values, *key, i)).sum();
                    *out = if total > 0.0 { mixed / total } else { 0.0 };
                }
            }
        }
        out
    }

    /// Stores the keys and values, and attends in a batch that began with other spans.
    fn found<D: Device>(&self, device: &mut D, context: &Context, numbers: &Numbers) -> Vec<f32> {
        let Self { shape, spans, .. } = self;
        let mut kept = Kept::new(LAYER + 1, shape, self.cache, self.stored.len());
        for (table, (keys, [key, value])) in self.stored.iter().zip(&numbers.caches).enumerate() {
            store(device, context, shape, [key, value], Span::new(0, *keys, 0, table), &mut kept);
        }
        let query = filled(device, &numbers.query, shape.heads * shape.head_dim);
        let mut out = device.buffer(numbers.query.len()).unwrap();
        let vector = match &self.bias {
            Bias::None => None,
            Bias::Linear(values) | Bias::Table(values, _) => Some(device.upload(values).unwrap()),
        };
        let bias = match (&self.bias, &vector) {
            (Bias::Linear(_), Some(slopes)) => PositionBias::Linear(slopes),
            (Bias::Table(_, reach), Some(table)) => PositionBias::Table { table, reach: *reach },
            _ => PositionBias::None,
        };
        device.begin(&[Span::new(0, self.rows(), 0, 0)], Rotations::default());
        let places = kept.places(device, spans);
        let attention = CachedAttention { layer: LAYER, shape: *shape, bias, sinks: None };
        device.attend(&attention, &query, &places, Seen::Kept(&kept.state), &mut out);
        read(device, context, &out, numbers.query.len())
    }

    fn check_on<D: Device>(&self, device: &mut D, context: &Context, name: &str) {
        let numbers = self.numbers();
        let found = self.found(device, context, &numbers);
        for (i, (found, expected)) in found.iter().zip(self.expected(&numbers)).enumerate() {
            let close = (f64::from(*found) - expected).abs() <= 1e-5;
            let what = format!("{:?}, {:?}, {name}", self.shape, self.cache);
            assert!(close, "{what}: [{i}] is {found}, expected {expected}");
        }
    }
}

/// Puts keys and values alone into a cache, as those of an encoder's output are.
fn store<D: Device>(
    device: &mut D,
    context: &Context,
    shape: &AttentionShape,
    [key, value]: [&[f32]; 2],
    span: Span,
    kept: &mut Kept<D>,
) {
    kept.reserve(device, context, span.table, 0..span.keys).unwrap();
    let width = shape.kv_heads * shape.head_dim;
    let (mut query, mut key, value) =
        (device.buffer(0).unwrap(), filled(device, key, width), filled(device, value, width));
    device.begin(&[span], Rotations::default());
    let places = kept.places(device, &[span]);
    let pairs = RopePairs::HalfSplit;
    let mut heads = Qkv { query: &mut query, key: &mut key, value: &value, norms: None, turn: None, pairs };
    let shape = AttentionShape { heads: 0, ..*shape };
    device.rope_and_cache(LAYER, &shape, &mut heads, &places, &mut kept.state);
}

/// On the CPU with one thread and with several, and on the GPU in every variant.
fn check(cases: impl IntoIterator<Item = Case>) {
    let all = gpus();
    for case in cases {
        for threads in [1, 3] {
            case.check_on(&mut cpu(threads), &all[0].1.context, "CPU");
        }
        all.iter().for_each(|(name, kernels)| case.check_on(&mut gpu(kernels), &kernels.context, name));
    }
}

/// Spans one after the other. `of`: [`Span::new`], to lengths, positions and caches, or [`Span::across`], to lengths, keys
/// and caches.
fn in_order(of: fn(usize, usize, usize, usize) -> Span, spans: &[(usize, usize, usize)]) -> Vec<Span> {
    let mut row = 0;
    let place = |(len, second, cache): &(usize, usize, usize)| {
        row += len;
        of(row - len, *len, *second, *cache)
    };
    spans.iter().map(place).collect()
}

#[test]
pub fn queries_see_all_keys_of_another_sequence_however_many_there_are() {
    // More queries than keys and fewer; one of each; keys that are split; a cache that several look at, with more in it
    // than they may see.
    let spans = [(37, 5, 1), (5, 37, 0), (1, 300, 2), (33, 1, 1), (1, 1, 1), (2, 300, 2), (1, 20, 0), (4, 20, 0)];
    let spans = in_order(Span::across, &spans);
    let kinds = [(3, 3, 8, CacheType::F32), (4, 2, 20, CacheType::F16), (2, 1, 64, CacheType::Q8)];
    check(kinds.map(|(heads, kv_heads, head_dim, cache)| {
        Case::new(shape(heads, kv_heads, head_dim), cache, &[37, 5, 300], spans.clone())
    }));
}

#[test]
pub fn windows_reach_to_both_sides_in_sequences_of_any_length() {
    check([Some(1), Some(3), Some(17), Some(64), None].map(|window| {
        let spans = in_order(Span::new, &[(1, 0, 0), (40, 0, 3), (5, 0, 1), (130, 0, 2)]);
        Case::new(AttentionShape { window, ..shape(4, 4, 8) }, CacheType::F16, &[1, 5, 130, 40], spans)
    }));
}

#[test]
pub fn a_query_that_sees_no_key_gets_nothing() {
    let mut spans = in_order(Span::across, &[(40, 5, 0), (3, 5, 0)]);
    spans.push(Span { row: 43, len: 1, position: 100, table: 0, keys: 5 });
    spans.push(Span { row: 44, len: 2, position: 700, table: 0, keys: 5 });
    let few = Case::new(AttentionShape { window: Some(4), ..shape(2, 1, 8) }, CacheType::F32, &[5], spans);
    // Beside one whose keys are split.
    let one = |row, position, keys| Span { row, len: 1, position, table: 0, keys };
    let spans = vec![one(0, 599, 600), one(1, 1000, 5)];
    let split = Case::new(AttentionShape { window: Some(300), ..shape(2, 1, 8) }, CacheType::F32, &[600], spans);
    check([few, split]);
}

#[test]
pub fn biases_go_by_each_sequences_own_positions() {
    let mut random = Random::new(9);
    let mut table = |reach: usize| Bias::Table(random.floats(6 * (2 * reach + 1)), reach);
    let slopes = Bias::Linear((0..6).map(|head| 0.7f32.powi(head + 1)).collect());
    for bias in [table(7), table(128), slopes] {
        // Tokens that continue their caches, two of them with the same beginning; then whole sequences.
        let causal = [(5, 30, 0), (1, 8, 1), (3, 6, 1), (1, 290, 2), (47, 0, 0), (18, 31, 2)];
        let whole = [(35, 0, 0), (9, 0, 1), (1, 0, 1)];
        check([(true, &causal[..]), (false, &whole)].map(|(causal, spans)| {
            let shape = AttentionShape { causal, ..shape(6, 2, 12) };
            let case = Case::new(shape, CacheType::F32, &[47, 9, 300], in_order(Span::new, spans));
            Case { bias: bias.clone(), ..case }
        }));
    }
}

/// Each query sees one key more than the one before; twice in a batch.
#[test]
pub fn a_batch_may_be_told_of_hundreds_of_spans() {
    let kernels = first();
    for first in [1, 2] {
        let spans = (0..400).map(|row| Span::across(row, 1, first + row, 0)).collect();
        let case = Case::new(shape(1, 1, 8), CacheType::F32, &[401], spans);
        let numbers = case.numbers();
        let found = case.found(&mut gpu(&kernels), &kernels.context, &numbers);
        let twice = found_twice(&kernels, &case, &numbers);
        assert_eq!(found, twice, "{first}");
        for (found, expected) in found.iter().zip(case.expected(&numbers)) {
            assert!((f64::from(*found) - expected).abs() <= 1e-5, "{found}, expected {expected}");
        }
    }
}

/// The spans' result where the batch attended with others before.
fn found_twice(kernels: &Rc<Kernels>, case: &Case, numbers: &Numbers) -> Vec<f32> {
    let (device, context, shape) = (&mut gpu(kernels), &kernels.context, &case.shape);
    let mut kept = Kept::new(LAYER + 1, shape, case.cache, 1);
    let [key, value] = &numbers.caches[0];
    store(device, context, shape, [key, value], Span::new(0, case.stored[0], 0, 0), &mut kept);
    let query = filled(device, &numbers.query, shape.head_dim);
    let mut outs = [0; 2].map(|_| device.buffer(numbers.query.len()).unwrap());
    let others: Vec<Span> = case.spans.iter().map(|span| Span { keys: 401 - span.row, ..*span }).collect();
    device.begin(&others, Rotations::default());
    for (spans, out) in [&others, &case.spans].into_iter().zip(&mut outs) {
        let attention = CachedAttention { layer: LAYER, shape: *shape, bias: PositionBias::None, sinks: None };
        let places = kept.places(device, spans);
        device.attend(&attention, &query, &places, Seen::Kept(&kept.state), out);
    }
    read(device, context, &outs[1], numbers.query.len())
}
