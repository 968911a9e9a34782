//! Mistral: Llama's block; where the configuration has a sliding window, every layer has it.
//!
//! Paper: <https://arxiv.org/abs/2310.06825>. Checkpoints: `mistralai/Mistral-7B-v0.1`, …

use super::config::Config;
use super::llama;
use crate::error::Result;
use crate::model::spec::Spec;

/// What transformers takes where `config.json` does not say; null says that there is none.
const WINDOW: usize = 4096;

pub fn spec(config: &Config) -> Result<Spec> {
    let mut spec = llama::block(config, 10_000.0, None)?;
    let window =
        if config.mentions("sliding_window") { config.optional_count("sliding_window")? } else { Some(WINDOW) };
    spec.attentions().for_each(|attention| attention.window = window);
    Ok(spec)
}
