//! DeiT: ViT with a second class token, which learned from another network; at the end two classifiers are averaged.
//!
//! Paper: <https://arxiv.org/abs/2012.12877>. Checkpoints: `facebook/deit-base-distilled-patch16-224`, …

use super::config::Config;
use super::{Names, vit};
use crate::error::Result;
use crate::model::spec::{Pooling, Spec};

pub fn spec(config: &Config) -> Result<Spec> {
    let both = config.is_class("WithTeacher");
    let mut spec = vit::spec(config)?;
    spec.head = vit::head(config, if both { Pooling::BothTokens } else { Pooling::ClassToken })?;
    spec.patches().for_each(|patches| patches.distillation_token = true);
    Ok(spec)
}

/// transformers' tensor names.
pub const NAMES: Names = Names { prefix: "deit.", ..vit::NAMES };
