//! What a configuration may say: numbers that cannot be are refused before anything is allocated from them.

use super::patches::Patches;
use super::rope::{Rope, RopeScaling};
use super::spec::{
    Attention, Block, Experts, FeedForward, Head, Mixer, Norm, Pooling, Positions, ScoreBias, Spec, StackInput, Tokens,
};
use crate::error::{Error, Result};

/// No real model has more of anything; a larger number is a damaged or hostile file. In WebAssembly 32 bits count all
/// that sizes are multiplied to.
const LIMIT: usize = 1 << 24;

/// The widest real models have some ten thousand values of a token, and four times as many inside a block.
const MOST_VALUES: usize = 1 << 20;

/// The deepest have some hundred layers, each of some hundred heads.
const MOST_LAYERS: usize = 1 << 10;
const MOST_HEADS: usize = 1 << 12;

/// Of a convolution; real models have three or four.
const MOST_TAPS: usize = 64;

/// Of a layer; real models have some hundred.
const MOST_EXPERTS: usize = 1 << 12;

/// Distances that a table of positions tells apart; T5's are 128.
const MOST_DISTANCES: usize = 1 << 16;

/// Pixels of the side of an image or patch.
const MOST_PIXELS: usize = 1 << 12;

/// Checks a number of layers before anything is made for each.
pub fn check_layers(layers: usize) -> Result<usize> {
    if (1..=MOST_LAYERS).contains(&layers) {
        return Ok(layers);
    }
    Err(Error::corrupt(format!("{layers} layers, expected 1 to {MOST_LAYERS}")))
}

/// Checks a number of something.
pub fn check_count(what: &str, value: usize) -> Result<usize> {
    check_most(what, value, LIMIT)
}

/// Checks a number of heads before anything is made for each.
pub fn check_heads(what: &str, heads: usize) -> Result<usize> {
    check_most(what, heads, MOST_HEADS)
}

/// Checks a number of values of one token.
pub fn check_width(what: &str, width: usize) -> Result<usize> {
    check_most(what, width, MOST_VALUES)
}

fn check_most(what: &str, value: usize, most: usize) -> Result<usize> {
    match (1..=most).contains(&value) {
        true => Ok(value),
        false => Err(Error::corrupt(format!("{what}: {value}, expected 1 to {most}"))),
    }
}

impl Spec {
    /// Errors: corrupt-file for numbers that cannot be, unsupported-model.
    pub fn check(&self) -> Result<()> {
        check_layers(self.layers())?;
        if self.blocks.iter().all(|block| block.attention().is_none()) {
            return Err(Error::unsupported(format!("{} without attention", self.architecture)));
        }
        self.check_sizes()?;
        self.check_blocks()?;
        let (Norm::Rms { epsilon, .. } | Norm::Layer { epsilon, .. }) = self.norm;
        if !(epsilon.is_finite() && epsilon >= 0.0) {
            return Err(Error::corrupt(format!("norm epsilon {epsilon}, expected a small positive number")));
        }
        self.check_head()
    }

    /// What a head reads, and its scale, which lies in the norm before it.
    fn check_head(&self) -> Result<()> {
        let pooling = |allowed: &[Pooling], pooling: Pooling| match allowed.contains(&pooling) {
            true => Ok(()),
            false => Err(Error::unsupported(format!("a {} whose head reads {pooling:?}", self.task()))),
        };
        match (&self.input, &self.head) {
            (StackInput::Tokens(_), Head::Classes(head)) => {
                pooling(&[Pooling::ClassToken, Pooling::Mean, Pooling::Each], head.pooling)
            }
            (StackInput::Patches(_), Head::Classes(head)) => {
                pooling(&[Pooling::ClassToken, Pooling::BothTokens, Pooling::ClassTokenAndMean], head.pooling)
            }
            (StackInput::Tokens(_), Head::Embedding(head)) => match head.pooling {
                Pooling::Token(_) => Ok(()),
                other => pooling(&[Pooling::LargestToken, Pooling::Last], other),
            },
            (StackInput::Patches(_), Head::Embedding(head)) => {
                pooling(&[Pooling::ClassToken, Pooling::Attention], head.pooling)
            }
            (_, Head::Vocabulary(head)) if head.scale != 1.0 && !self.output_norm => {
                Err(Error::unsupported("scaled logits without a norm before the head"))
            }
            _ => Ok(()),
        }
    }

    fn check_blocks(&self) -> Result<()> {
        for block in &self.blocks {
            block.attentions().try_for_each(check_attention)?;
        }
        let first = self.attention();
        let differs = |other: &Attention| (other.kv_heads, other.head_dim) != (first.kv_heads, first.head_dim);
        if self.blocks.iter().flat_map(Block::attentions).any(differs) {
            return Err(Error::unsupported("heads that differ between layers"));
        }
        let head = self.vocabulary_head();
        if let Some(scale) = head.map(|head| head.scale).filter(|scale| !scale.is_finite()) {
            return Err(Error::corrupt(format!("logits scaled by {scale}")));
        }
        head.and_then(|head| head.soft_cap).map_or(Ok(()), check_cap)?;
        match self.score_bias {
            ScoreBias::Buckets { buckets, distance }
                if buckets < 4 || buckets > distance || distance > MOST_DISTANCES =>
            {
                Err(Error::corrupt(format!("{buckets} buckets of distances up to {distance}")))
            }
            _ => Ok(()),
        }
    }

