//! A model's weights on a device.

use super::spec::{self, HeadNorm, Spec};
use crate::device::{Device, Linear, Norm};

/// The vectors of one norm.
pub struct NormWeights<D: Device> {
    pub weight: D::Buffer,
    pub bias: Option<D::Buffer>,
}

impl<D: Device> NormWeights<D> {
    /// The norm that they are for.
    pub fn of<'a>(&'a self, spec: &Spec) -> Norm<'a, D> {
        let (centred, epsilon) = match spec.norm {
            spec::Norm::Rms { epsilon, .. } => (false, epsilon),
            spec::Norm::Layer { epsilon, .. } => (true, epsilon),
        };
        Norm { weight: &self.weight, bias: self.bias.as_ref(), centred, epsilon }
    }
}

/// A branch's way from the hidden state and back.
pub struct Branch<D: Device> {
    /// Of what the branch reads.
    pub before: Option<NormWeights<D>>,
    /// Of what it gives, or of its sum with the residual: as the model's residual says.
    pub after: Option<NormWeights<D>>,
    /// LayerScale's factors.
    pub scale: Option<D::Buffer>,
}

impl<D: Device> Branch<D> {
    /// Of what the branch reads.
    pub fn norm(&self, spec: &Spec) -> Option<Norm<'_, D>> {
        self.before.as_ref().map(|norm| norm.of(spec))
    }
}

pub struct AttentionWeights<D: Device> {
    pub branch: Branch<D>,
    pub query: Linear<D>,
    pub key: Linear<D>,
    pub value: Linear<D>,
    pub output: Linear<D>,
    /// The norms of queries and keys.
    pub head_norms: Option<[NormWeights<D>; 2]>,
}

pub struct Layer<D: Device> {
    pub attention: AttentionWeights<D>,
    /// Attention over the encoder's output.
    pub cross: Option<AttentionWeights<D>>,
    pub feed_forward: Branch<D>,
    pub gate: Option<Linear<D>>,
    pub up: Linear<D>,
    pub down: Linear<D>,
}

impl<D: Device> AttentionWeights<D> {
    /// The norms of each head by itself, where there are such.
    pub fn each_head(&self, spec: &Spec) -> Option<[Norm<'_, D>; 2]> {
        let norms = self.head_norms.as_ref().filter(|_| spec.attention.head_norm == HeadNorm::Each);
        norms.map(|norms| norms.each_ref().map(|norm| norm.of(spec)))
    }
}

pub enum InputWeights<D: Device> {
    Tokens(TokenWeights<D>),
    Patches(PatchWeights<D>),
}

pub struct TokenWeights<D: Device> {
    /// [vocabulary, width]; none: the other stack's.
    pub table: Option<D::Matrix>,
    /// [positions, width]
    pub positions: Option<D::Matrix>,
    /// [types, width]
    pub types: Option<D::Matrix>,
}

/// What makes tokens of images. The vectors stay on the CPU: tables for the sizes that come are made of them.
pub struct PatchWeights<D: Device> {
    /// [width, columns of a patch]
    pub projection: D::Matrix,
    /// [width], or empty.
    pub bias: Vec<f32>,
    /// Class token, distillation token and registers, [before, width].
    pub tokens: Vec<f32>,
    /// Of the tokens that have one, then of the patches that the model was trained on, [.., width].
    pub positions: Vec<f32>,
}

/// What attention's scores get for where keys stand.
pub enum BiasWeights<D: Device> {
    None,
    /// [heads]
    Slopes(D::Buffer),
    /// [heads, 2 · reach + 1]
    Table {
        table: D::Buffer,
        reach: usize,
    },
}

/// Pooling by attention: a learned query looks at all tokens, and a feed-forward network with a residual follows.
pub struct PoolWeights<D: Device> {
    /// [width]
    pub probe: D::Buffer,
    pub query: Linear<D>,
    pub key: Linear<D>,
    pub value: Linear<D>,
    pub output: Linear<D>,
    pub norm: NormWeights<D>,
    pub up: Linear<D>,
    pub down: Linear<D>,
}

pub struct Weights<D: Device> {
    pub input: InputWeights<D>,
    pub input_norm: Option<NormWeights<D>>,
    pub score_bias: BiasWeights<D>,
    pub layers: Vec<Layer<D>>,
    /// A head's scale is in it.
    pub output_norm: Option<NormWeights<D>>,
    /// None: the embedding table, or there is no head.
    pub head: Option<Linear<D>>,
    /// Of a head that is the embedding table.
    pub head_bias: Option<D::Buffer>,
    pub distillation_head: Option<Linear<D>>,
    pub dense: Option<Linear<D>>,
    pub dense_norm: Option<NormWeights<D>>,
    pub pool: Option<PoolWeights<D>>,
    /// Each RoPE's radians a position, [rotary dims / 2].
    pub frequencies: Vec<Vec<f32>>,
}

impl<D: Device> Weights<D> {
    /// The embedding table of a model of tokens, if it is this stack's.
    pub fn table(&self) -> Option<&D::Matrix> {
        match &self.input {
            InputWeights::Tokens(tokens) => tokens.table.as_ref(),
            InputWeights::Patches(_) => None,
        }
    }
}
