//! What a forward pass is made of, as a short list of verbs.
//!
//! A device is a connector to one kind of hardware. It knows buffers, matrices and caches, and
//! nothing of models. The CPU's version of a verb is its definition.
//!
//! Activations are f32, [rows, width], rows being the tokens of a [`Batch`]. Outputs are buffers that
//! the caller made at load, so that a step allocates nothing.

pub mod cpu;

use crate::checkpoint::TensorType;
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// Consecutive tokens of one sequence inside a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first of its rows in the batch.
    pub row: usize,
    pub len: usize,
    /// The first one's place in its sequence: as many tokens are in the cache before it.
    pub position: usize,
    /// Which of the caches is its sequence's.
    pub cache: usize,
}

/// How attention looks at a cache.
#[derive(Clone, Copy, Debug)]
pub struct AttentionShape {
    pub heads: usize,
    /// Each serves heads / kv_heads query heads.
    pub kv_heads: usize,
    pub head_dim: usize,
    /// Multiplies query · key.
    pub scale: f32,
    /// A query sees only that many tokens, itself included.
    pub window: Option<usize>,
}

/// How keys and values are kept. `Q8`: 8-bit levels with a scale per 32 values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheType {
    F32,
    #[default]
    F16,
    Q8,
}

/// One matrix of a [`Device::project`].
pub struct Projection<'a, D: Device + ?Sized> {
    /// [out width, in width]
    pub weight: &'a D::Matrix,
    /// [out width]
    pub bias: Option<&'a D::Buffer>,
    /// [rows, out width]
    pub out: &'a mut D::Buffer,
    /// Adds to `out` instead of replacing it: the residual connection.
    pub accumulate: bool,
}

/// Which neighbours a rotation turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RopePairs {
    /// Dimension i with i + dims / 2.
    HalfSplit,
    /// Dimension 2i with 2i + 1.
    Interleaved,
}

/// Feed-forward activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// x · σ(x)
    Silu,
}

pub trait Device {
    /// f32 activations.
    type Buffer;
    /// Weights, in the layout that the device's kernels like.
    type Matrix;
    /// A matrix whose bytes are still arriving.
    type MatrixBuilder;
    /// The keys and values of one sequence, of all layers.
    type Cache;

    /// `len` zeros. Error: out-of-memory.
    fn buffer(&mut self, len: usize) -> Result<Self::Buffer>;
    /// A buffer that holds `values`.
    fn upload(&mut self, values: &[f32]) -> Result<Self::Buffer>;
    /// Begins a matrix [rows, columns] of that type. Error: out-of-memory.
    fn matrix(&mut self, ty: TensorType, rows: usize, columns: usize) -> Result<Self::MatrixBuilder>;
    /// The next of its bytes, in the file's format, cut anywhere.
    fn push(&mut self, builder: &mut Self::MatrixBuilder, bytes: &[u8]);
    fn finish(&mut self, builder: Self::MatrixBuilder) -> Self::Matrix;
    /// Bytes that such a matrix takes here.
    fn matrix_bytes(ty: TensorType, rows: usize, columns: usize) -> usize;

    /// A cache for `layers` layers of `kv_heads` heads; it has no room yet.
    fn cache(&mut self, layers: usize, kv_heads: usize, head_dim: usize, ty: CacheType) -> Self::Cache;
    /// Makes room for `positions` tokens in all, keeping what is there. Error: out-of-memory.
    fn reserve(&mut self, cache: &mut Self::Cache, positions: usize) -> Result<()>;

    /// out[row] = table[tokens[row]]
    fn embed(&mut self, table: &Self::Matrix, tokens: &[u32], out: &mut Self::Buffer);
    /// RMSNorm (<https://arxiv.org/abs/1910.07467>) of each run of `weight`'s length among the first
    /// `len` values: out = x / √(mean x² + epsilon) · weight.
    fn rms_norm(&mut self, x: &Self::Buffer, len: usize, weight: &Self::Buffer, epsilon: f32, out: &mut Self::Buffer);
    /// The same in place: the norm of each query or key head.
    fn rms_norm_in_place(&mut self, x: &mut Self::Buffer, len: usize, weight: &Self::Buffer, epsilon: f32);
    /// out = x · weightᵀ + bias for each of several matrices with the same input, [rows, in width].
    fn project(&mut self, x: &Self::Buffer, rows: usize, projections: &mut [Projection<Self>]);
    /// cos and sin of position · frequency, times `magnitude`, for [`Device::rope`].
    fn set_rotations(&mut self, positions: &[u32], frequencies: &[f32], magnitude: f32);
    /// Rotary positions (<https://arxiv.org/abs/2104.09864>): turns the leading dimensions of every
    /// head of x, [rows, heads, head_dim], by the angles of `set_rotations`.
    fn rope(&mut self, x: &mut Self::Buffer, rows: usize, heads: usize, head_dim: usize, pairs: RopePairs);
    /// Puts keys and values, [rows, kv_heads, head_dim], at the spans' places in their caches.
    fn store(
        &mut self,
        layer: usize,
        shape: &AttentionShape,
        key: &Self::Buffer,
        value: &Self::Buffer,
        spans: &[Span],
        caches: &mut [Self::Cache],
    );
    /// Causal attention: out[q, h] = Σₖ softmaxₖ(scale · query[q, h] · key[k, h / group]) · value[k, h / group]
    /// over the keys up to q's position and inside the window. query and out: [rows, heads, head_dim].
    fn attend(
        &mut self,
        layer: usize,
        shape: &AttentionShape,
        query: &Self::Buffer,
        spans: &[Span],
        caches: &[Self::Cache],
        out: &mut Self::Buffer,
    );
    /// The weights that `attend` would use, of a batch of one span at position 0: [heads, rows, rows].
    /// Error: out-of-memory.
    fn attention_weights(
        &mut self,
        shape: &AttentionShape,
        query: &Self::Buffer,
        key: &Self::Buffer,
        rows: usize,
    ) -> Result<Vec<f32>>;
    /// gate = activation(gate) · up, on the first `len` values.
    fn gate(&mut self, activation: Activation, gate: &mut Self::Buffer, up: &Self::Buffer, len: usize);
    /// Copies rows of `width` values, [selected.len(), width], to the front of `out`.
    fn gather(&mut self, x: &Self::Buffer, width: usize, selected: &[usize], out: &mut Self::Buffer);
    /// The first `out.len()` values.
    fn read(&mut self, x: &Self::Buffer, out: &mut [f32]);
}
