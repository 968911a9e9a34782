//! Pooling by attention: a learned query looks at all of a sequence's tokens, and a block's feed-forward network with its
//! residual follows (SigLIP: <https://arxiv.org/abs/2303.15343>).

use super::forward::{Block, Rows, Scratch};
use super::part::{Part, Slot};
use super::spec::{self, Attention, Residual, Spec};
use super::stack::ScoreBiasTensors;
use super::tensors::{AttentionTensors, BlockTensors, Branch, FeedForwardTensors, MixerTensors, Source, Tree};
use crate::device::{
    Attention as Attending, AttentionShape, Device, Heads, Input, Leaves, PositionBias, RopePairs, Span,
};
use crate::error::{Error, Result};

/// What pools by attention.
pub struct QueryTensors<L: Leaves> {
    /// [width]
    pub query: L::Buffer,
    /// A block, whose attention looks from the query at the tokens. There is no residual around it.
    pub block: BlockTensors<L>,
}

impl Spec {
    /// The block that looks by a learned query: like the last one, from one place at all others. None where there is no
    /// attention to be like.
    pub fn query_block(&self) -> Option<spec::Block> {
        let last = self.blocks.last()?;
        let attention = Attention::plain(self.attention().heads, self.attention().head_dim);
        let attention = Attention { qkv_bias: true, output_bias: true, ..attention };
        let feed_forward = spec::FeedForward { gated: false, bias: true, ..last.feed_forward.clone() };
        Some(spec::Block { residual: Residual::PreNorm { bare: true }, ..spec::Block::new(attention, feed_forward) })
    }
}

impl<L: Leaves, S: Source<L>> Tree<'_, L, S> {
    pub fn query(&mut self) -> Result<QueryTensors<L>> {
        use Part::*;
        let (spec, width) = (self.spec, self.spec.width);
        let Some(block) = spec.query_block() else {
            return Err(Error::unsupported("pooling by attention, without blocks"));
        };
        let query = self.source.host(Slot::weight(PoolProbe, 0), width)?;
        let mut square = |part| self.linear(part, 0, [width, width], true);
        let attention = AttentionTensors {
            query: square(PoolQuery)?,
            key: square(PoolKey)?,
            value: square(PoolValue)?,
            output: square(PoolOutput)?,
            head_norms: None,
            sinks: None,
            rope: None,
        };
        let norm = self.norm(PoolNorm, 0)?;
        let feed_forward = self.dense(0, &block.feed_forward, [Gate, PoolUp, PoolDown])?;
        Ok(QueryTensors {
            // A product's input has a buffer of its own.
            query: self.source.computed(&mut || Ok(query.clone()))?,
            block: BlockTensors {
                mixer: MixerTensors::Attention(attention),
                mixer_branch: Branch { before: None, after: None, scale: None },
                cross: None,
                feed_forward: FeedForwardTensors::Dense(feed_forward),
                feed_forward_branch: Branch { before: Some(norm), after: None, scale: None },
            },
        })
    }
}

/// scratch.hidden = x + feed_forward(norm(x)), x = output(attention(query, keys and values of `hidden`)) of each sequence,
/// [sequences, width].
pub fn look_by_query<D: Device>(
    dev: &mut D,
    spec: &Spec,
    tensors: &QueryTensors<D>,
    s: &mut Scratch<D>,
    hidden: &D::Buffer,
    rows: &mut Rows<D>,
) {
    let (Some(block), MixerTensors::Attention(weights)) = (spec.query_block(), &tensors.block.mixer) else { return };
    let Some(shape) = block.attention().map(Attention::shape) else { return };
    let (count, sequences) = (rows.spans.iter().map(|span| span.len).sum(), rows.spans.len());
    let input = Input { x: hidden, rows: count, norm: None };
    dev.project(&input, &mut [weights.key.to(&mut s.key), weights.value.to(&mut s.value)]);
    let (query, key, value) = (&mut s.query, &mut s.key, &s.value);
    let mut heads = Heads { query, key, value, norms: None, turn: None, pairs: RopePairs::HalfSplit };
    let places = dev.places(rows.spans, rows.tables);
    dev.store(0, &AttentionShape { heads: 0, ..shape }, &mut heads, &places, rows.state);
    let one = Input { x: &tensors.query, rows: 1, norm: None };
    dev.project(&one, &mut [weights.query.to(&mut s.attended)]);
    dev.pool(&s.attended, spec.width, &vec![0..1; sequences], &mut s.query);
    let looking = |(at, span): (usize, &Span)| Span::across(at, 1, span.len, span.table);
    let spans: Vec<Span> = rows.spans.iter().enumerate().map(looking).collect();
    let places = dev.places(&spans, rows.tables);
    let attention = Attending { layer: 0, shape, bias: PositionBias::None, sinks: None };
    dev.attend(&attention, &s.query, &places, rows.state, &mut s.attended);
    let input = Input { x: &s.attended, rows: sequences, norm: None };
    dev.project(&input, &mut [weights.output.to(&mut s.hidden)]);
    let bias = &ScoreBiasTensors::None;
    Block { spec, block: &block, index: 0, tensors: &tensors.block, bias }.feed_forward(dev, s, sequences);
}
