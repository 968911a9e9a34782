//! Qwen 2 and 2.5: Llama's block with biases on queries, keys and values, and a sliding window in
//! the upper layers where the configuration turns it on.
//!
//! Paper: <https://arxiv.org/abs/2407.10671>. Checkpoints: `Qwen/Qwen2.5-0.5B-Instruct`, …

use super::config::Config;
use super::llama;
use crate::error::Result;
use crate::model::spec::Spec;

pub fn spec(config: &Config) -> Result<Spec> {
    let mut spec = llama::spec(config)?;
    let window = config.sliding_window.filter(|_| config.use_sliding_window);
    spec.attention.windows = config.windows_by_layer(window)?;
    spec.attention.qkv_bias = true;
    spec.attention.output_bias = false;
    spec.feed_forward.bias = false;
    Ok(spec)
}
