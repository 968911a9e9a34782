//! Gemma 3: Gemma 2's block with a norm on each query and key head instead of the caps; five layers with a sliding window
//! for each that sees everything, whose RoPE turns more slowly.
//!
//! Paper: <https://arxiv.org/abs/2503.19786>. Checkpoints, of text only: `google/gemma-3-270m-it`,
//! `google/gemma-3-1b-it`, …

use super::config::Config;
use super::gemma2;
use crate::error::Result;
use crate::model::rope::Rope;
use crate::model::spec::{HeadNorm, Spec};

/// What transformers takes where `config.json` does not say.
const PATTERN: usize = 6;
const THETA: f64 = 1_000_000.0;
const LOCAL_THETA: f64 = 10_000.0;

pub fn spec(config: &Config) -> Result<Spec> {
    // The configuration has Gemma 2's cap of scores, too, and transformers' code does not look at it.
    let mut spec = gemma2::block(config, None)?;
    spec.architecture = "gemma3".to_owned();
    let pattern = config.count("sliding_window_pattern|_sliding_window_pattern", PATTERN)?;
    let by_pattern = || (1..=spec.layers).map(|layer| !layer.is_multiple_of(pattern)).collect();
    let local: Vec<bool> = config.local_layers(spec.layers)?.unwrap_or_else(by_pattern);
    spec.attention.head_norm = HeadNorm::Each;
    spec.attention.ropes = ropes(config, spec.attention.head_dim)?;
    spec.attention.turns = local.iter().map(|local| Some(usize::from(*local))).collect();
    gemma2::windows(config, spec, &local)
}

/// Of the layers that see everything, and of the local ones.
fn ropes(config: &Config, head_dim: usize) -> Result<Vec<Rope>> {
    let today = config.part("rope_parameters")?;
    let rope = |kind, names, default| {
        let kind = today.part(kind)?;
        let theta = kind.number("rope_theta", config.number(names, default)?)?;
        kind.refuse_partial()?;
        config.rope_of(&kind, head_dim, theta)
    };
    let mut ropes = vec![rope("full_attention", "rope_theta", THETA)?];
    ropes.push(rope("sliding_attention", "rope_local_base_freq", LOCAL_THETA)?);
    if config.has("rope_scaling") {
        ropes[0] = config.rope_of(&config.part("rope_scaling")?, head_dim, ropes[0].theta)?;
    }
    Ok(ropes)
}
