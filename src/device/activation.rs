//! What becomes of products in a feed-forward network.

use serde::Serialize;

/// Feed-forward activations. Their numbers are what kernels know them by: see `shaders/activation.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// x · σ(x)
    Silu = 1,
    /// x · Φ(x), Φ being the normal distribution (<https://arxiv.org/abs/1606.08415>).
    Gelu,
    /// Its approximation by tanh: x · σ(√(8 / π) · (x + 0.044715 x³)).
    GeluTanh,
    /// Its approximation x · σ(1.702 x).
    GeluQuick,
    /// max(x, 0)
    Relu,
    /// tanh x
    Tanh,
}

/// What becomes of the gate's and the up projection's product of an expert.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Gating {
    /// activation(gate) · up
    Plain(Activation),
    /// (u + 1) · g · σ(1.702 g), where g = min(gate, limit) and u = clamp(up, −limit, limit): gpt-oss.
    Clamped { limit: f32 },
}
