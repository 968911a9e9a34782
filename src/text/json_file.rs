//! What a `tokenizer.json` says, field by field.

use std::fmt;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::Value;

use super::tokenizer::Codes;

/// What the file says, or what a folder's other files say in its words.
#[derive(Deserialize)]
pub(super) struct TokenizerFile {
    pub model: ModelFile,
    #[serde(default)]
    pub added_tokens: Vec<AddedTokenFile>,
    pub normalizer: Option<Value>,
    pub pre_tokenizer: Option<Value>,
    pub post_processor: Option<Value>,
    pub decoder: Option<Value>,
    pub truncation: Option<Value>,
    /// What ids stand for, where it is not what the model finds in a text.
    #[serde(skip)]
    pub texts: Option<Vec<(String, u32)>>,
    #[serde(skip)]
    pub codes: Option<Codes>,
}

impl TokenizerFile {
    pub fn new(model: ModelFile) -> Self {
        Self {
            model,
            added_tokens: Vec::new(),
            normalizer: None,
            pre_tokenizer: None,
            post_processor: None,
            decoder: None,
            truncation: None,
            texts: None,
            codes: None,
        }
    }
}

#[derive(Default, Deserialize)]
pub(super) struct ModelFile {
    pub r#type: Option<String>,
    pub vocab: Vocabulary,
    pub merges: Option<Vec<Pair>>,
    pub unk_token: Option<String>,
    pub unk_id: Option<usize>,
    #[serde(default)]
    pub fuse_unk: bool,
    #[serde(default)]
    pub byte_fallback: bool,
    #[serde(default)]
    pub ignore_merges: bool,
    pub continuing_subword_prefix: Option<String>,
    pub end_of_word_suffix: Option<String>,
    pub max_input_chars_per_word: Option<usize>,
    pub dropout: Option<f64>,
    /// Tokens from this id on are found in texts, but stand for nothing known.
    #[serde(skip)]
    pub known: Option<u32>,
}

impl ModelFile {
    pub fn new(kind: &str, vocab: Vocabulary) -> Self {
        Self { r#type: Some(kind.to_owned()), vocab, ..Self::default() }
    }
}

#[derive(Clone, Default, Deserialize)]
pub(super) struct AddedTokenFile {
    pub id: u32,
    pub content: String,
    #[serde(default)]
    pub single_word: bool,
    #[serde(default)]
    pub lstrip: bool,
    #[serde(default)]
    pub rstrip: bool,
    #[serde(default)]
    pub normalized: bool,
    #[serde(default)]
    pub special: bool,
}

impl AddedTokenFile {
    /// Found in a text as it is written.
    pub fn new(id: u32, content: String, special: bool) -> Self {
        Self { id, content, special, ..Self::default() }
    }
}

/// Tokens with their ids, or (unigram) in order with their scores.
pub(super) enum Vocabulary {
    Ids(Vec<(String, u32)>),
    Scores(Vec<(String, f64)>),
}

impl Default for Vocabulary {
    fn default() -> Self {
        Self::Ids(Vec::new())
    }
}

impl<'de> Deserialize<'de> for Vocabulary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct VocabularyVisitor;
        impl<'de> Visitor<'de> for VocabularyVisitor {
            type Value = Vocabulary;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("tokens with their ids, or a list of tokens with their scores")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vocabulary, A::Error> {
                let mut tokens = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    tokens.push(entry);
                }
                Ok(Vocabulary::Ids(tokens))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vocabulary, A::Error> {
                let mut tokens = Vec::new();
                while let Some(entry) = list.next_element()? {
                    tokens.push(entry);
                }
                Ok(Vocabulary::Scores(tokens))
            }
        }
        deserializer.deserialize_any(VocabularyVisitor)
    }
}

/// A merge: `"a b"` in older files, `["a", "b"]` in newer ones.
pub(super) struct Pair(pub String, pub String);

impl<'de> Deserialize<'de> for Pair {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Merge;
        impl<'de> Visitor<'de> for Merge {
            type Value = Pair;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a pair of tokens")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Pair, E> {
                let (left, right) = text.split_once(' ').ok_or_else(|| E::custom(format!("{text:?} is not a pair")))?;
                Ok(Pair(left.to_owned(), right.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Pair, A::Error> {
                let mut next = || list.next_element()?.ok_or_else(|| de::Error::invalid_length(1, &"two tokens"));
                Ok(Pair(next()?, next()?))
            }
        }
        deserializer.deserialize_any(Merge)
    }
}
