//! OPT: GPT-2's block with ReLU and learned positions that begin at 2.
//!
//! Paper: <https://arxiv.org/abs/2205.01068>. Checkpoints: `facebook/opt-125m`, `facebook/opt-1.3b`, … (not
//! `facebook/opt-350m`, whose embeddings are narrower than its blocks).

use super::config::Config;
use super::{Names, Role, bart, gpt2};
use crate::device::Activation;
use crate::error::Result;
use crate::model::spec::{Positions, Residual, Spec};

pub fn spec(config: &Config) -> Result<Spec> {
    let context = config.count("max_position_embeddings", 2048)?;
    let mut spec = gpt2::block(config, context, Activation::Relu)?;
    config.expect("word_embed_proj_dim", spec.width)?;
    config.expect("layer_norm_elementwise_affine", true)?;
    spec.set_biases(config.flag("enable_bias", true)?);
    let before = config.flag("do_layer_norm_before", true)?;
    if !before {
        spec.set_residual(Residual::PostNorm);
    }
    spec.output_norm = before && !config.flag("_remove_final_layer_norm", false)?;
    spec.tokens().for_each(|tokens| tokens.positions = Positions::Learned { offset: 2 });
    Ok(spec)
}

/// transformers' tensor names.
pub const NAMES: Names = Names {
    ignored: &[],
    ..bart::DECODER.with(&[
        (Role::Embedding, "decoder.embed_tokens"),
        (Role::OutputNorm, "decoder.final_layer_norm"),
        (Role::Head, "lm_head"),
    ])
};
