//! Gemma 3: Gemma 2's block with a norm on each query and key head instead of the caps; five layers with a sliding window
//! for each that sees everything, whose RoPE turns more slowly.
//!
//! Papers: <https://arxiv.org/abs/2503.19786>, of EmbeddingGemma <https://arxiv.org/abs/2509.20354>. Checkpoints, of text
//! only: `google/gemma-3-270m-it`, `google/gemma-3-1b-it`, `google/embeddinggemma-300m`, …

use super::config::Config;
use super::gemma2;
use crate::error::{Error, Result};
use crate::model::spec::{Head, QkNorm, Spec};

/// What transformers takes where `config.json` does not say.
const PATTERN: usize = 6;
const THETA: f64 = 1_000_000.0;
const LOCAL_THETA: f64 = 10_000.0;

pub fn spec(config: &Config) -> Result<Spec> {
    // The configuration has Gemma 2's cap of scores, too, and transformers' code does not look at it.
    let mut spec = gemma2::block(config, None)?;
    let pattern = config.count("sliding_window_pattern|_sliding_window_pattern", PATTERN)?;
    let local = config.local_layers(spec.layers(), |layer| !(layer + 1).is_multiple_of(pattern))?;
    let thetas = [("rope_theta", THETA), ("rope_local_base_freq", LOCAL_THETA)];
    let ropes = config.ropes(spec.attention().head_dim, thetas, 1)?;
    for (attention, local) in spec.attentions().zip(&local) {
        (attention.qk_norm, attention.rope) = (QkNorm::PerHead, Some(ropes[usize::from(*local)].clone()));
    }
    if !config.flag("use_bidirectional_attention", false)? {
        return gemma2::windows(config, spec, &local);
    }
    embedding(config, spec, &local)
}

/// EmbeddingGemma's body: every token sees those on both sides of it, in windows half of them before and half after.
fn embedding(config: &Config, mut spec: Spec, local: &[bool]) -> Result<Spec> {
    if config.class() != Some("Gemma3TextModel") {
        let class = config.class().unwrap_or("a model without a class");
        return Err(Error::unsupported(format!(
            "\"use_bidirectional_attention\" in {class} (supported: Gemma3TextModel)"
        )));
    }
    let window = config.count("sliding_window", gemma2::WINDOW)? / 2 + 1;
    spec.set_windows(local, Some(window));
    spec.attentions().for_each(|attention| attention.causal = false);
    spec.head = Head::None { pooler: false };
    Ok(spec)
}
