//! SentencePiece's compiled normalization rules: a trie of what is replaced, and the replacements.

use std::cmp::Ordering;

use tokenizers::NormalizedString;
use tokenizers::normalizers::Precompiled as Rules;
use unicode_segmentation::UnicodeSegmentation;

use super::work::Spent;
use crate::{Error, Result};

/// Longest replacement of a character; the longest in use is of U+FDFA, an Arabic phrase of 33 bytes.
const MAX_REPLACEMENT: usize = 64;
/// Longest text of several characters that is looked up as one.
const MAX_KEY: usize = 5;

#[derive(Debug)]
pub(crate) struct Precompiled(Rules);

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
        if !ends {
            continue;
        }
        let start = value(units[next]);
        if !replacements.is_char_boundary(start) {
            return Err(corrupt("point outside their text"));
        }
        let rest = &replacements.as_bytes()[start..];
        if rest.len() > MAX_REPLACEMENT && !rest[..=MAX_REPLACEMENT].contains(&0) {
            return Err(Error::unsupported(format!(
                "tokenizer: a compiled normalization rule of more than {MAX_REPLACEMENT} bytes"
            )));
        }
    }
    let rules = Rules::from(bytes).map_err(|error| corrupt(&error.to_string()))?;
    Ok(Box::new(Precompiled(rules)))
}

impl Precompiled {
    /// As the tokenizers crate does it (a few characters that are one to the eye are looked up together, else each by
    /// itself), but with an end to what it makes.
    pub fn apply(&self, text: &mut NormalizedString, most: usize) -> tokenizers::Result<()> {
        let mut made: Vec<(char, isize)> = Vec::with_capacity(text.len());
        let (mut bytes, mut modified) = (0, false);
        for cluster in text.get().graphemes(true) {
            let whole = Some(cluster).filter(|cluster| cluster.len() <= MAX_KEY);
            if let Some(new) = whole.and_then(|cluster| self.0.transform(cluster)) {
                replace(&mut made, cluster, new);
                (bytes, modified) = (bytes + new.len(), true);
            } else {
                for (at, c) in cluster.char_indices() {
                    let part = &cluster[at..at + c.len_utf8()];
                    if let Some(new) = self.0.transform(part) {
                        replace(&mut made, part, new);
                        (bytes, modified) = (bytes + new.len(), true);
                    } else {
                        made.push((c, 0));
                        bytes += part.len();
                    }
                }
            }
            if bytes > most {
                return Err(Spent.into());
            }
        }
        if modified {
            text.transform(made, 0);
        }
        Ok(())
    }
}

/// Writes what takes the place of a part, as `NormalizedString::transform` wants to be told of it.
fn replace(made: &mut Vec<(char, isize)>, old: &str, new: &str) {
    let more = new.chars().count() as isize - old.chars().count() as isize;
    made.extend(new.chars().map(|c| (c, 0)));
    match more.cmp(&0) {
        Ordering::Greater => made.iter_mut().rev().take(more as usize).for_each(|(_, change)| *change = 1),
        Ordering::Less => {
            if let Some((_, change)) = made.last_mut() {
                *change += more;
            }
        }
        Ordering::Equal => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    /// Where the trie's root leads with "a", and where that has its value.
    const A: usize = 256 ^ b'a' as usize;
    const VALUE: usize = 384;

    /// Rules with "a" alone, which becomes what stands in `replacements` from byte `start` on.
    fn rules(replacements: &str, start: u32, change: impl Fn(&mut [u32])) -> Vec<u8> {
        let mut units = vec![0u32; 512];
        units[0] = 256 << 10;
        units[A] = u32::from(b'a') | 1 << 8 | ((A ^ VALUE) as u32) << 10;
        units[VALUE] = 1 << 31 | start;
        change(&mut units);
        let trie: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        [&(trie.len() as u32).to_le_bytes(), &trie[..], replacements.as_bytes()].concat()
    }

    #[test]
    fn what_the_trie_has_is_replaced_and_no_more_is_made_than_may_be() {
        let read = read(&rules("x\0bé\0", 2, |_| ())).unwrap();
        let of = |text: &str, most: usize| {
            let mut text = NormalizedString::from(text);
            read.apply(&mut text, most).map(|()| text.get().to_owned()).ok()
        };
        assert_eq!(of("cab a", 100).as_deref(), Some("cbéb bé"));
        assert_eq!(of("aaa", 9).as_deref(), Some("bébébé"));
        assert_eq!(of("aaa", 8), None);
    }

    #[test]
    fn rules_that_lead_out_of_their_trie_or_their_text_are_refused() {
        let code = |rules: &[u8]| read(rules).err().map(|error| error.code);
        let corrupt = Some(Code::CorruptFile);
        assert_eq!(code(&rules("b\0", 0, |units| units[0] = 512 << 10)), corrupt);
        assert_eq!(code(&rules("b\0", 0, |units| units[A] |= 1 << 9)), corrupt);
        // Within a character, and behind the end.
        assert_eq!(code(&rules("é\0", 1, |_| ())), corrupt);
        assert_eq!(code(&rules("b\0", 9, |_| ())), corrupt);
        let long = "b".repeat(MAX_REPLACEMENT + 1) + "\0";
        assert_eq!(code(&rules(&long, 0, |_| ())), Some(Code::UnsupportedModel));
        assert_eq!(code(&rules(&long, 1, |_| ())), None);
        let whole = rules("b\0", 0, |_| ());
        assert_eq!(code(&whole[..whole.len() - 3]), corrupt);
        assert_eq!(code(&[&[3, 0, 0, 0], &whole[4..]].concat()), corrupt);
    }
}
