//! What each token covers of a text.

use std::ops::Range;

use tokenizers::{OffsetType, PreTokenizedString};

use super::bpe;
use crate::{Error, Result};

/// A token, and what it covers of its text in UTF-16 units, as JavaScript counts. A character of several tokens is each
/// one's as a whole; what the tokenizer has put in covers nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    pub id: u32,
    pub place: Range<usize>,
}

/// How far into a text something is, from bytes to characters and from those to UTF-16 units.
struct Rulers {
    /// Whole characters before each byte, and before the end.
    characters: Vec<u32>,
    /// Units before each character, and before the end.
    units: Vec<u32>,
}

impl Rulers {
    fn of(text: &str) -> Self {
        let (mut characters, mut units) = (Vec::with_capacity(text.len() + 1), Vec::new());
        let mut passed = 0;
        for (at, c) in text.chars().enumerate() {
            characters.resize(characters.len() + c.len_utf8(), at as u32);
            units.push(passed);
            passed += c.len_utf16() as u32;
        }
        characters.push(units.len() as u32);
        units.push(passed);
        Self { characters, units }
    }

    fn character(&self, byte: usize) -> usize {
        self.characters[byte.min(self.characters.len() - 1)] as usize
    }

    fn unit(&self, character: usize) -> usize {
        self.units[character.min(self.units.len() - 1)] as usize
    }
}

/// The tokens of a text. `code`: a token that it begins with, and that one's bytes; the parts are of what follows. `trims`:
/// see [`PostProcessor`](super::post_processor::PostProcessor).
pub(super) fn located(
    text: &str,
    code: Option<(u32, usize)>,
    parts: PreTokenizedString,
    trims: &[bool],
) -> Result<Vec<Located>> {
    let (rulers, shift) = (Rulers::of(text), code.map_or(0, |(_, bytes)| bytes));
    let before = rulers.character(shift);
    let encoding = parts.into_encoding(None, 0, OffsetType::Byte);
    let encoding = encoding.map_err(|error| Error::unsupported(format!("tokenizer: {error}")))?;
    let mut tokens = Vec::with_capacity(encoding.len() + 1);
    tokens.extend(code.map(|(id, bytes)| Located { id, place: 0..rulers.unit(rulers.character(bytes)) }));
    for (at, &(start, end)) in encoding.get_offsets().iter().enumerate() {
        let mut place = rulers.character(shift + start)..rulers.character(shift + end);
        for spared in trims {
            let first = at == 0 || place.start == before;
            trim(&mut place, &encoding.get_tokens()[at], first && *spared);
        }
        tokens.push(Located { id: encoding.get_ids()[at], place: rulers.unit(place.start)..rulers.unit(place.end) });
    }
    Ok(tokens)
}

/// Takes the spaces at a token's ends from what it covers, in characters, as the tokenizers crate's `ByteLevel` does;
/// `spared`: not a single one at its beginning, which the tokenizer has put there.
fn trim(place: &mut Range<usize>, token: &str, spared: bool) {
    let is_space = |c: &char| *c == bpe::character_of(b' ') || c.is_whitespace();
    let leading = token.chars().take_while(is_space).count();
    let trailing = token.chars().rev().take_while(is_space).count();
    if leading > 0 && !(spared && leading == 1) {
        place.start = (place.start + leading).min(place.end);
    }
    if trailing > 0 && place.end >= trailing {
        place.end = (place.end - trailing).max(place.start);
    }
}
