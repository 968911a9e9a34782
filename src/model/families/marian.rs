//! Marian: translation models; BART with computed positions and without a norm of the input.
//!
//! Paper: <https://arxiv.org/abs/1804.00344>. Checkpoints: `Helsinki-NLP/opus-mt-en-de`, `Helsinki-NLP/opus-mt-zh-en`, …

use super::bart;
use super::config::Config;
use crate::error::Result;
use crate::model::spec::{Positions, Spec};

pub fn specs(config: &Config) -> Result<[Spec; 2]> {
    config.expect("share_encoder_decoder_embeddings", true)?;
    config.expect("decoder_vocab_size", config.required("vocab_size")?)?;
    config.expect("static_position_embeddings", true)?;
    config.refuse("normalize_embedding")?;
    bart::both(config, Positions::Sinusoidal)
}