    fn check_sizes(&self) -> Result<()> {
        check_width("width", self.width)?;
        for block in &self.blocks {
            let Block { mixer, feed_forward, layer_scale, .. } = block;
            if let Mixer::ShortConv(conv) = mixer {
                check_most("taps of a convolution", conv.taps, MOST_TAPS)?;
            }
            for attention in block.attentions() {
                check_heads("heads", attention.heads)?;
                check_heads("KV heads", attention.kv_heads)?;
                check_width("head size", attention.head_dim)?;
                check_width("values of all heads", attention.queries())?;
            }
            check_width("feed-forward width", feed_forward.inner())?;
            check_experts(feed_forward, *layer_scale)?;
        }
        match &self.input {
            StackInput::Tokens(tokens) => self.check_tokens(tokens)?,
            StackInput::Patches(patches) => self.check_patches(patches)?,
        }
        match &self.head {
            Head::Classes(head) => check_width("number of classes", head.classes)?,
            Head::Embedding(head) => check_width("width of embeddings", head.width)?,
            Head::Vocabulary(_) | Head::None { .. } => 0,
        };
        Ok(())
    }

    fn check_tokens(&self, tokens: &Tokens) -> Result<()> {
        check_count("vocabulary size", tokens.vocabulary)?;
        check_count("context length", tokens.context)?;
        check_count("types of tokens", tokens.types.saturating_add(1))?;
        match tokens.positions {
            Positions::Learned { offset } => check_count("first position", offset.saturating_add(1))?,
            // No tensor of the checkpoint says that there are so many.
            Positions::Sinusoidal => check_count("values of all positions", tokens.context.saturating_mul(self.width))?,
            Positions::None => 0,
        };
        Ok(())
    }

    fn check_patches(&self, patches: &Patches) -> Result<()> {
        let Patches { channels, image, patch, registers, .. } = patches;
        if ![1, 3].contains(channels) {
            return Err(Error::unsupported(format!("images of {channels} channels (supported: 1 and 3)")));
        }
        for side in image.iter().chain(patch) {
            check_most("image or patch size", *side, MOST_PIXELS)?;
        }
        if patch.iter().zip(image).any(|(patch, image)| patch > image) {
            return Err(Error::corrupt(format!("patches of {patch:?} in images of {image:?}")));
        }
        check_count("register tokens", registers.saturating_add(1))?;
        let tokens = patches.patching(image[0], image[1]).tokens();
        check_count("values of an image's tokens", tokens.saturating_mul(self.width))?;
        Ok(())
    }
}

fn check_attention(attention: &Attention) -> Result<()> {
    if !attention.heads.is_multiple_of(attention.kv_heads) {
        let (heads, kv_heads) = (attention.heads, attention.kv_heads);
        return Err(Error::corrupt(format!("{heads} heads are not a multiple of {kv_heads} KV heads")));
    }
    if let Some(rope @ Rope { dims, theta, .. }) = &attention.rope {
        if !dims.is_multiple_of(2) || *dims > attention.head_dim || *dims == 0 {
            return Err(Error::corrupt(format!("{dims} rotary dimensions in heads of {}", attention.head_dim)));
        }
        if !(theta.is_finite() && *theta > 1.0) {
            return Err(Error::corrupt(format!("rope theta {theta}, expected a number above 1")));
        }
        if let RopeScaling::LongRope { short, long, .. } = &rope.scaling
            && [short, long].iter().any(|factors| factors.len() != dims / 2)
            && !rope.scaling.is_in_tensors()
        {
            let message = format!("{} and {} factors of RoPE for {} pairs", short.len(), long.len(), dims / 2);
            return Err(Error::corrupt(message));
        }
        if !rope.magnitude().is_finite() {
            return Err(Error::corrupt(format!("RoPE's magnitude {}", rope.magnitude())));
        }
    }
    if let Some(window) = attention.window.filter(|window| *window == 0 || *window > LIMIT) {
        return Err(Error::corrupt(format!("a window of {window} tokens, expected 1 to {LIMIT}")));
    }
    if !attention.scale.is_finite() {
        return Err(Error::corrupt(format!("scores scaled by {}", attention.scale)));
    }
    attention.soft_cap.map_or(Ok(()), check_cap)
}

fn check_cap(cap: f32) -> Result<()> {
    match cap.is_finite() && cap > 0.0 {
        true => Ok(()),
        false => Err(Error::corrupt(format!("values capped at {cap}, expected a positive number"))),
    }
}

fn check_experts(feed_forward: &FeedForward, layer_scale: bool) -> Result<()> {
    let Some(Experts { count, used, limit, .. }) = feed_forward.experts else { return Ok(()) };
    check_most("experts", count, MOST_EXPERTS)?;
    check_most("experts of a token", used, count)?;
    if !feed_forward.gated || layer_scale {
        return Err(Error::unsupported("experts without gates, or with LayerScale"));
    }
    match limit.filter(|limit| !(limit.is_finite() && *limit > 0.0)) {
        Some(limit) => Err(Error::corrupt(format!("gates clamped at {limit}, expected a positive number"))),
        None => Ok(()),
    }
}
