//! The CPU: SIMD kernels over packed weights, on a pool of threads.

mod attention;
mod blocks;
mod cache;
mod elementwise;
mod matrix;
pub mod pool;
mod quantised;
mod simd;

use super::{Activation, AttentionShape, CacheType, Device, Projection, RopePairs, Span};
use crate::checkpoint::TensorType;
use crate::error::{Result, try_vec};
use attention::Attention;
use cache::Cache;
use elementwise::Rotations;
use matrix::{Inputs, Matrix, MatrixBuilder, Output};
use pool::{Pool, Shards};
use quantised::{BLOCK, QuantisedBlock};

/// Values of an elementwise task: a few microseconds of work.
const GRAIN: usize = 4096;
/// Multiplications of a matrix task, likewise.
const PRODUCTS: usize = 1 << 16;

pub struct Cpu {
    pool: Pool,
    attention: Attention,
    rotations: Rotations,
    quantised: Vec<QuantisedBlock>,
}

impl Cpu {
    pub fn new(pool: Pool) -> Self {
        let attention = Attention::new(pool.threads());
        Self { pool, attention, rotations: Rotations::default(), quantised: Vec::new() }
    }

    /// Runs `body` on each run of `width` values of `x`.
    fn each_row(&self, x: &mut [f32], width: usize, body: impl Fn(usize, &mut [f32]) + Sync) {
        let rows = x.len() / width;
        let x = Shards::new(x);
        self.pool.ranges(rows, (GRAIN / width).max(1), |range, _| {
            // SAFETY: the ranges of rows are disjoint.
            let part = unsafe { x.part(range.start * width..range.end * width) };
            for (row, values) in range.zip(part.chunks_exact_mut(width)) {
                body(row, values);
            }
        });
    }
}

impl Device for Cpu {
    type Buffer = Vec<f32>;
    type Matrix = Matrix;
    type MatrixBuilder = MatrixBuilder;
    type Cache = Cache;

    fn buffer(&mut self, len: usize) -> Result<Vec<f32>> {
        try_vec(len, "activations")
    }

