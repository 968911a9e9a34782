//! A model's weights on a device.

use super::part::{Part, Shape, Slot};
use super::spec::{self, Input, Spec};
use crate::device::{Device, Linear, Norm};
use crate::error::{Error, Result};
use std::collections::HashMap;

/// The vectors of one norm.
pub struct NormWeights<D: Device> {
    pub weight: D::Buffer,
    pub bias: Option<D::Buffer>,
}

impl<D: Device> NormWeights<D> {
    /// The norm that they are for.
    pub fn of<'a>(&'a self, spec: &Spec) -> Norm<'a, D> {
        let (centred, epsilon) = match spec.norm {
            spec::Norm::Rms { epsilon } => (false, epsilon),
            spec::Norm::Layer { epsilon } => (true, epsilon),
        };
        Norm { weight: &self.weight, bias: self.bias.as_ref(), centred, epsilon }
    }
}

pub struct Layer<D: Device> {
    pub attention_norm: NormWeights<D>,
    pub query: Linear<D>,
    pub key: Linear<D>,
    pub value: Linear<D>,
    pub output: Linear<D>,
    /// The norms of query and key heads.
    pub head_norms: Option<[NormWeights<D>; 2]>,
    pub feed_forward_norm: NormWeights<D>,
    pub gate: Option<Linear<D>>,
    pub up: Linear<D>,
    pub down: Linear<D>,
    /// LayerScale's factors: attention's and the feed-forward network's.
    pub scales: Option<[D::Buffer; 2]>,
}

pub enum InputWeights<D: Device> {
    /// [vocabulary, width]
    Tokens(D::Matrix),
    Patches(PatchWeights<D>),
}

/// What makes tokens of images. The vectors stay on the CPU: tables for the sizes that come are made of them.
pub struct PatchWeights<D: Device> {
    /// [width, columns of a patch]
    pub projection: D::Matrix,
    /// [width]
    pub bias: Vec<f32>,
    /// Class token, distillation token and registers, [before, width].
    pub tokens: Vec<f32>,
    /// Of the tokens that have one, then of the patches that the model was trained on, [.., width].
    pub positions: Vec<f32>,
}

pub struct Weights<D: Device> {
    pub input: InputWeights<D>,
    pub layers: Vec<Layer<D>>,
    pub output_norm: NormWeights<D>,
    /// None: the embedding table, or there is no head.
    pub head: Option<Linear<D>>,
    pub distillation_head: Option<Linear<D>>,
    /// RoPE's radians a position, [rotary dims / 2].
    pub frequencies: Vec<f32>,
}

/// A checkpoint's tensors that have come, by their slots.
pub struct Gathered<D: Device> {
    pub matrices: HashMap<Slot, D::Matrix>,
    pub vectors: HashMap<Slot, Vec<f32>>,
}

impl<D: Device> Default for Gathered<D> {
    fn default() -> Self {
        Self { matrices: HashMap::new(), vectors: HashMap::new() }
    }
}

impl<D: Device> Gathered<D> {
    pub fn has(&self, slot: &Slot, shape: &Shape) -> bool {
        match shape {
            Shape::Matrix(..) => self.matrices.contains_key(slot),
            Shape::Vector(_) => self.vectors.contains_key(slot),
        }
    }

