//! Where a word of a grammar may end, and what may come there.
//!
//! llguidance's lexer takes the longest word that it can: a word that may be followed by what would make it, or another one
//! that begins as it does, longer, is cut too late. Such words have to be found, and taken apart into characters.

use super::chars::CharSet;
use super::parser::Expr;
use crate::Result;

/// Characters of one word, with its repetitions written out.
const MOST_POSITIONS: usize = 4000;
/// Pairs of positions that are looked at to compare a grammar's words: a second's work.
pub const MOST_PAIRS: usize = 1 << 24;

/// An automaton by positions (Glushkov): each is a character of the expression, and says which may come next.
#[derive(Clone, Debug, Default)]
pub struct Lexeme {
    chars: Vec<CharSet>,
    next: Vec<Vec<u32>>,
    first: Vec<u32>,
    last: Vec<u32>,
    /// Also the empty text is one.
    pub nullable: bool,
}

/// A part of an automaton: where it begins and ends.
struct Part {
    first: Vec<u32>,
    last: Vec<u32>,
    nullable: bool,
}

impl Lexeme {
    /// Of an expression without rules.
    pub fn new(expr: &Expr) -> Result<Self> {
        let mut lexeme = Self::default();
        let Part { first, last, nullable } = lexeme.part(expr)?;
        Ok(Self { first, last, nullable, ..lexeme })
    }

    fn part(&mut self, expr: &Expr) -> Result<Part> {
        match expr {
            Expr::Chars(chars) => {
                let at = self.chars.len() as u32;
                if at as usize == MOST_POSITIONS {
                    return Err(format!(
                        "a part that may have more than {MOST_POSITIONS} characters of different rules"
                    ));
                }
                self.chars.push(chars.clone());
                self.next.push(Vec::new());
                Ok(Part { first: vec![at], last: vec![at], nullable: false })
            }
            Expr::Rule(_) => unreachable!("words have no rules"),
            Expr::Seq(parts) => {
                let mut whole = Part { first: Vec::new(), last: Vec::new(), nullable: true };
                for part in parts {
                    let part = self.part(part)?;
                    self.join(&mut whole, part);
                }
                Ok(whole)
            }
            Expr::Alt(parts) => {
                let mut whole = Part { first: Vec::new(), last: Vec::new(), nullable: false };
                for part in parts {
                    let Part { first, last, nullable } = self.part(part)?;
                    whole.first.extend(first);
                    whole.last.extend(last);
                    whole.nullable |= nullable;
                }
                Ok(whole)
            }
            Expr::Repeat(expr, least, most) => {
                let mut whole = Part { first: Vec::new(), last: Vec::new(), nullable: true };
                for count in 1..=most.unwrap_or((*least).max(1)) {
                    let before = self.chars.len();
                    let mut part = self.part(expr)?;
                    part.nullable |= count > *least;
                    if most.is_none() && count == (*least).max(1) {
                        self.lead(&part.last, &part.first);
                    }
                    self.join(&mut whole, part);
                    if self.chars.len() == before {
                        // Nothing, however often.
                        break;
                    }
                }
                Ok(whole)
            }
        }
    }

    fn lead(&mut self, from: &[u32], to: &[u32]) {
        for at in from {
            let next = &mut self.next[*at as usize];
            // Both are in order, and mostly one behind the other.
            let is_behind = next.last() < to.first();
            next.extend(to);
            if !is_behind {
                next.sort_unstable();
                next.dedup();
            }
        }
    }

    fn join(&mut self, whole: &mut Part, part: Part) {
        self.lead(&whole.last, &part.first);
        if whole.nullable {
            whole.first.extend(&part.first);
        }
        if !part.nullable {
            whole.last.clear();
        }
        whole.last.extend(&part.last);
        whole.nullable &= part.nullable;
    }

    pub fn is_one_char(&self) -> bool {
        self.chars.len() == 1 && self.next[0].is_empty()
    }

    /// What it may begin with.
    pub fn first(&self) -> CharSet {
        let mut all = CharSet::default();
        for at in &self.first {
            all.add(&self.chars[*at as usize]);
        }
        all
    }

    /// Whether, where this one may end, the other may go on with one of `follow`. `pairs`: how many may be looked at yet;
    /// none where they are too few.
    pub fn is_lengthened(&self, other: &Self, follow: &CharSet, pairs: &mut usize) -> Option<bool> {
        let mut seen = std::collections::HashSet::new();
        let mut open: Vec<(u32, u32)> = Vec::new();
        let mut reach = |open: &mut Vec<(u32, u32)>, mine: &[u32], theirs: &[u32]| {
            *pairs = pairs.checked_sub(mine.len() * theirs.len())?;
            for (mine, theirs) in mine.iter().flat_map(|mine| theirs.iter().map(move |theirs| (*mine, *theirs))) {
                let meet = self.chars[mine as usize].meets(&other.chars[theirs as usize]);
                if meet && seen.insert((mine, theirs)) {
                    open.push((mine, theirs));
                }
            }
            Some(())
        };
        if follow.is_empty() {
            return Some(false);
        }
        reach(&mut open, &self.first, &other.first)?;
        while let Some((mine, theirs)) = open.pop() {
            let next = &other.next[theirs as usize];
            let goes_on = |at: &u32| other.chars[*at as usize].meets(follow);
            if self.last.contains(&mine) && next.iter().any(goes_on) {
                return Some(true);
            }
            reach(&mut open, &self.next[mine as usize], next)?;
        }
        Some(false)
    }
}
