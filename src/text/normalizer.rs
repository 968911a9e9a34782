//! What is done to text before it is cut into words.

use tokenizers::normalizers::Prepend;
use tokenizers::normalizers::{BertNormalizer, Lowercase, NFC, NFD, NFKC, NFKD, Nmt, Strip, StripAccents};
use tokenizers::{NormalizedString, Normalizer};

use super::pattern::Regex;
use super::pre_tokenizer::{A_BYTE, bytes};
use super::precompiled::{self, Precompiled};
use super::work::{Spent, StepBudget};
use crate::Result;

/// Longest text that normalizing may make. Rules that lengthen text can follow one another, and a
/// hostile tokenizer would double it at each.
const MAX_NORMALIZED: usize = 6 << 20;
/// Longest replacement of one match.
pub(crate) const MAX_REPLACEMENT: usize = 16;

/// One rule; they run one after the other.
pub(crate) enum Rule {
    Bert(BertNormalizer),
    Lowercase,
    Nfc,
    Nfd,
    Nfkc,
    Nfkd,
    Nmt,
    /// Each byte as one of 256 visible characters.
    Bytes,
    Precompiled(Box<Precompiled>),
    Prepend(Prepend),
    Replace(Regex, String),
    Strip(Strip),
    StripAccents,
}

impl Rule {
    fn apply(&self, text: &mut NormalizedString, work: &StepBudget) -> tokenizers::Result<()> {
        work.pay(A_BYTE * text.len() as u64)?;
        match self {
            Rule::Bert(rule) => rule.normalize(text),
            Rule::Lowercase => Lowercase.normalize(text),
            Rule::Nfc => NFC.normalize(text),
            Rule::Nfd => NFD.normalize(text),
            Rule::Nfkc => NFKC.normalize(text),
            Rule::Nfkd => NFKD.normalize(text),
            Rule::Nmt => Nmt.normalize(text),
            Rule::Bytes => {
                bytes(text);
                Ok(())
            }
            Rule::Precompiled(rules) => rules.apply(text, MAX_NORMALIZED),
            Rule::Prepend(rule) => rule.normalize(text),
            Rule::Replace(pattern, content) => text.replace(pattern.within(work).replacing(content), content),
            Rule::Strip(rule) => rule.normalize(text),
            Rule::StripAccents => StripAccents.normalize(text),
        }
    }
}

/// The rules at work on one text. The crate drops a normalizer's error, but no work is left then.
pub(crate) struct Normalizing<'a> {
    rules: &'a [Rule],
    work: &'a StepBudget,
}

impl<'a> Normalizing<'a> {
    pub fn new(rules: &'a [Rule], work: &'a StepBudget) -> Self {
        Self { rules, work }
    }
}

impl Normalizer for Normalizing<'_> {
    fn normalize(&self, text: &mut NormalizedString) -> tokenizers::Result<()> {
        for rule in self.rules {
            let done = rule.apply(text, self.work);
            if done.is_err() || text.len() > MAX_NORMALIZED {
                self.work.set_left(0);
                return Err(done.err().unwrap_or_else(|| Spent.into()));
            }
        }
        Ok(())
    }
}

/// A text by SentencePiece's compiled rules, as a tokenizer's `Precompiled` has it.
///
/// Errors: corrupt-file and unsupported-model for the rules, invalid-argument where they make too much of the text.
pub fn normalized(rules: &[u8], text: &str) -> Result<String> {
    let mut text = NormalizedString::from(text);
    precompiled::read(rules)?.apply(&mut text, MAX_NORMALIZED).map_err(|_| Spent)?;
    Ok(text.get().to_owned())
}
