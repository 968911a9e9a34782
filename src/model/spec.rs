//! A model as data: every choice that tells one transformer from another, and nothing else.
//!
//! A family turns its configuration into a [`Spec`]; the forward pass reads it. A new family that
//! brings a new choice adds a variant here, its CPU and GPU code, and a test.

use super::rope::Rope;
use crate::device::{Activation, AttentionShape, Patching};
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
    pub input: Input,
    pub norm: Norm,
    pub residual: Residual,
    /// The branches are scaled, value by value, before they join the residual: LayerScale.
    pub layer_scale: bool,
    pub attention: Attention,
    pub feed_forward: FeedForward,
    pub head: Head,
}

/// What the first block reads.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Input {
    Tokens {
        vocabulary: usize,
        /// Tokens that the model was made for.
        context: usize,
    },
    Patches(Patches),
}

/// An image's patches after the class token and its like, each with a learned position.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Patches {
    pub channels: usize,
    /// Height and width of the images that the positions were learned on, in pixels.
    pub image: [usize; 2],
    /// Height and width of a patch.
    pub patch: [usize; 2],
    /// DeiT's second class token.
    pub distillation_token: bool,
    /// Register tokens, which have no position.
    pub registers: usize,
    /// Positions for smaller images are averaged over more of the learned ones.
    pub antialiased_positions: bool,
}

impl Patches {
    /// Tokens before the patches.
    pub fn before(&self) -> usize {
        1 + usize::from(self.distillation_token) + self.registers
    }

    /// How images of some size are cut.
    pub fn patching(&self, height: usize, width: usize) -> Patching {
        let (channels, patch) = (self.channels, self.patch);
        // Kernels take four values at a time.
        let columns = (channels * patch[0] * patch[1]).next_multiple_of(4);
        Patching { channels, height, width, patch, before: self.before(), columns }
    }
}

/// What becomes of the last block's output, after its norm.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Head {
    /// The next token's logits.
    Vocabulary {
        /// The head is the embedding table.
        tied: bool,
    },
    /// The logits of classes.
    Classes { classes: usize, pooling: Pooling },
    /// The hidden states are the result.
    None,
}

/// Which tokens a classifier reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    ClassToken,
    /// The mean of two classifiers' logits: the class token's and the distillation token's.
    BothTokens,
    /// The class token beside the mean of the patches.
    ClassTokenAndMean,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Norm {
    /// x / √(mean x² + epsilon) · weight
    Rms { epsilon: f32 },
    /// (x − mean x) / √(variance x + epsilon) · weight + bias
    Layer { epsilon: f32 },
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
    /// A query sees no key after itself.
    pub causal: bool,
    pub rope: Option<Rope>,
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
    /// Where a layer's keys and values are kept: those that no later token sees make room for the next layer's.
    pub fn cache_layer(&self, layer: usize) -> usize {
        if self.causal { layer } else { 0 }
    }

    pub fn shape(&self, layer: usize) -> AttentionShape {
        AttentionShape {
            heads: self.heads,
            kv_heads: self.kv_heads,
            head_dim: self.head_dim,
            scale: (self.head_dim as f32).sqrt().recip(),
            causal: self.causal,
            window: self.windows[layer],
            soft_cap: None,
            block: None,
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
    /// Token ids that there are; 0 for images.
    pub fn vocabulary(&self) -> usize {
        match self.input {
            Input::Tokens { vocabulary, .. } => vocabulary,
            Input::Patches(_) => 0,
        }
    }

    /// Tokens of a sequence that the model was made for.
    pub fn context(&self) -> usize {
        match &self.input {
            Input::Tokens { context, .. } => *context,
            Input::Patches(patches) => patches.patching(patches.image[0], patches.image[1]).tokens(),
        }
    }

    /// Refuses numbers that cannot be, before anything is allocated from them.
    pub fn check(self) -> Result<Self> {
        self.check_sizes()?;
        let attention = &self.attention;
        if !attention.heads.is_multiple_of(attention.kv_heads) {
            let (heads, kv_heads) = (attention.heads, attention.kv_heads);
            return Err(Error::corrupt(format!("{heads} heads are not a multiple of {kv_heads} KV heads")));
        }
        if let Some(Rope { dims, theta, .. }) = attention.rope {
            if !dims.is_multiple_of(2) || dims > attention.head_dim || dims == 0 {
                return Err(Error::corrupt(format!("{dims} rotary dimensions in heads of {}", attention.head_dim)));
            }
            if !(theta.is_finite() && theta > 1.0) {
                return Err(Error::corrupt(format!("rope theta {theta}, expected a number above 1")));
            }
        }
        let (Norm::Rms { epsilon } | Norm::Layer { epsilon }) = self.norm;
        if !(epsilon.is_finite() && epsilon >= 0.0) {
            return Err(Error::corrupt(format!("norm epsilon {epsilon}, expected a small positive number")));
        }
        Ok(self)
    }

    fn check_sizes(&self) -> Result<()> {
        let (attention, mut sizes) = (&self.attention, Vec::new());
        match &self.input {
            Input::Tokens { vocabulary, context } => {
                sizes.extend([("vocabulary size", *vocabulary), ("context length", *context)])
            }
            Input::Patches(Patches { channels, image, patch, .. }) => {
                if ![1, 3].contains(channels) {
                    return Err(Error::unsupported(format!("images of {channels} channels (supported: 1 and 3)")));
                }
                sizes.extend(image.iter().chain(patch).map(|size| ("image or patch size", *size)));
                if patch.iter().zip(image).any(|(patch, image)| patch > image) {
                    return Err(Error::corrupt(format!("patches of {patch:?} in images of {image:?}")));
                }
            }
        }
        if let Head::Classes { classes, .. } = self.head {
            sizes.push(("number of classes", classes));
        }
        sizes.extend([
            ("width", self.width),
            ("heads", attention.heads),
            ("KV heads", attention.kv_heads),
            ("head size", attention.head_dim),
            ("feed-forward width", self.feed_forward.width),
        ]);
        match sizes.into_iter().find(|(_, value)| *value == 0 || *value > LIMIT) {
            Some((what, value)) => Err(Error::corrupt(format!("{what}: {value}, expected 1 to {LIMIT}"))),
            None => Ok(()),
        }
    }
}
