//! The forward pass: one for every family, on every device.

use super::spec::{HeadNorm, Input as InputSpec, Positions, Residual, Spec};
use super::weights::{AttentionWeights, BiasWeights, Branch, InputWeights, Layer, NormWeights, Weights};
use crate::device::{
    Attention, AttentionShape, Device, Heads, Input, Linear, PositionBias, Projection, RopePairs, Span, Table, Tokens,
    Turn,
};
use crate::error::{Code, Error, Result};
use std::mem::swap;
use std::ops::Range;

/// The activations of a batch, made once: [rows, …] each.
pub struct Scratch<D: Device> {
    /// [rows, width]: what flows from block to block.
    pub hidden: D::Buffer,
    /// [rows, heads, head_dim]
    pub query: D::Buffer,
    /// [rows, kv_heads, head_dim]
    pub key: D::Buffer,
    /// [rows, kv_heads, head_dim]
    pub value: D::Buffer,
    /// [rows, heads, head_dim]
    pub attended: D::Buffer,
    /// [rows, feed-forward width]
    pub activated: D::Buffer,
    /// [rows, width]: a branch's result, or the hidden state normed. Empty where no norm comes after a branch.
    branch: D::Buffer,
    /// [rows, kv_heads, head_dim]: normed keys. Empty where each head is normed by itself, or none.
    normed_key: D::Buffer,
    /// [kept rows, width]: see [`Rows::kept`].
    pub kept: D::Buffer,
}

impl<D: Device> Scratch<D> {
    pub fn new(dev: &mut D, spec: &Spec, rows: usize) -> Result<Self> {
        let [width, queries, keys, ffn, branch, normed_key] =
            Self::widths(spec).map(|width| width.saturating_mul(rows));
        Ok(Self {
            hidden: dev.buffer(width)?,
            query: dev.buffer(queries)?,
            key: dev.buffer(keys)?,
            value: dev.buffer(keys)?,
            attended: dev.buffer(queries)?,
            activated: dev.buffer(ffn)?,
            branch: dev.buffer(branch)?,
            normed_key: dev.buffer(normed_key)?,
            kept: dev.buffer(0)?,
        })
    }

    /// Widths of the hidden state, all queries, all keys, the feed-forward network, and what norms after them need.
    fn widths(spec: &Spec) -> [usize; 6] {
        let attention = &spec.attention;
        let keys = attention.kv_heads * attention.head_dim;
        let normed_after = !matches!(spec.residual, Residual::PreNorm { .. } | Residual::Parallel { .. });
        [
            spec.width,
            attention.heads * attention.head_dim,
            keys,
            spec.feed_forward.width,
            if normed_after || spec.input_norm { spec.width } else { 0 },
            if attention.head_norm == HeadNorm::Whole { keys } else { 0 },
        ]
    }

    /// Bytes that `new` takes, and as much again for normed inputs and gates that a device keeps.
    pub fn bytes(spec: &Spec, rows: usize) -> f64 {
        let values: usize = Self::widths(spec).into_iter().map(|width| 2 * width).sum();
        4.0 * rows as f64 * values as f64
    }
}

/// The rows of one pass: tokens that continue one or more sequences.
pub struct Batch<'a, D: Device> {
    pub tokens: Tokens<'a, D>,
    /// Which kind each is of; empty: all of the first.
    pub types: &'a [u32],
    /// The embedding table, where it is the other stack's.
    pub table: Option<&'a D::Matrix>,
    pub rows: Rows<'a, D>,
}

/// Rows that go through the blocks, and what they see of their sequences.
pub struct Rows<'a, D: Device> {
    pub spans: &'a [Span],
    /// Where their sequences are kept.
    pub tables: &'a [&'a Table],
    pub state: &'a mut D::State,
    /// See [`AttentionShape::block`].
    pub block: Option<usize>,
    /// Where only some rows of the result are wanted: the last block's feed-forward network is spared the others, and the
    /// result is in `scratch.kept`. Empty: all.
    pub kept: &'a [Range<usize>],
    /// What cross-attention looks at.
    pub across: Option<Across<'a, D>>,
}

/// An encoder's output as keys and values, in all layers of a decoder.
pub struct Across<'a, D: Device> {
    /// The same rows as the batch's spans, with the keys of their sources.
    pub spans: &'a [Span],
    pub tables: &'a [&'a Table],
    pub state: &'a D::State,
}

