//! OLMoE: Llama's block with a norm over all heads of queries, and of keys, and a mixture of experts whose shares stay as
//! the softmax over all of them says.
//!
//! Paper: <https://arxiv.org/abs/2409.02060>. Checkpoints: `allenai/OLMoE-1B-7B-0924-Instruct`, …

use super::config::Config;
use super::{llama, mixtral};
use crate::error::Result;
use crate::model::spec::{Norm, QkNorm, Spec};

/// What transformers takes where `config.json` does not say.
const EXPERTS: usize = 64;
const USED: usize = 8;

pub fn spec(config: &Config) -> Result<Spec> {
    config.refuse("clip_qkv")?;
    let mut spec = llama::block(config, 10_000.0, None)?;
    spec.set_attention_biases(config.flag("attention_bias", false)?);
    spec.norm = Norm::Rms { epsilon: config.number("rms_norm_eps", 1e-5)? as f32, plus_one: false };
    spec.attentions().for_each(|attention| attention.qk_norm = QkNorm::All);
    let experts = mixtral::experts(config, EXPERTS, USED, config.flag("norm_topk_prob", false)?)?;
    spec.feed_forwards().for_each(|feed_forward| feed_forward.experts = Some(experts));
    Ok(spec)
}
