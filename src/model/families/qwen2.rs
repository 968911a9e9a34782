//! Qwen 2 and 2.5: Llama's block with biases on queries, keys and values, and a sliding window in
//! the upper layers where the configuration turns it on.
//!
//! Paper: <https://arxiv.org/abs/2407.10671>. Checkpoints: `Qwen/Qwen2.5-0.5B-Instruct`, …

use super::config::Config;
use super::llama;
use crate::error::Result;
use crate::model::spec::Spec;

pub fn spec(config: &Config) -> Result<Spec> {
    let mut spec = block(config)?;
    spec.attentions().for_each(|attention| attention.qkv_bias = true);
    Ok(spec)
}

/// Without biases.
pub fn block(config: &Config) -> Result<Spec> {
    let mut spec = llama::block(config, 10_000.0, None)?;
    spec.head = llama::head(config, false)?;
    if config.flag("use_sliding_window", false)? {
        let window = config.optional_count("sliding_window")?;
        let first = config.count("max_window_layers", usize::MAX)?;
        let local = config.local_layers(spec.layers())?;
        let local = local.unwrap_or_else(|| (0..spec.layers()).map(|layer| layer >= first).collect());
        spec.set_windows(&local, window);
    }
    Ok(spec)
}
