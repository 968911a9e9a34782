//! What a pass needs between its first and its last product.

use super::rope::Angles;
use super::spec::{self, Head, Mixer, Pooling, QkNorm, Residual, Spec};
use crate::device::Device;
use crate::error::Result;

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
    /// [rows, experts of a token, feed-forward width]
    pub activated: D::Buffer,
    /// [rows, experts]: what a mixture's router says.
    pub scores: D::Buffer,
    /// [rows, experts of a token, 2]: see [`Device::route`].
    pub routes: D::Buffer,
    /// [rows, width]: a branch's result, or the hidden state normed. Empty where no norm comes after a branch.
    pub branch: D::Buffer,
    /// [rows, kv_heads, head_dim]: normed keys. Empty where each head is normed by itself, or none.
    pub normed_key: D::Buffer,
    /// What LoRA needs: [rows, rank], and the products that a gate is multiplied with, [rows, feed-forward width]. Empty until
    /// there is an adapter.
    pub low: D::Buffer,
    pub ungated: D::Buffer,
    low_rank: usize,
    /// [kept rows, width]: see `Rows::kept`.
    pub kept: D::Buffer,
    /// Of the batch's rows.
    pub angles: Angles,
}

/// Bytes of activations, beyond which a device's chunks are not longer than they have to be.
const ACTIVATIONS: f64 = (64 << 20) as f64;

impl<D: Device> Scratch<D> {
    /// Rows of a batch that there should be room for: those of the longest chunk, or half of them, and so on, if they would
    /// take too much memory.
    pub fn most_rows(spec: &Spec) -> usize {
        let mut rows = D::MOST_CHUNK;
        while rows > D::CHUNK && Self::bytes(spec, rows) > ACTIVATIONS {
            rows /= 2;
        }
        rows
    }

    pub fn new(dev: &mut D, spec: &Spec, rows: usize) -> Result<Self> {
        let [width, queries, keys, ffn, branch, normed_key, scores, routes] =
            Self::widths(spec).map(|width| width.saturating_mul(rows));
        Ok(Self {
            hidden: dev.buffer(width)?,
            query: dev.buffer(queries)?,
            key: dev.buffer(keys)?,
            value: dev.buffer(keys)?,
            attended: dev.buffer(queries)?,
            activated: dev.buffer(ffn)?,
            scores: dev.buffer(scores)?,
            routes: dev.buffer(routes)?,
            branch: dev.buffer(branch)?,
            normed_key: dev.buffer(normed_key)?,
            low: dev.buffer(0)?,
            ungated: dev.buffer(0)?,
            low_rank: 0,
            kept: dev.buffer(0)?,
            angles: Angles::default(),
        })
    }

    /// Makes room for an adapter of that rank, beside as many rows. Error: out-of-memory; all stays as it was.
    pub fn adapt(&mut self, dev: &mut D, spec: &Spec, rows: usize, rank: usize) -> Result<()> {
        if rank > self.low_rank {
            let inner = spec.blocks.iter().map(|block| block.feed_forward.inner()).max().unwrap_or(0);
            let (low, ungated) = (dev.buffer(rows.saturating_mul(rank))?, dev.buffer(rows.saturating_mul(inner))?);
            (self.low, self.ungated, self.low_rank) = (low, ungated, rank);
        }
        Ok(())
    }

    /// Widths of the hidden state, all queries, all keys, the feed-forward network, what norms after them need, and what
    /// choosing experts does.
    fn widths(spec: &Spec) -> [usize; 8] {
        let attentions = || spec.blocks.iter().flat_map(spec::Block::attentions);
        let keys = attentions().map(spec::Attention::keys).max().unwrap_or(0);
        let experts = || spec.blocks.iter().filter_map(|block| block.feed_forward.experts);
        let after = |residual| !matches!(residual, Residual::PreNorm { .. } | Residual::Parallel { .. });
        // What goes into a convolution stands where the feed-forward network's values do later.
        let convolved = |block: &spec::Block| if let Mixer::ShortConv(_) = block.mixer { 3 * spec.width } else { 0 };
        let convolves = spec.blocks.iter().any(|block| convolved(block) > 0);
        let normed_after = spec.blocks.iter().any(|block| after(block.residual));
        [
            spec.width,
            // What comes out of a convolution stands where attention's does.
            attentions().map(spec::Attention::queries).max().unwrap_or(0).max(if convolves { spec.width } else { 0 }),
            keys,
            spec.blocks.iter().map(|block| block.feed_forward.inner().max(convolved(block))).max().unwrap_or(0),
            if normed_after || spec.input_norm { spec.width } else { 0 },
            if attentions().any(|attention| attention.qk_norm == QkNorm::All) { keys } else { 0 },
            experts().map(|experts| experts.count).max().unwrap_or(0),
            experts().map(|experts| 2 * experts.used).max().unwrap_or(0),
        ]
    }

    /// Bytes that `new` takes, and as much again for normed inputs and gates that a device keeps.
    pub fn bytes(spec: &Spec, rows: usize) -> f64 {
        let values: usize = Self::widths(spec).into_iter().map(|width| 2 * width).sum();
        4.0 * rows as f64 * values as f64
    }
}

/// What a head needs and gives, [rows, …]: a row is a sequence, or a token where each is classified.
pub struct HeadBuffers<D: Device> {
    pub pooled: D::Buffer,
    pub dense: D::Buffer,
    pub normed: D::Buffer,
    /// Of classes, or values of an embedding.
    pub logits: D::Buffer,
    /// Of each product behind the pooling.
    pub chained: Vec<D::Buffer>,
}

impl<D: Device> HeadBuffers<D> {
    /// `chain`: values that each product behind the pooling gives. Error: out-of-memory.
    pub fn new(dev: &mut D, spec: &Spec, chain: &[usize], tokens: usize, sequences: usize) -> Result<Self> {
        let (pooling, values) = match &spec.head {
            Head::Classes(head) => (Some(head.pooling), head.classes),
            Head::Embedding(head) => (Some(head.pooling), head.width),
            _ => (None, 0),
        };
        let rows = if pooling == Some(Pooling::Each) { tokens } else { sequences };
        let parts = if pooling == Some(Pooling::ClassTokenAndMean) { 2 } else { 1 };
        let width = rows.saturating_mul(spec.width);
        Ok(Self {
            pooled: dev.buffer(parts * width)?,
            dense: dev.buffer(width)?,
            normed: dev.buffer(width)?,
            logits: dev.buffer(rows.saturating_mul(values))?,
            chained: chain.iter().map(|values| dev.buffer(sequences * values)).collect::<Result<_>>()?,
        })
    }
}
