//! ViT: patches of an image as tokens, after a class token; LayerNorm before attention and feed-forward, GELU.
//!
//! Paper: <https://arxiv.org/abs/2010.11929>. Checkpoints: `google/vit-base-patch16-224`, …

use super::config::Config;
use super::{Names, Role};
use crate::device::Activation;
use crate::error::Result;
use crate::model::check::check_width;
use crate::model::patches::Patches;
use crate::model::spec::{Attention, FeedForward, Head, Norm, Pooling, Spec, StackInput};

/// What transformers takes where `config.json` does not say.
const EPSILON: f64 = 1e-12;
const PATCH: usize = 16;

pub fn spec(config: &Config) -> Result<Spec> {
    let (layers, width) = (config.layers("num_hidden_layers")?, check_width("width", config.required("hidden_size")?)?);
    let heads = config.required("num_attention_heads")?;
    let [image, patch] = config.image_and_patch(PATCH)?;
    let patches = Patches::plain(config.count("num_channels", 3)?, image, patch);
    let input = StackInput::Patches(Patches { bias: true, class_token: true, ..patches });
    let attention = Attention {
        qkv_bias: config.flag("qkv_bias", true)?,
        output_bias: true,
        ..Attention::plain(heads, config.head_dim(width, heads)?)
    };
    let inner = config.count("intermediate_size", 4 * width)?;
    let activation = config.activation("hidden_act", Activation::Gelu)?;
    let feed_forward = FeedForward { bias: true, ..FeedForward::plain(inner, activation) };
    let norm = Norm::Layer { epsilon: config.number("layer_norm_eps", EPSILON)? as f32, bias: true };
    let spec = Spec::uniform(width, input, norm, layers, attention, feed_forward);
    Ok(Spec { head: head(config, Pooling::ClassToken)?, ..spec })
}

/// A classifier where the checkpoint is one of a class that has it.
pub fn head(config: &Config, pooling: Pooling) -> Result<Head> {
    match config.is_class("ForImageClassification") || config.class().is_none() {
        true => config.classes(pooling, None),
        false => Ok(Head::None { pooler: false }),
    }
}

/// transformers' tensor names, DeiT's among them.
pub const NAMES: Names = Names {
    prefix: "vit.",
    parts: &[
        (Role::PatchEmbedding, "embeddings.patch_embeddings.projection"),
        (Role::ClassToken, "embeddings.cls_token"),
        (Role::DistillationToken, "embeddings.distillation_token"),
        (Role::Positions, "embeddings.position_embeddings"),
        (Role::OutputNorm, "layernorm"),
        (Role::Head, "classifier"),
        (Role::Head, "cls_classifier"),
        (Role::DistillationHead, "distillation_classifier"),
        (Role::AttentionNorm, "encoder.layer.{}.layernorm_before"),
        (Role::Query, "encoder.layer.{}.attention.attention.query"),
        (Role::Key, "encoder.layer.{}.attention.attention.key"),
        (Role::Value, "encoder.layer.{}.attention.attention.value"),
        (Role::Output, "encoder.layer.{}.attention.output.dense"),
        (Role::FeedForwardNorm, "encoder.layer.{}.layernorm_after"),
        (Role::Up, "encoder.layer.{}.intermediate.dense"),
        (Role::Down, "encoder.layer.{}.output.dense"),
    ],
    // Of pre-training: the head reads the class token itself.
    ignored: &["pooler.*", "embeddings.mask_token"],
    ..Names::PLAIN
};
