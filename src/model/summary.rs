//! What a model is and needs, from its header alone.

use super::HEAD_ROWS;
use super::forward::Scratch;
use super::spec::Spec;
use crate::checkpoint::Header;
use crate::device::{CacheType, Device};
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
    pub vocabulary_size: usize,
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
    /// For a context of `context` tokens and `batch` sequences.
    pub fn new<D: Device>(spec: &Spec, header: &Header, context: usize, batch: usize, cache: CacheType) -> Self {
        let mut quantization = BTreeMap::new();
        let (mut parameters, mut weights) = (0, 0);
        for tensor in &header.tensors {
            *quantization.entry(tensor.ty.name()).or_insert(0) += 1;
            parameters += tensor.shape.iter().map(|n| *n as u64).product::<u64>();
            weights += match *tensor.shape {
                [rows, columns] => D::matrix_bytes(tensor.ty, rows, columns),
                _ => 4 * tensor.shape.iter().product::<usize>(),
            };
        }
        let attention = &spec.attention;
        let kv_cache = 2 * spec.layers * attention.kv_heads * cache_bytes(cache, attention.head_dim) * context * batch;
        let head = 4 * HEAD_ROWS * (spec.width + spec.vocabulary);
        let activations = Scratch::<D>::bytes(spec, D::CHUNK) + head;
        Self {
            architecture: spec.architecture.clone(),
            task: "causal-lm",
            parameters,
            quantization,
            layers: spec.layers,
            width: spec.width,
            heads: attention.heads,
            kv_heads: attention.kv_heads,
            context_length: context,
            vocabulary_size: spec.vocabulary,
            memory: Memory { weights, kv_cache, activations, total: weights + kv_cache + activations },
            spec: spec.clone(),
        }
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
