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
mod date;
mod decoder;
mod folder;
mod gguf;
mod json;
mod json_parts;
mod model;
mod normalizer;
mod options;
pub(crate) mod pattern;
mod post_processor;
mod pre_tokenizer;
mod precompiled;
mod random;
mod sampler;
mod sentence;
mod stop;
mod stream;
mod template;
mod tokenizer;
mod work;

pub use folder::{Files, tokenizer_files};
pub use gguf::GgufVocabulary;
pub use options::{GenerateOptions, Sampling};
pub use sampler::{Alternative, Sample, Sampler};
pub use sentence::{Prompt, Sentence, SentenceFiles, SentencePooling, cross_encoder_activation};
pub use stop::StopStrings;
pub use stream::TextStream;
pub use template::{ChatTemplate, Message};
pub use tokenizer::Tokenizer;
