//! azulejo: transformers that run where the user is, in the page.
//!
//! | module | imports from | what lives there |
//! |---|---|---|
//! | [`checkpoint`] | | GGUF and safetensors files, read as their bytes arrive; the block formats |
//! | [`device`] | `checkpoint` | the verbs a forward pass is made of, and the CPU and the GPU that compute them |
//! | [`text`] | `checkpoint` | tokenizers, chat templates, streaming text, sampling |
//! | [`image`] | `device` | `preprocessor_config.json`: how a picture becomes the pixels that a model takes |
//! | [`model`] | `checkpoint`, `device`, `image`, `text` | `Spec`, the families, the one forward pass, generation |
//! | `js` | `checkpoint`, `device`, `image`, `model`, `text` | what JavaScript sees (wasm only) |
//!
//! Arrows point one way, and none is missing here: `tests/rust_imports.test.mjs` compares. All import [`error`] and `json`. A
//! device knows nothing of models, and of files only how weights are stored ([`checkpoint::TensorType`]); text, of what GGUF
//! says ([`checkpoint::Metadata`]); images, of the plain numbers that a device prepares them by ([`device::Preparation`]). Only
//! `js` knows of JavaScript. Nor do files import each other in a circle: what a file and its submodules share lies in a file
//! of its own.
//!
//! How a token flows: [`text::Tokenizer`] makes ids of the prompt; [`model::Generation`] wants them computed, a
//! chunk at a time; [`model::Scheduler`] puts them into a [`model::Pass`] with what other generations want, which runs
//! through the model into the pool of what it keeps of them; the last row's logits go to the sampler, whose choice is
//! the next input and, through [`text::TextStream`], the next piece of text.

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
