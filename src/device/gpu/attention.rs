//! Heads and attention: which kernel, how many dispatches.

use super::Gpu;
use super::buffer::Buffer;
use super::cache::Cache;
use super::kernels::{Kernel, Shader};
use super::profile::Work;
use super::recorder::{Dispatch, all_of, span_words};
use crate::device::{Attention, AttentionShape, CacheType, Heads, PositionBias, RopePairs, Span};
use crate::error::Result;

/// What the kernels of attention are told and read, beside queries, keys and values: see `shaders/score.wgsl`.
struct Scores {
    /// HEAD_DIM and BIAS.
    constants: [u32; 3],
    parameters: [u32; 10],
    vectors: Buffer,
}

impl Scores {
    fn new(gpu: &mut Gpu, attention: &Attention<Gpu>) -> Self {
        let Attention { shape, bias, sinks, .. } = attention;
        let (kind, reach, biases) = match bias {
            PositionBias::None => (0, 0, None),
            PositionBias::Linear(slopes) => (1, 0, Some(*slopes)),
            PositionBias::Table { table, reach } => (2, *reach as u32, Some(*table)),
        };
        let parameters = [
            shape.heads as u32,
            shape.kv_heads as u32,
            shape.scale.to_bits(),
            shape.window.unwrap_or(0) as u32,
            u32::from(shape.causal),
            shape.soft_cap.unwrap_or(0.0).to_bits(),
            biases.map_or(0, |biases| biases.offset as u32),
            reach,
            shape.block.unwrap_or(0) as u32,
            sinks.map_or(0, |sinks| sinks.offset as u32 + 1),
        ];
        let vectors = gpu.together(biases.into_iter().chain(*sinks));
        Self { constants: [shape.head_dim as u32, kind, 0], parameters, vectors }
    }
}

impl Gpu {
    pub(super) fn store_heads(
        &mut self,
        layer: usize,
        shape: &AttentionShape,
        heads: &Heads<Self>,
        spans: &[Span],
        caches: &[Cache],
    ) {
        let norms = heads.norms.as_ref();
        let turn = heads.turn.map_or(0..0, |turn| self.tables[turn].clone());
        if turn.is_empty() && norms.is_none() && caches.iter().all(|cache| cache.ty == CacheType::F32) {
            return self.copy_heads(layer, shape, heads, spans, caches);
        }
        let at = |norm: usize| norms.map_or(0, |norms| norms[norm].weight.offset as u32);
        let epsilon = norms.map_or(0.0, |norms| norms[0].epsilon);
        let [query_heads, kv_heads, pairs] = [shape.heads, shape.kv_heads, turn.len()].map(|n| n as u32);
        let angles = self.tables.last().map_or(0, |turn| turn.end as u32);
        let parameters = [query_heads, kv_heads, pairs, at(0), at(1), epsilon.to_bits(), turn.start as u32, angles];
        let interleaved = u32::from(heads.pairs == RopePairs::Interleaved);
        let moved = shape.head_dim * (2 * shape.heads + 3 * shape.kv_heads);
        let vectors = self.together(norms.into_iter().flatten().map(|norm| norm.weight));
        for (number, span) in spans.iter().enumerate() {
            let cache = &caches[span.cache];
            let [keys, values] = cache.layer(layer);
            let constants = [shape.head_dim as u32, interleaved, u32::from(norms.is_some())];
            let batch = self.recorder.told(span_words(span), number + 1);
            self.recorder.dispatch(&Dispatch {
                kernel: Kernel::new(Shader::Heads).cache(cache.ty).with(constants),
                storage: &[heads.query, heads.key, heads.value, &self.rotations, &vectors, keys, values],
                parameters: &parameters,
                batch,
                grid: [shape.heads + 2 * shape.kv_heads, span.len, 1],
                work: Work::moving(4 * span.len * moved + 2 * cache.bytes(span.len)),
            });
        }
    }

