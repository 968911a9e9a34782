//! Llama, and whatever shares its block: RMSNorm before attention and feed-forward, RoPE, grouped
//! KV heads, SwiGLU.
//!
//! Paper: <https://arxiv.org/abs/2302.13971>. Checkpoints: `meta-llama/Llama-3.2-1B`,
//! `HuggingFaceTB/SmolLM2-135M-Instruct`, …

use super::config::Config;
use super::{Names, Part};
use crate::device::Activation;
use crate::error::Result;
use crate::model::spec::{Attention, FeedForward, Head, Input, Norm, Residual, Spec, check_layers};

pub fn spec(config: &Config) -> Result<Spec> {
    let layers = check_layers(config.num_hidden_layers)?;
    let heads = config.num_attention_heads;
    let head_dim = config.head_dim.unwrap_or(config.hidden_size.checked_div(heads).unwrap_or(0));
    Ok(Spec {
        architecture: config.model_type.clone(),
        layers,
        width: config.hidden_size,
        input: Input::Tokens { vocabulary: config.vocab_size, context: config.max_position_embeddings },
        norm: Norm::Rms { epsilon: config.rms_norm_eps },
        residual: Residual::PreNorm,
        layer_scale: false,
        attention: Attention {
            heads,
            kv_heads: config.num_key_value_heads.unwrap_or(heads),
            head_dim,
            causal: true,
            rope: Some(config.rope(head_dim)?),
            windows: vec![None; layers],
            head_norm: false,
            qkv_bias: config.attention_bias,
            output_bias: config.attention_bias,
        },
        feed_forward: FeedForward {
            width: config.intermediate_size,
            activation: config.activation(Activation::Silu)?,
            gated: true,
            bias: config.mlp_bias,
        },
        head: Head::Vocabulary { tied: config.tie_word_embeddings },
    })
}

/// transformers' tensor names.
pub const NAMES: Names = Names {
    prefix: "",
    parts: &[
        (Part::Embedding, "model.embed_tokens"),
        (Part::OutputNorm, "model.norm"),
        (Part::Head, "lm_head"),
        (Part::AttentionNorm, "model.layers.{}.input_layernorm"),
        (Part::Query, "model.layers.{}.self_attn.q_proj"),
        (Part::Key, "model.layers.{}.self_attn.k_proj"),
        (Part::Value, "model.layers.{}.self_attn.v_proj"),
        (Part::Output, "model.layers.{}.self_attn.o_proj"),
        (Part::QueryNorm, "model.layers.{}.self_attn.q_norm"),
        (Part::KeyNorm, "model.layers.{}.self_attn.k_norm"),
        (Part::FeedForwardNorm, "model.layers.{}.post_attention_layernorm"),
        (Part::Gate, "model.layers.{}.mlp.gate_proj"),
        (Part::Up, "model.layers.{}.mlp.up_proj"),
        (Part::Down, "model.layers.{}.mlp.down_proj"),
    ],
    // A buffer that older releases of transformers saved: the same as RoPE's own formula gives.
    ignored: &["model.layers.{}.self_attn.rotary_emb.inv_freq"],
};
