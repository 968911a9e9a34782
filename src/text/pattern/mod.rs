//! Regular expressions as Oniguruma has them, in which the patterns of tokenizers are written: look-around, possessive
//! repetitions, references, anchors of lines. The regex-automata crate has none of these; what the fancy-regex crate does
//! is another syntax, and brings a megabyte of engines and Unicode's tables along. Ours are small (`unicode`), and what a
//! search may cost is bounded (`StepBudget`), since a stranger has written the pattern.

mod class;
mod cursor;
mod parse;
mod program;
mod search;
pub(crate) mod unicode;

use std::ops::Range;
use std::sync::OnceLock;

use tokenizers::Offsets;
use tokenizers::pattern::Pattern;

use self::program::{Program, Set};
use self::search::Search;
use super::work::{Spent, StepBudget};
use crate::{Error, Result};

/// Longest pattern taken; the longest in use has some 500 bytes.
const MAX_PATTERN: usize = 4096;

/// A pattern, ready to be searched for.
#[derive(Debug)]
pub(crate) struct Regex {
    program: Program,
    may_be_empty: bool,
}

/// What is part of a word by Unicode's rules, which the tokenizers crate goes by where it uses no pattern.
pub(crate) fn word_of_unicode(c: char) -> bool {
    static WORDS: OnceLock<Set> = OnceLock::new();
    WORDS.get_or_init(|| Set::new(&unicode::word())).contains(c)
}

/// What `\b` goes by.
fn words() -> &'static Set {
    static WORDS: OnceLock<Set> = OnceLock::new();
    WORDS.get_or_init(|| Set::new(&class::word()))
}

impl Regex {
    /// Reads a pattern; the error says in words what is not supported.
    pub fn new(pattern: &str) -> Result<Self, String> {
        let node = parse::parse(pattern)?;
        Ok(Self { program: Program::new(&node)?, may_be_empty: node.length().0 == 0 })
    }

    /// Bytes of memory, about.
    pub fn size(&self) -> usize {
        self.program.size()
    }

    /// Whether it may match where there is nothing.
    pub fn may_be_empty(&self) -> bool {
        self.may_be_empty
    }

    /// The pattern at work on one text.
    pub fn within<'a>(&'a self, work: &'a StepBudget) -> Within<'a> {
        Within { regex: self, work, replacement: 0 }
    }
}

pub(crate) struct Within<'a> {
    regex: &'a Regex,
    work: &'a StepBudget,
    /// Bytes that each match is replaced by.
    replacement: usize,
}

impl<'a> Within<'a> {
    /// Pays for what takes the matches' place, too.
    pub fn replacing(self, content: &str) -> Self {
        Self { replacement: content.len(), ..self }
    }

    fn each(&self, text: &str, mut found: impl FnMut(usize, usize) -> Result<(), Spent>) -> Result<(), Spent> {
        let mut search = Search::new(&self.regex.program, words(), text);
        let (mut from, mut last) = (0, None);
        while let Some((start, end)) = search.find(from, self.work)? {
            if start == end && last == Some(end) {
                // No empty match right behind another.
                let Some(next) = text[from..].chars().next() else { break };
                from += next.len_utf8();
                continue;
            }
            found(start, end)?;
            (from, last) = (end, Some(end));
        }
        Ok(())
    }
}

/// All matches one after the other and what is between them; empty ones too, except right behind another.
impl Pattern for Within<'_> {
    fn find_matches(&self, text: &str) -> tokenizers::Result<Vec<(Offsets, bool)>> {
        if text.is_empty() {
            return Ok(vec![((0, 0), false)]);
        }
        let (mut parts, mut done) = (Vec::new(), 0);
        self.each(text, |start, end| {
            self.work.pay(1 + self.replacement as u64)?;
            if done < start {
                parts.push(((done, start), false));
            }
            parts.push(((start, end), true));
            done = end;
            Ok(())
        })?;
        if done < text.len() {
            parts.push(((done, text.len()), false));
        }
        Ok(parts)
    }
}

/// Reads a pattern of a tokenizer. Error: unsupported-model, with what is not supported.
pub(crate) fn compile(pattern: &str) -> Result<Regex> {
    let shown: String = pattern.chars().take(200).collect();
    if pattern.len() > MAX_PATTERN {
        return Err(Error::unsupported(format!("tokenizer: the pattern {shown:?}… is too long")));
    }
    let regex = Regex::new(pattern);
    regex.map_err(|error| Error::unsupported(format!("tokenizer: the pattern {shown:?} is not supported: {error}")))
}

/// The pieces of a text that a pattern matches, and those between them, as a tokenizer's `Split` has them: each with
/// whether it is a match.
///
/// Errors: unsupported-model for the pattern, invalid-argument where it makes too much work of the text.
pub fn pieces(pattern: &str, text: &str) -> Result<Vec<(Range<usize>, bool)>> {
    let regex = compile(pattern)?;
    let work = StepBudget::of(text.len());
    let found = regex.within(&work).find_matches(text).map_err(|_| Spent)?;
    Ok(found.into_iter().map(|((start, end), found)| (start..end, found)).collect())
}

/// A pattern that matches the text itself.
pub(crate) fn escape(text: &str) -> String {
    regex_syntax::escape(text)
}

#[cfg(test)]
mod tests;
