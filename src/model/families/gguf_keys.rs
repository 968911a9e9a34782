//! GGUF metadata under an architecture's prefix.
//!
//! Keys: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

use super::super::rope::{RopeScaling, yarn_magnitude};
use crate::checkpoint::{Array, Metadata, MetadataValue};
use crate::error::{Error, Result};
use serde_json::json;

pub struct Keys<'a> {
    pub metadata: &'a Metadata,
    pub architecture: &'a str,
}

impl<'a> Keys<'a> {
    pub fn new(metadata: &'a Metadata) -> Result<Self> {
        let architecture = metadata
            .str("general.architecture")
            .ok_or_else(|| Error::corrupt("metadata without \"general.architecture\""))?;
        Ok(Self { metadata, architecture })
    }

    pub fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.architecture)
    }

    pub fn missing(&self, key: &str) -> Error {
        Error::corrupt(format!("metadata without a number {:?}", self.key(key)))
    }

    pub fn number(&self, key: &str) -> Option<usize> {
        self.metadata.u32(&self.key(key)).map(|number| number as usize)
    }

    /// A number other than 0, which stands for none.
    pub fn some(&self, key: &str) -> Option<usize> {
        self.number(key).filter(|number| *number > 0)
    }

    pub fn float(&self, key: &str) -> Option<f64> {
        self.metadata.f32(&self.key(key)).map(f64::from)
    }

    pub fn flag(&self, key: &str) -> Option<bool> {
        self.metadata.bool(&self.key(key))
    }

    pub fn required(&self, key: &str) -> Result<usize> {
        self.number(key).ok_or_else(|| self.missing(key))
    }

    /// A number that some files give for each layer: of heads, of experts. LFM2's layers of short convolutions have no heads.
    pub fn each(&self, key: &str) -> Result<Option<usize>> {
        if let Some(per_layer) = self.metadata.integers(&self.key(key)) {
            let counts = || per_layer.iter().copied().filter(|number| *number != 0 || self.architecture != "lfm2");
            let first = counts().next().unwrap_or(0);
            if counts().any(|number| number != first) {
                return Err(Error::unsupported(format!("{:?} that differs between layers", self.key(key))));
            }
            return Ok(usize::try_from(first).ok());
        }
        Ok(self.number(key))
    }

    /// The heads of queries, those of keys, and how many values each has.
    pub fn attention(&self, width: usize) -> Result<[usize; 3]> {
        let heads = self.each("attention.head_count")?.ok_or_else(|| self.missing("attention.head_count"))?;
        let head_dim = self.number("attention.key_length").or(width.checked_div(heads)).unwrap_or(0);
        if let Some(values) = self.number("attention.value_length").filter(|values| *values != head_dim) {
            return Err(Error::unsupported(format!("heads with keys of {head_dim} and values of {values} dimensions")));
        }
        Ok([heads, self.each("attention.head_count_kv")?.unwrap_or(heads), head_dim])
    }

    /// Which layers have heads of keys, where the file says it of each.
    pub fn layers_with_heads(&self) -> Option<Vec<bool>> {
        let per_layer = self.metadata.integers(&self.key("attention.head_count_kv"))?;
        Some(per_layer.iter().map(|heads| *heads != 0).collect())
    }

    /// Which layers see only a window, where the file says so: layer by layer, or one number, in which case the last
    /// of as many layers, or the first, sees everything.
    pub fn local_layers(&self, layers: usize, dense_first: bool) -> Option<Vec<bool>> {
        let name = "attention.sliding_window_pattern";
        if let Some(MetadataValue::Array(Array::Bool(list))) = self.metadata.get(&self.key(name)) {
            return Some(list.clone());
        }
        if let Some(list) = self.metadata.integers(&self.key(name)) {
            return Some(list.iter().map(|local| *local != 0).collect());
        }
        let pattern = self.number(name)?;
        let dense = |layer: usize| pattern > 0 && (layer + usize::from(!dense_first)).is_multiple_of(pattern);
        Some((0..layers).map(|layer| !dense(layer)).collect())
    }

    pub fn scaling_type(&self) -> Option<&str> {
        self.metadata.str(&self.key("rope.scaling.type"))
    }

    /// LongRoPE, whose factors are tensors. Errors: unsupported-model where frequencies are scaled otherwise, too;
    /// corrupt-file.
    pub fn long_rope(&self) -> Result<RopeScaling> {
        let refused = |what: String| Err(Error::unsupported(format!("LongRoPE with {what}")));
        if let Some(ty) = self.scaling_type().filter(|ty| !["none", "linear", "longrope"].contains(ty)) {
            return refused(format!("RoPE scaling {ty:?}"));
        }
        for name in ["rope.scaling.factor", "rope.scale_linear"] {
            if let Some(factor) = self.float(name).filter(|factor| ![0.0, 1.0].contains(factor)) {
                return refused(format!("{:?}: {factor}", self.key(name)));
            }
        }
        let original = self.number("rope.scaling.original_context_length");
        Ok(RopeScaling::LongRope {
            short: Vec::new(),
            long: Vec::new(),
            original_context: original.map_or_else(|| self.required("context_length"), Ok)?,
            magnitude: self.float("rope.scaling.attn_factor").unwrap_or(1.0),
        })
    }

    /// RoPE's scaling in the words of `config.json`.
    pub fn rope_scaling(&self) -> Result<Option<serde_json::Value>> {
        let float = |key: &str| self.float(&format!("rope.scaling.{key}"));
        let factor = float("factor").or(self.float("rope.scale_linear")).filter(|factor| *factor > 0.0);
        let scaling = match (self.scaling_type().unwrap_or(if factor.is_some() { "linear" } else { "none" }), factor) {
            // gpt-oss' configuration always says.
            ("none", _) => return Ok((self.architecture == "gpt-oss").then(|| json!({ "type": "default" }))),
            ("linear", factor) => json!({ "type": "linear", "factor": factor.unwrap_or(1.0) }),
            ("yarn", Some(factor)) => {
                // The converter writes transformers' `attention_factor`, all of it, as YaRN's own; llama.cpp passes that over.
                let magnitude = float("yarn_attn_factor").unwrap_or(yarn_magnitude(factor, 1.0));
                json!({
                    "type": "yarn",
                    "factor": factor,
                    "original_max_position_embeddings": self.required("rope.scaling.original_context_length")?,
                    "beta_fast": float("yarn_beta_fast"),
                    "beta_slow": float("yarn_beta_slow"),
                    "attention_factor": magnitude * float("attn_factor").unwrap_or(1.0),
                    // No key says so; llama.cpp rounds gpt-oss' too.
                    "truncate": self.architecture != "gpt-oss",
                })
            }
            ("yarn", None) => return Err(self.missing("rope.scaling.factor")),
            (other, _) => {
                return Err(Error::unsupported(format!("RoPE scaling {other:?} (supported: linear, yarn)")));
            }
        };
        Ok(Some(scaling))
    }
}
