//! A block's tensors, as a tree: what each is called, which shape it has and what becomes of it.
//!
//! [`Tree`] describes the tree of a [`Spec`] to a [`TensorSource`], which makes the leaves: [`super::stack::Wanted`] only notes
//! what there has to be, [`super::loaded`] puts what has come on a device. So a tensor is written down here once, beside
//! its name in [`super::role`].

use super::role::{Role, TensorId};
use super::rope::{RopeScaling, RopeTable};
use super::spec::{self, Attention, Block, Mixer, QkNorm, Residual, Rope, ShortConv, Spec};
use crate::device::{Device, ExpertLinear, Leaves, Linear, NormWeights};
use crate::error::{Error, Result};
use std::marker::PhantomData;

/// Makes the leaves of a stack's tree.
pub trait TensorSource<L: Leaves> {
    fn matrix(&mut self, slot: TensorId, rows: usize, columns: usize) -> Result<L::Matrix>;
    /// The matrices of experts, [rows, columns] each.
    fn experts(&mut self, slot: TensorId, experts: usize, rows: usize, columns: usize) -> Result<L::Experts>;
    /// `change`: what the model's values are of the checkpoint's.
    fn vector(&mut self, slot: TensorId, len: usize, change: &dyn Fn(&mut f32)) -> Result<L::Buffer>;
    /// A vector that is read where the pass is prepared, not on the device.
    fn host(&mut self, slot: TensorId, len: usize) -> Result<Vec<f32>>;
    /// Likewise, empty where the checkpoint has none.
    fn optional(&mut self, slot: TensorId) -> Vec<f32>;
    /// A vector that no checkpoint holds.
    fn computed(&mut self, values: &mut dyn FnMut() -> Result<Vec<f32>>) -> Result<L::Buffer>;
    /// A matrix that no checkpoint holds, row by row.
    fn computed_matrix(&mut self, columns: usize, values: &mut dyn FnMut() -> Result<Vec<f32>>) -> Result<L::Matrix>;
}

/// The vectors of one norm.
pub struct NormTensors<L: Leaves> {
    pub weight: L::Buffer,
    pub bias: Option<L::Buffer>,
}

impl<D: Device> NormTensors<D> {
    /// The norm that they are for.
    pub fn of<'a>(&'a self, spec: &Spec) -> NormWeights<'a, D> {
        let (centred, epsilon) = match spec.norm {
            spec::Norm::Rms { epsilon, .. } => (false, epsilon),
            spec::Norm::Layer { epsilon, .. } => (true, epsilon),
        };
        NormWeights { weight: &self.weight, bias: self.bias.as_ref(), centred, epsilon }
    }
}

/// A branch's way from the hidden state and back.
pub struct Branch<L: Leaves> {
    /// Of what the branch reads.
    pub before: Option<NormTensors<L>>,
    /// Of what it gives, or of its sum with the residual: as the block's residual says.
    pub after: Option<NormTensors<L>>,
    /// LayerScale's factors, [width].
    pub scale: Option<L::Buffer>,
}

impl<D: Device> Branch<D> {
    /// Of what the branch reads.
    pub fn norm(&self, spec: &Spec) -> Option<NormWeights<'_, D>> {
        self.before.as_ref().map(|norm| norm.of(spec))
    }
}

pub struct AttentionTensors<L: Leaves> {
    /// [heads · head_dim, width]
    pub query: Linear<L>,
    /// [kv_heads · head_dim, width]
    pub key: Linear<L>,
    /// [kv_heads · head_dim, width]
    pub value: Linear<L>,
    /// [width, heads · head_dim]
    pub output: Linear<L>,
    /// The norms of queries and keys.
    pub qk_norms: Option<[NormTensors<L>; 2]>,
    /// Each head's score of no key, [heads].
    pub sinks: Option<L::Buffer>,
    /// Which of the stack's ropes turns its heads.
    pub rope: Option<usize>,
}

impl<D: Device> AttentionTensors<D> {
    /// The norms of each head by itself, where there are such.
    pub fn each_head(&self, spec: &Spec, attention: &Attention) -> Option<[NormWeights<'_, D>; 2]> {
        let norms = self.qk_norms.as_ref().filter(|_| attention.qk_norm == QkNorm::PerHead);
        norms.map(|norms| norms.each_ref().map(|norm| norm.of(spec)))
    }
}

