//! The CPU: SIMD kernels over packed weights, on a pool of threads.

mod attention;
mod blocks;
mod bytes;
mod elementwise;
mod experts;
mod few_bits;
mod matrix;
mod pixels;
pub mod pool;
mod products;
mod project;
mod project_experts;
mod quantised;
mod saved;
mod score;
mod short_conv;
mod simd;
mod state;
mod uneven;

use super::{
    Activation, AttentionShape, CacheType, CachedAttention, CachedConv, Choosing, Device, ExpertLinear, Following,
    Gating, Input, KeyRows, Linear, NormWeights, PageCopy, Patching, Picture, Preparation, Progress, Projection, Qkv,
    Rotations, Routing, Seen, Span, StateShape, Table, TokenIds,
};
use crate::checkpoint::TensorType;
use crate::error::{Code, Error, Result, try_vec};
use attention::FlashAttention;
use experts::Experts;
use matrix::{Matrix, MatrixBuilder};
use pool::{Pool, Shards, VALUE};
use quantised::{DigitBlock, QuantisedBlock};
use state::{Places, State};
use std::convert::Infallible;
use std::ops::Range;

/// Values that stay together where a vector is shared out.
const RUN: usize = 64;

pub struct Cpu {
    pool: Pool,
    attention: FlashAttention,
    /// The batch's: see [`Rotations`].
    rotations: Vec<f32>,
    tables: Vec<Range<usize>>,
    quantised: Vec<QuantisedBlock>,
    digits: Vec<DigitBlock>,
    /// The input of projections after its norm; rows that are looked up to be added.
    normed: Vec<f32>,
    /// The second half of a gated projection.
    up: Vec<f32>,
    experts: experts::Scratch,
}

impl Cpu {
    pub fn new(pool: Pool) -> Self {
        let attention = FlashAttention::new(pool.threads());
        Self {
            pool,
            attention,
            rotations: Vec::new(),
            tables: Vec::new(),
            quantised: Vec::new(),
            digits: Vec::new(),
            normed: Vec::new(),
            up: Vec::new(),
            experts: Default::default(),
        }
    }

    /// Runs `body` on each run of `width` values of `x`.
    fn each_row(&self, x: &mut [f32], width: usize, body: impl Fn(usize, &mut [f32]) + Sync) {
        let rows = x.len() / width;
        let x = Shards::new(x);
        self.pool.ranges(rows, width * VALUE, |range, _| {
            // SAFETY: the ranges of rows are disjoint.
            let part = unsafe { x.part(range.start * width..range.end * width) };
            for (row, values) in range.zip(part.chunks_exact_mut(width)) {
                body(row, values);
            }
        });
    }

    /// Runs `body` on pieces of `x`, which it gets with their places.
    fn each_run(&self, x: &mut [f32], body: impl Fn(&mut [f32], Range<usize>) + Sync) {
        let len = x.len();
        let x = Shards::new(x);
        self.pool.ranges(len.div_ceil(RUN), RUN * VALUE, |runs, _| {
            let range = runs.start * RUN..len.min(runs.end * RUN);
            // SAFETY: the ranges are disjoint.
            body(unsafe { x.part(range.clone()) }, range);
        });
    }
}

impl Device for Cpu {
    type Buffer = Vec<f32>;
    type Matrix = Matrix;
    type MatrixBuilder = MatrixBuilder;
    type Experts = Experts;
    type State = State;
    type Places = Places;
    type Chooser = Infallible;
    type Reading = Vec<f32>;

    // Enough to keep the arithmetic units busy: weights are read once a chunk.
    const CHUNK: usize = 64;
    const MOST_CHUNK: usize = Self::CHUNK;

    fn now(&self) -> f64 {
        self.pool.now()
    }

    fn buffer(&mut self, len: usize) -> Result<Vec<f32>> {
        try_vec(len, "activations")
    }

    fn expect_vectors(&mut self, _lengths: &mut dyn Iterator<Item = usize>) -> Result<()> {
        Ok(())
    }

    fn upload(&mut self, values: &[f32]) -> Result<Vec<f32>> {
        Ok(values.to_vec())
    }

