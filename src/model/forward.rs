//! The forward pass: one for every family, on every device.

use super::spec::{Norm, Residual, Spec};
use super::weights::{Layer, Linear, Weights};
use crate::device::{AttentionShape, Device, Projection, Span};
use crate::error::Result;

/// The activations of a batch, made once: [rows, …] each.
pub struct Scratch<D: Device> {
    /// [rows, width]: what flows from block to block.
    pub hidden: D::Buffer,
    /// [rows, width]: the input of a sublayer.
    normed: D::Buffer,
    /// [rows, heads, head_dim]
    query: D::Buffer,
    /// [rows, kv_heads, head_dim]
    key: D::Buffer,
    /// [rows, kv_heads, head_dim]
    value: D::Buffer,
    /// [rows, heads, head_dim]
    attended: D::Buffer,
    /// [rows, feed-forward width]
    gate: D::Buffer,
    /// [rows, feed-forward width]
    up: D::Buffer,
}

impl<D: Device> Scratch<D> {
    pub fn new(dev: &mut D, spec: &Spec, rows: usize) -> Result<Self> {
        let [width, queries, keys, ffn] = Self::widths(spec).map(|width| width * rows);
        Ok(Self {
            hidden: dev.buffer(width)?,
            normed: dev.buffer(width)?,
            query: dev.buffer(queries)?,
            key: dev.buffer(keys)?,
            value: dev.buffer(keys)?,
            attended: dev.buffer(queries)?,
            gate: dev.buffer(ffn)?,
            up: dev.buffer(ffn)?,
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

    /// Bytes that `new` takes.
    pub fn bytes(spec: &Spec, rows: usize) -> usize {
        let values: usize = Self::widths(spec).into_iter().map(|width| 2 * width).sum();
        4 * rows * values
    }
}

/// The rows of one pass: tokens of one or more sequences, each continuing its own cache.
pub struct Batch<'a, D: Device> {
    pub tokens: &'a [u32],
    pub spans: &'a [Span],
    pub caches: &'a mut [D::Cache],
}

/// What looks on while a pass runs: called for each layer with the rotated queries and keys.
pub type Watch<'a, D> =
    dyn FnMut(&mut D, usize, &AttentionShape, &<D as Device>::Buffer, &<D as Device>::Buffer) -> Result<()> + 'a;

/// Runs the batch through all blocks and the final norm; the result is in `scratch.hidden`, [rows, width].
pub fn forward<D: Device>(
    dev: &mut D,
    spec: &Spec,
    weights: &Weights<D>,
    s: &mut Scratch<D>,
    batch: &mut Batch<D>,
    watch: &mut Watch<D>,
) -> Result<()> {
    let rows = batch.tokens.len();
    let positions: Vec<u32> =
        batch.spans.iter().flat_map(|span| (span.position..span.position + span.len).map(|p| p as u32)).collect();
    dev.set_rotations(&positions, &weights.frequencies, spec.attention.rope.magnitude());
    dev.embed(&weights.embedding, batch.tokens, &mut s.hidden);
    for (index, layer) in weights.layers.iter().enumerate() {
        match spec.residual {
            Residual::PreNorm => {
                norm(dev, spec, &s.hidden, rows, &layer.attention_norm, &mut s.normed);
                attention(dev, spec, index, layer, s, batch, watch)?;
                norm(dev, spec, &s.hidden, rows, &layer.feed_forward_norm, &mut s.normed);
                feed_forward(dev, spec, layer, s, rows);
            }
        }
    }
    norm(dev, spec, &s.hidden, rows, &weights.output_norm, &mut s.normed);
    std::mem::swap(&mut s.hidden, &mut s.normed);
    Ok(())
}

fn norm<D: Device>(dev: &mut D, spec: &Spec, x: &D::Buffer, rows: usize, weight: &D::Buffer, out: &mut D::Buffer) {
    let Norm::Rms { epsilon } = spec.norm;
    dev.rms_norm(x, rows * spec.width, weight, epsilon, out);
}

/// hidden += output(attention(query, key, value of normed)).
fn attention<D: Device>(
    dev: &mut D,
    spec: &Spec,
    index: usize,
    layer: &Layer<D>,
    s: &mut Scratch<D>,
    batch: &mut Batch<D>,
    watch: &mut Watch<D>,
) -> Result<()> {
    let (rows, shape) = (batch.tokens.len(), spec.attention.shape(index));
    dev.project(
        &s.normed,
        rows,
        &mut [to(&layer.query, &mut s.query), to(&layer.key, &mut s.key), to(&layer.value, &mut s.value)],
    );
    if let Some((query_norm, key_norm)) = &layer.head_norms {
        let Norm::Rms { epsilon } = spec.norm;
        dev.rms_norm_in_place(&mut s.query, rows * shape.heads * shape.head_dim, query_norm, epsilon);
        dev.rms_norm_in_place(&mut s.key, rows * shape.kv_heads * shape.head_dim, key_norm, epsilon);
    }
    let pairs = spec.attention.rope.pairs;
    dev.rope(&mut s.query, rows, shape.heads, shape.head_dim, pairs);
    dev.rope(&mut s.key, rows, shape.kv_heads, shape.head_dim, pairs);
    watch(dev, index, &shape, &s.query, &s.key)?;
    dev.store(index, &shape, &s.key, &s.value, batch.spans, batch.caches);
    dev.attend(index, &shape, &s.query, batch.spans, batch.caches, &mut s.attended);
    dev.project(&s.attended, rows, &mut [onto(&layer.output, &mut s.hidden)]);
    Ok(())
}

/// hidden += down(activation(gate(normed)) · up(normed)).
fn feed_forward<D: Device>(dev: &mut D, spec: &Spec, layer: &Layer<D>, s: &mut Scratch<D>, rows: usize) {
    dev.project(&s.normed, rows, &mut [to(&layer.gate, &mut s.gate), to(&layer.up, &mut s.up)]);
    dev.gate(spec.feed_forward.activation, &mut s.gate, &s.up, rows * spec.feed_forward.width);
    dev.project(&s.gate, rows, &mut [onto(&layer.down, &mut s.hidden)]);
}

fn to<'a, D: Device>(linear: &'a Linear<D>, out: &'a mut D::Buffer) -> Projection<'a, D> {
    Projection { weight: &linear.weight, bias: linear.bias.as_ref(), out, accumulate: false }
}

/// The same, added to what is there: the residual connection.
fn onto<'a, D: Device>(linear: &'a Linear<D>, out: &'a mut D::Buffer) -> Projection<'a, D> {
    Projection { accumulate: true, ..to(linear, out) }
}
