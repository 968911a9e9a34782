//! Byte-pair encodings, from merges or from a SentencePiece vocabulary.

use std::collections::HashMap;

use tokenizers::models::bpe::{BPE, Merges};

use crate::{Error, Result};

/// What else a BPE model can be told.
#[derive(Clone, Debug, Default)]
pub(crate) struct BpeOptions {
    pub unknown: Option<String>,
    pub fuse_unknown: bool,
    pub byte_fallback: bool,
    pub ignore_merges: bool,
    pub continuing_prefix: Option<String>,
    pub word_suffix: Option<String>,
}

/// Builds the model after the checks that the crate leaves to panics.
pub(crate) fn build(vocabulary: impl Iterator<Item = (String, u32)>, merges: Merges, o: BpeOptions) -> Result<BPE> {
    let vocabulary: tokenizers::models::bpe::Vocab = vocabulary.collect();
    let prefix = o.continuing_prefix.as_deref().unwrap_or("");
    for (left, right) in &merges {
        let rest = right.strip_prefix(prefix);
        let known = |token: &str| vocabulary.contains_key(token);
        if !rest.is_some_and(|rest| known(left) && known(right) && known(&[left, rest].concat())) {
            let message = format!("tokenizer: the merge of {left:?} and {right:?} is not of tokens in the vocabulary");
            return Err(Error::corrupt(message));
        }
    }
    if let Some(unknown) = o.unknown.as_ref().filter(|unknown| !vocabulary.contains_key(*unknown)) {
        return Err(Error::corrupt(format!("tokenizer: the unknown token {unknown:?} is not in the vocabulary")));
    }
    // No cache: the crate's lives as long as the thread, whatever becomes of the model.
    let mut builder = BPE::builder()
        .vocab_and_merges(vocabulary, merges)
        .cache_capacity(0)
        .fuse_unk(o.fuse_unknown)
        .byte_fallback(o.byte_fallback)
        .ignore_merges(o.ignore_merges);
    if let Some(unknown) = o.unknown {
        builder = builder.unk_token(unknown);
    }
    if let Some(prefix) = o.continuing_prefix {
        builder = builder.continuing_subword_prefix(prefix);
    }
    if let Some(suffix) = o.word_suffix {
        builder = builder.end_of_word_suffix(suffix);
    }
    builder.build().map_err(|error| Error::corrupt(format!("tokenizer: {error}")))
}

/// How many bytes all pairs of all tokens may have together (each token of n characters has n - 1).
const MAX_PAIR_BYTES: usize = 1 << 28;

/// The merges behind a SentencePiece vocabulary, best first: every way to make a token of two others,
/// by the token's score, as transformers derives them from a GGUF file.
pub(crate) fn merges_by_score(tokens: &[String], scores: &[f32]) -> Result<Merges> {
    let by_text: HashMap<&str, f32> = tokens.iter().map(String::as_str).zip(scores.iter().copied()).collect();
    let mut pair_bytes = 0;
    let mut all: Vec<(&str, &str, f32)> = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        pair_bytes += token.len() * token.len();
        if pair_bytes > MAX_PAIR_BYTES {
            return Err(Error::unsupported(format!("tokenizer: token {index} has {} bytes", token.len())));
        }
        // Of equal tokens the last one's score counts, once.
        let start = all.len();
        for (cut, _) in token.char_indices().skip(1) {
            let (left, right) = token.split_at(cut);
            if by_text.contains_key(left) && by_text.contains_key(right) {
                all.push((left, right, by_text[token.as_str()]));
            }
        }
        let key = |pair: &(&str, &str, f32)| (by_text[pair.0], by_text[pair.1]);
        all[start..].sort_by(|a, b| key(b).0.total_cmp(&key(a).0).then(key(b).1.total_cmp(&key(a).1)));
    }
    all.sort_by(|a, b| b.2.total_cmp(&a.2));
    Ok(all.into_iter().map(|(left, right, _)| (left.to_owned(), right.to_owned())).collect())
}

