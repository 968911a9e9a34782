//! DistilBERT: BERT without kinds of tokens and without a pooler; half the layers.
//!
//! Paper: <https://arxiv.org/abs/1910.01108>. Checkpoints: `distilbert/distilbert-base-uncased`,
//! `distilbert/distilbert-base-uncased-finetuned-sst-2-english`, …

use super::bert::{self, Sizes};
use super::config::Config;
use super::{Names, Role};
use crate::device::Activation;
use crate::error::Result;
use crate::model::spec::{Dense, Head, Positions, Spec, StackInput, Tokens};

const EPSILON: f64 = 1e-12;

/// What transformers takes where `config.json` does not say.
const CONTEXT: usize = 512;

pub fn spec(config: &Config) -> Result<Spec> {
    let tokens = Tokens {
        positions: Positions::Learned { offset: 0 },
        ..Tokens::plain(config.required("vocab_size")?, config.count("max_position_embeddings", CONTEXT)?)
    };
    let sizes = Sizes {
        layers: config.count("n_layers|num_hidden_layers", 6)?,
        width: config.count("dim|hidden_size", 768)?,
        heads: config.count("n_heads|num_attention_heads", 12)?,
        feed_forward: config.count("hidden_dim", 3072)?,
    };
    let activation = config.activation("activation", Activation::Gelu)?;
    let spec = bert::stack(config, &sizes, activation, EPSILON, StackInput::Tokens(tokens))?;
    let dense = Dense { activation: Activation::Relu, bias: true, norm: false, pooler: false };
    let head = match bert::head(config, dense)? {
        Head::None { .. } => Head::None { pooler: false },
        head => head,
    };
    Ok(Spec { head, ..spec })
}

/// transformers' tensor names.
pub const NAMES: Names = Names {
    prefix: "distilbert.",
    parts: &[
        (Role::Embedding, "embeddings.word_embeddings"),
        (Role::PositionTable, "embeddings.position_embeddings"),
        (Role::InputNorm, "embeddings.LayerNorm"),
        (Role::Dense, "pre_classifier"),
        (Role::Head, "classifier"),
        (Role::Query, "transformer.layer.{}.attention.q_lin"),
        (Role::Key, "transformer.layer.{}.attention.k_lin"),
        (Role::Value, "transformer.layer.{}.attention.v_lin"),
        (Role::Output, "transformer.layer.{}.attention.out_lin"),
        (Role::AttentionNorm, "transformer.layer.{}.sa_layer_norm"),
        (Role::Up, "transformer.layer.{}.ffn.lin1"),
        (Role::Down, "transformer.layer.{}.ffn.lin2"),
        (Role::FeedForwardNorm, "transformer.layer.{}.output_layer_norm"),
    ],
    // Other heads, and a buffer that older releases of transformers saved.
    ignored: &["embeddings.position_ids", "pre_classifier.*", "classifier.*", "vocab_*", "qa_outputs.*"],
    ..Names::PLAIN
};
