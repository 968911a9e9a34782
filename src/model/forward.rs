//! The forward pass: one for every family, on every device.

use super::spec::{Residual, Spec};
use super::weights::{InputWeights, Layer, Weights};
use crate::device::{
    Attention, AttentionShape, Device, Heads, Input, Linear, PositionBias, Projection, RopePairs, Span, Tokens, Turn,
};
use crate::error::{Code, Error, Result};
use std::ops::Range;

/// The activations of a batch, made once: [rows, …] each.
pub struct Scratch<D: Device> {
    /// [rows, width]: what flows from block to block.
    pub hidden: D::Buffer,
    /// [rows, heads, head_dim]
    query: D::Buffer,
    /// [rows, kv_heads, head_dim]
    key: D::Buffer,
    /// [rows, kv_heads, head_dim]
    value: D::Buffer,
    /// [rows, heads, head_dim]
    attended: D::Buffer,
    /// [rows, feed-forward width]
    activated: D::Buffer,
    /// [kept rows, width]: see [`Rows::kept`].
    pub kept: D::Buffer,
}

impl<D: Device> Scratch<D> {
    pub fn new(dev: &mut D, spec: &Spec, rows: usize) -> Result<Self> {
        let [width, queries, keys, ffn] = Self::widths(spec).map(|width| width * rows);
        Ok(Self {
            hidden: dev.buffer(width)?,
            query: dev.buffer(queries)?,
            key: dev.buffer(keys)?,
            value: dev.buffer(keys)?,
            attended: dev.buffer(queries)?,
            activated: dev.buffer(ffn)?,
            kept: dev.buffer(0)?,
        })
    }

    /// Widths of the hidden state, all queries, all keys, and the feed-forward network.
    fn widths(spec: &Spec) -> [usize; 4] {
        let attention = &spec.attention;
        [
            spec.width,
            attention.heads * attention.head_dim,
            attention.kv_heads * attention.head_dim,
            spec.feed_forward.width,
        ]
    }

    /// Bytes that `new` takes, and as much again for normed inputs and gates that a device keeps.
    pub fn bytes(spec: &Spec, rows: usize) -> usize {
        let values: usize = Self::widths(spec).into_iter().map(|width| 2 * width).sum();
        4 * rows * values
    }
}

/// The rows of one pass: tokens of one or more sequences, each continuing its own cache.
pub struct Batch<'a, D: Device> {
    pub tokens: Tokens<'a, D>,
    pub spans: &'a [Span],
    pub caches: &'a mut [D::Cache],
}

/// Rows that go through the blocks, and what they see of their sequences.
pub struct Rows<'a, D: Device> {
    pub spans: &'a [Span],
    pub caches: &'a mut [D::Cache],
    /// See [`AttentionShape::block`].
    pub block: Option<usize>,
    /// Where only some rows of the result are wanted: the last block's feed-forward network is spared the others, and the
    /// result is in `scratch.kept`. Empty: all.
    pub kept: &'a [Range<usize>],
}

impl<D: Device> Rows<'_, D> {
    fn count(&self) -> usize {
        self.spans.iter().map(|span| span.len).sum()
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
    let InputWeights::Tokens(table) = &weights.input else {
        return Err(Error::new(Code::Internal, "tokens for a model of images"));
    };
    let magnitude = spec.attention.rope.as_ref().map_or(1.0, |rope| rope.magnitude());
    dev.begin(batch.spans, &[Turn { frequencies: &weights.frequencies, magnitude }]);
    dev.embed(table, &batch.tokens, 1.0, false, &mut s.hidden);
    let mut rows = Rows { spans: batch.spans, caches: batch.caches, block: None, kept: &[] };
    blocks(dev, spec, weights, s, &mut rows, watch)
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
    for (index, layer) in weights.layers.iter().enumerate() {
        match spec.residual {
            Residual::PreNorm => {
                attention(dev, spec, index, layer, s, rows, watch)?;
                if index + 1 == spec.layers && !rows.kept.is_empty() {
                    dev.pool(&s.hidden, spec.width, rows.kept, &mut s.kept);
                    std::mem::swap(&mut s.hidden, &mut s.kept);
                    feed_forward(dev, spec, layer, s, rows.kept.len());
                    std::mem::swap(&mut s.hidden, &mut s.kept);
                } else {
                    feed_forward(dev, spec, layer, s, rows.count());
                }
            }
        }
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
    let input = Input { x: hidden, rows, norm: Some(weights.output_norm.of(spec)) };
    match (&weights.head, &weights.input) {
        (Some(head), _) => dev.project(&input, &mut [head.to(out)]),
        (None, InputWeights::Tokens(weight)) => {
            dev.project(&input, &mut [Projection { weight, bias: None, scale: None, out, accumulate: false }]);
        }
        (None, InputWeights::Patches(_)) => {}
    }
}

/// hidden += output(attention(query, key, value of norm(hidden))).
fn attention<D: Device>(
    dev: &mut D,
    spec: &Spec,
    index: usize,
    layer: &Layer<D>,
    s: &mut Scratch<D>,
    rows: &mut Rows<D>,
    watch: &mut Watch<D>,
) -> Result<()> {
    let (count, shape) = (rows.count(), AttentionShape { block: rows.block, ..spec.attention.shape(index) });
    let input = Input { x: &s.hidden, rows: count, norm: Some(layer.attention_norm.of(spec)) };
    dev.project(&input, &mut [layer.query.to(&mut s.query), layer.key.to(&mut s.key), layer.value.to(&mut s.value)]);
    let mut heads = Heads {
        query: &mut s.query,
        key: &mut s.key,
        value: &s.value,
        norms: layer.head_norms.as_ref().map(|norms| norms.each_ref().map(|norm| norm.of(spec))),
        turn: spec.attention.rope.as_ref().map(|_| 0),
        pairs: spec.attention.rope.as_ref().map_or(RopePairs::HalfSplit, |rope| rope.pairs),
    };
    let cached = Attention { layer: spec.attention.cache_layer(index), shape, bias: PositionBias::None };
    dev.store(cached.layer, &shape, &mut heads, rows.spans, rows.caches);
    watch(dev, index, &cached, &s.query, &s.key)?;
    dev.attend(&cached, &s.query, rows.spans, rows.caches, &mut s.attended);
    let input = Input { x: &s.attended, rows: count, norm: None };
    let scale = layer.scales.as_ref().map(|[attention, _]| attention);
    dev.project(&input, &mut [onto(&layer.output, scale, &mut s.hidden)]);
    Ok(())
}

/// hidden += down(activation(gate(norm(hidden))) · up(norm(hidden))), or without a gate down(activation(up(norm(hidden)))).
fn feed_forward<D: Device>(dev: &mut D, spec: &Spec, layer: &Layer<D>, s: &mut Scratch<D>, rows: usize) {
    let input = Input { x: &s.hidden, rows, norm: Some(layer.feed_forward_norm.of(spec)) };
    dev.project_activated(&input, layer.gate.as_ref(), &layer.up, spec.feed_forward.activation, &mut s.activated);
    let input = Input { x: &s.activated, rows, norm: None };
    let scale = layer.scales.as_ref().map(|[_, feed_forward]| feed_forward);
    dev.project(&input, &mut [onto(&layer.down, scale, &mut s.hidden)]);
}

/// The product added to what is there, scaled where the model does so: the residual connection.
fn onto<'a, D: Device>(
    linear: &'a Linear<D>,
    scale: Option<&'a D::Buffer>,
    out: &'a mut D::Buffer,
) -> Projection<'a, D> {
    Projection { scale, accumulate: true, ..linear.to(out) }
}
