//! What a tokenizer puts around a text, or around two that a model sees together.

use crate::{Error, Result};

/// One piece of what the model gets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Piece {
    First,
    Second,
    Token(u32),
}

/// The pieces in order, each with the type id of its tokens.
pub(crate) type PieceTemplate = Vec<(Piece, u32)>;

#[derive(Debug)]
pub(crate) struct PostProcessor {
    pub single: PieceTemplate,
    pub pair: PieceTemplate,
    /// Of a text that is too long, the end stays.
    pub keep_end: bool,
    /// Each takes the spaces at its ends from what a token covers, but, where true, a single one before a text's first.
    pub trims: Vec<bool>,
}

fn token(id: u32) -> Piece {
    Piece::Token(id)
}

impl PostProcessor {
    pub fn new(single: PieceTemplate, pair: PieceTemplate) -> Self {
        Self { single, pair, keep_end: false, trims: Vec::new() }
    }

    /// The same around each text; the second has type 1.
    pub fn around(before: &[u32], after: &[u32]) -> Self {
        let one = |text: Piece, kind: u32| -> PieceTemplate {
            let ids = |list: &[u32]| list.iter().map(|&id| token(id)).collect::<Vec<_>>();
            let pieces = [ids(before), vec![text], ids(after)].concat();
            pieces.into_iter().map(|piece| (piece, kind)).collect()
        };
        let single = one(Piece::First, 0);
        Self::new(single.clone(), [single, one(Piece::Second, 1)].concat())
    }

    /// `[CLS] A [SEP] B [SEP]`, types 0 and 1.
    pub fn bert(cls: u32, sep: u32) -> Self {
        let single = vec![(token(cls), 0), (Piece::First, 0), (token(sep), 0)];
        Self::new(single.clone(), [single, vec![(Piece::Second, 1), (token(sep), 1)]].concat())
    }

    /// `<s> A </s></s> B </s>`, all of type 0.
    pub fn roberta(cls: u32, sep: u32) -> Self {
        let single = vec![(token(cls), 0), (Piece::First, 0), (token(sep), 0)];
        let second = vec![(token(sep), 0), (Piece::Second, 0), (token(sep), 0)];
        Self::new(single.clone(), [single, second].concat())
    }

    /// The ids before and after a single text.
    pub fn sides(&self) -> (Vec<u32>, Vec<u32>) {
        let ids = |list: &[(Piece, u32)]| {
            let id = |&(piece, _): &(Piece, u32)| if let Piece::Token(id) = piece { Some(id) } else { None };
            list.iter().filter_map(id).collect()
        };
        let at = self.single.iter().position(|&(piece, _)| piece == Piece::First).unwrap_or(0);
        (ids(&self.single[..at]), ids(&self.single[at..]))
    }

    /// The largest id that is put in.
    pub fn largest(&self) -> Option<u32> {
        let ids = self.single.iter().chain(&self.pair);
        ids.filter_map(|&(piece, _)| if let Piece::Token(id) = piece { Some(id) } else { None }).max()
    }

    /// The ids of one or two texts put together, and their type ids. Of more than `most`, the longer text
    /// is cut first, then both alike, as the `tokenizers` crate does ("longest first").
    pub fn join(&self, first: &[u32], second: Option<&[u32]>, most: Option<usize>) -> Result<(Vec<u32>, Vec<u32>)> {
        let template = if second.is_some() { &self.pair } else { &self.single };
        let second = second.unwrap_or_default();
        let mut keep = (first.len(), second.len());
        if let Some(most) = most {
            let special = template.iter().filter(|(piece, _)| matches!(piece, Piece::Token(_))).count();
            let room = most.checked_sub(special).ok_or_else(|| {
                Error::invalid(format!("at most {most} tokens, but the special tokens around a text are {special}"))
            })?;
            keep = shares(keep.0, keep.1, room);
        }
        let part = |ids: &[u32], length: usize| {
            let cut = ids.len() - length;
            if self.keep_end { ids[cut..].to_vec() } else { ids[..length].to_vec() }
        };
        let (mut ids, mut types) = (Vec::new(), Vec::new());
        for &(piece, kind) in template {
            match piece {
                Piece::First => ids.extend(part(first, keep.0)),
                Piece::Second => ids.extend(part(second, keep.1)),
                Piece::Token(id) => ids.push(id),
            }
            types.resize(ids.len(), kind);
        }
        Ok((ids, types))
    }
}

/// How much of two texts stays where there is room for so much.
fn shares(first: usize, second: usize, room: usize) -> (usize, usize) {
    if first + second <= room {
        return (first, second);
    }
    let shorter = first.min(second);
    // The shorter one stays whole where the other keeps as much; else each gets half, the longer the odd one.
    let (short, long) = if 2 * shorter <= room { (shorter, room - shorter) } else { (room / 2, room - room / 2) };
    if first <= second { (short, long) } else { (long, short) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_text_is_cut_first_and_special_tokens_stay() {
        let bert = PostProcessor::bert(101, 102);
        let (a, b) = ([1, 2, 3, 4, 5], [6, 7]);
        let (ids, types) = bert.join(&a, Some(&b), Some(8)).unwrap();
        assert_eq!(ids, [101, 1, 2, 3, 102, 6, 7, 102]);
        assert_eq!(types, [0, 0, 0, 0, 0, 1, 1, 1]);
        assert_eq!(bert.join(&a, Some(&b), Some(6)).unwrap().0, [101, 1, 2, 102, 6, 102]);
        assert_eq!(bert.join(&b, Some(&a), Some(6)).unwrap().0, [101, 6, 102, 1, 2, 102]);
        assert_eq!(bert.join(&a, None, Some(4)).unwrap().0, [101, 1, 2, 102]);
        assert_eq!(bert.join(&a, None, Some(2)).unwrap().0, [101, 102]);
        assert!(bert.join(&a, None, Some(1)).is_err());
        let end = PostProcessor { keep_end: true, ..PostProcessor::roberta(0, 2) };
        assert_eq!(end.join(&a, Some(&b), Some(8)).unwrap().0, [0, 4, 5, 2, 2, 6, 7, 2]);
    }

    #[test]
    fn templates_tell_what_stands_around_one_text() {
        assert_eq!(PostProcessor::around(&[1], &[]).sides(), (vec![1], vec![]));
        assert_eq!(PostProcessor::around(&[], &[2, 3]).sides(), (vec![], vec![2, 3]));
        let (ids, types) = PostProcessor::around(&[1], &[2]).join(&[7], Some(&[8]), None).unwrap();
        assert_eq!((ids, types), (vec![1, 7, 2, 1, 8, 2], vec![0, 0, 0, 1, 1, 1]));
    }
}
