//! What a model is and needs, from its header alone.

use super::decoder::HEAD_ROWS;
use super::scratch::Scratch;
use super::spec::{Spec, StackInput};
use super::state::{self, source_shapes, state_shapes};
use super::weight_loader::{PartSize, WeightLoader};
use crate::device::{CacheType, Device, StateShape};
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
    /// What the weights are for.
    pub parts: Vec<PartSize>,
    /// What the checkpoint leaves open and is assumed, in words.
    pub warnings: Vec<String>,
    pub spec: SummarySpec,
}

/// The model as data.
#[derive(Clone, Debug, Serialize)]
pub struct SummarySpec {
    /// The first one answers: see [`ModelConfig::stacks`](super::model_config::ModelConfig).
    pub stacks: Vec<Spec>,
}

/// Bytes on the device, which may be more than 32 bits count.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    pub weights: f64,
    /// At the full context length.
    pub kv_cache: f64,
    pub activations: f64,
    pub total: f64,
}

impl Summary {
    /// For a context of `context` tokens and `batch` sequences, or for `batch` images. Error: missing-file before any
    /// header has come.
    pub fn new<D: Device>(
        weight_loader: &WeightLoader<D>,
        context: usize,
        batch: usize,
        cache: CacheType,
    ) -> Result<Self> {
        let (header, plan) = (weight_loader.header(), weight_loader.plan()?);
        let spec = plan.spec();
        let mut quantization = BTreeMap::new();
        let mut parameters = 0;
        for tensor in &header.tensors {
            *quantization.entry(tensor.ty.name()).or_insert(0) += 1;
            parameters += tensor.shape.iter().map(|n| *n as u64).product::<u64>();
        }
        let attention = spec.attention();
        let rows = Scratch::<D>::most_rows(spec);
        let kept = |shapes: &[StateShape], tokens| batch as f64 * state::bytes(shapes, cache, tokens, rows);
        let mut kv_cache = 0.0;
        let mut activations = stack::<D>(spec, batch);
        if spec.vocabulary_head().is_some() {
            kv_cache = kept(&state_shapes(spec), context);
            let head = 4 * HEAD_ROWS * (spec.width + spec.vocabulary());
            activations = Scratch::<D>::bytes(spec, rows) + head as f64;
        }
        for other in plan.specs().skip(1) {
            // A source's keys and values are kept in all layers of the decoder.
            let source = if spec.looks_across() { other.context() } else { 0 };
            kv_cache += kept(&source_shapes(spec), source);
            activations += stack::<D>(other, batch);
        }
        let weights = weight_loader.weight_bytes() as f64;
        Ok(Self {
            architecture: spec.architecture.clone(),
            task: spec.task(),
            parameters,
            quantization,
            layers: spec.layers(),
            width: spec.width,
            heads: attention.heads,
            kv_heads: attention.kv_heads,
            context_length: context,
            vocabulary_size: matches!(spec.input, StackInput::Tokens(_)).then(|| spec.vocabulary()),
            parts: weight_loader.parts(),
            memory: Memory { weights, kv_cache, activations, total: weights + kv_cache + activations },
            warnings: plan.warnings.clone(),
            spec: SummarySpec { stacks: plan.specs().cloned().collect() },
        })
    }

    /// Adds weights of the head that lie in files of their own.
    pub fn add_to_head(&mut self, parameters: usize, bytes: usize) {
        self.parameters += parameters as u64;
        self.memory.weights += bytes as f64;
        self.memory.total += bytes as f64;
        let name = "head";
        match self.parts.iter_mut().find(|part| part.name == name) {
            Some(part) => {
                part.parameters += parameters as u64;
                part.bytes += bytes as u64;
            }
            None => self.parts.push(PartSize { name, parameters: parameters as u64, bytes: bytes as u64 }),
        }
    }

    /// Adds what else is assumed, unless it is told already.
    pub fn warn(&mut self, warnings: &[String]) {
        for warning in warnings {
            if !self.warnings.contains(warning) {
                self.warnings.push(warning.clone());
            }
        }
    }
}

/// Activations of a stack that reads whole sequences or images, with one layer's keys and values as floats.
fn stack<D: Device>(spec: &Spec, batch: usize) -> f64 {
    let rows = spec.context();
    let keys = 8.0 * spec.attention().keys() as f64 * rows as f64;
    batch as f64 * (Scratch::<D>::bytes(spec, rows) + keys)
}
