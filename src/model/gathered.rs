//! From tensors that have come, by their slots, to a model's weights on its device.

use super::part::{Part, Shape, Slot};
use super::spec::{EmbeddingHead, Head, HeadNorm, Input, Norm, Pooling, Positions, Residual, ScoreBias, Spec};
use super::tables::{bucket_table, sinusoids};
use super::weights::{
    AttentionWeights, BiasWeights, Branch, InputWeights, Layer, NormWeights, PatchWeights, PoolWeights, TokenWeights,
    Weights,
};
use crate::checkpoint::TensorType;
use crate::device::{Device, Linear};
use crate::error::{Error, Result};
use std::collections::HashMap;

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

/// Parts whose vectors are read on the CPU, or are a product's input: those have a buffer of their own.
fn stays_here(slot: &Slot) -> bool {
    use Part::*;
    matches!(
        slot.part,
        ClassToken
            | DistillationToken
            | Registers
            | Positions
            | ScoreBias
            | RopeFactors
            | MatchScale
            | MatchBias
            | PoolProbe
    ) || (slot.part == PatchEmbedding && slot.bias)
}

impl<D: Device> Gathered<D> {
    pub fn has(&self, slot: &Slot, shape: &Shape) -> bool {
        match shape {
            Shape::Matrix(..) => self.matrices.contains_key(slot),
            // One that came before it was known what it is of has another length.
            Shape::Vector(len) => self.vectors.get(slot).is_some_and(|vector| vector.len() == *len),
        }
    }

    /// A number that the checkpoint has by itself.
    pub fn number(&self, part: Part) -> Option<f32> {
        self.vectors.get(&Slot::weight(part, 0))?.first().copied()
    }

    /// The weights of a model whose every slot is here, and those of its second stack. Errors: out-of-memory,
    /// corrupt-file.
    pub fn weights(mut self, device: &mut D, spec: &Spec) -> Result<(Weights<D>, Option<Weights<D>>)> {
        for (slot, vector) in &mut self.vectors {
            let stack = if slot.second { spec.second.as_deref().unwrap_or(spec) } else { spec };
            adjust(slot, vector, stack);
        }
        let uploaded = self.vectors.iter().filter(|(slot, _)| !stays_here(slot));
        device.expect_vectors(&mut uploaded.map(|(_, vector)| vector.len()))?;
        let mut stack = Stack { gathered: &mut self, device, second: false };
        let first = stack.weights(spec)?;
        stack.second = true;
        let second = spec.second.as_ref().map(|spec| stack.weights(spec)).transpose()?;
        Ok((first, second))
    }
}

/// What becomes of a vector where the model takes it otherwise than the checkpoint has it.
fn adjust(slot: &Slot, vector: &mut [f32], spec: &Spec) {
    let norm = slot.part.group() == "norms" && !matches!(slot.part, Part::AttentionScale | Part::FeedForwardScale);
    if let (true, false, Norm::Rms { plus_one: true, .. }) = (norm, slot.bias, spec.norm) {
        vector.iter_mut().for_each(|weight| *weight += 1.0);
    }
    if let (Part::OutputNorm, Some(head)) = (slot.part, spec.vocabulary_head()) {
        vector.iter_mut().for_each(|weight| *weight *= head.scale);
    }
}

/// One stack's way to its device.
struct Stack<'a, D: Device> {
    gathered: &'a mut Gathered<D>,
    device: &'a mut D,
    second: bool,
}

