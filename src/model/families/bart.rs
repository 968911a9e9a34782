//! BART: an encoder and a decoder with BERT's block, learned positions, and a bias for each token's logit.
//!
//! Paper: <https://arxiv.org/abs/1910.13461>. Checkpoints: `facebook/bart-large-cnn`, `sshleifer/distilbart-cnn-6-6`, …

use super::bert::{self, Sizes};
use super::config::Config;
use super::{Names, Role};
use crate::device::Activation;
use crate::error::Result;
use crate::model::spec::{Head, Positions, Spec, StackInput, Tokens, VocabularyHead};

const EPSILON: f64 = 1e-5;

/// Rows of the table of positions before the first token's.
const OFFSET: usize = 2;

/// What transformers takes where `config.json` does not say.
const CONTEXT: usize = 1024;

pub fn specs(config: &Config) -> Result<[Spec; 2]> {
    config.expect("normalize_embedding", true)?;
    config.refuse("static_position_embeddings")?;
    Ok(both(config, Positions::Learned { offset: OFFSET })?.map(|spec| Spec { input_norm: true, ..spec }))
}

/// The decoder and the encoder, without norms of the input.
pub fn both(config: &Config, positions: Positions) -> Result<[Spec; 2]> {
    config.expect_class(&["Model", "ForConditionalGeneration"])?;
    config.expect("tie_word_embeddings", true)?;
    ["normalize_before", "add_final_layer_norm", "is_decoder"].iter().try_for_each(|choice| config.refuse(choice))?;
    let decoder = stack(config, positions, true)?.looking_across();
    let head = Head::Vocabulary(VocabularyHead { bias: true, ..VocabularyHead::plain(true) });
    Ok([Spec { head, ..decoder }, stack(config, positions, false)?])
}

fn stack(config: &Config, positions: Positions, causal: bool) -> Result<Spec> {
    let width = config.count("d_model|hidden_size", 1024)?;
    let count =
        |name: &str, default| config.count(&format!("{}_{name}", if causal { "decoder" } else { "encoder" }), default);
    let sizes = Sizes {
        layers: count("layers", 12)?,
        width,
        heads: count("attention_heads", 16)?,
        feed_forward: count("ffn_dim", 4096)?,
    };
    let tokens = Tokens {
        scale: if config.flag("scale_embedding", false)? { (width as f32).sqrt() } else { 1.0 },
        positions,
        shared: !causal,
        ..Tokens::plain(config.required("vocab_size")?, config.count("max_position_embeddings", CONTEXT)?)
    };
    let activation = config.activation("activation_function", Activation::Gelu)?;
    let mut spec = bert::stack(config, &sizes, activation, EPSILON, StackInput::Tokens(tokens))?;
    spec.attentions().for_each(|attention| attention.causal = causal);
    Ok(Spec { input_norm: false, ..spec })
}

/// transformers' tensor names, Marian's among them.
pub const DECODER: Names = Names {
    prefix: "model.",
    parts: &[
        (Role::Embedding, "shared"),
        (Role::Embedding, "decoder.embed_tokens"),
        (Role::Embedding, "encoder.embed_tokens"),
        (Role::Embedding, "lm_head"),
        (Role::Head, "final_logits"),
        (Role::PositionTable, "decoder.embed_positions"),
        (Role::InputNorm, "decoder.layernorm_embedding"),
        (Role::Query, "decoder.layers.{}.self_attn.q_proj"),
        (Role::Key, "decoder.layers.{}.self_attn.k_proj"),
        (Role::Value, "decoder.layers.{}.self_attn.v_proj"),
        (Role::Output, "decoder.layers.{}.self_attn.out_proj"),
        (Role::AttentionNorm, "decoder.layers.{}.self_attn_layer_norm"),
        (Role::CrossQuery, "decoder.layers.{}.encoder_attn.q_proj"),
        (Role::CrossKey, "decoder.layers.{}.encoder_attn.k_proj"),
        (Role::CrossValue, "decoder.layers.{}.encoder_attn.v_proj"),
        (Role::CrossOutput, "decoder.layers.{}.encoder_attn.out_proj"),
        (Role::CrossNorm, "decoder.layers.{}.encoder_attn_layer_norm"),
        (Role::Up, "decoder.layers.{}.fc1"),
        (Role::Down, "decoder.layers.{}.fc2"),
        (Role::FeedForwardNorm, "decoder.layers.{}.final_layer_norm"),
    ],
    // Marian's positions are computed; versions are of the first releases.
    ignored: &["encoder.embed_positions", "decoder.embed_positions", "encoder.version", "decoder.version"],
    ..Names::PLAIN
};

pub const ENCODER: Names = Names {
    prefix: "model.",
    parts: &[
        (Role::PositionTable, "encoder.embed_positions"),
        (Role::InputNorm, "encoder.layernorm_embedding"),
        (Role::Query, "encoder.layers.{}.self_attn.q_proj"),
        (Role::Key, "encoder.layers.{}.self_attn.k_proj"),
        (Role::Value, "encoder.layers.{}.self_attn.v_proj"),
        (Role::Output, "encoder.layers.{}.self_attn.out_proj"),
        (Role::AttentionNorm, "encoder.layers.{}.self_attn_layer_norm"),
        (Role::Up, "encoder.layers.{}.fc1"),
        (Role::Down, "encoder.layers.{}.fc2"),
        (Role::FeedForwardNorm, "encoder.layers.{}.final_layer_norm"),
    ],
    ..Names::PLAIN
};
