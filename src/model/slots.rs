//! What a model needs: every slot, with its shape.

use super::part::{Part, Shape, Slot};
use super::patches::Patches;
use super::spec::{
    ClassesHead, Dense, EmbeddingHead, Head, HeadNorm, Input, Norm, Pooling, Positions, Residual, ScoreBias, Spec,
    Tokens,
};

#[derive(Default)]
struct Slots {
    slots: Vec<(Slot, Shape)>,
    second: bool,
}

impl Slots {
    fn push(&mut self, slot: Slot, shape: Shape) {
        self.slots.push((Slot { second: self.second, ..slot }, shape));
    }

    fn vector(&mut self, part: Part, layer: usize, len: usize) {
        self.push(Slot::weight(part, layer), Shape::Vector(len));
    }

    fn matrix(&mut self, part: Part, layer: usize, [rows, columns]: [usize; 2], bias: bool) {
        self.push(Slot::weight(part, layer), Shape::Matrix(rows, columns));
        if bias {
            self.push(Slot::bias(part, layer), Shape::Vector(rows));
        }
    }

    fn norm(&mut self, part: Part, layer: usize, spec: &Spec) {
        self.vector(part, layer, spec.width);
        if let Norm::Layer { bias: true, .. } = spec.norm {
            self.push(Slot::bias(part, layer), Shape::Vector(spec.width));
        }
    }

    fn input(&mut self, spec: &Spec) {
        match &spec.input {
            Input::Tokens(tokens) => self.tokens(tokens, spec.width),
            Input::Patches(patches) => self.patches(patches, spec.width),
        }
        if spec.input_norm {
            self.norm(Part::InputNorm, 0, spec);
        }
        if let ScoreBias::Buckets { buckets, .. } = spec.attention.bias {
            self.vector(Part::ScoreBias, 0, buckets * spec.attention.heads);
        }
    }

    fn tokens(&mut self, tokens: &Tokens, width: usize) {
        if !tokens.shared {
            self.matrix(Part::Embedding, 0, [tokens.vocabulary, width], false);
        }
        if let Positions::Learned { offset } = tokens.positions {
            self.matrix(Part::PositionTable, 0, [tokens.context + offset, width], false);
        }
        if tokens.types > 0 {
            self.matrix(Part::TypeTable, 0, [tokens.types, width], false);
        }
    }

    fn patches(&mut self, patches: &Patches, width: usize) {
        let patching = patches.patching(patches.image[0], patches.image[1]);
        let [rows, columns] = patching.grid();
        let values = patches.channels * patches.patch[0] * patches.patch[1];
        self.matrix(Part::PatchEmbedding, 0, [width, values], patches.bias);
        if patches.class_token {
            self.vector(Part::ClassToken, 0, width);
        }
        if patches.distillation_token {
            self.vector(Part::DistillationToken, 0, width);
        }
        if patches.registers > 0 {
            self.vector(Part::Registers, 0, patches.registers * width);
        }
        let positions = rows * columns + patching.before - patches.registers;
        self.vector(Part::Positions, 0, positions * width);
    }

    fn layer(&mut self, layer: usize, spec: &Spec) {
        self.norms(layer, spec);
        self.attention(layer, spec);
        if spec.cross_attention {
            use Part::*;
            self.norm(CrossNorm, layer, spec);
            self.projections([CrossQuery, CrossKey, CrossValue, CrossOutput], layer, spec);
        }
        let Spec { width, feed_forward, .. } = spec;
        let inner = [feed_forward.width, *width];
        if feed_forward.gated {
            self.matrix(Part::Gate, layer, inner, feed_forward.bias);
        }
        self.matrix(Part::Up, layer, inner, feed_forward.bias);
        self.matrix(Part::Down, layer, [*width, feed_forward.width], feed_forward.bias);
        if spec.layer_scale {
            self.vector(Part::AttentionScale, layer, *width);
            self.vector(Part::FeedForwardScale, layer, *width);
        }
    }

    fn norms(&mut self, layer: usize, spec: &Spec) {
        use Part::*;
        let parts: &[Part] = match spec.residual {
            Residual::PreNorm { first_bare } if first_bare && layer == 0 => &[FeedForwardNorm],
            Residual::PreNorm { .. } | Residual::PostNorm | Residual::Parallel { shared_norm: false } => {
                &[AttentionNorm, FeedForwardNorm]
            }
            Residual::Sandwich => &[AttentionNorm, AttentionPostNorm, FeedForwardNorm, FeedForwardPostNorm],
            Residual::InnerNorm => &[AttentionPostNorm, FeedForwardPostNorm],
            Residual::Parallel { shared_norm: true } => &[AttentionNorm],
        };
        parts.iter().for_each(|part| self.norm(*part, layer, spec));
    }

