//! CLIP: a tower of texts and one of images, whose vectors are alike where a text is about an image.
//!
//! Paper: <https://arxiv.org/abs/2103.00020>. Checkpoints: `openai/clip-vit-base-patch32`,
//! `laion/CLIP-ViT-B-32-laion2B-s34B-b79K`, …

use super::bert::{self, Sizes};
use super::config::Config;
use super::{Names, Role};
use crate::device::Activation;
use crate::error::Result;
use crate::model::patches::Patches;
use crate::model::spec::{EmbeddingHead, Head, Matching, Pooling, Positions, Residual, Spec, StackInput, Tokens};

/// What transformers takes where `config.json` does not say.
const TEXT: Sizes = Sizes { layers: 12, width: 512, heads: 8, feed_forward: 2048 };
const IMAGES: Sizes = Sizes { layers: 12, width: 768, heads: 12, feed_forward: 3072 };
const EPSILON: f64 = 1e-5;
const VOCABULARY: usize = 49408;
const CONTEXT: usize = 77;
const END: usize = 49407;
const PATCH: usize = 32;
const PROJECTION: usize = 512;

pub fn specs(config: &Config) -> Result<[Spec; 2]> {
    config.expect_class(&["CLIPModel"])?;
    // Old files have the parts that count under these names.
    let part = |old, name| config.part(if config.has(old) { old } else { name });
    let (text, images) = (part("text_config_dict", "text_config")?, part("vision_config_dict", "vision_config")?);
    let pooling = match text.count("eos_token_id", END)? {
        // A wrong number in the files of the first release, where the end token has the largest id.
        2 => Pooling::LargestToken,
        end => Pooling::Token(end as u32),
    };
    let tokens = tokens(&text, VOCABULARY, CONTEXT)?;
    let mut texts = tower(&text, TEXT, Activation::GeluQuick, EPSILON, tokens)?;
    texts.attentions().for_each(|attention| attention.causal = true);
    let patches = patches(&images, PATCH, true)?;
    let images = tower(&images, IMAGES, Activation::GeluQuick, EPSILON, patches)?;
    let width = config.count("projection_dim", PROJECTION)?;
    let head =
        |pooling, matching| Head::Embedding(EmbeddingHead { width, pooling, projection: true, bias: false, matching });
    texts.head = head(pooling, Some(Matching { bias: false }));
    Ok([texts, Spec { input_norm: true, head: head(Pooling::ClassToken, None), ..images }])
}

/// One of both, with norms before its branches. The last arguments: what its configuration need not say.
pub fn tower(config: &Config, default: Sizes, activation: Activation, epsilon: f64, input: StackInput) -> Result<Spec> {
    let sizes = Sizes {
        layers: config.count("num_hidden_layers", default.layers)?,
        width: config.count("hidden_size", default.width)?,
        heads: config.count("num_attention_heads", default.heads)?,
        feed_forward: config.count("intermediate_size", default.feed_forward)?,
    };
    let activation = config.activation("hidden_act", activation)?;
    let epsilon = config.number("layer_norm_eps", epsilon)?;
    let mut spec = bert::stack(config, &sizes, activation, epsilon, input)?;
    spec.set_residual(Residual::PRE_NORM);
    Ok(Spec { input_norm: false, output_norm: true, ..spec })
}

pub fn tokens(config: &Config, vocabulary: usize, context: usize) -> Result<StackInput> {
    let (vocabulary, context) =
        (config.count("vocab_size", vocabulary)?, config.count("max_position_embeddings", context)?);
    Ok(StackInput::Tokens(Tokens { positions: Positions::Learned { offset: 0 }, ..Tokens::plain(vocabulary, context) }))
}

/// `class_token`: there is one, as in CLIP; otherwise the patches have a bias.
pub fn patches(config: &Config, patch: usize, class_token: bool) -> Result<StackInput> {
    let [image, patch] = config.image_and_patch(patch)?;
    let patches = Patches::plain(config.count("num_channels", 3)?, image, patch);
    Ok(StackInput::Patches(Patches { bias: !class_token, class_token, ..patches }))
}

/// transformers' tensor names, of both towers' layers.
const LAYERS: Names = Names {
    parts: &[
        (Role::AttentionNorm, "encoder.layers.{}.layer_norm1"),
        (Role::Query, "encoder.layers.{}.self_attn.q_proj"),
        (Role::Key, "encoder.layers.{}.self_attn.k_proj"),
        (Role::Value, "encoder.layers.{}.self_attn.v_proj"),
        (Role::Output, "encoder.layers.{}.self_attn.out_proj"),
        (Role::FeedForwardNorm, "encoder.layers.{}.layer_norm2"),
        (Role::Up, "encoder.layers.{}.mlp.fc1"),
        (Role::Down, "encoder.layers.{}.mlp.fc2"),
    ],
    // A buffer that older releases of transformers saved.
    ignored: &["embeddings.position_ids"],
    ..Names::PLAIN
};

pub const TEXT_NAMES: Names = Names {
    prefix: "text_model.",
    ..LAYERS.with(&[
        (Role::Embedding, "embeddings.token_embedding"),
        (Role::PositionTable, "embeddings.position_embedding"),
        (Role::OutputNorm, "final_layer_norm"),
        (Role::Head, "text_projection"),
        (Role::MatchScale, "logit_scale"),
        (Role::MatchBias, "logit_bias"),
    ])
};

/// SigLIP's among them.
pub const IMAGE_NAMES: Names = Names {
    prefix: "vision_model.",
    ..LAYERS.with(&[
        (Role::PatchEmbedding, "embeddings.patch_embedding"),
        (Role::ClassToken, "embeddings.class_embedding"),
        (Role::Positions, "embeddings.position_embedding.weight"),
        (Role::InputNorm, "pre_layrnorm"),
        (Role::OutputNorm, "post_layernorm"),
        (Role::Head, "visual_projection"),
        (Role::PoolProbe, "head.probe"),
        (Role::PoolQuery, "head.attention.in_proj"),
        (Role::PoolKey, "head.attention.in_proj"),
        (Role::PoolValue, "head.attention.in_proj"),
        (Role::PoolOutput, "head.attention.out_proj"),
        (Role::PoolNorm, "head.layernorm"),
        (Role::PoolUp, "head.mlp.fc1"),
        (Role::PoolDown, "head.mlp.fc2"),
    ])
};