    /// Heads that are kept as they are.
    fn copy_heads(
        &mut self,
        layer: usize,
        shape: &AttentionShape,
        heads: &Heads<Self>,
        spans: &[Span],
        caches: &[Cache],
    ) {
        let width = shape.kv_heads * shape.head_dim;
        for span in spans {
            let [keys, values] = caches[span.cache].layer(layer);
            for (from, to) in [(&*heads.key, keys), (heads.value, values)] {
                let from = Buffer { offset: from.offset + span.row * width, ..from.clone() };
                let to = Buffer { offset: to.offset + span.position * width, ..to.clone() };
                self.recorder.copy(&from, &to, span.len * width);
            }
        }
    }

    pub(super) fn attend_spans(
        &mut self,
        attention: &Attention<Self>,
        query: &Buffer,
        spans: &[Span],
        caches: &[Cache],
        out: &Buffer,
    ) -> Result<()> {
        let shape = &attention.shape;
        let scores = Scores::new(self, attention);
        for (number, span) in spans.iter().enumerate() {
            let cache = &caches[span.cache];
            let batch = self.recorder.told(span_words(span), number + 1);
            if span.len == 1 {
                self.attend_one(attention, &scores, query, (batch, span), cache, out)?;
                continue;
            }
            let [keys, values] = cache.layer(attention.layer);
            let rows = span.len * shape.heads / shape.kv_heads;
            let tile = Shader::Attention.constant("QUERIES") as usize;
            self.recorder.dispatch(&Dispatch {
                kernel: Kernel::new(Shader::Attention).cache(cache.ty).with(scores.constants),
                storage: &[query, keys, values, out, &scores.vectors],
                parameters: &scores.parameters,
                batch,
                grid: [rows.div_ceil(tile), shape.kv_heads, 1],
                work: Work::attention(shape, span, cache.bytes(1)),
            });
        }
        Ok(())
    }

    fn attend_one(
        &mut self,
        attention: &Attention<Self>,
        scores: &Scores,
        query: &Buffer,
        (batch, span): (usize, &Span),
        cache: &Cache,
        out: &Buffer,
    ) -> Result<()> {
        let shape = &attention.shape;
        let [keys, values] = cache.layer(attention.layer);
        let seen = shape.visible(span.position, span.keys).len();
        let splits = seen.div_ceil(Shader::AttentionOne.constant("SPLIT") as usize).max(1);
        let parts = self.parts(shape.heads * splits * (shape.head_dim + 4))?;
        self.recorder.dispatch(&Dispatch {
            kernel: Kernel::new(Shader::AttentionOne).cache(cache.ty).with(scores.constants),
            storage: &[query, keys, values, out, &parts, &scores.vectors],
            parameters: &scores.parameters,
            batch,
            grid: [splits, shape.heads, 1],
            work: Work::attention(shape, span, cache.bytes(1)),
        });
        if splits > 1 || self.recorder.collecting() {
            self.recorder.dispatch(&Dispatch {
                kernel: Kernel::new(Shader::AttentionJoin).with([shape.head_dim as u32, 0, 0]),
                storage: &[&parts, out],
                parameters: &[shape.heads as u32, splits as u32],
                batch,
                grid: [shape.heads, 1, 1],
                work: Work::moving(4 * shape.heads * (splits + 1) * shape.head_dim),
            });
        }
        Ok(())
    }

    pub(super) fn weights(
        &mut self,
        attention: &Attention<Self>,
        query: &Buffer,
        key: &Buffer,
        rows: usize,
    ) -> Result<Buffer> {
        let heads = attention.shape.heads;
        let out = self.memory.storage("an attention map", heads * rows * rows)?;
        let scores = Scores::new(self, attention);
        let batch = self.recorder.told(all_of(rows), 0);
        self.recorder.dispatch(&Dispatch {
            kernel: Kernel::new(Shader::AttentionWeights).with(scores.constants),
            storage: &[query, key, &out, &scores.vectors],
            parameters: &scores.parameters,
            batch,
            grid: [rows, heads, 1],
            work: Work::moving(4 * heads * rows * rows),
        });
        Ok(out)
    }
}
