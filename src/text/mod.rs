//! Text on both sides of a model: strings to token ids and back, chat templates, stop strings, and
//! the choice of the next token.
//!
//!     messages ─ChatTemplate─▶ text ─Tokenizer::encode─▶ ids ─▶ the model ─▶ logits
//!                                                                              │ Sampler
//!     text that may be shown ◀─ TextStream (whole characters, no stop string) ◀─ id
//!
//! Nothing here knows of devices or of JavaScript. Checkpoints come from strangers, so every part has
//! its limits of time and memory, written where they are enforced.

mod added;
mod bpe;
mod chat;
mod constraint;
mod continued;
mod data;
mod date;
mod decoder;
mod dense;
mod folder;
mod generation_config;
mod generation_gguf;
mod gguf;
mod jinja;
mod json;
mod json_file;
mod json_parts;
mod lookup;
mod model;
pub mod noise;
mod normalizer;
mod offsets;
mod options;
pub(crate) mod pattern;
mod post_processor;
mod pre_tokenizer;
mod precompiled;
#[cfg(test)]
mod random;
mod rules;
mod sampler;
mod sentence;
mod sentence_fields;
mod stop;
mod stream;
mod tags;
mod template;
mod templates;
mod tokenizer;
mod tokenizer_config;
mod windows;
mod work;

pub use chat::{Chat, Message, MessageContent, MessagePart, Tool, ToolCall};
pub use constraint::{Constraint, SharedConstraint};
pub use data::Data;
pub use date::Moment;
pub use dense::{SentenceActivation, SentenceDense};
pub use folder::{Files, tokenizer_files};
pub use generation_config::{Before, GenerationConfig, Suggested};
pub use gguf::GgufVocabulary;
pub use lookup::Lookup;
pub use noise::scale;
pub use normalizer::normalized;
pub use offsets::Located;
pub use options::{Draft, EarlyStopping, GenerateOptions, Sampling};
pub use pattern::pieces;
pub use rules::Rules;
pub use sampler::{Alternative, Counts, Sample, Sampler, check_logits, nothing_left};
pub use sentence::{Prompt, Sentence, SentenceFiles, SentencePooling, cross_encoder_activation};
pub use stop::StopStrings;
pub use stream::TextStream;
pub use tags::{Tag, Tagged, Tags};
pub use template::{ChatPrompt, ChatTemplate};
pub use tokenizer::Tokenizer;
pub use windows::{Window, windows};
