//! One text's drafts: what is tried, and what has come of it.
//!
//! A step's row and drafted tokens' go through the model together (<https://arxiv.org/abs/2211.17192>). A draft is kept
//! where it is the token that is chosen at its place, by the same logits, seed and position as without: so the text is the
//! same. Rows behind the last one that was kept are forgotten.

use super::costs::{Balance, Costs};
use super::decoder::HEAD_ROWS;
use crate::text::Lookup;

/// The least chance of a draft that is tried whatever it costs.
const LIKELY: f32 = 0.3;

pub struct Speculation {
    lookup: Lookup,
    /// Whatever it costs.
    always: bool,
    /// Drafts that go with the next step, and those that are under way.
    next: Vec<u32>,
    begun: Vec<u32>,
    balance: Balance,
    drafted: usize,
    kept: usize,
}

impl Speculation {
    /// Of a text that goes on from a prompt. `always`: where drafts are likely, whatever they cost.
    pub fn new(prompt: &[u32], always: bool) -> Self {
        let (next, begun) = (Vec::new(), Vec::new());
        Self { lookup: Lookup::new(prompt), always, next, begun, balance: Balance::default(), drafted: 0, kept: 0 }
    }

    /// A token has come.
    pub fn take(&mut self, id: u32) {
        self.lookup.take(id);
        self.next.clear();
    }

    /// Decides what to draft, `room` tokens at most. `others`, `ahead`: see [`Costs::drafts`]. Gives how many.
    pub fn decide(&mut self, costs: &Costs, others: usize, room: usize, ahead: bool) -> usize {
        let room = room.min(HEAD_ROWS - 1);
        let chances = self.lookup.drafts(room).map(|(_, chance)| chance);
        let count = match self.always {
            true => chances.take_while(|chance| *chance >= LIKELY).count(),
            false => costs.drafts(chances, others, ahead, self.balance),
        };
        self.next.clear();
        self.next.extend(self.lookup.drafts(count).map(|(id, _)| id));
        count
    }

    /// The drafts that go with the next step.
    pub fn next(&self) -> &[u32] {
        &self.next
    }

    /// A step has begun, with so many of them.
    pub fn begin(&mut self, drafts: usize) {
        self.next.truncate(drafts);
        self.begun = std::mem::take(&mut self.next);
        self.drafted += drafts;
    }

    /// Whether some are under way.
    pub fn is_under_way(&self) -> bool {
        !self.begun.is_empty()
    }

    /// The step is over: its drafts.
    pub fn end(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.begun)
    }

    /// So many were the tokens that came.
    pub fn keep(&mut self, drafts: usize) {
        self.kept += drafts;
    }

    /// What its passes took, and what drafts saved of that, in milliseconds.
    pub fn spend(&mut self, saved: f64, all: f64) {
        self.balance.add(saved, all);
    }

    /// Tokens that were drafted, and how many of them were kept.
    pub fn counts(&self) -> [usize; 2] {
        [self.drafted, self.kept]
    }
}
