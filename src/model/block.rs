//! One block of a stack, as a value.

use super::rope::Rope;
use crate::device::{Activation, AttentionShape, Gating, Routing};
use serde::Serialize;

/// One block: a mixer of tokens and a feed-forward network, each inside its residual.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Block {
    pub mixer: Mixer,
    /// After its mixer it looks at another stack's output.
    pub cross: Option<Attention>,
    pub feed_forward: FeedForward,
    pub residual: Residual,
    /// The branches are scaled, value by value, before they join the residual: LayerScale.
    pub layer_scale: bool,
}

impl Block {
    /// With norms before its branches, as most are.
    pub fn new(attention: Attention, feed_forward: FeedForward) -> Self {
        let mixer = Mixer::Attention(attention);
        Self { mixer, cross: None, feed_forward, residual: Residual::PRE_NORM, layer_scale: false }
    }

    /// Its own attention.
    pub fn attention(&self) -> Option<&Attention> {
        match &self.mixer {
            Mixer::Attention(attention) => Some(attention),
            Mixer::ShortConv(_) => None,
        }
    }

    pub fn attention_mut(&mut self) -> Option<&mut Attention> {
        match &mut self.mixer {
            Mixer::Attention(attention) => Some(attention),
            Mixer::ShortConv(_) => None,
        }
    }

    /// Its own, and that over another stack's output.
    pub fn attentions(&self) -> impl Iterator<Item = &Attention> {
        self.attention().into_iter().chain(&self.cross)
    }
}

/// What a block's tokens learn of each other by.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Mixer {
    Attention(Attention),
    ShortConv(ShortConv),
}

/// A gated convolution over the last tokens: c · conv(b · x), b, c and x being products of the block's input (LFM2:
/// <https://arxiv.org/abs/2511.23404>).
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShortConv {
    /// Tokens that it sees, the present one included.
    pub taps: usize,
    /// Of its products and of the convolution.
    pub bias: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Residual {
    /// x + f(norm(x)), for attention and then for the feed-forward network.
    PreNorm {
        /// Attention has none: the input's own is just before it.
        bare: bool,
    },
    /// norm(x + f(x)): the original Transformer (<https://arxiv.org/abs/1706.03762>).
    PostNorm,
    /// x + norm(f(norm(x)))
    Sandwich,
    /// x + norm(f(x))
    InnerNorm,
    /// x + attention(norm(x)) + feed_forward(norm(x))
    Parallel {
        /// Both branches read one norm.
        #[serde(rename = "sharedNorm")]
        shared_norm: bool,
    },
}

impl Residual {
    pub const PRE_NORM: Self = Residual::PreNorm { bare: false };
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attention {
    pub heads: usize,
    /// Heads of keys and values; each serves heads / kv_heads query heads.
    pub kv_heads: usize,
    pub head_dim: usize,
    /// Multiplies query · key: 1 / √head_dim mostly.
    pub scale: f32,
    /// A query sees no key after itself.
    pub causal: bool,
    /// Rotary positions; none: attention is told none.
    pub rope: Option<Rope>,
    /// A sliding window in tokens, the query's own included; none sees everything.
    pub window: Option<usize>,
    /// Scores become cap · tanh(score / cap).
    pub soft_cap: Option<f32>,
    /// The norm of queries and keys, before RoPE.
    pub qk_norm: QkNorm,
    /// A learned score of no key, for each head, which has its share of the softmax.
    pub sinks: bool,
    pub qkv_bias: bool,
    pub output_bias: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum QkNorm {
    None,
    /// Of each head by itself.
    PerHead,
    /// Of all heads together.
    All,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FeedForward {
    pub width: usize,
    pub activation: Activation,
    /// activation(gate(x)) · up(x) instead of activation(up(x)).
    pub gated: bool,
    pub bias: bool,
    /// There are several of that width, and each token goes through some of them.
    pub experts: Option<Experts>,
}

/// A mixture of experts (<https://arxiv.org/abs/1701.06538>): a product of the block's input scores them.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Experts {
    pub count: usize,
    /// Those with the largest scores.
    pub used: usize,
    /// Their shares of the softmax over all scores are divided by their sum.
    pub renormalise: bool,
    /// Of the scores.
    pub bias: bool,
    /// Gates are gpt-oss': see [`Gating::Clamped`].
    pub limit: Option<f32>,
}

impl FeedForward {
    /// One network without a gate and biases.
    pub fn plain(width: usize, activation: Activation) -> Self {
        Self { width, activation, gated: false, bias: false, experts: None }
    }

    /// How gates and products become one, in a mixture of experts.
    pub fn gating(&self) -> Gating {
        match self.experts.and_then(|experts| experts.limit) {
            Some(limit) => Gating::Clamped { limit },
            None => Gating::Plain(self.activation),
        }
    }

    /// How many experts there are, and what they count; of a network by itself none.
    pub fn routing(&self) -> Routing {
        let Some(Experts { count, used, renormalise, .. }) = self.experts else {
            return Routing { experts: 0, used: 0, renormalise: false };
        };
        Routing { experts: count, used, renormalise }
    }

    /// Values of a token inside it.
    pub fn inner(&self) -> usize {
        self.width.saturating_mul(self.experts.map_or(1, |experts| experts.used))
    }
}

impl Attention {
    /// As many heads of keys as of queries, without positions, norms or biases; each query sees everything.
    pub fn plain(heads: usize, head_dim: usize) -> Self {
        Self {
            heads,
            kv_heads: heads,
            head_dim,
            scale: (head_dim as f32).sqrt().recip(),
            causal: false,
            rope: None,
            window: None,
            soft_cap: None,
            qk_norm: QkNorm::None,
            sinks: false,
            qkv_bias: false,
            output_bias: false,
        }
    }

    /// Values of all query heads.
    pub fn queries(&self) -> usize {
        self.heads.saturating_mul(self.head_dim)
    }

    /// Values of all heads of keys.
    pub fn keys(&self) -> usize {
        self.kv_heads.saturating_mul(self.head_dim)
    }

    pub fn shape(&self) -> AttentionShape {
        AttentionShape {
            heads: self.heads,
            kv_heads: self.kv_heads,
            head_dim: self.head_dim,
            scale: self.scale,
            causal: self.causal,
            window: self.window,
            soft_cap: self.soft_cap,
        }
    }
}