impl<'a, D: Device> Rows<'a, D> {
    pub fn new(spans: &'a [Span], tables: &'a [&'a Table], state: &'a mut D::State) -> Self {
        Self { spans, tables, state, block: None, kept: &[], across: None }
    }

    fn count(&self) -> usize {
        self.spans.iter().map(|span| span.len).sum()
    }
}

impl<'a, D: Device> Batch<'a, D> {
    pub fn new(tokens: Tokens<'a, D>, spans: &'a [Span], tables: &'a [&'a Table], state: &'a mut D::State) -> Self {
        Self { tokens, types: &[], table: None, rows: Rows::new(spans, tables, state) }
    }
}

/// What looks on while a pass runs: called for each layer with its number, and the rotated queries and keys.
pub type Watch<'a, D> =
    dyn FnMut(&mut D, usize, &Attention<D>, &<D as Device>::Buffer, &<D as Device>::Buffer) -> Result<()> + 'a;

/// Runs a batch of tokens through all blocks; the result, before the final norm, is in `scratch.hidden`, [rows, width].
pub fn forward<D: Device>(
    dev: &mut D,
    spec: &Spec,
    weights: &Weights<D>,
    s: &mut Scratch<D>,
    batch: &mut Batch<D>,
    watch: &mut Watch<D>,
) -> Result<()> {
    begin(dev, spec, weights, batch.rows.spans);
    embed(dev, spec, weights, s, batch)?;
    blocks(dev, spec, weights, s, &mut batch.rows, watch)
}

/// A batch begins: the angles of its positions.
pub fn begin<D: Device>(dev: &mut D, spec: &Spec, weights: &Weights<D>, spans: &[Span]) {
    let turns = spec.attention.ropes.iter().zip(&weights.frequencies);
    let turns: Vec<Turn> = turns.map(|(rope, frequencies)| Turn { frequencies, magnitude: rope.magnitude() }).collect();
    dev.begin(spans, &turns);
}

/// hidden = norm(scale · table[token] + positions[position] + types[type])
fn embed<D: Device>(
    dev: &mut D,
    spec: &Spec,
    weights: &Weights<D>,
    s: &mut Scratch<D>,
    batch: &Batch<D>,
) -> Result<()> {
    let (InputSpec::Tokens(tokens), InputWeights::Tokens(input)) = (&spec.input, &weights.input) else {
        return Err(Error::new(Code::Internal, "tokens for a model of images"));
    };
    let table = input.table.as_ref().or(batch.table);
    let table = table.ok_or_else(|| Error::new(Code::Internal, "a model of tokens without a table of them"))?;
    dev.embed(table, &batch.tokens, tokens.scale, false, &mut s.hidden);
    if let Some(table) = &input.positions {
        let first = if let Positions::Learned { offset } = tokens.positions { offset } else { 0 };
        let positions = batch.rows.spans.iter().flat_map(|span| span.position..span.position + span.len);
        let ids: Vec<u32> = positions.map(|position| (first + position) as u32).collect();
        dev.embed(table, &Tokens::Known(&ids), 1.0, true, &mut s.hidden);
    }
    if let Some(table) = &input.types {
        let first = vec![0; batch.rows.count()];
        let ids = if batch.types.is_empty() { &first } else { batch.types };
        dev.embed(table, &Tokens::Known(ids), 1.0, true, &mut s.hidden);
    }
    if let Some(norm) = &weights.input_norm {
        norm_hidden(dev, spec, norm, s, batch.rows.count());
    }
    Ok(())
}

/// hidden = norm(hidden)
pub fn norm_hidden<D: Device>(dev: &mut D, spec: &Spec, norm: &NormWeights<D>, s: &mut Scratch<D>, rows: usize) {
    let input = Input { x: &s.hidden, rows, norm: Some(norm.of(spec)) };
    dev.norm(&input, spec.width, false, &mut s.branch);
    swap(&mut s.hidden, &mut s.branch);
}

/// Runs what is in `scratch.hidden` through all blocks.
pub fn blocks<D: Device>(
    dev: &mut D,
    spec: &Spec,
    weights: &Weights<D>,
    s: &mut Scratch<D>,
    rows: &mut Rows<D>,
    watch: &mut Watch<D>,
) -> Result<()> {
    let places = dev.places(rows.spans, rows.tables);
    let across = rows.across.as_ref().map(|across| (dev.places(across.spans, across.tables), across.state));
    for (index, layer) in weights.layers.iter().enumerate() {
        let block = Block { spec, index, layer, bias: &weights.score_bias };
        let count = rows.count();
        if let Residual::Parallel { .. } = spec.residual {
            block.activate(dev, s, count);
            block.attention(dev, s, rows, &places, watch)?;
            block.join_feed_forward(dev, s, count);
            continue;
        }
        block.attention(dev, s, rows, &places, watch)?;
        if let (Some(cross), Some((places, state))) = (&layer.cross, &across) {
            block.cross_attention(dev, cross, s, count, (places, state));
        }
        let spared = matches!(spec.residual, Residual::PreNorm { .. }) && index + 1 == spec.layers;
        if spared && !rows.kept.is_empty() {
            dev.pool(&s.hidden, spec.width, rows.kept, &mut s.kept);
            swap(&mut s.hidden, &mut s.kept);
            block.feed_forward(dev, s, rows.kept.len());
            swap(&mut s.hidden, &mut s.kept);
            return Ok(());
        }
        block.feed_forward(dev, s, count);
    }
    if !rows.kept.is_empty() {
        dev.pool(&s.hidden, spec.width, rows.kept, &mut s.kept);
    }
    Ok(())
}

