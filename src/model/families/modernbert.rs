//! ModernBERT: an encoder with RoPE, norms before the branches and gated GELU; most layers see only a window around each
//! token, and have a RoPE of their own.
//!
//! Paper: <https://arxiv.org/abs/2412.13663>. Checkpoints: `answerdotai/ModernBERT-base`,
//! `Alibaba-NLP/gte-modernbert-base`, `nomic-ai/modernbert-embed-base`, …

use super::config::Config;
use super::{Names, Role};
use crate::device::Activation;
use crate::error::{Error, Result};
use crate::model::spec::{
    Attention, Block, Dense, FeedForward, Head, Norm, Pooling, Residual, Spec, StackInput, Tokens,
};

/// What transformers takes where `config.json` does not say.
const CONTEXT: usize = 8192;
const EPSILON: f64 = 1e-5;
const GLOBAL_THETA: f64 = 160_000.0;
const LOCAL_THETA: f64 = 10_000.0;
const EVERY: usize = 3;
const WINDOW: usize = 128;

pub fn spec(config: &Config) -> Result<Spec> {
    let (layers, width) = (config.layers("num_hidden_layers")?, config.required("hidden_size")?);
    let bias = config.flag("norm_bias", false)?;
    let norm = Norm::Layer { epsilon: config.number("norm_eps|layer_norm_eps", EPSILON)? as f32, bias };
    let activation = config.activation("hidden_activation|hidden_act", Activation::Gelu)?;
    let feed_forward = FeedForward {
        gated: true,
        bias: config.flag("mlp_bias", false)?,
        ..FeedForward::plain(config.required("intermediate_size")?, activation)
    };
    let tokens = Tokens::plain(config.required("vocab_size")?, config.count("max_position_embeddings", CONTEXT)?);
    let block = |attention| Block::new(attention, feed_forward.clone());
    let mut blocks: Vec<Block> = attentions(config, layers, width)?.into_iter().map(block).collect();
    blocks[0].residual = Residual::PreNorm { bare: true };
    let spec = Spec::new(width, StackInput::Tokens(tokens), norm, blocks);
    Ok(Spec { input_norm: true, head: head(config)?, ..spec })
}

/// Each layer's.
fn attentions(config: &Config, layers: usize, width: usize) -> Result<Vec<Attention>> {
    let heads = config.required("num_attention_heads")?;
    let head_dim = config.head_dim(width, heads)?;
    let every = config.count("global_attn_every_n_layers", EVERY)?.max(1);
    let local = config.local_layers(layers, |layer| !layer.is_multiple_of(every))?;
    // As much on each side, and the token itself.
    let window = config.count("local_attention", WINDOW)? / 2 + 1;
    let bias = config.flag("attention_bias", false)?;
    let bases = [("global_rope_theta", GLOBAL_THETA), ("local_rope_theta", LOCAL_THETA)];
    let ropes = config.ropes(head_dim, bases, 2)?;
    let attention = |local: bool| Attention {
        rope: Some(ropes[usize::from(local)].clone()),
        window: local.then_some(window),
        qkv_bias: bias,
        output_bias: bias,
        ..Attention::plain(heads, head_dim)
    };
    Ok(local.into_iter().map(attention).collect())
}

/// A classifier where the checkpoint is one of a class that has it.
fn head(config: &Config) -> Result<Head> {
    let of_tokens = config.is_class("ForTokenClassification");
    if !of_tokens && !config.is_class("ForSequenceClassification") {
        return Ok(Head::None { pooler: false });
    }
    let dense = Dense {
        activation: config.activation("classifier_activation", Activation::Gelu)?,
        bias: config.flag("classifier_bias", false)?,
        norm: true,
        pooler: false,
    };
    if of_tokens {
        return config.classes(Pooling::Each, Some(dense));
    }
    let pooling = match config.text("classifier_pooling")?.unwrap_or("cls") {
        "cls" => Pooling::ClassToken,
        "mean" => Pooling::Mean,
        other => return Err(Error::unsupported(format!("classifier_pooling {other:?} (supported: cls, mean)"))),
    };
    config.classes(pooling, Some(dense))
}

/// transformers' tensor names.
pub const NAMES: Names = Names {
    prefix: "model.",
    parts: &[
        (Role::Embedding, "embeddings.tok_embeddings"),
        (Role::InputNorm, "embeddings.norm"),
        (Role::OutputNorm, "final_norm"),
        (Role::Dense, "head.dense"),
        (Role::DenseNorm, "head.norm"),
        (Role::Head, "classifier"),
        (Role::AttentionNorm, "layers.{}.attn_norm"),
        (Role::Query, "layers.{}.attn.Wqkv"),
        (Role::Key, "layers.{}.attn.Wqkv"),
        (Role::Value, "layers.{}.attn.Wqkv"),
        (Role::Output, "layers.{}.attn.Wo"),
        (Role::FeedForwardNorm, "layers.{}.mlp_norm"),
        (Role::Gate, "layers.{}.mlp.Wi"),
        (Role::Up, "layers.{}.mlp.Wi"),
        (Role::Down, "layers.{}.mlp.Wo"),
    ],
    // Other heads.
    ignored: &["head.*", "decoder.*", "classifier.*"],
    ..Names::PLAIN
};