    /// The weights of a model whose every slot is here. Errors: out-of-memory, corrupt-file.
    pub fn weights(mut self, device: &mut D, spec: &Spec) -> Result<Weights<D>> {
        let factors = self.vectors.remove(&Slot { part: Part::RopeFactors, layer: 0, bias: false });
        let rope = spec.attention.rope.as_ref();
        let frequencies = rope.map_or(Vec::new(), |rope| rope.frequencies(factors.as_deref()));
        if frequencies.iter().any(|frequency| !frequency.is_finite()) {
            return Err(Error::corrupt("RoPE frequencies that are no numbers"));
        }
        let input = match spec.input {
            Input::Tokens { .. } => InputWeights::Tokens(self.matrix(Part::Embedding, 0)),
            Input::Patches(_) => InputWeights::Patches(self.patches()),
        };
        device.expect_vectors(&mut self.vectors.values().map(Vec::len))?;
        let mut gathered = Uploading { gathered: self, device };
        Ok(Weights {
            input,
            layers: (0..spec.layers).map(|layer| gathered.layer(spec, layer)).collect::<Result<_>>()?,
            output_norm: gathered.norm(Part::OutputNorm, 0)?,
            head: gathered.linear_if_there(Part::Head, 0)?,
            distillation_head: gathered.linear_if_there(Part::DistillationHead, 0)?,
            frequencies,
        })
    }

    fn matrix(&mut self, part: Part, layer: usize) -> D::Matrix {
        self.matrices.remove(&Slot { part, layer, bias: false }).expect("every slot is here")
    }

    fn patches(&mut self) -> PatchWeights<D> {
        let mut take = |part, bias| self.vectors.remove(&Slot { part, layer: 0, bias }).unwrap_or_default();
        let tokens = [Part::ClassToken, Part::DistillationToken, Part::Registers].map(|part| take(part, false));
        let (bias, positions) = (take(Part::PatchEmbedding, true), take(Part::Positions, false));
        PatchWeights { projection: self.matrix(Part::PatchEmbedding, 0), bias, tokens: tokens.concat(), positions }
    }
}

struct Uploading<'a, D: Device> {
    gathered: Gathered<D>,
    device: &'a mut D,
}

impl<D: Device> Uploading<'_, D> {
    fn layer(&mut self, spec: &Spec, layer: usize) -> Result<Layer<D>> {
        let head_norms = match spec.attention.head_norm {
            true => Some([self.norm(Part::QueryNorm, layer)?, self.norm(Part::KeyNorm, layer)?]),
            false => None,
        };
        let scales = match spec.layer_scale {
            true => Some([self.needed(Part::AttentionScale, layer)?, self.needed(Part::FeedForwardScale, layer)?]),
            false => None,
        };
        Ok(Layer {
            attention_norm: self.norm(Part::AttentionNorm, layer)?,
            query: self.linear(Part::Query, layer)?,
            key: self.linear(Part::Key, layer)?,
            value: self.linear(Part::Value, layer)?,
            output: self.linear(Part::Output, layer)?,
            head_norms,
            feed_forward_norm: self.norm(Part::FeedForwardNorm, layer)?,
            gate: self.linear_if_there(Part::Gate, layer)?,
            up: self.linear(Part::Up, layer)?,
            down: self.linear(Part::Down, layer)?,
            scales,
        })
    }

    fn vector(&mut self, part: Part, layer: usize, bias: bool) -> Result<Option<D::Buffer>> {
        let values = self.gathered.vectors.remove(&Slot { part, layer, bias });
        values.map(|values| self.device.upload(&values)).transpose()
    }

    fn needed(&mut self, part: Part, layer: usize) -> Result<D::Buffer> {
        Ok(self.vector(part, layer, false)?.expect("every slot is here"))
    }

    fn norm(&mut self, part: Part, layer: usize) -> Result<NormWeights<D>> {
        Ok(NormWeights { weight: self.needed(part, layer)?, bias: self.vector(part, layer, true)? })
    }

    fn linear(&mut self, part: Part, layer: usize) -> Result<Linear<D>> {
        Ok(Linear { weight: self.gathered.matrix(part, layer), bias: self.vector(part, layer, true)? })
    }

    fn linear_if_there(&mut self, part: Part, layer: usize) -> Result<Option<Linear<D>>> {
        match self.gathered.matrices.remove(&Slot { part, layer, bias: false }) {
            Some(weight) => Ok(Some(Linear { weight, bias: self.vector(part, layer, true)? })),
            None => Ok(None),
        }
    }
}