/// logits = head(norm(hidden)), [rows, vocabulary].
pub fn head<D: Device>(
    dev: &mut D,
    spec: &Spec,
    weights: &Weights<D>,
    hidden: &D::Buffer,
    rows: usize,
    out: &mut D::Buffer,
) {
    let input = Input { x: hidden, rows, norm: weights.output_norm.as_ref().map(|norm| norm.of(spec)) };
    let bias = weights.head_bias.as_ref();
    match (&weights.head, weights.table()) {
        (Some(head), _) => dev.project(&input, &mut [Projection { bias: head.bias.as_ref().or(bias), ..head.to(out) }]),
        (None, Some(weight)) => {
            dev.project(&input, &mut [Projection { weight, bias, scale: None, out, accumulate: false }]);
        }
        (None, None) => {}
    }
    if let Some(cap) = spec.vocabulary_head().and_then(|head| head.soft_cap) {
        dev.soft_cap(out, rows * spec.vocabulary(), cap);
    }
}

/// Keeps an encoder's output for the cross-attention of all layers. `hidden`: after the encoder's norm, the
/// first `rows` rows, which belong at those places. Error: out-of-memory.
pub fn store_across<D: Device>(
    dev: &mut D,
    spec: &Spec,
    weights: &Weights<D>,
    hidden: &D::Buffer,
    (places, rows): (&D::Places, usize),
    state: &mut D::State,
) -> Result<()> {
    // Queries come later.
    let shape = AttentionShape { heads: 0, ..spec.attention.cross_shape() };
    let keys = rows * shape.kv_heads * shape.head_dim;
    let (mut query, mut key, mut value) = (dev.buffer(0)?, dev.buffer(keys)?, dev.buffer(keys)?);
    for (index, layer) in weights.layers.iter().enumerate() {
        let Some(cross) = &layer.cross else { continue };
        let input = Input { x: hidden, rows, norm: None };
        dev.project(&input, &mut [cross.key.to(&mut key), cross.value.to(&mut value)]);
        let (query, key, value) = (&mut query, &mut key, &value);
        let mut heads = Heads { query, key, value, norms: None, turn: None, pairs: RopePairs::HalfSplit };
        dev.store(index, &shape, &mut heads, places, state);
    }
    Ok(())
}

/// One block on its way.
struct Block<'a, D: Device> {
    spec: &'a Spec,
    index: usize,
    layer: &'a Layer<D>,
    bias: &'a BiasWeights<D>,
}

