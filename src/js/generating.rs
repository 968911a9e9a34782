//! A generation for JavaScript: what it is begun with, and what it has made.

use crate::error::Result;
use crate::model::{FinishReason, GenerateRequest, Generation, Step};
use crate::text::{Sampling, SharedConstraint, TextStream};

/// What a generation is begun with.
pub struct Beginning<'a> {
    pub asked: GenerateRequest,
    pub sampling: Sampling,
    pub stream: Option<TextStream>,
    pub constraint: Option<SharedConstraint>,
    pub ends: &'a [u32],
    pub seed: u64,
}

/// A generation under way.
pub trait AnyGeneration {
    /// It goes on with the model's passes; else by its own steps.
    fn shares(&self) -> bool;
    /// What has happened to it. `None`: it waits.
    fn step(&mut self) -> Option<Result<Step>>;
    /// What it has made; `aborted`: it ends here.
    fn outcome(&mut self, aborted: bool) -> Outcome;
}

/// What a generation has made.
#[derive(Clone)]
pub struct Outcome {
    pub text: String,
    pub tokens: Vec<u32>,
    pub finish: FinishReason,
    pub prompt_tokens: usize,
    pub cached_tokens: usize,
    /// Of texts that may outgrow their context.
    pub dropped_tokens: Option<usize>,
    /// Drafted, and kept of those.
    pub drafts: [usize; 2],
}

impl Outcome {
    pub fn of(generation: &Generation) -> Self {
        Self {
            text: generation.text().to_owned(),
            tokens: generation.tokens().to_vec(),
            finish: generation.finish().unwrap_or(FinishReason::Aborted),
            prompt_tokens: generation.prompt_tokens(),
            cached_tokens: generation.cached_tokens(),
            dropped_tokens: generation.dropped_tokens(),
            drafts: generation.drafts(),
        }
    }
}
