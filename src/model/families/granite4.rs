//! Granite 4: Granite's block with gate and up in one matrix; of the family, the models without recurrences and without a
//! mixture of experts.
//!
//! Announcement: <https://github.com/ibm-granite/granite-4.0-nano-language-models>. Checkpoints:
//! `ibm-granite/granite-4.0-350m`, `ibm-granite/granite-4.0-1b`, …

use super::config::Config;
use super::{Names, Role, granite, llama};
use crate::error::{Error, Result};
use crate::model::spec::Spec;

pub fn spec(config: &Config) -> Result<Spec> {
    let types = config.list("layer_types|layers_block_type")?.unwrap_or_default();
    let layers = config.layers("num_hidden_layers")?;
    // Attention has two names; a layer that is not named is a recurrence.
    let recurrent = |ty: &&serde_json::Value| !matches!(ty.as_str(), Some("attention" | "full_attention"));
    if let Some(ty) = types.iter().find(recurrent) {
        return Err(Error::unsupported(format!("layer type {ty}")));
    }
    if types.len() != layers {
        return Err(Error::unsupported(format!("\"layer_types\" of {} layers for {layers}", types.len())));
    }
    let mut spec = llama::block(config, 10_000.0, None)?;
    match config.text("position_embedding_type")? {
        Some("rope") => {}
        Some("nope") | None => spec.attentions().for_each(|attention| attention.rope = None),
        Some(other) => return Err(Error::unsupported(format!("\"position_embedding_type\": {other:?}"))),
    }
    let width = config.count("shared_intermediate_size", 1024)?;
    spec.feed_forwards().for_each(|feed_forward| feed_forward.width = width);
    granite::multiply(config, spec)
}

/// transformers' tensor names.
pub const NAMES: Names = llama::NAMES.with(&[
    (Role::Gate, "layers.{}.shared_mlp.input_linear"),
    (Role::Up, "layers.{}.shared_mlp.input_linear"),
    (Role::Down, "layers.{}.shared_mlp.output_linear"),
]);
