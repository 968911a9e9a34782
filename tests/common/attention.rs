//! Attention as a forward pass has it, in the same words for every device.
#![allow(dead_code)] // Each test file takes what it needs.

use crate::kept::Kept;
use crate::random::Random;
use crate::verbs::{begin, filled, read};
use azulejo::device::gpu::Context;
use azulejo::device::{
    AttentionShape, CacheType, CachedAttention, Device, KeyRows, NormWeights, PositionBias, Qkv, RopePairs, Rotations,
    Seen, Span,
};
use azulejo::model::rope::{Angles, RopeTable};

#[derive(Clone)]
pub enum Bias {
    None,
    Linear(Vec<f32>),
    Table { table: Vec<f32>, reach: usize },
}

impl Bias {
    fn upload<D: Device>(&self, device: &mut D) -> Option<D::Buffer> {
        match self {
            Bias::None => None,
            Bias::Linear(values) | Bias::Table { table: values, .. } => Some(device.upload(values).unwrap()),
        }
    }

    /// With the buffer that `upload` has made.
    fn of<'a, D: Device>(&self, vector: &'a Option<D::Buffer>) -> PositionBias<'a, D> {
        match (self, vector) {
            (Bias::Linear(_), Some(slopes)) => PositionBias::Linear(slopes),
            (Bias::Table { reach, .. }, Some(table)) => PositionBias::Table { table, reach: *reach },
            _ => PositionBias::None,
        }
    }
}

/// What `store` does to queries and keys before anything is cached.
#[derive(Clone)]
pub struct Heading {
    /// The norms' weights of query and key heads.
    pub norms: Option<[Vec<f32>; 2]>,
    pub epsilon: f32,
    pub pairs: RopePairs,
    /// One a pair that turns.
    pub frequencies: Vec<f32>,
    pub magnitude: f32,
}

impl Heading {
    pub fn none() -> Self {
        Self { norms: None, epsilon: 0.0, pairs: RopePairs::HalfSplit, frequencies: Vec::new(), magnitude: 1.0 }
    }
}

/// A batch: each sequence has tokens in its cache already, and as many more come.
#[derive(Clone)]
pub struct Case {
    pub shape: AttentionShape,
    pub cache: CacheType,
    pub bias: Bias,
    /// [heads]
    pub sinks: Option<Vec<f32>>,
    pub heading: Heading,
    /// Tokens before, and now.
    pub sequences: Vec<(usize, usize)>,
}

impl Case {
    pub fn new(shape: AttentionShape, cache: CacheType, before: usize, len: usize) -> Self {
        Self { shape, cache, bias: Bias::None, sinks: None, heading: Heading::none(), sequences: vec![(before, len)] }
    }

    pub fn label(&self) -> String {
        let Self { shape, cache, bias, sinks, sequences, .. } = self;
        let bias = match bias {
            Bias::None => "no bias".into(),
            Bias::Linear(_) => "slopes".into(),
            Bias::Table { reach, .. } => format!("a table of {reach}"),
        };
        format!("{shape:?}, {cache:?}, {bias}, sinks {sinks:?}, {sequences:?}")
    }
}

/// Causal, and scaled by the usual 1 / √head_dim.
pub fn shape(heads: usize, kv_heads: usize, head_dim: usize) -> AttentionShape {
    let scale = (head_dim as f32).sqrt().recip();
    AttentionShape { heads, kv_heads, head_dim, scale, causal: true, window: None, soft_cap: None }
}

/// What comes of one sequence's tokens, those before and those now: [tokens, heads or kv_heads, head_dim] each.
#[derive(Clone)]
pub struct Numbers {
    pub query: Vec<f32>,
    pub key: Vec<f32>,
    pub value: Vec<f32>,
}

/// Numbers that a cache of any type holds exactly: whole levels from −127 to 127, an outermost one in each 32, of which
/// every second has another scale.
pub fn levels(random: &mut Random, len: usize, head_dim: usize) -> Vec<f32> {
    let level = |i: usize, random: &mut Random| match (i % head_dim).is_multiple_of(32) {
        true => 127.0 * (1.0f32).copysign(random.float()),
        false => (random.next() % 255) as f32 - 127.0,
    };
    let scale = |i: usize| [64.0, 128.0][i % head_dim / 32 % 2];
    (0..len).map(|i| level(i, random) / scale(i)).collect()
}

