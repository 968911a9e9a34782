//! SmolLM3: Llama's block; every fourth layer has no positions.
//!
//! Announcement: <https://huggingface.co/blog/smollm3>, the idea: <https://arxiv.org/abs/2501.18795>. Checkpoints:
//! `HuggingFaceTB/SmolLM3-3B`, …

use super::config::Config;
use super::llama;
use crate::error::{Error, Result};
use crate::model::spec::{Head, Spec};

/// What transformers takes where `config.json` does not say.
const THETA: f64 = 2_000_000.0;
const INTERVAL: usize = 4;

pub fn spec(config: &Config) -> Result<Spec> {
    let mut spec = llama::block(config, THETA, None)?;
    spec.set_attention_biases(config.flag("attention_bias", false)?);
    spec.set_feed_forward_biases(config.flag("mlp_bias", false)?);
    spec.head = Head::Vocabulary(llama::head(config, true)?);
    let turned = turned(config, spec.layers())?;
    spec.attentions().zip(&turned).filter(|(_, turned)| !**turned).for_each(|(attention, _)| attention.rope = None);
    if let (true, Some(window)) = (config.flag("use_sliding_window", false)?, config.optional_count("sliding_window")?)
    {
        let local = config.local_layers(spec.layers(), |layer| !turned[layer])?;
        spec.set_windows(&local, Some(window));
    }
    Ok(spec)
}

/// Which layers have positions: those for which `no_rope_layers`, despite its name, says 1.
fn turned(config: &Config, layers: usize) -> Result<Vec<bool>> {
    let interval = config.count("no_rope_layer_interval", INTERVAL)?;
    match config.list("no_rope_layers")? {
        None => Ok((1..=layers).map(|layer| !layer.is_multiple_of(interval)).collect()),
        Some(list) if list.len() >= layers => Ok(list[..layers].iter().map(|one| one.as_u64() != Some(0)).collect()),
        Some(list) => Err(Error::corrupt(format!("{} entries in \"no_rope_layers\" for {layers} layers", list.len()))),
    }
}