    fn attention(&mut self, layer: usize, spec: &Spec) {
        use Part::*;
        self.projections([Query, Key, Value, Output], layer, spec);
        let attention = &spec.attention;
        let (queries, keys) = match attention.head_norm {
            HeadNorm::None => return,
            HeadNorm::Each => (attention.head_dim, attention.head_dim),
            HeadNorm::Whole => (attention.heads * attention.head_dim, attention.kv_heads * attention.head_dim),
        };
        self.vector(QueryNorm, layer, queries);
        self.vector(KeyNorm, layer, keys);
    }

    fn projections(&mut self, [query, key, value, output]: [Part; 4], layer: usize, spec: &Spec) {
        let attention = &spec.attention;
        let (queries, keys) = (attention.heads * attention.head_dim, attention.kv_heads * attention.head_dim);
        self.matrix(query, layer, [queries, spec.width], attention.qkv_bias);
        self.matrix(key, layer, [keys, spec.width], attention.qkv_bias);
        self.matrix(value, layer, [keys, spec.width], attention.qkv_bias);
        self.matrix(output, layer, [spec.width, queries], attention.output_bias);
    }

    fn head(&mut self, spec: &Spec) {
        let width = spec.width;
        if spec.output_norm {
            self.norm(Part::OutputNorm, 0, spec);
        }
        match &spec.head {
            Head::Vocabulary(head) => {
                if !head.tied {
                    self.matrix(Part::Head, 0, [spec.vocabulary(), width], false);
                }
                if head.bias {
                    self.push(Slot::bias(Part::Head, 0), Shape::Vector(spec.vocabulary()));
                }
            }
            Head::Classes(head) => self.classes(head, spec),
            Head::Embedding(head) => self.embedding(head, spec),
            Head::None { pooler: true } => self.matrix(Part::Pooler, 0, [width, width], true),
            Head::None { pooler: false } => {}
        }
    }

    fn classes(&mut self, head: &ClassesHead, spec: &Spec) {
        let width = spec.width;
        if let Some(dense) = head.dense {
            self.matrix(dense.part(), 0, [width, width], dense.bias);
            if dense.norm {
                self.norm(Part::DenseNorm, 0, spec);
            }
        }
        let parts = if head.pooling == Pooling::ClassTokenAndMean { 2 } else { 1 };
        self.matrix(Part::Head, 0, [head.classes, parts * width], true);
        if head.pooling == Pooling::BothTokens {
            self.matrix(Part::DistillationHead, 0, [head.classes, width], true);
        }
    }

    fn embedding(&mut self, head: &EmbeddingHead, spec: &Spec) {
        use Part::*;
        let (width, inner) = (spec.width, spec.feed_forward.width);
        if head.pooling == Pooling::Attention {
            self.vector(PoolProbe, 0, width);
            for part in [PoolQuery, PoolKey, PoolValue, PoolOutput] {
                self.matrix(part, 0, [width, width], true);
            }
            self.norm(PoolNorm, 0, spec);
            self.matrix(PoolUp, 0, [inner, width], true);
            self.matrix(PoolDown, 0, [width, inner], true);
        }
        if head.projection {
            self.matrix(Part::Head, 0, [head.width, width], head.bias);
        }
    }

    fn stack(&mut self, spec: &Spec) {
        self.input(spec);
        self.head(spec);
        (0..spec.layers).for_each(|layer| self.layer(layer, spec));
    }
}

impl Dense {
    /// Which part its weights are.
    pub fn part(&self) -> Part {
        if self.pooler { Part::Pooler } else { Part::Dense }
    }
}

impl Spec {
    /// Every slot that this model needs, with its shape.
    pub fn slots(&self) -> Vec<(Slot, Shape)> {
        let mut slots = Slots::default();
        slots.stack(self);
        if let Some(matching) = &self.matching {
            slots.vector(Part::MatchScale, 0, 1);
            if matching.bias {
                slots.vector(Part::MatchBias, 0, 1);
            }
        }
        if let Some(second) = &self.second {
            slots.second = true;
            slots.stack(second);
        }
        slots.slots
    }

    /// Does without what some checkpoints of a class lack; false where none does.
    pub fn spare(&mut self, slot: &Slot) -> bool {
        match (&mut self.head, slot.part) {
            (Head::None { pooler }, Part::Pooler) => *pooler = false,
            // transformers takes zeros for the bias, and the embedding table for the head.
            (Head::Vocabulary(head), Part::Head) if self.cross_attention && slot.bias => head.bias = false,
            (Head::Vocabulary(head), Part::Head) if self.cross_attention => head.tied = true,
            _ => return false,
        }
        true
    }
}
