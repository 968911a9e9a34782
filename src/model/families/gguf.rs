//! GGUF metadata, as llama.cpp's converter writes it for these families.
//!
//! Keys: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

use super::super::rope::{Rope, RopeScaling, yarn_magnitude};
use super::{Layout, Names, Part};
use crate::checkpoint::{Header, Metadata};
use crate::device::{Activation, RopePairs};
use crate::error::{Error, Result};
use crate::model::check::check_layers;
use crate::model::spec::{Attention, FeedForward, Head, HeadNorm, Input, Norm, Spec, Tokens, VocabularyHead};

pub fn spec(header: &Header) -> Result<Spec> {
    let keys = Keys::new(&header.metadata)?;
    // llama.cpp's converter reorders Llama's queries and keys so that neighbours turn together.
    let (pairs, head_norm) = match keys.architecture {
        "llama" | "mistral" => (RopePairs::Interleaved, HeadNorm::None),
        "qwen2" => (RopePairs::HalfSplit, HeadNorm::None),
        "qwen3" => (RopePairs::HalfSplit, HeadNorm::Each),
        other => {
            let message = format!("architecture {other:?} (supported: llama, mistral, qwen2, qwen3)");
            return Err(Error::unsupported(message));
        }
    };
    if keys.number("expert_count").is_some_and(|experts| experts > 0) {
        return Err(Error::unsupported(format!("{} with mixture of experts", keys.architecture)));
    }
    let has = |name: &str| header.tensors.iter().any(|tensor| tensor.name == name);
    let (layers, width, heads) =
        (check_layers(keys.required("block_count")?)?, keys.required("embedding_length")?, keys.heads("head_count")?);
    let heads = heads.ok_or_else(|| keys.missing("attention.head_count"))?;
    let head_dim = match keys.number("attention.key_length") {
        Some(head_dim) => head_dim,
        None => width.checked_div(heads).unwrap_or(0),
    };
    if let Some(value_dim) = keys.number("attention.value_length").filter(|value_dim| *value_dim != head_dim) {
        return Err(Error::unsupported(format!("heads with keys of {head_dim} and values of {value_dim} dimensions")));
    }
    let attention = Attention {
        kv_heads: keys.heads("head_count_kv")?.unwrap_or(heads),
        causal: true,
        windows: vec![keys.number("attention.sliding_window").filter(|window| *window > 0); layers],
        head_norm,
        qkv_bias: has("blk.0.attn_q.bias"),
        output_bias: has("blk.0.attn_output.bias"),
        ..Attention::plain(layers, heads, head_dim).rotated(keys.rope(pairs, head_dim)?)
    };
    let feed_forward = FeedForward {
        width: keys.required("feed_forward_length")?,
        activation: Activation::Silu,
        gated: true,
        bias: has("blk.0.ffn_down.bias"),
    };
    let input = Input::Tokens(Tokens::plain(vocabulary(header)?, keys.required("context_length")?));
    let epsilon = keys.float("attention.layer_norm_rms_epsilon").unwrap_or(1e-5);
    let norm = Norm::Rms { epsilon, plus_one: false };
    let head = Head::Vocabulary(VocabularyHead::plain(!has("output.weight")));
    Ok(Spec { head, ..Spec::new(keys.architecture, width, input, norm, attention, feed_forward) })
}

/// The embedding table's rows: the metadata need not say.
fn vocabulary(header: &Header) -> Result<usize> {
    let table = header.tensors.iter().find(|tensor| tensor.name == "token_embd.weight");
    match table.map(|table| table.shape.as_slice()) {
        Some(&[rows, _]) => Ok(rows),
        Some(shape) => {
            Err(Error::corrupt(format!("shape {shape:?}, expected two dimensions")).in_tensor("token_embd.weight"))
        }
        // In a checkpoint of several files it may be in another one.
        None => match header.metadata.strings("tokenizer.ggml.tokens") {
            Some(tokens) => Ok(tokens.len()),
            None => Err(Error::corrupt("missing").in_tensor("token_embd.weight")),
        },
    }
}

/// The metadata under the architecture's prefix.
struct Keys<'a> {
    metadata: &'a Metadata,
    architecture: &'a str,
}

