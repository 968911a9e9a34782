//! What must hold for any pattern and any text: `PATTERN NUL TEXT`.

use std::ops::Range;

use azulejo::text::pieces;

use super::{bounded, made_or_refused};

/// Of a compiled pattern, of the places that a search comes back to, and of Unicode's tables, which stay.
const MOST: usize = 64 << 20;

/// Longest text: each start may cost as much as the whole.
const MAX_TEXT: usize = 4096;

pub struct Case<'a> {
    pub pattern: &'a str,
    pub text: &'a str,
}

pub fn case(bytes: &[u8]) -> Option<Case<'_>> {
    let (pattern, text) = std::str::from_utf8(bytes).ok()?.split_once('\0')?;
    Some(Case { pattern, text: &text[..text.floor_char_boundary(MAX_TEXT)] })
}

/// Reads the pattern and looks for it; what comes of it, where that is not refused.
pub fn check(bytes: &[u8]) -> Option<Vec<(Range<usize>, bool)>> {
    let Case { pattern, text } = case(bytes)?;
    let found = bounded(MOST + 64 * bytes.len(), || pieces(pattern, text));
    let found = made_or_refused(found, &["the pattern", "too much work"])?;
    let mut at = 0;
    for (piece, _) in &found {
        assert!(piece.start == at && piece.end >= at && text.is_char_boundary(piece.end), "{piece:?} behind {at}");
        at = piece.end;
    }
    assert_eq!(at, text.len(), "the end of the text is in no piece");
    Some(found)
}
