//! Makes a GGUF file of a folder with a ViT, DeiT or DINOv2 in Hugging Face's layout:
//!
//!     cargo run --release --example vit_to_gguf -- models/vit/ vit.gguf
//!
//! llama.cpp has no image classifiers: the keys are those that it has for language models, under the model's own name,
//! and the tensors are called as in its vision towers. `cargo run --example requantize` makes the file smaller.
#![allow(dead_code)] // A test takes the conversion alone.

use azulejo::checkpoint::write::{NewTensor, file};
use azulejo::checkpoint::{Array, Metadata, MetadataValue, TensorType};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value as Json;
use std::error::Error;
use std::fs;

/// transformers' names of a layer's parts in these families, and llama.cpp's.
const PARTS: [(&str, &str); 19] = [
    ("layernorm_before", "ln1"),
    ("norm1", "ln1"),
    ("attention.attention.query", "attn_q"),
    ("attention.attention.key", "attn_k"),
    ("attention.attention.value", "attn_v"),
    ("attention.output.dense", "attn_out"),
    ("layer_scale1", "ls1"),
    ("layernorm_after", "ln2"),
    ("norm2", "ln2"),
    ("intermediate.dense", "ffn_up"),
    ("output.dense", "ffn_down"),
    ("mlp.fc1", "ffn_up"),
    ("mlp.fc2", "ffn_down"),
    ("mlp.weights_out", "ffn_down"),
    ("layer_scale2", "ls2"),
    ("embeddings.patch_embeddings.projection", "v.patch_embd"),
    ("layernorm", "v.post_ln"),
    ("distillation_classifier", "cls.distillation"),
    ("cls_classifier", "cls"),
];

/// Tensors outside the layers whose names are whole.
const WHOLE: [(&str, &str); 4] = [
    ("embeddings.cls_token", "v.class_embd"),
    ("embeddings.distillation_token", "v.distillation_embd"),
    ("embeddings.register_tokens", "v.register_embd"),
    ("embeddings.position_embeddings", "v.position_embd.weight"),
];

/// A tensor's name in the file; none for what only pre-training needs.
fn gguf_name(name: &str) -> Option<String> {
    let name = ["vit.", "deit.", "dinov2.", "dinov2_with_registers."]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name);
    if let Some((_, ours)) = WHOLE.iter().find(|(theirs, _)| *theirs == name) {
        return Some((*ours).to_owned());
    }
    let (stem, kind) = name.rsplit_once('.')?;
    let kind = if kind == "lambda1" { "weight" } else { kind };
    let of = |stem: &str| PARTS.iter().find(|(theirs, _)| *theirs == stem).map(|(_, ours)| *ours);
    match stem.strip_prefix("encoder.layer.").and_then(|rest| rest.split_once('.')) {
        Some((layer, part)) => Some(format!("v.blk.{layer}.{}.{kind}", of(part)?)),
        None if stem == "classifier" => Some(format!("cls.{kind}")),
        None => Some(format!("{}.{kind}", of(stem)?)),
    }
}

/// The file. `processor`: `preprocessor_config.json`, for the mean and deviation of pixels.
pub fn convert(config: &Json, processor: Option<&Json>, weights: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut tensors = Vec::new();
    for (name, view) in SafeTensors::deserialize(weights)?.tensors() {
        let ty = match view.dtype() {
            Dtype::F32 => TensorType::F32,
            Dtype::F16 => TensorType::F16,
            Dtype::BF16 => TensorType::BF16,
            other => return Err(format!("{name}: {other:?} is not supported").into()),
        };
        let tensor = |name: String, shape: Vec<usize>| NewTensor { name, ty, shape };
        if let Some((stem, kind)) = name.split_once(".mlp.weights_in.") {
            // Gate and up lie one below the other.
            let layer = stem.rsplit('.').next().unwrap_or_default();
            let (half, shape) = (view.data().len() / 2, view.shape());
            let shape = [&[shape[0] / 2], &shape[1..]].concat();
            tensors
                .push((tensor(format!("v.blk.{layer}.ffn_gate.{kind}"), shape.clone()), view.data()[..half].to_vec()));
            tensors.push((tensor(format!("v.blk.{layer}.ffn_up.{kind}"), shape), view.data()[half..].to_vec()));
        } else if let Some(name) = gguf_name(&name) {
            tensors.push((tensor(name, view.shape().to_vec()), view.data().to_vec()));
        }
    }
    let find = |name: &str| tensors.iter().find(|(tensor, _)| tensor.name == name);
    let (up, _) = find("v.blk.0.ffn_up.weight").ok_or("no feed-forward network: is this a ViT?")?;
    Ok(file(&metadata(config, processor, up.shape[0])?, &tensors))
}

fn metadata(config: &Json, processor: Option<&Json>, feed_forward: usize) -> Result<Metadata, Box<dyn Error>> {
    let architecture = config["model_type"].as_str().ok_or("config.json has no model_type")?;
    let mut metadata = Metadata::default();
    metadata.insert("general.architecture", MetadataValue::String(architecture.to_owned()));
    let mut set = |key: &str, value: MetadataValue| metadata.insert(format!("{architecture}.{key}"), value);
    set("feed_forward_length", MetadataValue::U32(feed_forward as u32));
    for (key, name, default) in [
        ("block_count", "num_hidden_layers", None),
        ("embedding_length", "hidden_size", None),
        ("attention.head_count", "num_attention_heads", None),
        ("image_size", "image_size", None),
        ("patch_size", "patch_size", None),
        ("image_channels", "num_channels", Some(3)),
    ] {
        let number = config[name].as_u64().or(default).ok_or_else(|| format!("config.json has no number {name}"))?;
        set(key, MetadataValue::U32(number as u32));
    }
    if let Some(registers) = config["num_register_tokens"].as_u64() {
        set("register_tokens", MetadataValue::U32(registers as u32));
    }
    if let Some(epsilon) = config["layer_norm_eps"].as_f64() {
        set("attention.layer_norm_epsilon", MetadataValue::F32(epsilon as f32));
    }
    if let Some(activation) = config["hidden_act"].as_str() {
        set("activation", MetadataValue::String(activation.to_owned()));
    }
    if let Some(labels) = config["id2label"].as_object() {
        let label = |class: usize| labels[&class.to_string()].as_str().unwrap_or_default().to_owned();
        set("classifier.output_labels", MetadataValue::Array(Array::String((0..labels.len()).map(label).collect())));
    }
    for key in ["image_mean", "image_std"] {
        if let Some(values) = processor.and_then(|processor| processor[key].as_array()) {
            let values = values.iter().map(|value| value.as_f64().unwrap_or_default() as f32);
            set(key, MetadataValue::Array(Array::F32(values.collect())));
        }
    }
    Ok(metadata)
}

fn main() -> Result<(), Box<dyn Error>> {
    let [_, folder, out] = &std::env::args().collect::<Vec<_>>()[..] else {
        return Err("usage: vit_to_gguf FOLDER OUT.gguf".into());
    };
    let json =
        |name: &str| fs::read_to_string(format!("{folder}/{name}")).map(|text| serde_json::from_str::<Json>(&text));
    let processor = json("preprocessor_config.json").ok().transpose()?;
    let weights = fs::read(format!("{folder}/model.safetensors"))?;
    fs::write(out, convert(&json("config.json")??, processor.as_ref(), &weights)?)?;
    Ok(())
}
