//! A model's tokens, as grammars look at them.

use crate::{Constraint, Result, gbnf, schema};
use llguidance::api::TopLevelGrammar;
use llguidance::earley::SlicedBiasComputer;
use llguidance::toktrie::{InferenceCapabilities, TokEnv, TokRxInfo, TokTrie, TokenId, TokenizerEnv};
use llguidance::{Matcher, ParserFactory};
use std::sync::Arc;

/// The tokens of a text that goes on from another one, as the model's tokenizer cuts it; none where that is unknown.
pub trait Tokenize: Send + Sync {
    fn tokens(&self, text: &str) -> Option<Vec<u32>>;
}

/// The tokens of one model.
pub struct Vocabulary(ParserFactory);

struct Environment<T> {
    trie: TokTrie,
    tokenizer: T,
}

impl<T: Tokenize> TokenizerEnv for Environment<T> {
    fn tok_trie(&self) -> &TokTrie {
        &self.trie
    }

    /// As the model was taught to read them: what it would not write itself, it goes on badly from. What is cut within a
    /// character has the longest tokens that fit.
    fn tokenize_bytes(&self, bytes: &[u8]) -> Vec<TokenId> {
        let tokens = std::str::from_utf8(bytes).ok().and_then(|text| self.tokenizer.tokens(text));
        tokens
            .filter(|tokens| self.trie.decode_raw(tokens) == bytes)
            .unwrap_or_else(|| self.trie.greedy_tokenize(bytes))
    }
}

impl Vocabulary {
    /// `bytes`: what the tokens stand for, one after the other; `ends`: where those of each end, as many as the model has
    /// logits. `special`: those that no text has. `end_tokens`: those that end a text.
    pub fn new<T: Tokenize + 'static>(
        bytes: &[u8],
        ends: &[u32],
        special: &[u32],
        end_tokens: &[u32],
        tokenizer: T,
    ) -> Result<Self> {
        let mut start = 0;
        let mut words: Vec<Vec<u8>> = Vec::with_capacity(ends.len());
        for &end in ends {
            let word = bytes.get(start..end as usize).ok_or("a vocabulary's ends are not in order")?;
            words.push(word.to_vec());
            start = end as usize;
        }
        for &id in special {
            let word = words.get_mut(id as usize).ok_or("a special token outside the vocabulary")?;
            word.insert(0, TokTrie::SPECIAL_TOKEN_MARKER);
        }
        let known: Vec<u32> = end_tokens.iter().copied().filter(|id| (*id as usize) < words.len()).collect();
        let info = TokRxInfo::new(words.len() as u32, known.first().copied().unwrap_or(TokenId::MAX));
        let trie = TokTrie::from(&info, &words);
        let trie = if known.is_empty() { trie } else { trie.with_eos_tokens(&known) };
        let environment: TokEnv = Arc::new(Environment { trie, tokenizer });
        let capabilities = InferenceCapabilities { ff_tokens: true, ..InferenceCapabilities::default() };
        let slices = SlicedBiasComputer::general_slices();
        let mut factory = ParserFactory::new(&environment, capabilities, &slices).map_err(words_of)?;
        factory.quiet();
        factory.limits_mut().verbose_errors = false;
        Ok(Self(factory))
    }

    /// What a text has to be, by the name of the option that says it: `jsonSchema` as JSON, `regex`, `lark`, `gbnf`; or
    /// `toolChoice`, see [`schema::calls`].
    pub fn constraint(&self, kind: &str, text: &str) -> Result<Constraint> {
        let grammar = match kind {
            "jsonSchema" => schema::grammar(text)?,
            "regex" => TopLevelGrammar::from_regex(text),
            "lark" => TopLevelGrammar::from_lark(text.to_owned()),
            "gbnf" => TopLevelGrammar::from_lark(gbnf::to_lark(text)?),
            "toolChoice" => schema::calls(text)?,
            other => return Err(format!("a grammar of the kind {other:?}")),
        };
        let mut constraint = Constraint::new(Matcher::new(self.0.create_parser(grammar)));
        // A grammar that has no text shows only there.
        constraint.allowed().map_err(|error| if kind == "regex" { of_regex(&error) } else { error })?;
        Ok(constraint)
    }
}

/// What is wrong with a regular expression, without the grammar around it.
fn of_regex(error: &str) -> String {
    let error = error.split_once("(in regex): ").map_or(error, |(_, error)| error);
    error.split_once("\n   1 | ").map_or(error, |(error, _)| error).trim_end().to_owned()
}

fn words_of(error: impl std::fmt::Display) -> String {
    error.to_string()
}
