//! A stack's tensors: what its first block reads, its blocks, its head.

use super::head::HeadTensors;
use super::role::{Role, Shape, TensorId};
use super::rope::RopeTable;
use super::spec::{self, Positions, ScoreBias, Spec, StackInput};
use super::tables::{bucket_table, sinusoids};
use super::tensors::{BlockTensors, NormTensors, TensorSource, Tree};
use crate::device::Leaves;
use crate::error::{Result, no_memory};

pub enum InputTensors<L: Leaves> {
    Tokens(TokenTensors<L>),
    Patches(PatchTensors<L>),
}

pub struct TokenTensors<L: Leaves> {
    /// [vocabulary, width]; none: another stack's.
    pub table: Option<L::Matrix>,
    /// [positions, width]
    pub positions: Option<L::Matrix>,
    /// [types, width]
    pub types: Option<L::Matrix>,
}

/// What makes tokens of images. Tables for the sizes that come are made of the vectors.
pub struct PatchTensors<L: Leaves> {
    /// [width, columns of a patch]
    pub projection: L::Matrix,
    /// [width], or empty.
    pub bias: Vec<f32>,
    /// Class token, distillation token and registers, [before, width].
    pub tokens: Vec<f32>,
    /// Of the tokens that have one, then of the patches that the model was trained on, [.., width].
    pub positions: Vec<f32>,
}

/// What attention's scores get for where keys stand.
pub enum ScoreBiasTensors<L: Leaves> {
    None,
    /// [heads]
    Slopes(L::Buffer),
    /// [heads, 2 · reach + 1]
    Table {
        table: L::Buffer,
        reach: usize,
    },
}

pub struct StackTensors<L: Leaves> {
    pub input: InputTensors<L>,
    pub input_norm: Option<NormTensors<L>>,
    pub score_bias: ScoreBiasTensors<L>,
    pub blocks: Vec<BlockTensors<L>>,
    /// A head's scale is in it.
    pub output_norm: Option<NormTensors<L>>,
    pub head: HeadTensors<L>,
    /// Those of the blocks, each once.
    pub ropes: Vec<RopeTable>,
}

/// A model's weights on a device.
pub type Weights<D> = StackTensors<D>;

impl<L: Leaves> StackTensors<L> {
    /// The embedding table of a model of tokens, if it is this stack's.
    pub fn table(&self) -> Option<&L::Matrix> {
        match &self.input {
            InputTensors::Tokens(tokens) => tokens.table.as_ref(),
            InputTensors::Patches(_) => None,
        }
    }

    /// Describes the tree of a stack to `source`. Errors: the source's, and corrupt-file.
    pub fn of(spec: &Spec, source: &mut impl TensorSource<L>) -> Result<Self> {
        let mut tree = Tree::new(spec, source);
        Ok(Self {
            input: tree.input()?,
            input_norm: spec.input_norm.then(|| tree.norm(Role::InputNorm, 0)).transpose()?,
            score_bias: tree.score_bias()?,
            blocks: (0..).zip(&spec.blocks).map(|(layer, block)| tree.block(layer, block)).collect::<Result<_>>()?,
            output_norm: spec.output_norm.then(|| tree.output_norm()).transpose()?,
            head: tree.head()?,
            ropes: tree.into_ropes(),
        })
    }
}

