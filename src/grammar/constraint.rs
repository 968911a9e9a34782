//! What one text may say next.

use crate::Result;
use llguidance::Matcher;

/// A grammar, and how far a text has come in it.
pub struct Constraint(Matcher);

impl Constraint {
    pub(crate) fn new(matcher: Matcher) -> Self {
        Self(matcher)
    }

    /// A bit for each token that may come next, the first token's the lowest of the first word. Where the text may end,
    /// that is so of the end tokens too.
    pub fn allowed(&mut self) -> Result<Vec<u32>> {
        let allowed = self.0.compute_mask_or_eos();
        allowed.map(|allowed| allowed.as_slice().to_vec()).map_err(|error| Self::words_of(&error.to_string()))
    }

    /// A token has come. Gives those that have to follow it, which are taken with it; none where `forces` is false.
    pub fn take(&mut self, id: u32, forces: bool) -> Result<Vec<u32>> {
        self.0.consume_token(id).map_err(|error| Self::words_of(&error.to_string()))?;
        if !forces || self.is_over() {
            return Ok(Vec::new());
        }
        let forced = self.0.consume_ff_tokens();
        match self.0.get_error() {
            Some(error) => Err(Self::words_of(&error)),
            None => Ok(forced),
        }
    }

    fn words_of(error: &str) -> String {
        if error.starts_with("NoExtension") {
            return "no text is of it".to_owned();
        }
        error.replace("<non-verbose/>", "").trim_end().to_owned()
    }

    /// Nothing more can come.
    pub fn is_over(&self) -> bool {
        self.0.is_stopped()
    }
}
