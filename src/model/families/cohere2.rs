//! Cohere 2: Cohere's block; three layers with RoPE and a sliding window for each that sees everything and has no positions.
//!
//! Paper: <https://arxiv.org/abs/2504.00698>. Checkpoints: `CohereLabs/c4ai-command-r7b-12-2024`, …

use super::cohere;
use super::config::Config;
use crate::error::Result;
use crate::model::spec::Spec;

/// What transformers takes where `config.json` does not say.
const WINDOW: usize = 4096;
const PATTERN: usize = 4;
const THETA: f64 = 10_000.0;

pub fn spec(config: &Config) -> Result<Spec> {
    let mut spec = cohere::block(config, THETA)?;
    let pattern = config.count("sliding_window_pattern|_sliding_window_pattern", PATTERN)?;
    let local = config.local_layers(spec.layers(), |layer| !(layer + 1).is_multiple_of(pattern))?;
    spec.set_windows(&local, Some(config.count("sliding_window", WINDOW)?));
    for attention in spec.attentions().filter(|attention| attention.window.is_none()) {
        attention.rope = None;
    }
    Ok(spec)
}
