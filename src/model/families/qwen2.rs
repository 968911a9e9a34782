//! Qwen 2 and 2.5: Llama's block with biases on queries, keys and values, and a sliding window in
//! the upper layers where the configuration turns it on.
//!
//! Paper: <https://arxiv.org/abs/2407.10671>. Checkpoints: `Qwen/Qwen2.5-0.5B-Instruct`, …

use super::config::Config;
use super::llama;
use crate::error::Result;
use crate::model::spec::Spec;

pub fn spec(config: &Config) -> Result<Spec> {
    let mut spec = llama::block(config, 10_000.0, None)?;
    spec.attentions().for_each(|attention| attention.qkv_bias = true);
    windows(config, spec)
}

/// Gives the upper layers their window.
pub fn windows(config: &Config, mut spec: Spec) -> Result<Spec> {
    if config.flag("use_sliding_window", false)? {
        let window = config.optional_count("sliding_window")?;
        let first = config.count("max_window_layers", usize::MAX)?;
        let local = config.local_layers(spec.layers(), |layer| layer >= first)?;
        spec.set_windows(&local, window);
    }
    Ok(spec)
}