impl<D: Device> Stack<'_, D> {
    fn weights(&mut self, spec: &Spec) -> Result<Weights<D>> {
        let factors = self.here(Slot::weight(Part::RopeFactors, 0));
        let factors = (!factors.is_empty()).then_some(factors);
        let frequencies: Vec<Vec<f32>> =
            spec.attention.ropes.iter().map(|rope| rope.frequencies(factors.as_deref())).collect();
        if frequencies.iter().flatten().any(|frequency| !frequency.is_finite()) {
            return Err(Error::corrupt("RoPE frequencies that are no numbers"));
        }
        let (dense, pool) = match spec.head {
            Head::Embedding(EmbeddingHead { pooling: Pooling::Attention, .. }) => (None, Some(self.pool()?)),
            Head::Classes(head) => (head.dense.map(|dense| dense.part()), None),
            Head::None { pooler: true } => (Some(Part::Pooler), None),
            _ => (None, None),
        };
        Ok(Weights {
            input: match &spec.input {
                Input::Tokens(_) => InputWeights::Tokens(self.tokens(spec)?),
                Input::Patches(_) => InputWeights::Patches(self.patches()),
            },
            input_norm: self.norm_if_there(Part::InputNorm, 0)?,
            score_bias: self.score_bias(spec)?,
            layers: (0..spec.layers).map(|layer| self.layer(spec, layer)).collect::<Result<_>>()?,
            output_norm: self.norm_if_there(Part::OutputNorm, 0)?,
            head: self.linear_if_there(Part::Head, 0)?,
            head_bias: self.vector(Slot::bias(Part::Head, 0))?,
            distillation_head: self.linear_if_there(Part::DistillationHead, 0)?,
            dense: dense.map(|part| self.linear(part, 0)).transpose()?,
            dense_norm: self.norm_if_there(Part::DenseNorm, 0)?,
            pool,
            frequencies,
        })
    }

    fn tokens(&mut self, spec: &Spec) -> Result<TokenWeights<D>> {
        let positions = match &spec.input {
            Input::Tokens(tokens) if tokens.positions == Positions::Sinusoidal => {
                Some(self.matrix_of(&sinusoids(tokens.context, spec.width)?, spec.width)?)
            }
            _ => self.matrix_if_there(Part::PositionTable, 0),
        };
        Ok(TokenWeights {
            table: self.matrix_if_there(Part::Embedding, 0),
            positions,
            types: self.matrix_if_there(Part::TypeTable, 0),
        })
    }

    /// A matrix that no checkpoint holds.
    fn matrix_of(&mut self, values: &[f32], columns: usize) -> Result<D::Matrix> {
        let (ty, rows) = (TensorType::F32, values.len() / columns);
        self.device.expect_weights(D::matrix_bytes(ty, rows, columns))?;
        let mut builder = self.device.matrix(ty, rows, columns)?;
        for row in values.chunks(columns) {
            let bytes: Vec<u8> = row.iter().flat_map(|value| value.to_le_bytes()).collect();
            self.device.push(&mut builder, &bytes);
        }
        Ok(self.device.finish(builder))
    }

    fn patches(&mut self) -> PatchWeights<D> {
        let tokens = [Part::ClassToken, Part::DistillationToken, Part::Registers];
        let tokens = tokens.map(|part| self.here(Slot::weight(part, 0)));
        PatchWeights {
            bias: self.here(Slot::bias(Part::PatchEmbedding, 0)),
            positions: self.here(Slot::weight(Part::Positions, 0)),
            projection: self.matrix(Part::PatchEmbedding, 0),
            tokens: tokens.concat(),
        }
    }

    fn score_bias(&mut self, spec: &Spec) -> Result<BiasWeights<D>> {
        Ok(match &spec.attention.bias {
            ScoreBias::None => BiasWeights::None,
            ScoreBias::Linear { slopes } => BiasWeights::Slopes(self.buffer_of(slopes)?),
            ScoreBias::Buckets { buckets, distance } => {
                let learned = self.here(Slot::weight(Part::ScoreBias, 0));
                let table = bucket_table(&learned, *buckets, *distance, spec.attention.causal)?;
                BiasWeights::Table { table: self.buffer_of(&table)?, reach: *distance }
            }
        })
    }

    /// A vector that no checkpoint holds.
    fn buffer_of(&mut self, values: &[f32]) -> Result<D::Buffer> {
        let mut buffer = self.device.buffer(values.len())?;
        self.device.write(values, 0, &mut buffer);
        Ok(buffer)
    }

    fn layer(&mut self, spec: &Spec, layer: usize) -> Result<Layer<D>> {
        use Part::*;
        let cross = match spec.cross_attention {
            true => Some(self.attention(
                spec,
                layer,
                [CrossNorm, CrossNorm],
                [CrossQuery, CrossKey, CrossValue, CrossOutput],
            )?),
            false => None,
        };
        let mut attention =
            self.attention(spec, layer, [AttentionNorm, AttentionPostNorm], [Query, Key, Value, Output])?;
        if spec.attention.head_norm != HeadNorm::None {
            attention.head_norms = Some([self.norm(QueryNorm, layer)?, self.norm(KeyNorm, layer)?]);
        }
        attention.branch.scale = self.vector(Slot::weight(AttentionScale, layer))?;
        let mut feed_forward = self.branch(spec, layer, [FeedForwardNorm, FeedForwardPostNorm])?;
        feed_forward.scale = self.vector(Slot::weight(FeedForwardScale, layer))?;
        Ok(Layer {
            attention,
            cross,
            feed_forward,
            gate: self.linear_if_there(Gate, layer)?,
            up: self.linear(Up, layer)?,
            down: self.linear(Down, layer)?,
        })
    }

    /// `norms`: the part that is the branch's norm, and the one that is inside the residual after it.
    fn branch(&mut self, spec: &Spec, layer: usize, [norm, post]: [Part; 2]) -> Result<Branch<D>> {
        let (first, inner) = (self.norm_if_there(norm, layer)?, self.norm_if_there(post, layer)?);
        let (before, after) = match spec.residual {
            Residual::PostNorm => (None, first),
            _ => (first, inner),
        };
        Ok(Branch { before, after, scale: None })
    }

    fn attention(
        &mut self,
        spec: &Spec,
        layer: usize,
        norms: [Part; 2],
        [query, key, value, output]: [Part; 4],
    ) -> Result<AttentionWeights<D>> {
        Ok(AttentionWeights {
            branch: self.branch(spec, layer, norms)?,
            query: self.linear(query, layer)?,
            key: self.linear(key, layer)?,
            value: self.linear(value, layer)?,
            output: self.linear(output, layer)?,
            head_norms: None,
        })
    }

    fn pool(&mut self) -> Result<PoolWeights<D>> {
        use Part::*;
        let probe = self.here(Slot::weight(PoolProbe, 0));
        Ok(PoolWeights {
            probe: self.buffer_of(&probe)?,
            query: self.linear(PoolQuery, 0)?,
            key: self.linear(PoolKey, 0)?,
            value: self.linear(PoolValue, 0)?,
            output: self.linear(PoolOutput, 0)?,
            norm: self.norm(PoolNorm, 0)?,
            up: self.linear(PoolUp, 0)?,
            down: self.linear(PoolDown, 0)?,
        })
    }

    fn slot(&self, slot: Slot) -> Slot {
        Slot { second: self.second, ..slot }
    }

    /// A vector that stays on the CPU; empty where the checkpoint has none.
    fn here(&mut self, slot: Slot) -> Vec<f32> {
        let slot = self.slot(slot);
        self.gathered.vectors.remove(&slot).unwrap_or_default()
    }

    fn matrix_if_there(&mut self, part: Part, layer: usize) -> Option<D::Matrix> {
        let slot = self.slot(Slot::weight(part, layer));
        self.gathered.matrices.remove(&slot)
    }

    fn matrix(&mut self, part: Part, layer: usize) -> D::Matrix {
        self.matrix_if_there(part, layer).expect("every slot is here")
    }

    fn vector(&mut self, slot: Slot) -> Result<Option<D::Buffer>> {
        let slot = self.slot(slot);
        let values = self.gathered.vectors.remove(&slot);
        values.map(|values| self.device.upload(&values)).transpose()
    }

    fn norm_if_there(&mut self, part: Part, layer: usize) -> Result<Option<NormWeights<D>>> {
        let Some(weight) = self.vector(Slot::weight(part, layer))? else { return Ok(None) };
        Ok(Some(NormWeights { weight, bias: self.vector(Slot::bias(part, layer))? }))
    }

    fn norm(&mut self, part: Part, layer: usize) -> Result<NormWeights<D>> {
        Ok(self.norm_if_there(part, layer)?.expect("every slot is here"))
    }

    fn linear_if_there(&mut self, part: Part, layer: usize) -> Result<Option<Linear<D>>> {
        let Some(weight) = self.matrix_if_there(part, layer) else { return Ok(None) };
        Ok(Some(Linear { weight, bias: self.vector(Slot::bias(part, layer))? }))
    }

    fn linear(&mut self, part: Part, layer: usize) -> Result<Linear<D>> {
        Ok(self.linear_if_there(part, layer)?.expect("every slot is here"))
    }
}
