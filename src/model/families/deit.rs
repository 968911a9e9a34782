//! DeiT: ViT with a second class token, which learned from another network; at the end two classifiers are averaged.
//!
//! Paper: <https://arxiv.org/abs/2012.12877>. Checkpoints: `facebook/deit-base-distilled-patch16-224`, …

use super::config::Config;
use super::{Names, Part, vit};
use crate::error::Result;
use crate::model::spec::{Input, Pooling, Spec};

pub fn spec(config: &Config) -> Result<Spec> {
    let both = config.is_class("WithTeacher");
    let mut spec = vit::spec(config)?;
    spec.head = vit::head(config, if both { Pooling::BothTokens } else { Pooling::ClassToken })?;
    if let Input::Patches(patches) = &mut spec.input {
        patches.distillation_token = true;
    }
    Ok(spec)
}

/// transformers' tensor names.
pub const NAMES: Names = Names {
    prefix: "deit.",
    parts: &[
        (Part::PatchEmbedding, "embeddings.patch_embeddings.projection"),
        (Part::ClassToken, "embeddings.cls_token"),
        (Part::DistillationToken, "embeddings.distillation_token"),
        (Part::Positions, "embeddings.position_embeddings"),
        (Part::OutputNorm, "layernorm"),
        (Part::Head, "classifier"),
        (Part::Head, "cls_classifier"),
        (Part::DistillationHead, "distillation_classifier"),
        (Part::AttentionNorm, "encoder.layer.{}.layernorm_before"),
        (Part::Query, "encoder.layer.{}.attention.attention.query"),
        (Part::Key, "encoder.layer.{}.attention.attention.key"),
        (Part::Value, "encoder.layer.{}.attention.attention.value"),
        (Part::Output, "encoder.layer.{}.attention.output.dense"),
        (Part::FeedForwardNorm, "encoder.layer.{}.layernorm_after"),
        (Part::Up, "encoder.layer.{}.intermediate.dense"),
        (Part::Down, "encoder.layer.{}.output.dense"),
    ],
    ignored: &["pooler.dense", "pooler.dense.bias", "embeddings.mask_token"],
};