/// Random ones for each sequence.
pub fn numbers(case: &Case, seed: u64) -> Vec<Numbers> {
    let AttentionShape { heads, kv_heads, head_dim, .. } = case.shape;
    let mut random = Random::new(seed);
    let mut make = |tokens: usize, heads: usize| levels(&mut random, tokens * heads * head_dim, head_dim);
    let mut of =
        |tokens| Numbers { query: make(tokens, heads), key: make(tokens, kv_heads), value: make(tokens, kv_heads) };
    case.sequences.iter().map(|(before, len)| of(before + len)).collect()
}

/// What is in the batch's buffers afterwards.
pub struct Attended {
    pub query: Vec<f32>,
    pub key: Vec<f32>,
    pub out: Vec<f32>,
}

/// Not the first layer's, so that a layer's place counts.
const LAYER: usize = 1;

/// Stores what was before, makes room for more, stores the rest, and attends with that.
pub fn attend<D: Device>(device: &mut D, context: &Context, case: &Case, numbers: &[Numbers]) -> Attended {
    let Case { shape, cache, sequences, .. } = case;
    let mut kept = Kept::new(LAYER + 1, shape, *cache, sequences.len());
    let before = spans(sequences.iter().map(|(before, _)| (0, *before)));
    if !before.is_empty() {
        store(device, context, case, numbers, &before, &mut kept);
    }
    let now = spans(sequences.iter().copied());
    let (query, key, places) = store(device, context, case, numbers, &now, &mut kept);
    let rows: usize = now.iter().map(|span| span.len).sum();
    let len = rows * shape.heads * shape.head_dim;
    let mut out = device.buffer(len).unwrap();
    let vector = case.bias.upload(device);
    let sinks = case.sinks.as_ref().map(|sinks| device.upload(sinks).unwrap());
    let bias = case.bias.of(&vector);
    let attention = CachedAttention { layer: LAYER, shape: *shape, bias, sinks: sinks.as_ref() };
    device.attend(&attention, &query, &places, Seen::Kept(&kept.state), &mut out);
    let [query, out] = [&query, &out].map(|buffer| read(device, context, buffer, len));
    Attended { query, key: read(device, context, &key, rows * shape.kv_heads * shape.head_dim), out }
}

/// What comes of it in one verb, and then what the same queries, as they are, see in what is kept.
pub fn keep_and_attend<D: Device>(
    device: &mut D,
    context: &Context,
    case: &Case,
    numbers: &[Numbers],
) -> [Vec<f32>; 2] {
    let Case { shape, cache, sequences, .. } = case;
    let mut kept = Kept::new(LAYER + 1, shape, *cache, sequences.len());
    let before = spans(sequences.iter().map(|(before, _)| (0, *before)));
    if !before.is_empty() {
        store(device, context, case, numbers, &before, &mut kept);
    }
    let now = spans(sequences.iter().copied());
    let len = now.iter().map(|span| span.len).sum::<usize>() * shape.heads * shape.head_dim;
    let [mut out, mut again] = [(); 2].map(|()| device.buffer(len).unwrap());
    let vector = case.bias.upload(device);
    let sinks = case.sinks.as_ref().map(|sinks| device.upload(sinks).unwrap());
    let bias = case.bias.of(&vector);
    let attention = CachedAttention { layer: LAYER, shape: *shape, bias, sinks: sinks.as_ref() };
    head(device, context, case, numbers, &now, &mut kept, |device, heads, places, state| {
        device.keep_and_attend(&attention, heads, places, state, &mut out);
    });
    let rows = |span: &Span| {
        let width = shape.heads * shape.head_dim;
        numbers[span.table].query[span.position * width..span.keys * width].to_vec()
    };
    let queries: Vec<f32> = now.iter().flat_map(rows).collect();
    let query = filled(device, &queries, shape.heads * shape.head_dim);
    device.begin(&now, Rotations::default());
    let places = kept.places(device, &now);
    device.attend(&attention, &query, &places, Seen::Kept(&kept.state), &mut again);
    [&out, &again].map(|buffer| read(device, context, buffer, len))
}

