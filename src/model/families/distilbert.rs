//! DistilBERT: BERT without kinds of tokens and without a pooler; half the layers.
//!
//! Paper: <https://arxiv.org/abs/1910.01108>. Checkpoints: `distilbert/distilbert-base-uncased`,
//! `distilbert/distilbert-base-uncased-finetuned-sst-2-english`, …

use super::bert::{self, Sizes};
use super::config::Config;
use super::{Names, Part};
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
        (Part::Embedding, "embeddings.word_embeddings"),
        (Part::PositionTable, "embeddings.position_embeddings"),
        (Part::InputNorm, "embeddings.LayerNorm"),
        (Part::Dense, "pre_classifier"),
        (Part::Head, "classifier"),
        (Part::Query, "transformer.layer.{}.attention.q_lin"),
        (Part::Key, "transformer.layer.{}.attention.k_lin"),
        (Part::Value, "transformer.layer.{}.attention.v_lin"),
        (Part::Output, "transformer.layer.{}.attention.out_lin"),
        (Part::AttentionNorm, "transformer.layer.{}.sa_layer_norm"),
        (Part::Up, "transformer.layer.{}.ffn.lin1"),
        (Part::Down, "transformer.layer.{}.ffn.lin2"),
        (Part::FeedForwardNorm, "transformer.layer.{}.output_layer_norm"),
    ],
    // Other heads, and a buffer that older releases of transformers saved.
    ignored: &["embeddings.position_ids", "pre_classifier.*", "classifier.*", "vocab_*", "qa_outputs.*"],
    ..Names::PLAIN
};
