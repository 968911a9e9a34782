//! Falcon: GPT-2's block without biases, with RoPE and one head of keys and values; attention and feed-forward side by
//! side. The larger models have a head of keys for each group of queries, and a norm for each branch; Falcon-RW is GPT-2
//! with ALiBi.
//!
//! Paper: <https://arxiv.org/abs/2311.16867>. Checkpoints: `tiiuae/falcon-rw-1b`, `tiiuae/falcon-7b`,
//! `tiiuae/falcon-40b`, …

use super::config::Config;
use super::{alibi, gpt2};
use crate::device::Activation;
use crate::error::Result;
use crate::model::spec::{Attention, Residual, Spec};

pub fn spec(config: &Config) -> Result<Spec> {
    let context = config.count("max_position_embeddings", 2048)?;
    let mut spec = gpt2::block(config, context, Activation::Gelu)?;
    // The first release of the larger models has a name of its own instead.
    let grouped = config.flag("new_decoder_architecture", config.model_type()? == "RefinedWeb")?;
    let Attention { heads, head_dim, scale, .. } = *spec.attention();
    let kv_heads = match !grouped && config.flag("multi_query", true)? {
        true => 1,
        false => config.count("num_kv_heads|n_head_kv", heads)?,
    };
    let mut rope = None;
    if config.flag("alibi", false)? {
        // Scores are scaled after it has joined them.
        spec.score_bias = alibi::slopes(heads, scale);
    } else {
        rope = Some(config.rope(head_dim, 10_000.0, None)?);
    }
    spec.attentions().for_each(|attention| (attention.kv_heads, attention.rope) = (kv_heads, rope.clone()));
    spec.set_biases(config.flag("bias", false)?);
    if grouped || config.flag("parallel_attn", true)? {
        let shared_norm = !grouped || config.count("num_ln_in_parallel_attn", 2)? == 1;
        spec.set_residual(Residual::Parallel { shared_norm });
    }
    Ok(spec)
}
