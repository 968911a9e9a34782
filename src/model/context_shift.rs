//! What the context has of a text that outgrows it: its first tokens, and its last.
//!
//! When it is full, the oldest tokens behind the first `keep` go, half of those that there is room for at a time, and what is
//! left of them is read anew, as the prompt that it now is. llama.cpp (`--context-shift`, which takes the same half) and
//! StreamingLLM (<https://arxiv.org/abs/2309.17453>) turn the keys that they keep to their new positions instead. That costs
//! next to nothing, but those keys and values were computed with what is gone in sight, so that a text depends on how it came
//! to be; keys of 8 bits are rounded once more each time; and learned positions and the inputs of convolutions cannot be
//! turned. Read anew, what comes next is what the model says of the tokens that are left, whatever its positions are, on any
//! device, in a session or from nothing. Half of the room is read for each half that is made: a token each, at a prompt's pace.
//!
//! How much is gone depends on nothing but the text's length. So the next turn of a conversation, whose prompt is all that was
//! said, finds in its session what the turn before has left there.

use crate::error::{Error, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContextShift {
    /// The first tokens, which stay.
    keep: usize,
    /// Tokens that there is room for.
    context: usize,
}

impl ContextShift {
    /// Error: invalid-argument where nothing could go, or nothing would stay behind it.
    pub fn new(keep: usize, context: usize) -> Result<Self> {
        match context.checked_sub(2) {
            Some(most) if keep <= most => Ok(Self { keep, context }),
            most => {
                let why = most.map_or("nothing can go".to_owned(), |most| format!("expected {most} at most"));
                Err(Error::invalid(format!("contextShift.keep: {keep} of a context of {context} tokens, {why}")))
            }
        }
    }

    /// How many have gone of a text of so many.
    pub fn gone(&self, tokens: usize) -> usize {
        let at_a_time = (self.context - self.keep) / 2;
        tokens.saturating_sub(self.context).div_ceil(at_a_time) * at_a_time
    }

    /// What is left of a text.
    pub fn left(&self, text: &[u32]) -> Vec<u32> {
        match self.gone(text.len()) {
            0 => text.to_vec(),
            gone => [&text[..self.keep], &text[self.keep + gone..]].concat(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_what_may_go_goes_when_there_is_no_room_for_the_next_token() {
        let shift = ContextShift::new(2, 10).unwrap();
        assert_eq!([0, 10, 11, 14, 15, 18, 19].map(|tokens| shift.gone(tokens)), [0, 0, 4, 4, 8, 8, 12]);
        let text: Vec<u32> = (0..15).collect();
        assert_eq!(shift.left(&text[..10]), text[..10]);
        assert_eq!(shift.left(&text[..11]), [0, 1, 6, 7, 8, 9, 10]);
        assert_eq!(shift.left(&text), [0, 1, 10, 11, 12, 13, 14]);
    }

    #[test]
    fn there_is_room_for_what_is_left_and_one_of_the_last_is_always_there() {
        for (keep, context) in (2..12).flat_map(|context| (0..context - 1).map(move |keep| (keep, context))) {
            let shift = ContextShift::new(keep, context).unwrap();
            for text in (1..40).map(|tokens| (0..tokens).collect::<Vec<u32>>()) {
                let left = shift.left(&text);
                assert_eq!(left.len(), text.len() - shift.gone(text.len()));
                assert!(left.len() <= context && left.last() == text.last(), "{keep}, {context}: {left:?}");
            }
        }
    }

    #[test]
    fn to_keep_everything_is_refused() {
        for (keep, context) in [(9, 10), (10, 10), (usize::MAX, 10), (0, 1)] {
            let error = ContextShift::new(keep, context).unwrap_err();
            assert!(error.message.starts_with("contextShift.keep"), "{error}");
        }
    }
}