    fn upload(&mut self, values: &[f32]) -> Result<Vec<f32>> {
        Ok(values.to_vec())
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

    fn cache(&mut self, layers: usize, kv_heads: usize, head_dim: usize, ty: CacheType) -> Cache {
        Cache::new(layers, kv_heads, head_dim, ty)
    }

    fn reserve(&mut self, cache: &mut Cache, positions: usize) -> Result<()> {
        cache.reserve(positions)
    }

    fn embed(&mut self, table: &Matrix, tokens: &[u32], out: &mut Vec<f32>) {
        let width = table.columns;
        self.each_row(&mut out[..tokens.len() * width], width, |row, out| table.row(tokens[row] as usize, out));
    }

    fn rms_norm(&mut self, x: &Vec<f32>, len: usize, weight: &Vec<f32>, epsilon: f32, out: &mut Vec<f32>) {
        let width = weight.len();
        self.each_row(&mut out[..len], width, |row, out| {
            elementwise::rms_norm(&x[row * width..][..width], weight, epsilon, out);
        });
    }

    fn rms_norm_in_place(&mut self, x: &mut Vec<f32>, len: usize, weight: &Vec<f32>, epsilon: f32) {
        self.each_row(&mut x[..len], weight.len(), |_, x| elementwise::rms_norm_in_place(x, weight, epsilon));
    }

    fn project(&mut self, x: &Vec<f32>, rows: usize, projections: &mut [Projection<Self>]) {
        let columns = projections[0].weight.columns;
        let floats = &x[..rows * columns];
        let mut quantised: &[QuantisedBlock] = &[];
        if projections.iter().any(|projection| projection.weight.is_quantised()) {
            let blocks = rows * columns / BLOCK;
            if self.quantised.len() < blocks {
                self.quantised.resize(blocks, QuantisedBlock::default());
            }
            quantised::quantise(&self.pool, floats, columns, &mut self.quantised[..blocks]);
            quantised = &self.quantised[..blocks];
        }
        let inputs = Inputs { floats, quantised, tokens: rows };
        // The panels of all matrices in one loop: one barrier for queries, keys and values.
        let panels: usize = projections.iter().map(|projection| projection.weight.panel_count()).sum();
        let outputs: Vec<(&Matrix, Output)> = projections
            .iter_mut()
            .map(|Projection { weight, bias, out, accumulate }| {
                let bias = bias.map(Vec::as_slice);
                (*weight, Output { values: Shards::new(out), bias, accumulate: *accumulate })
            })
            .collect();
        let grain =
            (PRODUCTS / (blocks::ROWS * columns * rows)).clamp(1, panels.div_ceil(4 * self.pool.threads()).max(1));
        self.pool.ranges(panels, grain, |range, _| {
            for mut panel in range {
                for (matrix, output) in &outputs {
                    if panel < matrix.panel_count() {
                        matrix.multiply_panel(panel, inputs, output);
                        break;
                    }
                    panel -= matrix.panel_count();
                }
            }
        });
    }

    fn set_rotations(&mut self, positions: &[u32], frequencies: &[f32], magnitude: f32) {
        self.rotations.set(positions, frequencies, magnitude);
    }

    fn rope(&mut self, x: &mut Vec<f32>, rows: usize, heads: usize, head_dim: usize, pairs: RopePairs) {
        let width = heads * head_dim;
        self.each_row(&mut x[..rows * width], width, |row, x| self.rotations.turn(row, x, head_dim, pairs));
    }

    fn store(
        &mut self,
        layer: usize,
        shape: &AttentionShape,
        key: &Vec<f32>,
        value: &Vec<f32>,
        spans: &[Span],
        caches: &mut [Cache],
    ) {
        for span in spans {
            for head in 0..shape.kv_heads {
                let (keys, values) = caches[span.cache].head_mut(layer, head);
                for token in 0..span.len {
                    let at = ((span.row + token) * shape.kv_heads + head) * shape.head_dim;
                    keys.write(span.position + token, &key[at..at + shape.head_dim]);
                    values.write(span.position + token, &value[at..at + shape.head_dim]);
                }
            }
        }
    }

    fn attend(
        &mut self,
        layer: usize,
        shape: &AttentionShape,
        query: &Vec<f32>,
        spans: &[Span],
        caches: &[Cache],
        out: &mut Vec<f32>,
    ) {
        self.attention.run(&self.pool, layer, shape, query, spans, caches, out);
    }

    fn attention_weights(
        &mut self,
        shape: &AttentionShape,
        query: &Vec<f32>,
        key: &Vec<f32>,
        rows: usize,
    ) -> Result<Vec<f32>> {
        let mut weights = try_vec(shape.heads * rows * rows, "an attention map")?;
        let (queries, keys) = (shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim);
        self.each_row(&mut weights, rows, |map_row, out| {
            let (head, row) = (map_row / rows, map_row % rows);
            let kv_head = head * shape.kv_heads / shape.heads;
            let query = &query[row * queries + head * shape.head_dim..][..shape.head_dim];
            let seen = attention::visible(shape, row);
            let mut maximum = f32::NEG_INFINITY;
            for position in seen.clone() {
                let key = &key[position * keys + kv_head * shape.head_dim..][..shape.head_dim];
                let score = shape.scale * query.iter().zip(key).map(|(q, k)| q * k).sum::<f32>();
                out[position] = score;
                maximum = maximum.max(score);
            }
            let out = &mut out[seen];
            out.iter_mut().for_each(|score| *score = (*score - maximum).exp());
            let total: f32 = out.iter().sum();
            out.iter_mut().for_each(|weight| *weight /= total);
        });
        Ok(weights)
    }

    fn gate(&mut self, activation: Activation, gate: &mut Vec<f32>, up: &Vec<f32>, len: usize) {
        let (gate, up) = (Shards::new(&mut gate[..len]), &up[..len]);
        self.pool.ranges(len, GRAIN, |range, _| {
            // SAFETY: the ranges are disjoint.
            elementwise::gate(activation, unsafe { gate.part(range.clone()) }, &up[range]);
        });
    }

    fn gather(&mut self, x: &Vec<f32>, width: usize, selected: &[usize], out: &mut Vec<f32>) {
        for (out, row) in out.chunks_exact_mut(width).zip(selected) {
            out.copy_from_slice(&x[row * width..][..width]);
        }
    }

    fn read(&mut self, x: &Vec<f32>, out: &mut [f32]) {
        out.copy_from_slice(&x[..out.len()]);
    }
}
