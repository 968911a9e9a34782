//! Mixtures of experts: a layer has many feed-forward networks, and each row goes through the few that its router chooses
//! (<https://arxiv.org/abs/1701.06538>).

use super::weights::Leaves;

/// The same matrix of each expert of a layer, with an optional bias.
pub struct ExpertLinear<L: Leaves> {
    /// [experts, out width, in width]
    pub weight: L::Experts,
    /// [experts, out width]
    pub bias: Option<L::Buffer>,
}

/// How a row's experts are chosen, and what each counts: its share of the softmax over all experts' scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Routing {
    pub experts: usize,
    /// Of each row. `experts` at most.
    pub used: usize,
    /// The shares of those chosen are divided by their sum: Mixtral (<https://arxiv.org/abs/2401.04088>). A softmax over
    /// the scores of those chosen, as in gpt-oss, is the same.
    pub renormalise: bool,
}
