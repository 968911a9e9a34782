//! What is refused of a GGUF file's metadata: values of another kind than llama.cpp's, and what changes an answer there and
//! has no place here.

use super::gguf_keys::Keys;
use crate::checkpoint::{Array, MetadataValue};
use crate::error::{Error, Result};

/// Kinds of values that are asked for.
#[derive(Clone, Copy, PartialEq)]
enum KeyKind {
    /// An integer.
    Count,
    /// Or one for each layer.
    Counts,
    Float,
    Flag,
    Text,
    Texts,
}

impl KeyKind {
    fn name(self) -> &'static str {
        match self {
            KeyKind::Count => "a whole number",
            KeyKind::Counts => "a whole number, or some",
            KeyKind::Float => "a number",
            KeyKind::Flag => "true or false",
            KeyKind::Text => "a text",
            KeyKind::Texts => "texts",
        }
    }

    fn is(self, value: &MetadataValue) -> bool {
        let integer = value.integer().is_some_and(|integer| u32::try_from(integer).is_ok());
        match (self, value) {
            (KeyKind::Float, MetadataValue::F32(_) | MetadataValue::F64(_))
            | (KeyKind::Flag, MetadataValue::Bool(_)) => true,
            (KeyKind::Counts, MetadataValue::Array(array)) => {
                !matches!(array, Array::F32(_) | Array::F64(_) | Array::String(_) | Array::Array(_))
            }
            (KeyKind::Text, MetadataValue::String(_)) | (KeyKind::Texts, MetadataValue::Array(Array::String(_))) => {
                true
            }
            (KeyKind::Count | KeyKind::Counts, _) => integer,
            _ => false,
        }
    }
}

/// What is read, under an architecture's name.
const READ: [(&str, KeyKind); 51] = [
    ("block_count", KeyKind::Count),
    ("decoder_block_count", KeyKind::Count),
    ("decoder_start_token_id", KeyKind::Count),
    ("embedding_length", KeyKind::Count),
    ("feed_forward_length", KeyKind::Count),
    ("context_length", KeyKind::Count),
    ("attention.head_count", KeyKind::Counts),
    ("attention.head_count_kv", KeyKind::Counts),
    ("attention.key_length", KeyKind::Count),
    ("attention.value_length", KeyKind::Count),
    ("attention.layer_norm_epsilon", KeyKind::Float),
    ("attention.layer_norm_rms_epsilon", KeyKind::Float),
    ("attention.sliding_window", KeyKind::Count),
    ("attention.sliding_window_pattern", KeyKind::Counts),
    ("attention.scale", KeyKind::Float),
    ("attention.causal", KeyKind::Flag),
    ("attention.max_alibi_bias", KeyKind::Float),
    ("attention.clamp_kqv", KeyKind::Float),
    ("attention.relative_buckets_count", KeyKind::Count),
    ("attn_logit_softcapping", KeyKind::Float),
    ("final_logit_softcapping", KeyKind::Float),
    ("logit_scale", KeyKind::Float),
    ("hidden_activation", KeyKind::Text),
    ("use_parallel_residual", KeyKind::Flag),
    ("pooling_type", KeyKind::Count),
    ("dense_2_feat_in", KeyKind::Count),
    ("dense_2_feat_out", KeyKind::Count),
    ("dense_3_feat_in", KeyKind::Count),
    ("dense_3_feat_out", KeyKind::Count),
    ("classifier.output_labels", KeyKind::Texts),
    ("classifier.pooling_type", KeyKind::Count),
    ("embedding_scale", KeyKind::Float),
    ("residual_scale", KeyKind::Float),
    ("shortconv.l_cache", KeyKind::Count),
    ("expert_count", KeyKind::Count),
    ("expert_used_count", KeyKind::Counts),
    ("expert_feed_forward_length", KeyKind::Counts),
    ("expert_weights_norm", KeyKind::Flag),
    ("expert_gating_func", KeyKind::Count),
    ("rope.dimension_count", KeyKind::Count),
    ("rope.freq_base", KeyKind::Float),
    ("rope.freq_base_swa", KeyKind::Float),
    ("rope.scale_linear", KeyKind::Float),
    ("rope.scaling.type", KeyKind::Text),
    ("rope.scaling.factor", KeyKind::Float),
    ("rope.scaling.attn_factor", KeyKind::Float),
    ("rope.scaling.yarn_attn_factor", KeyKind::Float),
    ("rope.scaling.original_context_length", KeyKind::Count),
    ("rope.scaling.finetuned", KeyKind::Flag),
    ("rope.scaling.yarn_beta_fast", KeyKind::Float),
    ("rope.scaling.yarn_beta_slow", KeyKind::Float),
];

/// What some of llama.cpp's architectures heed, and what it says where it changes nothing. Ours have no such thing.
const REFUSED: [(&str, &[f64]); 30] = [
    ("activation_sparsity_scale", &[0.0]),
    ("altup.num_inputs", &[0.0]),
    ("attention.kv_lora_rank", &[0.0]),
    ("attention.output_scale", &[0.0, 1.0]),
    ("attention.q_lora_rank", &[0.0]),
    ("attention.shared_kv_layers", &[0.0]),
    ("attention.temperature_length", &[0.0]),
    ("attention.temperature_scale", &[0.0]),
    ("convnext.block_count", &[0.0]),
    ("embedding_length_per_layer_input", &[0.0]),
    ("full_attention_interval", &[0.0, 1.0]),
    ("interleave_moe_layer_step", &[0.0]),
    ("kda.head_dim", &[0.0]),
    ("leading_dense_block_count", &[0.0]),
    ("moe_every_n_layers", &[0.0]),
    ("moe_latent_size", &[0.0]),
    ("n_deepstack_layers", &[0.0]),
    ("nextn_predict_layers", &[0.0]),
    ("posnet.block_count", &[0.0]),
    ("rescale_every_n_layers", &[0.0]),
    ("rope.dimension_sections", &[]),
    ("rope.scaling.alpha", &[0.0]),
    ("rope.scaling.yarn_ext_factor", &[1.0, -1.0]),
    ("rope.scaling.yarn_log_multiplier", &[0.0]),
    ("router_logit_softcapping", &[0.0]),
    ("swiglu_clamp_exp", &[0.0]),
    ("swiglu_clamp_shexp", &[0.0]),
    ("swin_norm", &[0.0]),
    ("token_shift_count", &[0.0]),
    ("wkv.head_size", &[0.0]),
];

