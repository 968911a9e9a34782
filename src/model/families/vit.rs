//! ViT: patches of an image as tokens, after a class token; LayerNorm before attention and feed-forward, GELU.
//!
//! Paper: <https://arxiv.org/abs/2010.11929>. Checkpoints: `google/vit-base-patch16-224`, …

use super::config::Config;
use super::{Names, Part};
use crate::device::Activation;
use crate::error::Result;
use crate::model::spec::{Attention, FeedForward, Head, Input, Norm, Patches, Pooling, Residual, Spec, check_layers};

/// What transformers takes where `config.json` does not say.
const EPSILON: f32 = 1e-12;
const PATCH: usize = 16;

pub fn spec(config: &Config) -> Result<Spec> {
    let layers = check_layers(config.num_hidden_layers)?;
    let heads = config.num_attention_heads;
    let [image, patch] = config.image_and_patch(PATCH);
    let qkv_bias = config.qkv_bias.unwrap_or(true);
    Ok(Spec {
        architecture: config.model_type.clone(),
        layers,
        width: config.hidden_size,
        input: Input::Patches(Patches {
            channels: config.num_channels.unwrap_or(3),
            image,
            patch,
            distillation_token: false,
            registers: 0,
            antialiased_positions: false,
        }),
        norm: Norm::Layer { epsilon: config.layer_norm_eps.unwrap_or(EPSILON) },
        residual: Residual::PreNorm,
        layer_scale: false,
        attention: Attention {
            heads,
            kv_heads: heads,
            head_dim: config.hidden_size.checked_div(heads).unwrap_or(0),
            causal: false,
            rope: None,
            windows: vec![None; layers],
            head_norm: false,
            qkv_bias,
            output_bias: true,
        },
        feed_forward: FeedForward {
            width: config.intermediate_size,
            activation: config.activation(Activation::Gelu)?,
            gated: false,
            bias: true,
        },
        head: head(config, Pooling::ClassToken)?,
    })
}

/// A classifier where the checkpoint is one of a class that has it.
pub fn head(config: &Config, pooling: Pooling) -> Result<Head> {
    match config.is_class("ForImageClassification") || config.architectures.is_empty() {
        true => Ok(Head::Classes { classes: config.labels()?.len(), pooling }),
        false => Ok(Head::None),
    }
}

/// transformers' tensor names, DeiT's among them.
pub const NAMES: Names = Names {
    prefix: "vit.",
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
    // Of pre-training: the head reads the class token itself.
    ignored: &["pooler.dense", "pooler.dense.bias", "embeddings.mask_token"],
};