pub enum FeedForwardTensors<L: Leaves> {
    Dense(DenseTensors<L>),
    Experts(ExpertTensors<L>),
}

/// A mixture's.
pub struct ExpertTensors<L: Leaves> {
    /// [experts, width]
    pub router: Linear<L>,
    /// [experts, inner width, width]
    pub gate: ExpertLinear<L>,
    /// [experts, inner width, width]
    pub up: ExpertLinear<L>,
    /// [experts, width, inner width]
    pub down: ExpertLinear<L>,
}

pub struct DenseTensors<L: Leaves> {
    /// [inner width, width]
    pub gate: Option<Linear<L>>,
    /// [inner width, width]
    pub up: Linear<L>,
    /// [width, inner width]
    pub down: Linear<L>,
}

pub enum MixerTensors<L: Leaves> {
    Attention(AttentionTensors<L>),
    ShortConv(ShortConvTensors<L>),
}

pub struct ShortConvTensors<L: Leaves> {
    /// [3 · width, width]: two gates and what goes through the convolution.
    pub input: Linear<L>,
    /// [width, taps]
    pub taps: L::Buffer,
    /// [width]
    pub bias: Option<L::Buffer>,
    /// [width, width]
    pub output: Linear<L>,
}

pub struct BlockTensors<L: Leaves> {
    pub mixer: MixerTensors<L>,
    pub mixer_branch: Branch<L>,
    /// Attention over another stack's output.
    pub cross: Option<(Branch<L>, AttentionTensors<L>)>,
    pub feed_forward: FeedForwardTensors<L>,
    pub feed_forward_branch: Branch<L>,
}

/// One stack's tree on its way.
pub struct Tree<'a, L, S> {
    pub spec: &'a Spec,
    pub source: &'a mut S,
    /// What the blocks turn by, each once.
    ropes: Vec<(&'a Rope, RopeTable)>,
    /// Divisors of RoPE's frequencies, where the checkpoint has them.
    factors: Vec<f32>,
    leaves: PhantomData<L>,
}

impl<'a, L: Leaves, S: TensorSource<L>> Tree<'a, L, S> {
    pub fn new(spec: &'a Spec, source: &'a mut S) -> Self {
        let factors = source.optional(TensorId::weight(Role::RopeFactors, 0));
        Self { spec, source, ropes: Vec::new(), factors, leaves: PhantomData }
    }

    fn vector(&mut self, role: Role, layer: usize, len: usize) -> Result<L::Buffer> {
        self.source.vector(TensorId::weight(role, layer), len, &|_| {})
    }

    pub fn matrix(&mut self, role: Role, [rows, columns]: [usize; 2]) -> Result<L::Matrix> {
        self.source.matrix(TensorId::weight(role, 0), rows, columns)
    }

    pub fn linear(&mut self, role: Role, layer: usize, [rows, columns]: [usize; 2], bias: bool) -> Result<Linear<L>> {
        let weight = self.source.matrix(TensorId::weight(role, layer), rows, columns)?;
        let bias = bias.then(|| self.source.vector(TensorId::bias(role, layer), rows, &|_| {})).transpose()?;
        Ok(Linear { weight, bias })
    }

    pub fn norm(&mut self, role: Role, layer: usize) -> Result<NormTensors<L>> {
        self.norm_of(role, layer, self.spec.width, 1.0)
    }

    /// `scale`: of what it gives.
    pub fn norm_of(&mut self, role: Role, layer: usize, len: usize, scale: f32) -> Result<NormTensors<L>> {
        let (more, bias) = match self.spec.norm {
            spec::Norm::Rms { plus_one, .. } => (if plus_one { 1.0 } else { 0.0 }, false),
            spec::Norm::Layer { bias, .. } => (0.0, bias),
        };
        let weight =
            self.source.vector(TensorId::weight(role, layer), len, &|weight| *weight = (*weight + more) * scale)?;
        let bias =
            bias.then(|| self.source.vector(TensorId::bias(role, layer), len, &|bias| *bias *= scale)).transpose()?;
        Ok(NormTensors { weight, bias })
    }