fn number(value: &MetadataValue) -> Option<f64> {
    match value {
        MetadataValue::F32(number) => Some(f64::from(*number)),
        MetadataValue::F64(number) => Some(*number),
        MetadataValue::Bool(flag) => Some(f64::from(u8::from(*flag))),
        value => value.integer().map(|integer| integer as f64),
    }
}

/// Refuses keys whose value is none of those that change nothing. Error: unsupported-model.
pub fn refuse(keys: &Keys, all: &[(&str, &[f64])]) -> Result<()> {
    for (name, idle) in all {
        let value = keys.metadata.get(&keys.key(name));
        if let Some(value) = value.filter(|value| !number(value).is_some_and(|number| idle.contains(&number))) {
            return Err(Error::unsupported(format!("{:?}: {value}", keys.key(name))));
        }
    }
    Ok(())
}

/// Errors: corrupt-file, unsupported-model.
pub fn check(keys: &Keys) -> Result<()> {
    let of = |name: &str| keys.metadata.get(&keys.key(name));
    for (name, kind) in READ {
        if let Some(value) = of(name).filter(|value| !kind.is(value)) {
            return Err(Error::corrupt(format!("{:?} is {value}, expected {}", keys.key(name), kind.name())));
        }
    }
    refuse(keys, &REFUSED)?;
    check_granite_and_windows(keys)?;
    let width = keys.required("embedding_length")?;
    let [_, _, head_dim] = keys.attention(width)?;
    check_equal(keys, "attention.key_length_swa", head_dim)?;
    check_equal(keys, "attention.value_length_swa", head_dim)?;
    check_equal(keys, "rope.dimension_count_swa", keys.number("rope.dimension_count").unwrap_or(head_dim))?;
    check_equal(keys, "embedding_length_out", width)?;
    check_alone(keys, "logit_scale", &["command-r", "cohere2", "granite", "granitehybrid"], &[0.0, 1.0])?;
    check_alone(keys, "embedding_scale", &["granite", "granitehybrid"], &[0.0, 1.0])?;
    check_alone(keys, "residual_scale", &["granite", "granitehybrid"], &[0.0, 1.0])?;
    check_alone(keys, "shortconv.l_cache", &["lfm2"], &[0.0])?;
    check_alone(keys, "attention.clamp_kqv", &["mpt"], &[0.0])?;
    check_alone(keys, "attention.max_alibi_bias", &["mpt", "bloom"], &[0.0])?;
    match keys.metadata.str("general.type") {
        None | Some("model") => Ok(()),
        Some(other) => Err(Error::unsupported(format!("\"general.type\": {other:?} (supported: \"model\")"))),
    }
}

/// Refuses recurrences, and windows and their rotary positions where nobody has them. Granite's converter writes of its
/// recurrences where there are none, too.
fn check_granite_and_windows(keys: &Keys) -> Result<()> {
    let granite = matches!(keys.architecture, "granite" | "granitehybrid");
    let per_layer = keys.metadata.integers(&keys.key("attention.head_count_kv")).unwrap_or_default();
    if granite && per_layer.contains(&0) {
        return Err(Error::unsupported(format!("{} with recurrent layers", keys.architecture)));
    }
    if let Some(size) = keys.some("ssm.inner_size").filter(|_| !granite) {
        return Err(Error::unsupported(format!("{:?}: {size}", keys.key("ssm.inner_size"))));
    }
    let without = granite || keys.architecture == "olmoe";
    if let Some(window) = keys.some("attention.sliding_window").filter(|_| without) {
        return Err(Error::unsupported(format!("{:?}: {window}", keys.key("attention.sliding_window"))));
    }
    let local = keys.float("rope.freq_base_swa").filter(|_| matches!(keys.architecture, "cohere2" | "gpt-oss"));
    match local.filter(|local| Some(*local) != keys.float("rope.freq_base")) {
        Some(local) => Err(Error::unsupported(format!("{:?}: {local}", keys.key("rope.freq_base_swa")))),
        None => Ok(()),
    }
}

/// Refuses local layers, and results, that differ from the others.
fn check_equal(keys: &Keys, name: &str, other: usize) -> Result<()> {
    match keys.number(name).filter(|number| *number != other) {
        Some(number) => Err(Error::unsupported(format!("{:?}: {number} (supported: {other})", keys.key(name)))),
        None => Ok(()),
    }
}

/// Refuses what only some architectures have.
fn check_alone(keys: &Keys, name: &str, architectures: &[&str], idle: &[f64]) -> Result<()> {
    match keys.metadata.get(&keys.key(name)).and_then(number) {
        Some(value) if !architectures.contains(&keys.architecture) && !idle.contains(&value) => {
            Err(Error::unsupported(format!("{:?}: {value}", keys.key(name))))
        }
        _ => Ok(()),
    }
}
