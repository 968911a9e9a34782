//! What a model is and needs, from its header alone.

use super::Assembly;
use super::HEAD_ROWS;
use super::forward::Scratch;
use super::spec::{Input, Spec};
use crate::device::{CacheType, Device};
use crate::error::Result;
use serde::Serialize;
use std::collections::BTreeMap;

/// `ModelSummary` of the JavaScript API.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    pub architecture: String,
    pub task: &'static str,
    pub parameters: u64,
    /// Tensors by type.
    pub quantization: BTreeMap<&'static str, usize>,
    pub layers: usize,
    pub width: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub context_length: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vocabulary_size: Option<usize>,
    pub memory: Memory,
    pub spec: Spec,
}

/// Bytes on the device.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    pub weights: usize,
    /// At the full context length.
    pub kv_cache: usize,
    pub activations: usize,
    pub total: usize,
}

impl Summary {
    /// For a context of `context` tokens and `batch` sequences, or for `batch` images. Error: missing-file before any
    /// header has come.
    pub fn new<D: Device>(assembly: &Assembly<D>, context: usize, batch: usize, cache: CacheType) -> Result<Self> {
        let (header, spec) = (assembly.header(), &assembly.plan()?.spec);
        let mut quantization = BTreeMap::new();
        let mut parameters = 0;
        for tensor in &header.tensors {
            *quantization.entry(tensor.ty.name()).or_insert(0) += 1;
            parameters += tensor.shape.iter().map(|n| *n as u64).product::<u64>();
        }
        let attention = &spec.attention;
        let kept = attention.kv_heads * cache_bytes(cache, attention.head_dim);
        let (task, kv_cache, activations) = match spec.input {
            Input::Tokens(_) => {
                let head = 4 * HEAD_ROWS * (spec.width + spec.vocabulary());
                let kv_cache = 2 * spec.layers * kept * context * batch;
                ("causal-lm", kv_cache, Scratch::<D>::bytes(spec, D::CHUNK) + head)
            }
            // One layer's keys and values at a time, as floats.
            Input::Patches(_) => {
                let keys = 8 * attention.kv_heads * attention.head_dim * context;
                ("image-classification", 0, batch * (Scratch::<D>::bytes(spec, context) + keys))
            }
        };
        let weights = assembly.weight_bytes();
        Ok(Self {
            architecture: spec.architecture.clone(),
            task,
            parameters,
            quantization,
            layers: spec.layers,
            width: spec.width,
            heads: attention.heads,
            kv_heads: attention.kv_heads,
            context_length: context,
            vocabulary_size: matches!(spec.input, Input::Tokens(_)).then(|| spec.vocabulary()),
            memory: Memory { weights, kv_cache, activations, total: weights + kv_cache + activations },
            spec: spec.clone(),
        })
    }
}

/// Bytes of one head's keys, or values, for one token.
fn cache_bytes(ty: CacheType, head_dim: usize) -> usize {
    match ty {
        CacheType::F32 => 4 * head_dim,
        CacheType::F16 => 2 * head_dim,
        CacheType::Q8 => head_dim + 4 * head_dim.div_ceil(32),
    }
}
