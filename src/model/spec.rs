//! A model as data: every choice that tells one transformer from another, and nothing else.
//!
//! A family turns its configuration into a [`Spec`]; the forward pass reads it. A new family that
//! brings a new choice adds a variant here, its CPU and GPU code, and a test.

use super::rope::Rope;
use crate::device::{Activation, AttentionShape};
use crate::error::{Error, Result};
use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// The family: "llama", "qwen3", …
    pub architecture: String,
    pub layers: usize,
    /// Values per token between the blocks.
    pub width: usize,
    pub vocabulary: usize,
    /// Tokens that the model was made for.
    pub context: usize,
    pub norm: Norm,
    pub residual: Residual,
    pub attention: Attention,
    pub feed_forward: FeedForward,
    /// The head is the embedding table.
    pub tied_head: bool,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Norm {
    /// x / √(mean x² + epsilon) · weight
    Rms { epsilon: f32 },
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Residual {
    /// x + f(norm(x)), for attention and then for the feed-forward network.
    PreNorm,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attention {
    pub heads: usize,
    /// Heads of keys and values; each serves heads / kv_heads query heads.
    pub kv_heads: usize,
    pub head_dim: usize,
    pub rope: Rope,
    /// Each layer's sliding window in tokens, the query's own included; none sees everything.
    pub windows: Vec<Option<usize>>,
    /// The norm of each query and key head, before RoPE.
    pub head_norm: bool,
    pub qkv_bias: bool,
    pub output_bias: bool,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FeedForward {
    pub width: usize,
    pub activation: Activation,
    /// activation(gate(x)) · up(x) instead of activation(up(x)).
    pub gated: bool,
    pub bias: bool,
}

impl Attention {
    pub fn shape(&self, layer: usize) -> AttentionShape {
        AttentionShape {
            heads: self.heads,
            kv_heads: self.kv_heads,
            head_dim: self.head_dim,
            scale: (self.head_dim as f32).sqrt().recip(),
            causal: true,
            window: self.windows[layer],
            soft_cap: None,
        }
    }
}

/// No real model has more of anything; a larger number is a damaged or hostile file.
const LIMIT: usize = 1 << 24;

/// The deepest real models have some hundred layers.
const MOST_LAYERS: usize = 1 << 12;

/// Checks a number of layers before anything is made for each.
pub fn check_layers(layers: usize) -> Result<usize> {
    if (1..=MOST_LAYERS).contains(&layers) {
        return Ok(layers);
    }
    Err(Error::corrupt(format!("{layers} layers, expected 1 to {MOST_LAYERS}")))
}

impl Spec {
    /// Refuses numbers that cannot be, before anything is allocated from them.
    pub fn check(self) -> Result<Self> {
        let attention = &self.attention;
        for (what, value) in [
            ("width", self.width),
            ("vocabulary size", self.vocabulary),
            ("context length", self.context),
            ("heads", attention.heads),
            ("KV heads", attention.kv_heads),
            ("head size", attention.head_dim),
            ("feed-forward width", self.feed_forward.width),
        ] {
            if value == 0 || value > LIMIT {
                return Err(Error::corrupt(format!("{what}: {value}, expected 1 to {LIMIT}")));
            }
        }
        if !attention.heads.is_multiple_of(attention.kv_heads) {
            let (heads, kv_heads) = (attention.heads, attention.kv_heads);
            return Err(Error::corrupt(format!("{heads} heads are not a multiple of {kv_heads} KV heads")));
        }
        let dims = attention.rope.dims;
        if !dims.is_multiple_of(2) || dims > attention.head_dim || dims == 0 {
            return Err(Error::corrupt(format!("{dims} rotary dimensions in heads of {}", attention.head_dim)));
        }
        let theta = attention.rope.theta;
        if !(theta.is_finite() && theta > 1.0) {
            return Err(Error::corrupt(format!("rope theta {theta}, expected a number above 1")));
        }
        let Norm::Rms { epsilon } = self.norm;
        if !(epsilon.is_finite() && epsilon >= 0.0) {
            return Err(Error::corrupt(format!("norm epsilon {epsilon}, expected a small positive number")));
        }
        Ok(self)
    }
}
