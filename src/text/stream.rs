//! Text as tokens come.

use std::sync::Arc;

use super::decoder::{Decoder, Decoding};
use super::stop::StopStrings;

/// Turns tokens into text one by one, and costs the same for each. A token that ends within a
/// character is kept until the rest comes, and text that may become a stop string until it does not.
/// All pieces together are what `Tokenizer::decode` gives.
pub struct TextStream {
    decoder: Arc<Decoder>,
    state: Decoding,
    stops: StopStrings,
    skip_special: bool,
}

impl TextStream {
    /// `continues`: the text goes on from an earlier one, so that a SentencePiece token's leading
    /// space is kept even at the start.
    pub(crate) fn new(decoder: Arc<Decoder>, stops: StopStrings, skip_special: bool, continues: bool) -> Self {
        let state = Decoding::new(continues);
        Self { decoder, state, stops, skip_special }
    }

    /// The text that may be shown now; often a token gives none, or frees that of several. An id
    /// outside the vocabulary (models pad theirs) has no text.
    pub fn push(&mut self, id: u32) -> String {
        let mut text = String::new();
        self.decoder.push(&mut self.state, id, self.skip_special, &mut text);
        self.stops.push(&text)
    }

    /// What was held back when no more tokens come. An unfinished character becomes U+FFFD.
    pub fn finish(&mut self) -> String {
        let mut text = String::new();
        self.state.finish(&mut text);
        let shown = self.stops.push(&text);
        shown + &self.stops.finish()
    }

    /// Whether a stop string has been met: the text is over.
    pub fn stopped(&self) -> bool {
        self.stops.stopped()
    }
}
