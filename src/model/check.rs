//! What a configuration may say: numbers that cannot be are refused before anything is allocated from them.

use super::patches::Patches;
use super::rope::Rope;
use super::spec::{Head, Input, Norm, Positions, ScoreBias, Spec, Tokens};
use crate::error::{Error, Result};

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

/// Checks a number of something.
pub fn check_count(what: &str, value: usize) -> Result<usize> {
    match (1..=LIMIT).contains(&value) {
        true => Ok(value),
        false => Err(Error::corrupt(format!("{what}: {value}, expected 1 to {LIMIT}"))),
    }
}

impl Spec {
    /// Errors: corrupt-file for numbers that cannot be, unsupported-model.
    pub fn check(self) -> Result<Self> {
        self.check_sizes()?;
        self.check_attention()?;
        let (Norm::Rms { epsilon, .. } | Norm::Layer { epsilon, .. }) = self.norm;
        if !(epsilon.is_finite() && epsilon >= 0.0) {
            return Err(Error::corrupt(format!("norm epsilon {epsilon}, expected a small positive number")));
        }
        let second = self.second.clone().map(|second| second.check()).transpose()?;
        if let Some(second) = second.filter(|second| self.cross_attention && second.width != self.width) {
            let message = format!("an encoder of width {} under a decoder of {}", second.width, self.width);
            return Err(Error::unsupported(message));
        }
        self.check_matching()?;
        Ok(self)
    }

    /// Texts and images have vectors of one width.
    fn check_matching(&self) -> Result<()> {
        let second = self.second.as_deref().map(|second| &second.head);
        match (&self.head, second) {
            (Head::Embedding(text), Some(Head::Embedding(image))) if text.width != image.width => {
                let message = format!("vectors of {} values for texts and {} for images", text.width, image.width);
                Err(Error::unsupported(message))
            }
            _ => Ok(()),
        }
    }

    fn check_attention(&self) -> Result<()> {
        let attention = &self.attention;
        if !attention.heads.is_multiple_of(attention.kv_heads) {
            let (heads, kv_heads) = (attention.heads, attention.kv_heads);
            return Err(Error::corrupt(format!("{heads} heads are not a multiple of {kv_heads} KV heads")));
        }
        for Rope { dims, theta, .. } in &attention.ropes {
            if !dims.is_multiple_of(2) || *dims > attention.head_dim || *dims == 0 {
                return Err(Error::corrupt(format!("{dims} rotary dimensions in heads of {}", attention.head_dim)));
            }
            if !(theta.is_finite() && *theta > 1.0) {
                return Err(Error::corrupt(format!("rope theta {theta}, expected a number above 1")));
            }
        }
        if let Some(window) = attention.windows.iter().flatten().find(|window| **window == 0 || **window > LIMIT) {
            return Err(Error::corrupt(format!("a window of {window} tokens, expected 1 to {LIMIT}")));
        }
        if !attention.scale.is_finite() {
            return Err(Error::corrupt(format!("scores scaled by {}", attention.scale)));
        }
        let head = self.vocabulary_head();
        if let Some(scale) = head.map(|head| head.scale).filter(|scale| !scale.is_finite()) {
            return Err(Error::corrupt(format!("logits scaled by {scale}")));
        }
        let cap = head.and_then(|head| head.soft_cap);
        if let Some(cap) = cap.iter().chain(&attention.soft_cap).find(|cap| !(cap.is_finite() && **cap > 0.0)) {
            return Err(Error::corrupt(format!("values capped at {cap}, expected a positive number")));
        }
        match attention.bias {
            ScoreBias::Buckets { buckets, distance } if buckets < 4 || buckets > distance || distance > LIMIT => {
                Err(Error::corrupt(format!("{buckets} buckets of distances up to {distance}")))
            }
            _ => Ok(()),
        }
    }

    fn check_sizes(&self) -> Result<()> {
        let attention = &self.attention;
        match &self.input {
            Input::Tokens(Tokens { vocabulary, context, positions, types, .. }) => {
                check_count("vocabulary size", *vocabulary)?;
                check_count("context length", *context)?;
                check_count("types of tokens", types + 1)?;
                if let Positions::Learned { offset } = positions {
                    check_count("first position", offset + 1)?;
                }
            }
            Input::Patches(Patches { channels, image, patch, .. }) => {
                if ![1, 3].contains(channels) {
                    return Err(Error::unsupported(format!("images of {channels} channels (supported: 1 and 3)")));
                }
                for side in image.iter().chain(patch) {
                    check_count("image or patch size", *side)?;
                }
                if patch.iter().zip(image).any(|(patch, image)| patch > image) {
                    return Err(Error::corrupt(format!("patches of {patch:?} in images of {image:?}")));
                }
            }
        }
        match &self.head {
            Head::Classes(head) => check_count("number of classes", head.classes)?,
            Head::Embedding(head) => check_count("width of embeddings", head.width)?,
            Head::Vocabulary(_) | Head::None { .. } => 0,
        };
        check_count("width", self.width)?;
        check_count("heads", attention.heads)?;
        check_count("KV heads", attention.kv_heads)?;
        check_count("head size", attention.head_dim)?;
        check_count("feed-forward width", self.feed_forward.width)?;
        Ok(())
    }
}
