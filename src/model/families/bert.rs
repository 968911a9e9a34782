//! BERT: an encoder; LayerNorm after each residual, learned positions, and a vector for which of two texts a token is of.
//!
//! Paper: <https://arxiv.org/abs/1810.04805>. Checkpoints: `google-bert/bert-base-uncased`,
//! `sentence-transformers/all-MiniLM-L6-v2`, `cross-encoder/ms-marco-MiniLM-L6-v2`, …

use super::config::Config;
use super::{Names, Role};
use crate::device::Activation;
use crate::error::Result;
use crate::model::check::check_layers;
use crate::model::spec::{
    Attention, Dense, FeedForward, Head, Norm, Pooling, Positions, Residual, Spec, StackInput, Tokens,
};

/// What transformers takes where `config.json` does not say.
const EPSILON: f64 = 1e-12;
const CONTEXT: usize = 512;
const TYPES: usize = 2;

pub fn spec(config: &Config) -> Result<Spec> {
    let pooler = Dense { activation: Activation::Tanh, bias: true, norm: false, pooler: true };
    Ok(Spec { head: head(config, pooler)?, ..body(config, 0)? })
}

/// `first`: which row of the table of positions is the first token's.
pub fn body(config: &Config, first: usize) -> Result<Spec> {
    config.expect("position_embedding_type", "absolute")?;
    config.refuse("is_decoder")?;
    config.refuse("add_cross_attention")?;
    let positions = config.count("max_position_embeddings", CONTEXT)?;
    let tokens = Tokens {
        positions: Positions::Learned { offset: first },
        types: config.count("type_vocab_size", TYPES)?,
        ..Tokens::plain(config.required("vocab_size")?, positions.saturating_sub(first))
    };
    let sizes = Sizes {
        layers: config.required("num_hidden_layers")?,
        width: config.required("hidden_size")?,
        heads: config.required("num_attention_heads")?,
        feed_forward: config.required("intermediate_size")?,
    };
    let activation = config.activation("hidden_act", Activation::Gelu)?;
    let epsilon = config.number("layer_norm_eps", EPSILON)?;
    stack(config, &sizes, activation, epsilon, StackInput::Tokens(tokens))
}

pub struct Sizes {
    pub layers: usize,
    pub width: usize,
    pub heads: usize,
    pub feed_forward: usize,
}

/// The original Transformer's stack: LayerNorm of the input and after each residual, biases everywhere.
pub fn stack(config: &Config, sizes: &Sizes, activation: Activation, epsilon: f64, input: StackInput) -> Result<Spec> {
    let Sizes { layers, width, heads, feed_forward } = *sizes;
    let attention =
        Attention { qkv_bias: true, output_bias: true, ..Attention::plain(heads, config.head_dim(width, heads)?) };
    let feed_forward = FeedForward { bias: true, ..FeedForward::plain(feed_forward, activation) };
    let norm = Norm::Layer { epsilon: epsilon as f32, bias: true };
    let mut spec = Spec::uniform(width, input, norm, check_layers(layers)?, attention, feed_forward);
    spec.set_residual(Residual::PostNorm);
    Ok(Spec { input_norm: true, output_norm: false, ..spec })
}

/// A classifier of the first token, after `dense`, or of each, where the checkpoint is one of a class that has it.
pub fn head(config: &Config, dense: Dense) -> Result<Head> {
    if config.is_class("ForTokenClassification") {
        return config.classes(Pooling::Each, None);
    }
    if !config.is_class("ForSequenceClassification") {
        return Ok(Head::None { pooler: true });
    }
    config.classes(Pooling::ClassToken, Some(dense))
}

/// transformers' tensor names, RoBERTa's among them.
pub const NAMES: Names = Names {
    prefix: "bert.",
    parts: &[
        (Role::Embedding, "embeddings.word_embeddings"),
        (Role::PositionTable, "embeddings.position_embeddings"),
        (Role::TypeTable, "embeddings.token_type_embeddings"),
        (Role::InputNorm, "embeddings.LayerNorm"),
        (Role::Pooler, "pooler.dense"),
        (Role::Dense, "classifier.dense"),
        (Role::Head, "classifier"),
        (Role::Head, "classifier.out_proj"),
        (Role::Query, "encoder.layer.{}.attention.self.query"),
        (Role::Key, "encoder.layer.{}.attention.self.key"),
        (Role::Value, "encoder.layer.{}.attention.self.value"),
        (Role::Output, "encoder.layer.{}.attention.output.dense"),
        (Role::AttentionNorm, "encoder.layer.{}.attention.output.LayerNorm"),
        (Role::Up, "encoder.layer.{}.intermediate.dense"),
        (Role::Down, "encoder.layer.{}.output.dense"),
        (Role::FeedForwardNorm, "encoder.layer.{}.output.LayerNorm"),
    ],
    // Other heads, and a buffer that older releases of transformers saved.
    ignored: &["embeddings.position_ids", "pooler.*", "classifier.*", "cls.*", "lm_head.*", "qa_outputs.*"],
    ..Names::PLAIN
};