    fn expect_weights(&mut self, _bytes: usize) -> Result<()> {
        Ok(())
    }

    fn matrix(&mut self, ty: TensorType, rows: usize, columns: usize) -> Result<MatrixBuilder> {
        MatrixBuilder::new(ty, rows, columns)
    }

    fn push(&mut self, builder: &mut MatrixBuilder, bytes: &[u8]) {
        builder.push(bytes);
    }

    fn finish(&mut self, builder: MatrixBuilder) -> Matrix {
        builder.finish()
    }

    fn matrix_bytes(ty: TensorType, rows: usize, columns: usize) -> usize {
        Matrix::bytes(ty, rows, columns)
    }

    fn expert_matrices(
        &mut self,
        ty: TensorType,
        experts: usize,
        rows: usize,
        columns: usize,
    ) -> Result<Vec<MatrixBuilder>> {
        (0..experts).map(|_| MatrixBuilder::new(ty, rows, columns)).collect()
    }

    fn join_experts(&mut self, matrices: Vec<Matrix>) -> Experts {
        Experts(matrices)
    }

    fn state(layers: &[StateShape], ty: CacheType) -> State {
        State::new(layers, ty)
    }

    async fn grow(&mut self, state: &mut State, pages: &[Range<usize>]) -> Result<Vec<usize>> {
        state.grow(pages)
    }

    fn trim(&mut self, state: &mut State, pages: &[usize]) -> Vec<usize> {
        state.trim(pages)
    }

    fn copy_pages(&mut self, state: &mut State, copies: &[PageCopy]) {
        state.copy(copies);
    }

    async fn save(&mut self, state: &State, table: &Table, positions: usize) -> Result<Vec<u8>> {
        saved::save(state, table, positions)
    }

    fn restore(&mut self, state: &mut State, table: &Table, positions: usize, bytes: &[u8]) -> Result<()> {
        saved::restore(state, table, positions, bytes)
    }

    async fn sync(&mut self) -> Result<usize> {
        self.pool.end_pass();
        Ok(0)
    }

    async fn warm_up(&mut self, _: &Progress, _steps: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        Ok(())
    }

    fn begin(&mut self, _spans: &[Span], rotations: Rotations) {
        self.pool.begin_pass();
        self.rotations.clear();
        self.rotations.extend_from_slice(rotations.values);
        self.tables.clear();
        self.tables.extend_from_slice(rotations.tables);
    }

    fn places(&mut self, spans: &[Span], keys: KeyRows) -> Places {
        Places::new(spans, keys)
    }

    fn embed(&mut self, table: &Matrix, tokens: &TokenIds<Self>, scale: f32, accumulate: bool, out: &mut Vec<f32>) {
        let tokens = match tokens {
            TokenIds::Known(tokens) | TokenIds::Chosen { known: tokens, spans: [] } => tokens,
            TokenIds::Chosen { spans: [(_, never), ..], .. } => match **never {},
        };
        let width = table.columns;
        let out = &mut out[..tokens.len() * width];
        let look_up = |row: usize, out: &mut [f32]| {
            table.row(tokens[row] as usize, out);
            out.iter_mut().for_each(|value| *value *= scale);
        };
        if !accumulate {
            return self.each_row(out, width, look_up);
        }
        let mut found = std::mem::take(&mut self.normed);
        if found.len() < out.len() {
            found.resize(out.len(), 0.0);
        }
        self.each_row(&mut found[..out.len()], width, look_up);
        self.each_run(out, |out, range| elementwise::add(out, &found[range]));
        self.normed = found;
    }

    fn write(&mut self, values: &[f32], first: usize, out: &mut Vec<f32>) {
        out[first..first + values.len()].copy_from_slice(values);
    }

    fn patches(&mut self, images: &Vec<f32>, count: usize, patching: &Patching, out: &mut Vec<f32>) {
        let (tokens, columns) = (patching.tokens(), patching.columns);
        self.each_row(&mut out[..count * tokens * columns], columns, |row, out| {
            let image = &images[row / tokens * patching.pixels()..][..patching.pixels()];
            match (row % tokens).checked_sub(patching.before) {
                None => out.fill(0.0),
                Some(patch) => elementwise::patch(image, patching, patch, out),
            }
        });
    }

