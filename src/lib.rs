//! azulejo: transformers that run where the user is, in the page.
//!
//! | module | what lives there |
//! |---|---|
//! | [`checkpoint`] | GGUF and safetensors files, read as their bytes arrive; the block formats |
//! | [`text`] | tokenizers, chat templates, streaming text, sampling |
//! | [`image`] | `preprocessor_config.json`: how a picture becomes the pixels that a model takes |
//! | [`model`] | `Spec`, the families, the one forward pass, generation |
//! | [`device`] | the verbs a forward pass is made of, and the CPU that computes them |
//! | `js` | what JavaScript sees (wasm only) |
//!
//! Arrows point one way: `js` → `model` → `device`, `model` → `checkpoint`, `model` → `text`, `model` → `image`. A device
//! knows nothing of models, text and images nothing of devices (but [`device::Preparation`], which is plain numbers), and
//! only `js` knows of JavaScript.
//!
//! How a token flows: [`text::Tokenizer`] makes ids of the prompt; [`model::Generation`] wants them computed, a
//! chunk at a time; [`model::Scheduler`] puts them into a [`model::Pass`] with what other generations want, which runs
//! through the model into the sessions' KV caches; the last row's logits go to the sampler, whose choice is the next
//! input and, through [`text::TextStream`], the next piece of text.

pub mod checkpoint;
pub mod device;
pub mod error;
pub mod image;
#[cfg(target_arch = "wasm32")]
mod js;
mod json;
pub mod model;
pub mod text;

pub use error::{Code, Error, Result};