    /// The number of a block's table of angles.
    fn rope(&mut self, rope: &'a Rope) -> Result<usize> {
        if let Some(known) = self.ropes.iter().position(|(other, _)| *other == rope) {
            return Ok(known);
        }
        let table = self.rope_table(rope)?;
        let beyond = table.beyond.iter().flat_map(|(_, frequencies)| frequencies);
        if table.frequencies.iter().chain(beyond).any(|frequency| !frequency.is_finite()) {
            return Err(Error::corrupt("RoPE frequencies that are no numbers"));
        }
        self.ropes.push((rope, table));
        Ok(self.ropes.len() - 1)
    }

    fn rope_table(&mut self, rope: &Rope) -> Result<RopeTable> {
        let factors = (!self.factors.is_empty()).then_some(&*self.factors);
        if !rope.scaling.is_in_tensors() {
            return Ok(rope.table(factors));
        }
        let [of_short, of_long] =
            [Role::RopeShortFactors, Role::RopeLongFactors].map(|role| self.long_rope_factors(role, rope.dims / 2));
        let mut rope = rope.clone();
        if let RopeScaling::LongRope { short, long, .. } = &mut rope.scaling {
            (*short, *long) = (of_short?, of_long?);
        }
        Ok(rope.table(None))
    }

    /// LongRoPE's of one kind of sequences, which are a tensor.
    fn long_rope_factors(&mut self, role: Role, pairs: usize) -> Result<Vec<f64>> {
        let mut factors = self.source.host(TensorId::weight(role, 0), pairs)?;
        // A source that only notes what there has to be has none.
        factors.resize(pairs, 1.0);
        match factors.iter().all(|factor| *factor > 0.0) {
            true => Ok(factors.into_iter().map(f64::from).collect()),
            false => Err(Error::corrupt("LongRoPE's factors have other entries than positive numbers")),
        }
    }

    /// Those tables, once all blocks are there.
    pub fn into_ropes(self) -> Vec<RopeTable> {
        self.ropes.into_iter().map(|(_, table)| table).collect()
    }

    pub fn block(&mut self, layer: usize, block: &'a Block) -> Result<BlockTensors<L>> {
        use Role::*;
        let cross = match &block.cross {
            Some(cross) => {
                let branch = self.branch(layer, block, [Some(CrossNorm), None], None)?;
                let attention = self.attention(layer, cross, [CrossQuery, CrossKey, CrossValue, CrossOutput])?;
                Some((branch, attention))
            }
            None => None,
        };
        let [mixer_norms, feed_forward_norms] = norms(block.residual);
        Ok(BlockTensors {
            mixer_branch: self.branch(layer, block, mixer_norms, Some(AttentionScale))?,
            feed_forward_branch: self.branch(layer, block, feed_forward_norms, Some(FeedForwardScale))?,
            mixer: self.mixer(layer, &block.mixer)?,
            cross,
            feed_forward: self.feed_forward(layer, &block.feed_forward)?,
        })
    }

    fn mixer(&mut self, layer: usize, mixer: &'a Mixer) -> Result<MixerTensors<L>> {
        use Role::*;
        let width = self.spec.width;
        Ok(match mixer {
            Mixer::Attention(attention) => {
                let mut tensors = self.attention(layer, attention, [Query, Key, Value, Output])?;
                tensors.qk_norms = self.qk_norms(layer, attention)?;
                MixerTensors::Attention(tensors)
            }
            Mixer::ShortConv(ShortConv { taps, bias }) => MixerTensors::ShortConv(ShortConvTensors {
                input: self.linear(ConvInput, layer, [3 * width, width], *bias)?,
                taps: self.vector(ConvTaps, layer, width * taps)?,
                bias: bias.then(|| self.source.vector(TensorId::bias(ConvTaps, layer), width, &|_| {})).transpose()?,
                output: self.linear(ConvOutput, layer, [width, width], *bias)?,
            }),
        })
    }

    /// `norms`: the role that is the branch's norm, and the one that is inside the residual after it.
    fn branch(
        &mut self,
        layer: usize,
        block: &Block,
        norms: [Option<Role>; 2],
        scale: Option<Role>,
    ) -> Result<Branch<L>> {
        let [first, inner] = norms.map(|role| role.map(|role| self.norm(role, layer)).transpose());
        let (first, inner) = (first?, inner?);
        let scale = scale.filter(|_| block.layer_scale);
        let scale = scale.map(|role| self.vector(role, layer, self.spec.width)).transpose()?;
        Ok(match block.residual {
            Residual::PostNorm => Branch { before: None, after: first, scale },
            _ => Branch { before: first, after: inner, scale },
        })
    }

