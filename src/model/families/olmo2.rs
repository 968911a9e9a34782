//! OLMo 2: Llama's block with the norms after the branches, inside the residual, and a norm of all queries and of all keys.
//!
//! Paper: <https://arxiv.org/abs/2501.00656>. Checkpoints: `allenai/OLMo-2-0425-1B`, `allenai/OLMo-2-1124-7B`, …

use super::config::Config;
use super::llama;
use crate::error::Result;
use crate::model::spec::{Norm, QkNorm, Residual, Spec};

pub fn spec(config: &Config) -> Result<Spec> {
    let mut spec = llama::block(config, 10_000.0, None)?;
    spec.set_attention_biases(config.flag("attention_bias", false)?);
    spec.norm = Norm::Rms { epsilon: config.number("rms_norm_eps", 1e-5)? as f32, plus_one: false };
    spec.set_residual(Residual::InnerNorm);
    spec.attentions().for_each(|attention| attention.qk_norm = QkNorm::All);
    Ok(spec)
}