/// Attends with keys and values that nobody keeps: those of the batch's own rows. The sequences have nothing before.
pub fn attend_own_rows<D: Device>(device: &mut D, context: &Context, case: &Case, numbers: &[Numbers]) -> Vec<f32> {
    let AttentionShape { heads, kv_heads, head_dim, .. } = case.shape;
    let spans = spans(case.sequences.iter().copied());
    let first: Vec<usize> = spans.iter().map(|span| span.row).collect();
    let mut together = |of: fn(&Numbers) -> &[f32], heads: usize| {
        let rows = spans.iter().flat_map(|span| of(&numbers[span.table])).copied();
        filled(device, &rows.collect::<Vec<f32>>(), heads * head_dim)
    };
    let query = together(|numbers| &numbers.query, heads);
    let [key, value] = [together(|numbers| &numbers.key, kv_heads), together(|numbers| &numbers.value, kv_heads)];
    let len = spans.iter().map(|span| span.len).sum::<usize>() * heads * head_dim;
    let mut out = device.buffer(len).unwrap();
    device.begin(&spans, Rotations::default());
    let places = device.places(&spans, KeyRows::Own(&first));
    let attention = CachedAttention { layer: 0, shape: case.shape, bias: PositionBias::None, sinks: None };
    device.attend(&attention, &query, &places, Seen::Own { key: &key, value: &value }, &mut out);
    read(device, context, &out, len)
}

/// A batch of those that have tokens, by their positions and lengths.
fn spans(tokens: impl Iterator<Item = (usize, usize)>) -> Vec<Span> {
    let mut row = 0;
    let mut span = |(table, (position, len))| {
        row += len;
        Span::new(row - len, len, position, table)
    };
    tokens.enumerate().filter(|(_, (_, len))| *len > 0).map(&mut span).collect()
}

/// Makes room, and stores the spans' keys and values. Gives their queries and keys, and where they are.
fn store<D: Device>(
    device: &mut D,
    context: &Context,
    case: &Case,
    numbers: &[Numbers],
    spans: &[Span],
    kept: &mut Kept<D>,
) -> (D::Buffer, D::Buffer, D::Places) {
    head(device, context, case, numbers, spans, kept, |device, heads, places, state| {
        device.rope_and_cache(LAYER, &case.shape, heads, places, state);
    })
}

/// Makes room, and does something with the heads of spans. Gives their queries and keys, and where they are.
fn head<D: Device>(
    device: &mut D,
    context: &Context,
    case: &Case,
    numbers: &[Numbers],
    spans: &[Span],
    kept: &mut Kept<D>,
    work: impl FnOnce(&mut D, &mut Qkv<D>, &D::Places, &mut D::State),
) -> (D::Buffer, D::Buffer, D::Places) {
    let Case { shape, heading, .. } = case;
    for span in spans {
        kept.reserve(device, context, span.table, span.position..span.keys).unwrap();
    }
    let mut gathered = |of: fn(&Numbers) -> &[f32], heads: usize| {
        let width = heads * shape.head_dim;
        let rows = |span: &Span| &of(&numbers[span.table])[span.position * width..span.keys * width];
        filled(device, &spans.iter().flat_map(rows).copied().collect::<Vec<f32>>(), width)
    };
    let mut query = gathered(|numbers| &numbers.query, shape.heads);
    let mut key = gathered(|numbers| &numbers.key, shape.kv_heads);
    let value = gathered(|numbers| &numbers.value, shape.kv_heads);
    let norms = heading.norms.as_ref().map(|norms| norms.each_ref().map(|norm| device.upload(norm).unwrap()));
    let norms = norms.as_ref().map(|norms| norms.each_ref().map(|weight| NormWeights::rms(weight, heading.epsilon)));
    let table = RopeTable { frequencies: heading.frequencies.clone(), magnitude: heading.magnitude, beyond: None };
    // Not the first of the batch's turns, so that a turn's place counts.
    let another = RopeTable { frequencies: vec![0.3; 3], magnitude: 1.0, beyond: None };
    device.begin(spans, Angles::of(&[another, table], spans).rotations());
    let places = kept.places(device, spans);
    let mut heads = Qkv { query: &mut query, key: &mut key, value: &value, norms, turn: Some(1), pairs: heading.pairs };
    work(device, &mut heads, &places, &mut kept.state);
    (query, key, places)
}

/// The weights of the case's sequence, which has nothing before it: [heads, tokens, tokens].
pub fn attention_map<D: Device>(device: &mut D, context: &Context, case: &Case, numbers: &Numbers) -> Vec<f32> {
    let AttentionShape { heads, kv_heads, head_dim, .. } = case.shape;
    let (_, rows) = case.sequences[0];
    let query = filled(device, &numbers.query, heads * head_dim);
    let key = filled(device, &numbers.key, kv_heads * head_dim);
    let vector = case.bias.upload(device);
    let sinks = case.sinks.as_ref().map(|sinks| device.upload(sinks).unwrap());
    begin(device, rows);
    let attention = CachedAttention { layer: 0, shape: case.shape, bias: case.bias.of(&vector), sinks: sinks.as_ref() };
    let weights = device.attention_weights(&attention, &query, &key, rows).unwrap();
    read(device, context, &weights, heads * rows * rows)
}
