//! Grammars: which tokens may come next, so that a text is of a JSON schema, a regular expression, or a grammar.
//!
//! The work is llguidance's (<https://github.com/guidance-ai/llguidance>): a lexer of derivatives of regular expressions,
//! an Earley parser, and a trie of the vocabulary that both walk. Here are its vocabulary, made from a model's; the
//! grammars as callers write them; and the module's exports.

mod constraint;
mod gbnf;
#[cfg(target_arch = "wasm32")]
mod js;
mod multiples;
mod schema;
mod vocabulary;

pub use constraint::Constraint;
pub use vocabulary::{Tokenize, Vocabulary};

/// What went wrong, in words for whoever wrote the grammar.
pub type Result<T> = std::result::Result<T, String>;