impl<'a> Keys<'a> {
    fn new(metadata: &'a Metadata) -> Result<Self> {
        let architecture = metadata
            .str("general.architecture")
            .ok_or_else(|| Error::corrupt("metadata without \"general.architecture\""))?;
        Ok(Self { metadata, architecture })
    }

    fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.architecture)
    }

    fn missing(&self, key: &str) -> Error {
        Error::corrupt(format!("metadata without a number {:?}", self.key(key)))
    }

    fn number(&self, key: &str) -> Option<usize> {
        self.metadata.u32(&self.key(key)).map(|number| number as usize)
    }

    fn float(&self, key: &str) -> Option<f32> {
        self.metadata.f32(&self.key(key))
    }

    fn required(&self, key: &str) -> Result<usize> {
        self.number(key).ok_or_else(|| self.missing(key))
    }

    /// A number of heads, which some files give per layer.
    fn heads(&self, key: &str) -> Result<Option<usize>> {
        let key = format!("attention.{key}");
        if let Some(per_layer) = self.metadata.integers(&self.key(&key)) {
            let first = per_layer.first().copied().unwrap_or(0);
            if per_layer.iter().any(|heads| *heads != first) {
                return Err(Error::unsupported(format!("{:?} that differs between layers", self.key(&key))));
            }
            return Ok(usize::try_from(first).ok());
        }
        Ok(self.number(&key))
    }

    fn rope(&self, pairs: RopePairs, head_dim: usize) -> Result<Rope> {
        let dims = self.number("rope.dimension_count").unwrap_or(head_dim);
        let theta = f64::from(self.float("rope.freq_base").unwrap_or(10_000.0));
        Ok(Rope { pairs, dims, theta, scaling: self.rope_scaling()? })
    }

    fn rope_scaling(&self) -> Result<RopeScaling> {
        let float = |key: &str| self.float(key).map(f64::from);
        let factor = float("rope.scaling.factor").or(float("rope.scale_linear")).filter(|factor| *factor > 0.0);
        let ty = self.metadata.str(&self.key("rope.scaling.type"));
        match (ty.unwrap_or(if factor.is_some() { "linear" } else { "none" }), factor) {
            ("none", _) => Ok(RopeScaling::None),
            ("linear", factor) => Ok(RopeScaling::Linear { factor: factor.unwrap_or(1.0) }),
            ("yarn", Some(factor)) => Ok(RopeScaling::Yarn {
                factor,
                original_context: self.required("rope.scaling.original_context_length")? as f64,
                beta_fast: float("rope.scaling.yarn_beta_fast").unwrap_or(32.0),
                beta_slow: float("rope.scaling.yarn_beta_slow").unwrap_or(1.0),
                magnitude: yarn_magnitude(factor, 1.0) * float("rope.scaling.attn_factor").unwrap_or(1.0),
                truncate: true,
            }),
            ("yarn", None) => Err(self.missing("rope.scaling.factor")),
            (other, _) => Err(Error::unsupported(format!("RoPE scaling {other:?} (supported: linear, yarn)"))),
        }
    }
}

/// llama.cpp's tensor names.
pub const NAMES: Names = Names {
    prefix: "",
    parts: &[
        (Part::Embedding, "token_embd"),
        (Part::OutputNorm, "output_norm"),
        (Part::Head, "output"),
        (Part::RopeFactors, "rope_freqs"),
        (Part::AttentionNorm, "blk.{}.attn_norm"),
        (Part::Query, "blk.{}.attn_q"),
        (Part::Key, "blk.{}.attn_k"),
        (Part::Value, "blk.{}.attn_v"),
        (Part::Output, "blk.{}.attn_output"),
        (Part::QueryNorm, "blk.{}.attn_q_norm"),
        (Part::KeyNorm, "blk.{}.attn_k_norm"),
        (Part::FeedForwardNorm, "blk.{}.ffn_norm"),
        (Part::Gate, "blk.{}.ffn_gate"),
        (Part::Up, "blk.{}.ffn_up"),
        (Part::Down, "blk.{}.ffn_down"),
    ],
    ignored: &["blk.{}.attn_rot_embd"],
    layout: Layout::Stacked,
};
