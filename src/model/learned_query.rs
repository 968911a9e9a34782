//! Pooling by attention: a learned query looks at all of a sequence's tokens, and a block's feed-forward network with its
//! residual follows (SigLIP: <https://arxiv.org/abs/2303.15343>).

use super::forward::BlockPass;
use super::head::QueryTensors;
use super::lora::BlockLora;
use super::scratch::Scratch;
use super::spec::{self, Residual, Spec};
use super::stack::ScoreBiasTensors;
use super::tensors::MixerTensors;
use crate::device::{CachedAttention, Device, Input, KeyRows, PositionBias, Seen, Span};

impl Spec {
    /// The block that looks by a learned query: like the last one, from one place at all others. None where there is no
    /// attention to be like.
    pub fn query_block(&self) -> Option<spec::Block> {
        let last = self.blocks.last()?;
        let attention = spec::Attention::plain(self.attention().heads, self.attention().head_dim);
        let attention = spec::Attention { qkv_bias: true, output_bias: true, ..attention };
        let feed_forward = spec::FeedForward { gated: false, bias: true, ..last.feed_forward.clone() };
        Some(spec::Block { residual: Residual::PreNorm { bare: true }, ..spec::Block::new(attention, feed_forward) })
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
    spans: &[Span],
) {
    let (Some(block), MixerTensors::Attention(weights)) = (spec.query_block(), &tensors.block.mixer) else { return };
    let Some(shape) = block.attention().map(spec::Attention::shape) else { return };
    let (count, sequences) = (spans.iter().map(|span| span.len).sum(), spans.len());
    let input = Input { x: hidden, rows: count, norm: None };
    dev.project(&input, &mut [weights.key.to(&mut s.key), weights.value.to(&mut s.value)]);
    let one = Input { x: &tensors.query, rows: 1, norm: None };
    dev.project(&one, &mut [weights.query.to(&mut s.attended)]);
    dev.gather_mean(&s.attended, spec.width, &vec![0..1; sequences], &mut s.query);
    let looking: Vec<Span> = spans.iter().enumerate().map(|(at, span)| Span::across(at, 1, span.len, at)).collect();
    let first: Vec<usize> = spans.iter().map(|span| span.row).collect();
    let places = dev.places(&looking, KeyRows::Own(&first));
    let attention = CachedAttention { layer: 0, shape, bias: PositionBias::None, sinks: None };
    let seen = Seen::Own { key: &s.key, value: &s.value };
    dev.attend(&attention, &s.query, &places, seen, &mut s.attended);
    let input = Input { x: &s.attended, rows: sequences, norm: None };
    dev.project(&input, &mut [weights.output.to(&mut s.hidden)]);
    let bias = &ScoreBiasTensors::None;
    BlockPass { spec, block: &block, index: 0, tensors: &tensors.block, bias, lora: BlockLora::default() }
        .feed_forward(dev, s, sequences);
}
