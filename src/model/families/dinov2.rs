//! DINOv2: ViT with LayerScale; with register tokens in some checkpoints, and a gated feed-forward network in the largest.
//! Its classifier reads the class token beside the mean of the patches.
//!
//! Papers: <https://arxiv.org/abs/2304.07193>, registers <https://arxiv.org/abs/2309.16588>. Checkpoints:
//! `facebook/dinov2-small`, `facebook/dinov2-with-registers-small-imagenet1k-1-layer`, …

use super::config::Config;
use super::{Names, Role, vit};
use crate::device::Activation;
use crate::error::Result;
use crate::model::check::check_width;
use crate::model::spec::{Norm, Pooling, Spec, StackInput};

/// What transformers takes where `config.json` does not say.
const EPSILON: f64 = 1e-6;
const PATCH: usize = 14;
const RATIO: f64 = 4.0;
const REGISTERS: usize = 4;

pub fn spec(config: &Config) -> Result<Spec> {
    let with_registers = config.model_type()? == "dinov2_with_registers";
    let mut spec = vit::spec(config)?;
    spec.norm = Norm::Layer { epsilon: config.number("layer_norm_eps", EPSILON)? as f32, bias: true };
    spec.blocks.iter_mut().for_each(|block| block.layer_scale = true);
    spec.head = vit::head(config, Pooling::ClassTokenAndMean)?;
    let width = (spec.width as f64 * config.number("mlp_ratio", RATIO)?) as usize;
    check_width("feed-forward width", width)?;
    let gated = config.flag("use_swiglu_ffn", false)?;
    for feed_forward in spec.feed_forwards() {
        feed_forward.width = width;
        if gated {
            // Two matrices instead of one: narrower, and a multiple of 8.
            feed_forward.width = (width * 2 / 3).next_multiple_of(8);
            (feed_forward.gated, feed_forward.activation) = (true, Activation::Silu);
        }
    }
    if let StackInput::Patches(patches) = &mut spec.input {
        [_, patches.patch] = config.image_and_patch(PATCH)?;
        if with_registers {
            patches.registers = config.count("num_register_tokens", REGISTERS)?;
            patches.antialiased_positions = true;
        }
    }
    Ok(spec)
}

/// transformers' tensor names.
pub const NAMES: Names = Names { prefix: "dinov2.", ..WITH_REGISTERS };

pub const WITH_REGISTERS: Names = Names {
    prefix: "dinov2_with_registers.",
    // Of pre-training.
    ignored: &["embeddings.mask_token"],
    ..vit::NAMES.with(&[
        (Role::Registers, "embeddings.register_tokens"),
        (Role::Head, "classifier"),
        (Role::AttentionNorm, "encoder.layer.{}.norm1"),
        (Role::AttentionScale, "encoder.layer.{}.layer_scale1.lambda1"),
        (Role::FeedForwardNorm, "encoder.layer.{}.norm2"),
        (Role::Gate, "encoder.layer.{}.mlp.weights_in"),
        (Role::Up, "encoder.layer.{}.mlp.weights_in"),
        (Role::Up, "encoder.layer.{}.mlp.fc1"),
        (Role::Down, "encoder.layer.{}.mlp.fc2"),
        (Role::Down, "encoder.layer.{}.mlp.weights_out"),
        (Role::FeedForwardScale, "encoder.layer.{}.layer_scale2.lambda1"),
    ])
};