impl<D: Device> Block<'_, D> {
    /// hidden = residual(hidden, output(attention(query, key, value of norm(hidden))))
    fn attention(
        &self,
        dev: &mut D,
        s: &mut Scratch<D>,
        rows: &mut Rows<D>,
        places: &D::Places,
        watch: &mut Watch<D>,
    ) -> Result<()> {
        let (spec, weights) = (self.spec, &self.layer.attention);
        let (count, shape) = (rows.count(), AttentionShape { block: rows.block, ..spec.attention.shape(self.index) });
        let input = Input { x: &s.hidden, rows: count, norm: weights.branch.norm(spec) };
        let (query, key, value) = (&weights.query, &weights.key, &weights.value);
        dev.project(&input, &mut [query.to(&mut s.query), key.to(&mut s.key), value.to(&mut s.value)]);
        self.norm_whole(dev, weights, s, count);
        let turn = spec.attention.turns[self.index];
        let mut heads = Heads {
            query: &mut s.query,
            key: &mut s.key,
            value: &s.value,
            norms: weights.each_head(spec),
            turn,
            pairs: turn.map_or(RopePairs::HalfSplit, |turn| spec.attention.ropes[turn].pairs),
        };
        let bias = match self.bias {
            BiasWeights::None => PositionBias::None,
            BiasWeights::Slopes(slopes) => PositionBias::Linear(slopes),
            BiasWeights::Table { table, reach } => PositionBias::Table { table, reach: *reach },
        };
        let cached = Attention { layer: spec.attention.cache_layer(self.index), shape, bias, sinks: None };
        dev.store(cached.layer, &shape, &mut heads, places, rows.state);
        watch(dev, self.index, &cached, &s.query, &s.key)?;
        dev.attend(&cached, &s.query, places, rows.state, &mut s.attended);
        self.join(dev, &weights.branch, &weights.output, Joining::Attended, s, count);
        Ok(())
    }

    /// query, key = norm(query), norm(key), of all heads together.
    fn norm_whole(&self, dev: &mut D, weights: &AttentionWeights<D>, s: &mut Scratch<D>, rows: usize) {
        let (attention, Some([query, key])) = (&self.spec.attention, &weights.head_norms) else { return };
        if attention.head_norm != HeadNorm::Whole {
            return;
        }
        let input = Input { x: &s.query, rows, norm: Some(query.of(self.spec)) };
        dev.norm(&input, attention.heads * attention.head_dim, false, &mut s.attended);
        swap(&mut s.query, &mut s.attended);
        let input = Input { x: &s.key, rows, norm: Some(key.of(self.spec)) };
        dev.norm(&input, attention.kv_heads * attention.head_dim, false, &mut s.normed_key);
        swap(&mut s.key, &mut s.normed_key);
    }

    /// The same with the keys and values of the encoder's output.
    fn cross_attention(
        &self,
        dev: &mut D,
        weights: &AttentionWeights<D>,
        s: &mut Scratch<D>,
        count: usize,
        (places, state): (&D::Places, &D::State),
    ) {
        let spec = self.spec;
        let input = Input { x: &s.hidden, rows: count, norm: weights.branch.norm(spec) };
        dev.project(&input, &mut [weights.query.to(&mut s.query)]);
        let (shape, bias) = (spec.attention.cross_shape(), PositionBias::None);
        let cached = Attention { layer: self.index, shape, bias, sinks: None };
        dev.attend(&cached, &s.query, places, state, &mut s.attended);
        self.join(dev, &weights.branch, &weights.output, Joining::Attended, s, count);
    }

    /// hidden = residual(hidden, down(activation(gate(norm(hidden))) · up(norm(hidden)))), or without a gate
    /// down(activation(up(norm(hidden)))).
    fn feed_forward(&self, dev: &mut D, s: &mut Scratch<D>, rows: usize) {
        self.activate(dev, s, rows);
        self.join_feed_forward(dev, s, rows);
    }

    fn activate(&self, dev: &mut D, s: &mut Scratch<D>, rows: usize) {
        let (spec, layer) = (self.spec, self.layer);
        let norm = layer.feed_forward.norm(spec).or_else(|| match spec.residual {
            Residual::Parallel { shared_norm: true } => layer.attention.branch.norm(spec),
            _ => None,
        });
        let input = Input { x: &s.hidden, rows, norm };
        dev.project_activated(&input, layer.gate.as_ref(), &layer.up, spec.feed_forward.activation, &mut s.activated);
    }

    fn join_feed_forward(&self, dev: &mut D, s: &mut Scratch<D>, rows: usize) {
        self.join(dev, &self.layer.feed_forward, &self.layer.down, Joining::Activated, s, rows);
    }

    /// hidden = residual(hidden, linear(x))
    fn join(
        &self,
        dev: &mut D,
        branch: &Branch<D>,
        linear: &Linear<D>,
        what: Joining,
        s: &mut Scratch<D>,
        rows: usize,
    ) {
        let Scratch { hidden, branch: result, attended, activated, .. } = s;
        let x = match what {
            Joining::Attended => &*attended,
            Joining::Activated => &*activated,
        };
        let (input, scale) = (Input { x, rows, norm: None }, branch.scale.as_ref());
        match (self.spec.residual, &branch.after) {
            (Residual::Sandwich | Residual::InnerNorm, Some(norm)) => {
                dev.project(&input, &mut [Projection { scale, ..linear.to(result) }]);
                let input = Input { x: result, rows, norm: Some(norm.of(self.spec)) };
                dev.norm(&input, self.spec.width, true, hidden);
            }
            (_, norm) => {
                dev.project(&input, &mut [Projection { scale, accumulate: true, ..linear.to(hidden) }]);
                if let Some(norm) = norm {
                    norm_hidden(dev, self.spec, norm, s, rows);
                }
            }
        }
    }
}

/// What a branch has made.
#[derive(Clone, Copy)]
enum Joining {
    Attended,
    Activated,
}