impl<L: Leaves, S: TensorSource<L>> Tree<'_, L, S> {
    /// With the head's scale in it.
    fn output_norm(&mut self) -> Result<NormTensors<L>> {
        let scale = self.spec.vocabulary_head().map_or(1.0, |head| head.scale);
        self.norm_of(Role::OutputNorm, 0, self.spec.width, scale)
    }

    fn input(&mut self) -> Result<InputTensors<L>> {
        match &self.spec.input {
            StackInput::Tokens(tokens) => self.tokens(tokens).map(InputTensors::Tokens),
            StackInput::Patches(patches) => self.patches(patches).map(InputTensors::Patches),
        }
    }

    fn tokens(&mut self, tokens: &spec::Tokens) -> Result<TokenTensors<L>> {
        let width = self.spec.width;
        let table = match tokens.shared {
            true => None,
            false => Some(self.matrix(Role::Embedding, [tokens.vocabulary, width])?),
        };
        let positions = match tokens.positions {
            Positions::None => None,
            Positions::Learned { offset } => Some(self.matrix(Role::PositionTable, [tokens.context + offset, width])?),
            Positions::Sinusoidal => {
                Some(self.source.computed_matrix(width, &mut || sinusoids(tokens.context, width))?)
            }
        };
        let types = match tokens.types {
            0 => None,
            types => Some(self.matrix(Role::TypeTable, [types, width])?),
        };
        Ok(TokenTensors { table, positions, types })
    }

    fn patches(&mut self, patches: &spec::Patches) -> Result<PatchTensors<L>> {
        let width = self.spec.width;
        let patching = patches.patching(patches.image[0], patches.image[1]);
        let values = patches.channels * patches.patch[0] * patches.patch[1];
        let projection = self.matrix(Role::PatchEmbedding, [width, values])?;
        let mut host = |slot, len| self.source.host(slot, len);
        let bias = match patches.bias {
            true => host(TensorId::bias(Role::PatchEmbedding, 0), width)?,
            false => Vec::new(),
        };
        let mut tokens = Vec::new();
        for (part, count) in [
            (Role::ClassToken, usize::from(patches.class_token)),
            (Role::DistillationToken, usize::from(patches.distillation_token)),
            (Role::Registers, patches.registers),
        ] {
            if count > 0 {
                tokens.extend(host(TensorId::weight(part, 0), count * width)?);
            }
        }
        let [rows, columns] = patching.grid();
        let positions = rows * columns + patching.before - patches.registers;
        let positions = host(TensorId::weight(Role::Positions, 0), positions * width)?;
        Ok(PatchTensors { projection, bias, tokens, positions })
    }

    fn score_bias(&mut self) -> Result<ScoreBiasTensors<L>> {
        let spec = self.spec;
        Ok(match &spec.score_bias {
            ScoreBias::None => ScoreBiasTensors::None,
            ScoreBias::Linear { slopes } => ScoreBiasTensors::Slopes(self.source.computed(&mut || Ok(slopes.clone()))?),
            ScoreBias::Buckets { buckets, distance } => {
                let attention = spec.attention();
                let learned = self.source.host(TensorId::weight(Role::ScoreBias, 0), buckets * attention.heads)?;
                let mut table = || bucket_table(&learned, *buckets, *distance, attention.causal);
                ScoreBiasTensors::Table { table: self.source.computed(&mut table)?, reach: *distance }
            }
        })
    }
}

/// What a stack needs: every slot with its shape, and how long the vectors are that go to the device.
#[derive(Default)]
pub struct Wanted {
    pub slots: Vec<(TensorId, Shape)>,
    pub vectors: Vec<usize>,
}

impl Wanted {
    fn note(&mut self, slot: TensorId, shape: Shape) -> Result<()> {
        if self.slots.len() == self.slots.capacity() {
            // As many again: models with experts have tens of thousands.
            let more = self.slots.len().max(32);
            let bytes = (self.slots.len() + more) * size_of::<(TensorId, Shape)>();
            self.slots.try_reserve_exact(more).map_err(|_| no_memory("the list of a model's tensors", bytes as f64))?;
        }
        self.slots.push((slot, shape));
        Ok(())
    }
}

impl Leaves for Wanted {
    type Matrix = ();
    type Experts = ();
    type Buffer = ();
}

impl TensorSource<Wanted> for Wanted {
    fn matrix(&mut self, slot: TensorId, rows: usize, columns: usize) -> Result<()> {
        self.note(slot, Shape::Matrix(rows, columns))
    }

    fn experts(&mut self, slot: TensorId, experts: usize, rows: usize, columns: usize) -> Result<()> {
        self.note(slot, Shape::Experts(experts, rows, columns))
    }

    fn vector(&mut self, slot: TensorId, len: usize, _change: &dyn Fn(&mut f32)) -> Result<()> {
        self.vectors.push(len);
        self.note(slot, Shape::Vector(len))
    }

    fn host(&mut self, slot: TensorId, len: usize) -> Result<Vec<f32>> {
        self.note(slot, Shape::Vector(len))?;
        Ok(Vec::new())
    }

    fn optional(&mut self, _slot: TensorId) -> Vec<f32> {
        Vec::new()
    }

    fn computed(&mut self, _values: &mut dyn FnMut() -> Result<Vec<f32>>) -> Result<()> {
        Ok(())
    }

    fn computed_matrix(&mut self, _columns: usize, _values: &mut dyn FnMut() -> Result<Vec<f32>>) -> Result<()> {
        Ok(())
    }
}

impl Spec {
    /// What this stack needs. Error: corrupt-file.
    pub fn wanted(&self) -> Result<Wanted> {
        let mut wanted = Wanted::default();
        StackTensors::<Wanted>::of(self, &mut wanted)?;
        Ok(wanted)
    }
}

#[cfg(test)]
mod tests {
    use crate::model::families;
    use std::collections::HashSet;
    use std::fs;

    #[test]
    fn the_tree_of_every_family_has_each_tensor_once() {
        let folders = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance")).unwrap();
        let configs: Vec<_> =
            folders.map(|entry| entry.unwrap().path().join("config.json")).filter(|path| path.exists()).collect();
        assert!(configs.len() > 30);
        for path in configs {
            let wanted = families::from_config(&fs::read_to_string(&path).unwrap()).unwrap().wanted().unwrap();
            let different: HashSet<_> = wanted.iter().map(|(tensor, _)| *tensor).collect();
            assert_eq!(different.len(), wanted.len(), "{}", path.display());
        }
    }
}
