//! What is done to text before it is cut into words.

use std::sync::atomic::{AtomicBool, Ordering};

use tokenizers::normalizers::Prepend;
use tokenizers::normalizers::{BertNormalizer, Lowercase, NFC, NFD, NFKC, NFKD, Nmt, Precompiled, Strip, StripAccents};
use tokenizers::{NormalizedString, Normalizer};

use super::pattern::Regex;

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
    Precompiled(Box<Precompiled>),
    Prepend(Prepend),
    Replace(Regex, String),
    Strip(Strip),
    StripAccents,
}

impl Rule {
    fn apply(&self, text: &mut NormalizedString) -> tokenizers::Result<()> {
        match self {
            Rule::Bert(rule) => rule.normalize(text),
            Rule::Lowercase => Lowercase.normalize(text),
            Rule::Nfc => NFC.normalize(text),
            Rule::Nfd => NFD.normalize(text),
            Rule::Nfkc => NFKC.normalize(text),
            Rule::Nfkd => NFKD.normalize(text),
            Rule::Nmt => Nmt.normalize(text),
            Rule::Precompiled(rule) => rule.normalize(text),
            Rule::Prepend(rule) => rule.normalize(text),
            Rule::Replace(pattern, content) => text.replace(pattern, content),
            Rule::Strip(rule) => rule.normalize(text),
            Rule::StripAccents => StripAccents.normalize(text),
        }
    }
}

/// The rules at work on one text. The crate drops a normalizer's error, so it is kept here
/// (in an atomic, because the crate's trait asks for threads).
pub(crate) struct Normalizing<'a> {
    rules: &'a [Rule],
    failed: AtomicBool,
}

impl<'a> Normalizing<'a> {
    pub fn new(rules: &'a [Rule]) -> Self {
        Self { rules, failed: AtomicBool::new(false) }
    }

    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }
}

impl Normalizer for Normalizing<'_> {
    fn normalize(&self, text: &mut NormalizedString) -> tokenizers::Result<()> {
        for rule in self.rules {
            let done = rule.apply(text);
            if done.is_err() || text.len() > MAX_NORMALIZED {
                self.failed.store(true, Ordering::Relaxed);
                return done;
            }
        }
        Ok(())
    }
}
