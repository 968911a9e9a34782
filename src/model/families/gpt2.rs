//! GPT-2: LayerNorm before attention and feed-forward, learned positions, biases, the embedding as head. Its matrices are
//! [in, out] in checkpoints, with queries, keys and values side by side.
//!
//! Paper: <https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf>.
//! Checkpoints: `openai-community/gpt2`, `distilbert/distilgpt2`, …

use super::config::Config;
use super::{Layout, Names, Role, llama};
use crate::device::Activation;
use crate::error::Result;
use crate::model::check::check_width;
use crate::model::spec::{Attention, FeedForward, Head, Norm, Positions, Spec, StackInput, Tokens};

pub fn spec(config: &Config) -> Result<Spec> {
    config.refuse("scale_attn_by_inverse_layer_idx")?;
    config.refuse("add_cross_attention")?;
    let context = config.count("n_positions|max_position_embeddings|n_ctx", 1024)?;
    let mut spec = block(config, context, Activation::GeluTanh)?;
    if !config.flag("scale_attn_weights", true)? {
        spec.attentions().for_each(|attention| attention.scale = 1.0);
    }
    spec.tokens().for_each(|tokens| tokens.positions = Positions::Learned { offset: 0 });
    Ok(spec)
}

/// The block that many build on, with all biases and without positions, by the names that they have for their sizes.
/// `activation`: where the configuration does not say.
pub fn block(config: &Config, context: usize, activation: Activation) -> Result<Spec> {
    let layers = config.layers("n_layer|num_hidden_layers|n_layers")?;
    let width = check_width("width", config.required("n_embed|n_embd|hidden_size|d_model")?)?;
    let heads = config.required("n_head|num_attention_heads|n_heads")?;
    let attention = Attention {
        causal: true,
        qkv_bias: true,
        output_bias: true,
        ..Attention::plain(heads, config.head_dim(width, heads)?)
    };
    let inner = config.count("n_inner|intermediate_size|ffn_dim|ffn_hidden_size", 4 * width)?;
    let activation = config.activation("activation_function|hidden_act|activation", activation)?;
    let feed_forward = FeedForward { bias: true, ..FeedForward::plain(inner, activation) };
    let tokens = Tokens::plain(config.required("vocab_size")?, context);
    let norm = Norm::Layer { epsilon: config.number("layer_norm_epsilon|layer_norm_eps", 1e-5)? as f32, bias: true };
    let spec = Spec::uniform(width, StackInput::Tokens(tokens), norm, layers, attention, feed_forward);
    Ok(Spec { head: Head::Vocabulary(llama::head(config, true)?), ..spec })
}

/// transformers' tensor names.
pub const NAMES: Names = Names {
    prefix: "transformer.",
    parts: &[
        (Role::Embedding, "wte"),
        (Role::PositionTable, "wpe"),
        (Role::OutputNorm, "ln_f"),
        (Role::Head, "lm_head"),
        (Role::AttentionNorm, "h.{}.ln_1"),
        (Role::Query, "h.{}.attn.c_attn"),
        (Role::Key, "h.{}.attn.c_attn"),
        (Role::Value, "h.{}.attn.c_attn"),
        (Role::Output, "h.{}.attn.c_proj"),
        (Role::FeedForwardNorm, "h.{}.ln_2"),
        (Role::Up, "h.{}.mlp.c_fc"),
        (Role::Down, "h.{}.mlp.c_proj"),
    ],
    ignored: MASKS,
    layout: Layout::Transposed,
    ..Names::PLAIN
};

/// The causal mask and what stands in its place, which older releases of transformers saved.
pub const MASKS: &[&str] = &["h.{}.attn.bias", "h.{}.attn.masked_bias"];
