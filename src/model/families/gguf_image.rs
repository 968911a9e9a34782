//! Models of images in GGUF: llama.cpp has none by themselves, so the keys are those of its language models and the
//! tensors are called as its vision towers' are. `examples/to_gguf.rs` writes such files of Hugging Face folders.

use super::config::Config;
use super::registry::Family;
use super::{Names, Role};
use crate::checkpoint::Header;
use crate::error::{Error, Result};
use crate::image::Processor;
use crate::model::model_config::ModelConfig;
use crate::model::spec::Head;
use serde_json::{Value, json};

const ARCHITECTURES: [&str; 4] = ["vit", "deit", "dinov2", "dinov2_with_registers"];

pub fn is_image(header: &Header) -> bool {
    header.metadata.str("general.architecture").is_some_and(|architecture| ARCHITECTURES.contains(&architecture))
}

/// The same as from the folder that the file was made of: its keys are brought to the configuration's words.
pub fn plan(header: &Header) -> Result<ModelConfig> {
    let metadata = &header.metadata;
    let architecture = metadata.str("general.architecture").unwrap_or_default();
    let key = |key: &str| format!("{architecture}.{key}");
    let number = |name: &str| {
        metadata.u32(&key(name)).ok_or_else(|| Error::corrupt(format!("metadata without a number {:?}", key(name))))
    };
    let has = |name: &str| header.tensors.iter().any(|tensor| tensor.name == name);
    let labels = metadata.strings(&key("classifier.output_labels"));
    let (width, feed_forward) = (number("embedding_length")?, number("feed_forward_length")?);
    let class = match (has("cls.weight"), has("cls.distillation.weight")) {
        (true, true) => "ForImageClassificationWithTeacher",
        (true, false) => "ForImageClassification",
        _ => "Model",
    };
    let named = labels.map(|labels| labels.iter().enumerate());
    let config = json!({
        "model_type": architecture,
        "architectures": [class],
        "hidden_size": width,
        "intermediate_size": feed_forward,
        "num_hidden_layers": number("block_count")?,
        "num_attention_heads": number("attention.head_count")?,
        "layer_norm_eps": metadata.f32(&key("attention.layer_norm_epsilon")),
        "hidden_act": metadata.str(&key("activation")),
        "image_size": number("image_size")?,
        "patch_size": number("patch_size")?,
        "num_channels": number("image_channels")?,
        "num_register_tokens": metadata.u32(&key("register_tokens")),
        "use_swiglu_ffn": has("v.blk.0.ffn_gate.weight"),
        "qkv_bias": has("v.blk.0.attn_q.bias"),
        "id2label": named.map(|named| named.map(|(class, label)| (class.to_string(), json!(label))).collect::<serde_json::Map<String, Value>>()),
    });
    let Value::Object(fields) = config else { return Err(Error::corrupt("metadata")) };
    let config = Config::new(fields);
    let mut stacks = Family::of(architecture).ok_or_else(|| Error::unsupported(architecture))?.stacks(&config)?;
    for stack in &mut stacks {
        stack.spec.feed_forwards().for_each(|own| own.width = feed_forward as usize);
        stack.names = NAMES;
    }
    let plan = ModelConfig::new(stacks).check()?;
    let labels = match plan.spec().head {
        Head::Classes { .. } => config.labels()?,
        _ => Vec::new(),
    };
    let processor = Some(processor(header, architecture, &config)?);
    Ok(ModelConfig { labels, processor, ..plan })
}

/// Pictures are resized to the model's size; what their values are made of, the file says.
fn processor(header: &Header, architecture: &str, config: &Config) -> Result<Processor> {
    let stats = |name: &str| header.metadata.f32s(&format!("{architecture}.{name}"));
    let [[height, width], _] = config.image_and_patch(0)?;
    let json = json!({
        "size": { "height": height, "width": width },
        "resample": 3,
        "image_mean": stats("image_mean").unwrap_or(&[0.5]),
        "image_std": stats("image_std").unwrap_or(&[0.5]),
    });
    Processor::from_json(&json.to_string(), config.count("num_channels", 3)?, architecture)
}

pub const NAMES: Names = Names {
    parts: &[
        (Role::PatchEmbedding, "v.patch_embd"),
        (Role::ClassToken, "v.class_embd"),
        (Role::DistillationToken, "v.distillation_embd"),
        (Role::Registers, "v.register_embd"),
        (Role::Positions, "v.position_embd.weight"),
        (Role::OutputNorm, "v.post_ln"),
        (Role::Head, "cls"),
        (Role::DistillationHead, "cls.distillation"),
        (Role::AttentionNorm, "v.blk.{}.ln1"),
        (Role::Query, "v.blk.{}.attn_q"),
        (Role::Key, "v.blk.{}.attn_k"),
        (Role::Value, "v.blk.{}.attn_v"),
        (Role::Output, "v.blk.{}.attn_out"),
        (Role::AttentionScale, "v.blk.{}.ls1.weight"),
        (Role::FeedForwardNorm, "v.blk.{}.ln2"),
        (Role::Gate, "v.blk.{}.ffn_gate"),
        (Role::Up, "v.blk.{}.ffn_up"),
        (Role::Down, "v.blk.{}.ffn_down"),
        (Role::FeedForwardScale, "v.blk.{}.ls2.weight"),
    ],
    ..Names::PLAIN
};
