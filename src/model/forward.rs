//! The forward pass: one for every family, on every device.

use super::spec::{Norm, Residual, Spec};
use super::weights::{Layer, Weights};
use crate::device::{Attention, Device, Heads, Input, Linear, PositionBias, Projection, RmsNorm, Span, Tokens};
use crate::error::Result;

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
    gated: D::Buffer,
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
            gated: dev.buffer(ffn)?,
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

impl<D: Device> Batch<'_, D> {
    fn rows(&self) -> usize {
        self.spans.iter().map(|span| span.len).sum()
    }
}

/// What looks on while a pass runs: called for each layer with the rotated queries and keys.
pub type Watch<'a, D> =
    dyn FnMut(&mut D, &Attention<D>, &<D as Device>::Buffer, &<D as Device>::Buffer) -> Result<()> + 'a;

/// Runs the batch through all blocks; the result, before the final norm, is in `scratch.hidden`, [rows, width].
pub fn forward<D: Device>(
    dev: &mut D,
    spec: &Spec,
    weights: &Weights<D>,
    s: &mut Scratch<D>,
    batch: &mut Batch<D>,
    watch: &mut Watch<D>,
) -> Result<()> {
    dev.begin(batch.spans, &weights.frequencies, spec.attention.rope.magnitude());
    dev.embed(&weights.embedding, &batch.tokens, &mut s.hidden);
    for (index, layer) in weights.layers.iter().enumerate() {
        match spec.residual {
            Residual::PreNorm => {
                attention(dev, spec, index, layer, s, batch, watch)?;
                feed_forward(dev, spec, layer, s, batch.rows());
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
    let weight = weights.head.as_ref().unwrap_or(&weights.embedding);
    let input = Input { x: hidden, rows, norm: Some(norm(spec, &weights.output_norm)) };
    dev.project(&input, &mut [Projection { weight, bias: None, out, accumulate: false }]);
}

fn norm<'a, D: Device>(spec: &Spec, weight: &'a D::Buffer) -> RmsNorm<'a, D> {
    let Norm::Rms { epsilon } = spec.norm;
    RmsNorm { weight, epsilon }
}

/// hidden += output(attention(query, key, value of norm(hidden))).
fn attention<D: Device>(
    dev: &mut D,
    spec: &Spec,
    index: usize,
    layer: &Layer<D>,
    s: &mut Scratch<D>,
    batch: &mut Batch<D>,
    watch: &mut Watch<D>,
) -> Result<()> {
    let (rows, shape) = (batch.rows(), spec.attention.shape(index));
    let input = Input { x: &s.hidden, rows, norm: Some(norm(spec, &layer.attention_norm)) };
    dev.project(
        &input,
        &mut [to(&layer.query, &mut s.query), to(&layer.key, &mut s.key), to(&layer.value, &mut s.value)],
    );
    let norms = layer.head_norms.as_ref();
    let mut heads = Heads {
        query: &mut s.query,
        key: &mut s.key,
        value: &s.value,
        norms: norms.map(|(query, key)| [norm(spec, query), norm(spec, key)]),
        pairs: spec.attention.rope.pairs,
    };
    dev.store(index, &shape, &mut heads, batch.spans, batch.caches);
    let attention = Attention { layer: index, shape, bias: PositionBias::None };
    watch(dev, &attention, &s.query, &s.key)?;
    dev.attend(&attention, &s.query, batch.spans, batch.caches, &mut s.attended);
    let input = Input { x: &s.attended, rows, norm: None };
    dev.project(&input, &mut [onto(&layer.output, &mut s.hidden)]);
    Ok(())
}

/// hidden += down(activation(gate(norm(hidden))) · up(norm(hidden))).
fn feed_forward<D: Device>(dev: &mut D, spec: &Spec, layer: &Layer<D>, s: &mut Scratch<D>, rows: usize) {
    let input = Input { x: &s.hidden, rows, norm: Some(norm(spec, &layer.feed_forward_norm)) };
    dev.project_gated(&input, &layer.gate, &layer.up, spec.feed_forward.activation, &mut s.gated);
    let input = Input { x: &s.gated, rows, norm: None };
    dev.project(&input, &mut [onto(&layer.down, &mut s.hidden)]);
}

fn to<'a, D: Device>(linear: &'a Linear<D>, out: &'a mut D::Buffer) -> Projection<'a, D> {
    Projection { weight: &linear.weight, bias: linear.bias.as_ref(), out, accumulate: false }
}

/// The same, added to what is there: the residual connection.
fn onto<'a, D: Device>(linear: &'a Linear<D>, out: &'a mut D::Buffer) -> Projection<'a, D> {
    Projection { accumulate: true, ..to(linear, out) }
}