/// The merges behind SentencePiece's tokens in the order of their ids, which is that of their scores, as transformers
/// derives them from the file itself.
pub(crate) fn merges_by_rank(tokens: &[String]) -> Result<Merges> {
    let known: std::collections::HashSet<&str> = tokens.iter().map(String::as_str).collect();
    let (mut pair_bytes, mut all) = (0, Vec::new());
    for (index, token) in tokens.iter().enumerate() {
        pair_bytes += token.len() * token.len();
        if pair_bytes > MAX_PAIR_BYTES {
            return Err(Error::unsupported(format!("tokenizer: token {index} has {} bytes", token.len())));
        }
        // Shorter left halves first.
        for (cut, _) in token.char_indices().skip(1) {
            let (left, right) = token.split_at(cut);
            if known.contains(left) && known.contains(right) {
                all.push((left.to_owned(), right.to_owned()));
            }
        }
    }
    Ok(all)
}

/// The character that stands for a byte in byte-level vocabularies: printable Latin-1 characters for
/// themselves, those from U+0100 on for the others, in order.
const CHARACTERS: [char; 256] = {
    let mut table = ['\0'; 256];
    let mut byte = 0;
    let mut next = 0x100;
    while byte < 256 {
        let printable = matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
        table[byte] = if printable { byte as u8 as char } else { char::from_u32(next).expect("in Latin Extended-A") };
        next += if printable { 0 } else { 1 };
        byte += 1;
    }
    table
};

pub(crate) fn character_of(byte: u8) -> char {
    CHARACTERS[usize::from(byte)]
}

fn byte_of(c: char) -> Option<u8> {
    match c as u32 {
        code @ 0..=0xff => (character_of(code as u8) == c).then_some(code as u8),
        0x100..=0x143 => (0..=255).find(|&byte| character_of(byte) == c),
        _ => None,
    }
}

/// The bytes of a byte-level token; one with other characters in it (an added token) is its own text.
pub(crate) fn byte_level(token: &str) -> Vec<u8> {
    token.chars().map(byte_of).collect::<Option<_>>().unwrap_or_else(|| token.as_bytes().to_vec())
}

/// The byte that a token like `<0x0A>` falls back to.
pub(crate) fn fallback_byte(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    (digits.len() == 2).then(|| u8::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_level_characters_stand_for_every_byte_once() {
        let mut bytes: Vec<u8> = (0..0x200).filter_map(char::from_u32).filter_map(byte_of).collect();
        bytes.sort_unstable();
        assert_eq!(bytes, (0..=255).collect::<Vec<u8>>());
        assert_eq!(byte_level("Ġhello"), b" hello");
        assert_eq!(byte_level("Ċ"), b"\n");
        assert_eq!(byte_level("<a b>"), b"<a b>");
    }

    #[test]
    fn merges_go_by_score() {
        let tokens = ["a", "b", "ab", "aba", "ba"].map(String::from);
        let merges = merges_by_score(&tokens, &[0.0, 0.0, -2.0, -3.0, -1.0]).unwrap();
        let pairs: Vec<_> = merges.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(pairs, [("b", "a"), ("a", "b"), ("a", "ba"), ("ab", "a")]);
    }

    #[test]
    fn a_merge_of_unknown_tokens_is_refused() {
        let vocabulary = || ["a", "b", "ab"].iter().enumerate().map(|(id, token)| (token.to_string(), id as u32));
        let merge = |a: &str, b: &str| build(vocabulary(), vec![(a.into(), b.into())], BpeOptions::default());
        assert!(merge("a", "b").is_ok());
        for (left, right) in [("b", "a"), ("ab", "ab"), ("a", "c"), ("", "a")] {
            assert_eq!(merge(left, right).unwrap_err().code, crate::Code::CorruptFile);
        }
        let prefix = BpeOptions { continuing_prefix: Some("##".into()), ..Default::default() };
        assert!(build(vocabulary(), vec![("a".into(), "b".into())], prefix).is_err());
    }
}
