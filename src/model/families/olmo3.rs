//! OLMo 3: OLMo 2's block; three layers with a sliding window for each that sees everything, whose RoPE alone is stretched.
//!
//! Paper: <https://arxiv.org/abs/2512.13961>. Checkpoints: `allenai/Olmo-3-7B-Instruct`, …

use super::config::Config;
use super::olmo2;
use crate::error::Result;
use crate::model::spec::Spec;

/// What transformers takes where `config.json` does not say.
const WINDOW: usize = 4096;
const PATTERN: usize = 4;
const THETA: f64 = 500_000.0;

pub fn spec(config: &Config) -> Result<Spec> {
    let mut spec = olmo2::spec(config)?;
    let local = config.local_layers(spec.layers(), |layer| !(layer + 1).is_multiple_of(PATTERN))?;
    let ropes = config.ropes(spec.attention().head_dim, [("rope_theta", THETA); 2], 1)?;
    for (attention, local) in spec.attentions().zip(&local) {
        attention.rope = Some(ropes[usize::from(*local)].clone());
    }
    spec.set_windows(&local, Some(config.count("sliding_window", WINDOW)?));
    Ok(spec)
}
