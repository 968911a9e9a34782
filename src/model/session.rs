//! One sequence of tokens, and where the model's pool keeps it.

use super::encoder_states::EncoderStates;
use crate::device::Table;
use std::collections::VecDeque;

/// A sequence; by default an empty one.
#[derive(Default)]
pub struct Session {
    pub(super) table: Table,
    /// The tokens whose keys and values are kept, or on their way there.
    tokens: Vec<u32>,
    /// How many of them are there beyond doubt, and how many there will be after each call that is under way.
    sure: usize,
    under_way: VecDeque<usize>,
    /// Tokens that it was known to have when those were computed: see [`Model::turning_point`](super::Model).
    length: usize,
    /// The encoder's output, of encoder-decoders.
    pub(super) source: Option<EncoderStates>,
}

impl Session {
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// One whose tokens are all there. `length`: see there.
    pub(super) fn restored(table: Table, tokens: Vec<u32>, length: usize) -> Self {
        Self { sure: tokens.len(), table, tokens, under_way: VecDeque::new(), length, source: None }
    }

    /// Another one of the same tokens, but for what may never come; none of a source. Its pages are this one's until one of
    /// the two writes to them.
    pub fn copy(&self) -> Self {
        let mut table = self.table.clone();
        table.cut_to(self.sure);
        Self::restored(table, self.sure_tokens().to_vec(), self.length)
    }

    /// The tokens that are there beyond doubt.
    pub(super) fn sure_tokens(&self) -> &[u32] {
        &self.tokens[..self.sure]
    }

    pub(super) fn longest(&self) -> usize {
        self.length
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.tokens.clear();
        self.table.cut_to(0);
        self.length = 0;
        self.settled();
    }

    /// What is computed now is of a sequence that has so many tokens.
    pub(super) fn has(&mut self, length: usize) {
        self.length = self.length.max(length);
    }

    /// These are on their way.
    pub(super) fn begin(&mut self, tokens: &[u32]) {
        self.tokens.extend_from_slice(tokens);
        self.under_way.push_back(self.tokens.len());
    }

    /// All that began has come to pass, but for the last `unfinished` calls.
    pub(super) fn settled_but(&mut self, unfinished: usize) {
        while self.under_way.len() > unfinished {
            self.sure = self.under_way.pop_front().unwrap_or(self.sure);
        }
    }

    /// All of it has.
    pub(super) fn settled(&mut self) {
        self.under_way.clear();
        self.sure = self.tokens.len();
    }

    /// Something went wrong: what was on its way may never have come.
    pub(super) fn forget_unsure(&mut self) {
        self.tokens.truncate(self.sure);
        self.settled();
    }

    /// Keeps what the sequence shares with the beginning of `prompt` and drops the rest; all of it where a window has let
    /// go what the prompt's next token looks at, or where only one of both is longer than `turning_point`. Returns how many
    /// tokens need not be computed again: all but the last, whose logits are wanted, at most.
    pub fn rewind_to(&mut self, prompt: &[u32], turning_point: Option<usize>) -> usize {
        // Of what was left on its way nobody has heard since.
        self.forget_unsure();
        let common = self.tokens.iter().zip(prompt).take_while(|(a, b)| a == b).count();
        let kept = common.min(prompt.len().saturating_sub(1));
        let is_long = |length: usize| turning_point.is_some_and(|most| length > most);
        let turned_alike = is_long(self.length) == is_long(prompt.len());
        self.cut_to(if turned_alike { kept } else { 0 })
    }

    /// Forgets all but the first tokens; all of them where a window has let go what the next one looks at. Returns how many
    /// there are.
    pub fn truncate(&mut self, length: usize) -> usize {
        self.forget_unsure();
        self.cut_to(length.min(self.tokens.len()))
    }

    fn cut_to(&mut self, length: usize) -> usize {
        let kept = if self.table.can_cut_to(length) { length } else { 0 };
        if kept == 0 {
            self.length = 0;
        }
        self.tokens.truncate(kept);
        self.table.cut_to(kept);
        self.settled();
        kept
    }
}