    fn norm(&mut self, input: &Input<Self>, width: usize, accumulate: bool, out: &mut Vec<f32>) {
        let out = &mut out[..input.rows * width];
        match &input.norm {
            Some(norm) if !accumulate => self.norm_rows(norm, input, width, out),
            _ if !accumulate => out.copy_from_slice(&input.x[..out.len()]),
            _ => self.with_input(input, width, |cpu, x| {
                cpu.each_run(out, |out, range| elementwise::add(out, &x[range]));
            }),
        }
    }

    fn soft_cap(&mut self, x: &mut Vec<f32>, len: usize, cap: f32) {
        self.each_run(&mut x[..len], |values, _| elementwise::soft_cap(values, cap));
    }

    fn project(&mut self, input: &Input<Self>, projections: &mut [Projection<Self>]) {
        let columns = projections[0].weight.columns;
        self.with_input(input, columns, |cpu, x| cpu.multiply(x, input.rows, projections));
    }

    fn project_activated(
        &mut self,
        input: &Input<Self>,
        gate: Option<&Linear<Self>>,
        up: &Linear<Self>,
        activation: Activation,
        out: &mut Vec<f32>,
    ) {
        self.with_input(input, up.weight.columns, |cpu, x| cpu.multiply_activated(x, gate, up, activation, out));
    }

    fn activate(&mut self, x: &mut Vec<f32>, up: Option<&Vec<f32>>, len: usize, activation: Activation) {
        self.each_run(&mut x[..len], |values, range| match up {
            Some(up) => elementwise::gate(Gating::Plain(activation), values, &up[range]),
            None => elementwise::activate(activation, values),
        });
    }

    fn route(&mut self, scores: &Vec<f32>, rows: usize, routing: &Routing, routes: &mut Vec<f32>) {
        self.each_row(&mut routes[..2 * rows * routing.used], 2 * routing.used, |row, routes| {
            experts::route(&scores[row * routing.experts..][..routing.experts], routing, routes);
        });
    }

    fn project_experts(
        &mut self,
        input: &Input<Self>,
        gate: &ExpertLinear<Self>,
        up: &ExpertLinear<Self>,
        gating: Gating,
        routes: &Vec<f32>,
        used: usize,
        out: &mut Vec<f32>,
    ) {
        let routes = &routes[..2 * input.rows * used];
        self.with_input(input, gate.weight.columns(), |cpu, x| cpu.gate_experts(x, [gate, up], gating, routes, out));
    }

    fn project_experts_down(
        &mut self,
        x: &Vec<f32>,
        rows: usize,
        down: &ExpertLinear<Self>,
        routes: &Vec<f32>,
        used: usize,
        accumulate: bool,
        out: &mut Vec<f32>,
    ) {
        let x = &x[..rows * used * down.weight.columns()];
        self.join_experts_down(x, down, (&routes[..2 * rows * used], used), accumulate, out);
    }

    fn rope_and_cache(
        &mut self,
        layer: usize,
        shape: &AttentionShape,
        heads: &mut Qkv<Self>,
        places: &Places,
        state: &mut State,
    ) {
        let rows: usize = places.spans.iter().map(|span| span.len).sum();
        let (dim, queries, keys) = (shape.head_dim, shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim);
        let norms = heads.norms.as_ref().map(|[query, key]| (query, key)).unzip();
        let angles = self.tables.last().map_or(0, |table| table.end);
        let rotations = self.rotations.as_chunks::<2>().0;
        let table = heads.turn.map(|turn| self.tables[turn].clone());
        for (x, width, norm) in [(&mut *heads.query, queries, norms.0), (&mut *heads.key, keys, norms.1)] {
            if width == 0 {
                continue;
            }
            self.each_row(&mut x[..rows * width], width, |row, x| {
                if let Some(NormWeights { weight, epsilon, .. }) = norm {
                    x.chunks_exact_mut(dim).for_each(|head| elementwise::rms_norm_in_place(head, weight, *epsilon));
                }
                if let Some(table) = &table {
                    elementwise::turn(&rotations[row * angles..][table.clone()], x, dim, heads.pairs);
                }
            });
        }
        let group = state.group(layer);
        for span in &places.spans {
            for token in 0..span.len {
                let place = places.of(span, group, span.position + token);
                for head in 0..shape.kv_heads {
                    let at = ((span.row + token) * shape.kv_heads + head) * dim;
                    state.write(layer, head, place, &heads.key[at..at + dim], &heads.value[at..at + dim]);
                }
            }
        }
    }

