//! Weights, wherever they lie.

/// What weights are where they lie. A list of what is wanted has nothing there.
pub trait Leaves {
    type Matrix;
    type Experts;
    type Buffer;
}

/// A matrix [out width, in width] with an optional bias [out width].
pub struct Linear<L: Leaves> {
    pub weight: L::Matrix,
    pub bias: Option<L::Buffer>,
}
