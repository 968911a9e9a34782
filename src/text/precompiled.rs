//! SentencePiece's compiled normalization rules: a trie of what is replaced, and the replacements.

use tokenizers::normalizers::Precompiled;

use crate::{Error, Result};

/// Reads the rules after checking what the crate takes for granted: that no step of the trie leads out
/// of it, and that every replacement lies in the text of replacements, on whole characters.
pub(crate) fn read(bytes: &[u8]) -> Result<Box<Precompiled>> {
    let corrupt = |why: &str| Error::corrupt(format!("tokenizer: the compiled normalization rules {why}"));
    let size = bytes.first_chunk().map(|size| u32::from_le_bytes(*size) as usize);
    let parts = size.and_then(|size| bytes[4..].split_at_checked(size));
    let (trie, replacements) = parts.ok_or_else(|| corrupt("are cut off"))?;
    let replacements = std::str::from_utf8(replacements).map_err(|_| corrupt("are no UTF-8"))?;
    if trie.is_empty() || !trie.len().is_multiple_of(4) {
        return Err(corrupt("have no trie"));
    }
    let units: Vec<u32> = trie.as_chunks().0.iter().map(|unit| u32::from_le_bytes(*unit)).collect();
    let value = |unit: u32| (unit & 0x7fff_ffff) as usize;
    for (at, &unit) in units.iter().enumerate() {
        // Only the root is followed without a look at its label, which a value's unit never matches.
        if unit >> 31 == 1 && at > 0 {
            continue;
        }
        let next = at ^ ((unit >> 10) << ((unit & (1 << 9)) >> 6)) as usize;
        // Any byte may follow.
        if next | 0xff >= units.len() {
            return Err(corrupt("point outside their trie"));
        }
        let ends = unit >> 8 & 1 == 1;
        if ends && !replacements.is_char_boundary(value(units[next])) {
            return Err(corrupt("point outside their text"));
        }
    }
    let rules = Precompiled::from(bytes).map_err(|error| corrupt(&error.to_string()))?;
    Ok(Box::new(rules))
}