    fn attend(
        &mut self,
        attention: &CachedAttention<Self>,
        query: &Vec<f32>,
        places: &Places,
        seen: Seen<Self>,
        out: &mut Vec<f32>,
    ) {
        self.attention.run(&self.pool, attention, query, places, seen, out);
    }

    fn short_conv(
        &mut self,
        conv: &CachedConv<Self>,
        x: &Vec<f32>,
        places: &Places,
        state: &mut State,
        out: &mut Vec<f32>,
    ) {
        short_conv::run(&self.pool, conv, x, places, state, out);
    }

    fn attention_weights(
        &mut self,
        attention: &CachedAttention<Self>,
        query: &Vec<f32>,
        key: &Vec<f32>,
        rows: usize,
    ) -> Result<Vec<f32>> {
        let shape = &attention.shape;
        let mut weights = try_vec(shape.heads * rows * rows, "an attention map")?;
        let (queries, keys) = (shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim);
        self.each_row(&mut weights, rows, |map_row, out| {
            let (head, row) = (map_row / rows, map_row % rows);
            let kv_head = head * shape.kv_heads / shape.heads;
            let query = &query[row * queries + head * shape.head_dim..][..shape.head_dim];
            let seen = shape.visible(row, rows);
            for position in seen.clone() {
                let key = &key[position * keys + kv_head * shape.head_dim..][..shape.head_dim];
                out[position] = shape.scale * query.iter().zip(key).map(|(q, k)| q * k).sum::<f32>();
            }
            let first = seen.start;
            let out = &mut out[seen];
            score::finish(attention, out, head, row, first);
            let sink = attention.sinks.map_or(f32::NEG_INFINITY, |sinks| sinks[head]);
            let maximum = out.iter().fold(sink, |maximum, score| maximum.max(*score));
            out.iter_mut().for_each(|score| *score = (*score - maximum).exp());
            let total = out.iter().sum::<f32>() + (sink - maximum).exp();
            out.iter_mut().for_each(|weight| *weight /= total);
        });
        Ok(weights)
    }

    fn gather_mean(&mut self, x: &Vec<f32>, width: usize, runs: &[Range<usize>], out: &mut Vec<f32>) {
        for (out, run) in out.chunks_exact_mut(width).zip(runs) {
            elementwise::mean(&x[run.start * width..run.end * width], out);
        }
    }

    fn pixels(&mut self, picture: &Picture, preparation: &Preparation, index: usize, out: &mut Vec<f32>) -> Result<()> {
        let len = preparation.len();
        pixels::pixels(&self.pool, picture, preparation, &mut out[index * len..][..len])
    }

    fn send(&mut self, x: &Vec<f32>, len: usize) -> Result<Vec<f32>> {
        self.pool.end_pass();
        let mut sent = try_vec(len, "a result")?;
        sent.copy_from_slice(&x[..len]);
        Ok(sent)
    }

    fn has_come(&self, _: &Vec<f32>) -> bool {
        true
    }

    async fn receive(&mut self, reading: Vec<f32>, out: &mut [f32]) -> Result<()> {
        out.copy_from_slice(&reading);
        Ok(())
    }

    fn chooser(&mut self, _: &Choosing) -> Result<Option<Infallible>> {
        Ok(None)
    }

    fn restrict(&mut self, chooser: &mut Infallible, _: &[u32]) -> Result<()> {
        match *chooser {}
    }

    fn choose(&mut self, _: &mut Vec<f32>, _: Following, chooser: &mut Infallible) -> Result<Vec<f32>> {
        match *chooser {}
    }

    async fn chosen(&mut self, _: Vec<f32>) -> Result<Vec<Option<u32>>> {
        Err(Error::new(Code::Internal, "the CPU does not choose tokens"))
    }
}