    fn attention(&mut self, layer: usize, attention: &'a Attention, roles: [Role; 4]) -> Result<AttentionTensors<L>> {
        let (width, [query, key, value, output]) = (self.spec.width, roles);
        let (queries, keys) = (attention.queries(), attention.keys());
        Ok(AttentionTensors {
            query: self.linear(query, layer, [queries, width], attention.qkv_bias)?,
            key: self.linear(key, layer, [keys, width], attention.qkv_bias)?,
            value: self.linear(value, layer, [keys, width], attention.qkv_bias)?,
            output: self.linear(output, layer, [width, queries], attention.output_bias)?,
            qk_norms: None,
            rope: attention.rope.as_ref().map(|rope| self.rope(rope)).transpose()?,
            sinks: attention.sinks.then(|| self.vector(Role::Sinks, layer, attention.heads)).transpose()?,
        })
    }

    fn qk_norms(&mut self, layer: usize, attention: &Attention) -> Result<Option<[NormTensors<L>; 2]>> {
        let [queries, keys] = match attention.qk_norm {
            QkNorm::None => return Ok(None),
            QkNorm::PerHead => [attention.head_dim; 2],
            QkNorm::All => [attention.queries(), attention.keys()],
        };
        let query = self.norm_of(Role::QueryNorm, layer, queries, 1.0)?;
        Ok(Some([query, self.norm_of(Role::KeyNorm, layer, keys, 1.0)?]))
    }

    fn feed_forward(&mut self, layer: usize, feed_forward: &spec::FeedForward) -> Result<FeedForwardTensors<L>> {
        if let Some(experts) = &feed_forward.experts {
            return self.experts(layer, feed_forward, experts).map(FeedForwardTensors::Experts);
        }
        self.dense(layer, feed_forward, [Role::Gate, Role::Up, Role::Down]).map(FeedForwardTensors::Dense)
    }

    pub fn dense(
        &mut self,
        layer: usize,
        feed_forward: &spec::FeedForward,
        [gate, up, down]: [Role; 3],
    ) -> Result<DenseTensors<L>> {
        let spec::FeedForward { width: inner, gated, bias, .. } = *feed_forward;
        let width = self.spec.width;
        Ok(DenseTensors {
            gate: gated.then(|| self.linear(gate, layer, [inner, width], bias)).transpose()?,
            up: self.linear(up, layer, [inner, width], bias)?,
            down: self.linear(down, layer, [width, inner], bias)?,
        })
    }

    fn experts(
        &mut self,
        layer: usize,
        feed_forward: &spec::FeedForward,
        experts: &spec::Experts,
    ) -> Result<ExpertTensors<L>> {
        let (inner, width, count) = (feed_forward.width, self.spec.width, experts.count);
        let mut linear = |role, rows, columns| -> Result<ExpertLinear<L>> {
            let weight = self.source.experts(TensorId::weight(role, layer), count, rows, columns)?;
            let bias = || self.source.vector(TensorId::bias(role, layer), count * rows, &|_| {});
            Ok(ExpertLinear { weight, bias: feed_forward.bias.then(bias).transpose()? })
        };
        Ok(ExpertTensors {
            gate: linear(Role::ExpertGate, inner, width)?,
            up: linear(Role::ExpertUp, inner, width)?,
            down: linear(Role::ExpertDown, width, inner)?,
            router: self.linear(Role::Router, layer, [count, width], experts.bias)?,
        })
    }
}

/// The parts that are the norms of attention's and of the feed-forward network's branch: before, and inside the residual
/// after it.
fn norms(residual: Residual) -> [[Option<Role>; 2]; 2] {
    use Role::*;
    match residual {
        Residual::PreNorm { bare: true } => [[None, None], [Some(FeedForwardNorm), None]],
        Residual::PreNorm { .. } | Residual::PostNorm | Residual::Parallel { shared_norm: false } => {
            [[Some(AttentionNorm), None], [Some(FeedForwardNorm), None]]
        }
        Residual::Sandwich => {
            [[Some(AttentionNorm), Some(AttentionPostNorm)], [Some(FeedForwardNorm), Some(FeedForwardPostNorm)]]
        }
        Residual::InnerNorm => [[None, Some(AttentionPostNorm)], [None, Some(FeedForwardPostNorm)]],
        Residual::Parallel { shared_norm: true } => [[Some(AttentionNorm), None], [None, None]],
    }
}
