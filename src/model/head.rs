//! What becomes of the last block's output: the tensors of a stack's head.

use super::role::{Role, TensorId};
use super::spec::{ClassesHead, Dense, EmbeddingHead, Head, Pooling, Spec};
use super::tensors::{
    AttentionTensors, BlockTensors, Branch, FeedForwardTensors, MixerTensors, NormTensors, TensorSource, Tree,
};
use crate::device::{Leaves, Linear};
use crate::error::{Error, Result};

/// What pools by attention.
pub struct QueryTensors<L: Leaves> {
    /// [width]
    pub query: L::Buffer,
    /// A block, whose attention looks from the query at the tokens. There is no residual around it.
    pub block: BlockTensors<L>,
}

pub struct HeadTensors<L: Leaves> {
    /// None: the embedding table, or there is no head.
    pub output: Option<Linear<L>>,
    /// Of a head that is the embedding table.
    pub bias: Option<L::Buffer>,
    /// The classifier of the distillation token.
    pub distillation: Option<Linear<L>>,
    pub dense: Option<Linear<L>>,
    pub dense_norm: Option<NormTensors<L>>,
    /// Of a pooling by attention.
    pub query: Option<QueryTensors<L>>,
    /// exp of it multiplies similarities with another stack's vectors, and what is added then.
    pub matching: Option<(f32, Option<f32>)>,
}

impl<L: Leaves, S: TensorSource<L>> Tree<'_, L, S> {
    pub fn head(&mut self) -> Result<HeadTensors<L>> {
        let spec = self.spec;
        let mut head = HeadTensors {
            output: None,
            bias: None,
            distillation: None,
            dense: None,
            dense_norm: None,
            query: None,
            matching: None,
        };
        match &spec.head {
            Head::Vocabulary(vocabulary) => {
                if vocabulary.bias {
                    let slot = TensorId::bias(Role::Head, 0);
                    head.bias = Some(self.source.vector(slot, spec.vocabulary(), &|_| {})?);
                }
                if !vocabulary.tied {
                    head.output = Some(self.linear(Role::Head, 0, [spec.vocabulary(), spec.width], false)?);
                }
            }
            Head::Classes(classes) => self.classes(classes, &mut head)?,
            Head::Embedding(embedding) => self.embedding(embedding, &mut head)?,
            Head::None { pooler: true } => {
                head.dense = Some(self.linear(Role::Pooler, 0, [spec.width, spec.width], true)?);
            }
            Head::None { pooler: false } => {}
        }
        Ok(head)
    }

    fn classes(&mut self, classes: &ClassesHead, head: &mut HeadTensors<L>) -> Result<()> {
        let width = self.spec.width;
        if let Some(dense) = classes.dense {
            head.dense = Some(self.linear(dense.role(), 0, [width, width], dense.bias)?);
            head.dense_norm = dense.norm.then(|| self.norm(Role::DenseNorm, 0)).transpose()?;
        }
        let parts = if classes.pooling == Pooling::ClassTokenAndMean { 2 } else { 1 };
        head.output = Some(self.linear(Role::Head, 0, [classes.classes, parts * width], true)?);
        if classes.pooling == Pooling::BothTokens {
            head.distillation = Some(self.linear(Role::DistillationHead, 0, [classes.classes, width], true)?);
        }
        Ok(())
    }

    fn embedding(&mut self, embedding: &EmbeddingHead, head: &mut HeadTensors<L>) -> Result<()> {
        let width = self.spec.width;
        if embedding.pooling == Pooling::Attention {
            head.query = Some(self.query()?);
        }
        if embedding.projection {
            head.output = Some(self.linear(Role::Head, 0, [embedding.width, width], embedding.bias)?);
        }
        if let Some(matching) = embedding.matching {
            let scale = self.number(Role::MatchScale)?;
            head.matching = Some((scale, matching.bias.then(|| self.number(Role::MatchBias)).transpose()?));
        }
        Ok(())
    }

    /// A number that the checkpoint has by itself.
    fn number(&mut self, role: Role) -> Result<f32> {
        Ok(self.source.host(TensorId::weight(role, 0), 1)?.first().copied().unwrap_or(0.0))
    }

    fn query(&mut self) -> Result<QueryTensors<L>> {
        use Role::{Gate, PoolDown, PoolKey, PoolNorm, PoolOutput, PoolProbe, PoolQuery, PoolUp, PoolValue};
        let (spec, width) = (self.spec, self.spec.width);
        let Some(block) = spec.query_block() else {
            return Err(Error::unsupported("pooling by attention, without blocks"));
        };
        let query = self.source.host(TensorId::weight(PoolProbe, 0), width)?;
        let mut square = |role| self.linear(role, 0, [width, width], true);
        let attention = AttentionTensors {
            query: square(PoolQuery)?,
            key: square(PoolKey)?,
            value: square(PoolValue)?,
            output: square(PoolOutput)?,
            qk_norms: None,
            sinks: None,
            rope: None,
        };
        let norm = self.norm(PoolNorm, 0)?;
        let feed_forward = self.dense(0, &block.feed_forward, [Gate, PoolUp, PoolDown])?;
        Ok(QueryTensors {
            // A product's input has a buffer of its own.
            query: self.source.computed(&mut || Ok(query.clone()))?,
            block: BlockTensors {
                mixer: MixerTensors::Attention(attention),
                mixer_branch: Branch { before: None, after: None, scale: None },
                cross: None,
                feed_forward: FeedForwardTensors::Dense(feed_forward),
                feed_forward_branch: Branch { before: Some(norm), after: None, scale: None },
            },
        })
    }
}

impl Dense {
    /// Which role its weights have.
    pub fn role(&self) -> Role {
        if self.pooler { Role::Pooler } else { Role::Dense }
    }
}

impl Spec {
    /// Does without what some checkpoints of a class lack; false where none does.
    pub fn spare(&mut self, slot: &TensorId) -> bool {
        let looks_across = self.looks_across();
        match (&mut self.head, slot.role) {
            (Head::None { pooler }, Role::Pooler) => *pooler = false,
            // transformers takes zeros for the bias, and the embedding table for the head.
            (Head::Vocabulary(head), Role::Head) if looks_across && slot.bias => head.bias = false,
            (Head::Vocabulary(head), Role::Head) if looks_across => head.tied = true,
            _ => return false,
        }
        true
    }
}
