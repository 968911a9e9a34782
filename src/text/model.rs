//! The four kinds of vocabularies, and what each may cost.

use tokenizers::models::bpe::BPE;
use tokenizers::models::unigram::Unigram;
use tokenizers::models::wordlevel::WordLevel;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::{Model as _, Token};

use super::work::{Spent, StepBudget};
use crate::{Error, Result};

/// Longest word that WordPiece looks at, which takes the cube of its length.
const MAX_WORD: usize = 1000;
/// Longest token of a unigram vocabulary: the crate keeps them in a tree that it frees recursively.
const MAX_PIECE: usize = 1024;
/// Tokens of a unigram vocabulary up to this length are searched for at every place of a text without a second thought.
const PIECE: usize = 48;
/// What any byte costs a model.
const A_BYTE: u64 = 8;

pub(crate) enum TokenModel {
    Bpe(BPE),
    Unigram {
        model: Unigram,
        /// The beginnings, `PIECE` bytes each, of tokens that are longer, in order.
        long: Vec<Box<[u8]>>,
        /// Tokens from the one id on are the other: found, but not known.
        known: Option<(u32, u32)>,
    },
    WordPiece(WordPiece),
    WordLevel(WordLevel),
}

impl TokenModel {
    pub fn id_of(&self, token: &str) -> Option<u32> {
        match self {
            TokenModel::Bpe(model) => model.token_to_id(token),
            TokenModel::Unigram { model, .. } => model.token_to_id(token),
            TokenModel::WordPiece(model) => model.token_to_id(token),
            TokenModel::WordLevel(model) => model.token_to_id(token),
        }
    }

    /// How many tokens there are.
    pub fn len(&self) -> usize {
        match self {
            TokenModel::Bpe(model) => model.get_vocab_size(),
            TokenModel::Unigram { model, known, .. } => {
                known.map_or(model.get_vocab_size(), |(known, _)| known as usize)
            }
            TokenModel::WordPiece(model) => model.get_vocab_size(),
            TokenModel::WordLevel(model) => model.get_vocab_size(),
        }
    }

    /// The tokens of a word, or of a whole text where nothing cuts it.
    pub fn tokenize(&self, text: &str, work: &StepBudget) -> tokenizers::Result<Vec<Token>> {
        work.pay(A_BYTE * text.len() as u64)?;
        match self {
            TokenModel::Bpe(model) => model.tokenize(text),
            TokenModel::Unigram { model, long, known } => {
                pay_for_long(text, long, work)?;
                let mut tokens = model.tokenize(text)?;
                if let &Some((known, unknown)) = known {
                    tokens.iter_mut().filter(|token| token.id >= known).for_each(|token| token.id = unknown);
                }
                Ok(tokens)
            }
            TokenModel::WordPiece(model) => {
                let length = text.chars().count();
                if length <= model.max_input_chars_per_word {
                    // Every piece of it may be looked up; a hash takes some bytes a step.
                    work.pay((length as u64).pow(3) / 100)?;
                }
                model.tokenize(text)
            }
            TokenModel::WordLevel(model) => model.tokenize(text),
        }
    }
}

/// Where a long token may begin, the search for its end goes on as long.
fn pay_for_long(text: &str, long: &[Box<[u8]>], work: &StepBudget) -> Result<(), Spent> {
    if long.is_empty() {
        return Ok(());
    }
    for beginning in text.as_bytes().windows(PIECE) {
        if long.binary_search_by(|token| (**token).cmp(beginning)).is_ok() {
            work.pay(16 * MAX_PIECE as u64)?;
        }
    }
    Ok(())
}

/// SentencePiece's unigram model, of tokens with their scores. Of `known` tokens ids are given; the rest is unknown.
pub(crate) fn unigram(
    list: Vec<(String, f64)>,
    unknown: Option<usize>,
    byte_fallback: bool,
    known: Option<u32>,
) -> Result<TokenModel> {
    if let Some(length) = list.iter().map(|(token, _)| token.len()).find(|&length| length > MAX_PIECE) {
        return Err(Error::unsupported(format!("tokenizer: a token of {length} bytes, at most {MAX_PIECE}")));
    }
    if let Some((token, score)) = list.iter().find(|(_, score)| !score.is_finite()) {
        return Err(Error::corrupt(format!("tokenizer: token {token:?} has the score {score}")));
    }
    let longer = list.iter().filter_map(|(token, _)| token.as_bytes().get(..PIECE + 1));
    let mut long: Vec<Box<[u8]>> = longer.map(|token| token[..PIECE].into()).collect();
    long.sort_unstable();
    long.dedup();
    let model = Unigram::from(list, unknown, byte_fallback);
    let model = model.map_err(|error| Error::corrupt(format!("tokenizer: {error}")))?;
    Ok(TokenModel::Unigram { model, long, known: known.zip(unknown.map(|id| id as u32)) })
}

/// BERT's model: of a word the longest piece that is known, then the longest of the rest.
pub(crate) fn word_piece(
    vocabulary: Vec<(String, u32)>,
    unknown: String,
    prefix: String,
    longest: usize,
) -> Result<TokenModel> {
    if longest > MAX_WORD {
        return Err(Error::unsupported(format!("tokenizer: words of {longest} characters, at most {MAX_WORD}")));
    }
    let vocabulary = known_unknown(vocabulary, &unknown)?;
    let builder = WordPiece::builder().vocab(vocabulary).unk_token(unknown);
    let builder = builder.continuing_subword_prefix(prefix).max_input_chars_per_word(longest);
    let model = builder.build().map_err(|error| Error::corrupt(format!("tokenizer: {error}")))?;
    Ok(TokenModel::WordPiece(model))
}

/// Whole words, and one token for all others.
pub(crate) fn word_level(vocabulary: Vec<(String, u32)>, unknown: String) -> Result<TokenModel> {
    let builder = WordLevel::builder().vocab(known_unknown(vocabulary, &unknown)?).unk_token(unknown);
    let model = builder.build().map_err(|error| Error::corrupt(format!("tokenizer: {error}")))?;
    Ok(TokenModel::WordLevel(model))
}

fn known_unknown(vocabulary: Vec<(String, u32)>, unknown: &str) -> Result<tokenizers::models::bpe::Vocab> {
    let vocabulary: tokenizers::models::bpe::Vocab = vocabulary.into_iter().collect();
    if !vocabulary.contains_key(unknown) {
        return Err(Error::corrupt(format!("tokenizer: the unknown token {unknown:?} is not in the vocabulary")));
    }
    Ok(vocabulary)
}
