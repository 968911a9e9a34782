//! RoBERTa: BERT with positions that are counted from the padding token's id, and a classifier of two products.
//!
//! Papers: <https://arxiv.org/abs/1907.11692>, XLM-RoBERTa <https://arxiv.org/abs/1911.02116>. Checkpoints:
//! `FacebookAI/roberta-base`, `FacebookAI/xlm-roberta-base`, `intfloat/multilingual-e5-base`, `almanach/camembert-base`, …

use super::config::Config;
use super::{Names, bert};
use crate::device::Activation;
use crate::error::Result;
use crate::model::spec::{Dense, Spec};

/// What transformers takes where `config.json` does not say.
const PADDING: usize = 1;

pub fn spec(config: &Config) -> Result<Spec> {
    let first = config.count("pad_token_id", PADDING)?.saturating_add(1);
    let dense = Dense { activation: Activation::Tanh, bias: true, norm: false, pooler: false };
    Ok(Spec { head: bert::head(config, dense)?, ..bert::body(config, first)? })
}

/// transformers' tensor names.
pub const NAMES: Names = Names { prefix: "roberta.", ..bert::NAMES };
