//! SigLIP: CLIP's two towers, trained so that each text fits an image or not by itself; images are pooled by attention.
//!
//! Papers: <https://arxiv.org/abs/2303.15343>, SigLIP 2 <https://arxiv.org/abs/2502.14786>. Checkpoints:
//! `google/siglip-base-patch16-224`, `google/siglip2-base-patch16-224`, …

use super::bert::Sizes;
use super::config::Config;
use super::{Names, Role, clip};
use crate::device::Activation;
use crate::error::Result;
use crate::model::spec::{EmbeddingHead, Head, Matching, Pooling, Spec};

/// What transformers takes where `config.json` does not say.
const SIZES: Sizes = Sizes { layers: 12, width: 768, heads: 12, feed_forward: 3072 };
const EPSILON: f64 = 1e-6;
const VOCABULARY: usize = 32000;
const CONTEXT: usize = 64;
const PATCH: usize = 16;

pub fn specs(config: &Config) -> Result<[Spec; 2]> {
    config.expect_class(&["SiglipModel"])?;
    let (text, images) = (config.part("text_config")?, config.part("vision_config")?);
    images.expect("vision_use_head", true)?;
    let tokens = clip::tokens(&text, VOCABULARY, CONTEXT)?;
    let mut texts = clip::tower(&text, SIZES, Activation::GeluTanh, EPSILON, tokens)?;
    let (width, matching) = (text.count("projection_size", texts.width)?, Some(Matching { bias: true }));
    let head = EmbeddingHead { width, pooling: Pooling::Last, projection: true, bias: true, matching };
    texts.head = Head::Embedding(head);
    let patches = clip::patches(&images, PATCH, false)?;
    let mut images = clip::tower(&images, SIZES, Activation::GeluTanh, EPSILON, patches)?;
    let (width, pooling) = (images.width, Pooling::Attention);
    images.head = Head::Embedding(EmbeddingHead { width, pooling, projection: false, bias: false, matching: None });
    Ok([texts, images])
}

/// transformers' tensor names.
pub const TEXT_NAMES: Names = clip::TEXT_NAMES.with(&[(Role::Head, "head")]);
