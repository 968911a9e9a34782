//! T5: an encoder and a decoder without biases; RMSNorm before each branch, and learned biases for distances instead of
//! positions.
//!
//! Papers: <https://arxiv.org/abs/1910.10683>, mT5 <https://arxiv.org/abs/2010.11934>. Checkpoints: `google-t5/t5-small`,
//! `google/flan-t5-small`, `google/mt5-small`, …

use super::config::{Config, activation};
use super::{Names, Role};
use crate::device::Activation;
use crate::error::Result;
use crate::model::check::check_layers;
use crate::model::spec::{Attention, FeedForward, Head, Norm, ScoreBias, Spec, StackInput, Tokens, VocabularyHead};

/// What transformers takes where `config.json` does not say.
const EPSILON: f64 = 1e-6;
const CONTEXT: usize = 512;
const BUCKETS: usize = 32;
const DISTANCE: usize = 128;

pub fn specs(config: &Config) -> Result<[Spec; 2]> {
    config.expect_class(&["Model", "ForConditionalGeneration"])?;
    let layers = config.count("num_layers|num_hidden_layers", 6)?;
    let decoder = stack(config, config.count("num_decoder_layers", layers)?, true)?.looking_across();
    Ok([Spec { head: head(config, decoder.width)?, ..decoder }, stack(config, layers, false)?])
}

fn stack(config: &Config, layers: usize, causal: bool) -> Result<Spec> {
    config.refuse("is_decoder")?;
    let score_bias = ScoreBias::Buckets {
        buckets: config.count("relative_attention_num_buckets", BUCKETS)?,
        distance: config.count("relative_attention_max_distance", DISTANCE)?,
    };
    let (heads, head_dim) = (config.count("num_heads|num_attention_heads", 8)?, config.count("d_kv", 64)?);
    // The scale is in the weights.
    let attention = Attention { scale: 1.0, causal, ..Attention::plain(heads, head_dim) };
    let norm = Norm::Rms { epsilon: config.number("layer_norm_epsilon", EPSILON)? as f32, plus_one: false };
    let tokens = Tokens::plain(config.required("vocab_size")?, config.count("n_positions", CONTEXT)?);
    let input = StackInput::Tokens(Tokens { shared: !causal, ..tokens });
    let (layers, width, inner) = (check_layers(layers)?, config.required("d_model")?, feed_forward(config)?);
    let spec = Spec::uniform(width, input, norm, layers, attention, inner);
    Ok(Spec { score_bias, ..spec })
}

fn feed_forward(config: &Config) -> Result<FeedForward> {
    let default = if config.model_type()? == "mt5" { "gated-gelu" } else { "relu" };
    let name = config.text("feed_forward_proj")?.unwrap_or(default);
    let (gated, activation) = match name.strip_prefix("gated-") {
        Some("gelu") => (true, Activation::GeluTanh),
        Some(name) => (true, activation(name)?),
        None => (false, activation(name)?),
    };
    Ok(FeedForward { gated, ..FeedForward::plain(config.required("d_ff")?, activation) })
}

/// The first T5's head is the embedding table, and its logits are scaled. Later ones, and mT5, have a head of their own;
/// their files tell whether they do.
fn head(config: &Config, width: usize) -> Result<Head> {
    let first = config.model_type()? == "t5"
        && config.flag("scale_decoder_outputs", config.flag("tie_word_embeddings", true)?)?;
    let scale = if first { (width as f32).sqrt().recip() } else { 1.0 };
    Ok(Head::Vocabulary(VocabularyHead { scale, ..VocabularyHead::plain(first) }))
}

/// transformers' tensor names.
pub const DECODER: Names = Names {
    parts: &[
        (Role::Embedding, "shared"),
        (Role::Embedding, "decoder.embed_tokens"),
        (Role::Embedding, "encoder.embed_tokens"),
        (Role::OutputNorm, "decoder.final_layer_norm"),
        (Role::Head, "lm_head"),
        (Role::ScoreBias, "decoder.block.0.layer.0.SelfAttention.relative_attention_bias"),
        (Role::AttentionNorm, "decoder.block.{}.layer.0.layer_norm"),
        (Role::Query, "decoder.block.{}.layer.0.SelfAttention.q"),
        (Role::Key, "decoder.block.{}.layer.0.SelfAttention.k"),
        (Role::Value, "decoder.block.{}.layer.0.SelfAttention.v"),
        (Role::Output, "decoder.block.{}.layer.0.SelfAttention.o"),
        (Role::CrossNorm, "decoder.block.{}.layer.1.layer_norm"),
        (Role::CrossQuery, "decoder.block.{}.layer.1.EncDecAttention.q"),
        (Role::CrossKey, "decoder.block.{}.layer.1.EncDecAttention.k"),
        (Role::CrossValue, "decoder.block.{}.layer.1.EncDecAttention.v"),
        (Role::CrossOutput, "decoder.block.{}.layer.1.EncDecAttention.o"),
        (Role::FeedForwardNorm, "decoder.block.{}.layer.2.layer_norm"),
        (Role::Gate, "decoder.block.{}.layer.2.DenseReluDense.wi_0"),
        (Role::Up, "decoder.block.{}.layer.2.DenseReluDense.wi"),
        (Role::Up, "decoder.block.{}.layer.2.DenseReluDense.wi_1"),
        (Role::Down, "decoder.block.{}.layer.2.DenseReluDense.wo"),
    ],
    // Of the first releases; never used.
    ignored: &["decoder.block.0.layer.1.EncDecAttention.relative_attention_bias"],
    ..Names::PLAIN
};

pub const ENCODER: Names = Names {
    parts: &[
        (Role::OutputNorm, "encoder.final_layer_norm"),
        (Role::ScoreBias, "encoder.block.0.layer.0.SelfAttention.relative_attention_bias"),
        (Role::AttentionNorm, "encoder.block.{}.layer.0.layer_norm"),
        (Role::Query, "encoder.block.{}.layer.0.SelfAttention.q"),
        (Role::Key, "encoder.block.{}.layer.0.SelfAttention.k"),
        (Role::Value, "encoder.block.{}.layer.0.SelfAttention.v"),
        (Role::Output, "encoder.block.{}.layer.0.SelfAttention.o"),
        (Role::FeedForwardNorm, "encoder.block.{}.layer.1.layer_norm"),
        (Role::Gate, "encoder.block.{}.layer.1.DenseReluDense.wi_0"),
        (Role::Up, "encoder.block.{}.layer.1.DenseReluDense.wi"),
        (Role::Up, "encoder.block.{}.layer.1.DenseReluDense.wi_1"),
        (Role::Down, "encoder.block.{}.layer.1.DenseReluDense.wo"),
    ],
    ..Names::PLAIN
};
