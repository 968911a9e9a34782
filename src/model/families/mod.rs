//! The families: each file turns a configuration into a [`Spec`] and names the checkpoint's tensors.

mod config;
mod gguf;
mod llama;
mod mistral;
mod qwen2;
mod qwen3;

use super::part::{Names, Part};
use super::spec::Spec;
use crate::checkpoint::Header;
use crate::error::{Error, Result};
use config::Config;

/// A model that is to be loaded: what it computes, and where its weights are.
#[derive(Clone, Debug)]
pub struct Plan {
    pub spec: Spec,
    pub names: Names,
    /// Tokens that end a text, where the configuration says so.
    pub end_tokens: Vec<u32>,
}

/// Reads the `config.json` of a folder in Hugging Face's layout.
/// Errors: corrupt-file, unsupported-model with the name of what we lack.
pub fn from_config(json: &str) -> Result<Plan> {
    let config: Config = serde_json::from_str(json)
        .map_err(|error| Error::corrupt(format!("not a model configuration: {error}")).in_file("config.json"))?;
    let spec = match config.model_type.as_str() {
        "llama" => llama::spec(&config),
        "mistral" => mistral::spec(&config),
        "qwen2" => qwen2::spec(&config),
        "qwen3" => qwen3::spec(&config),
        other => Err(Error::unsupported(format!("model type {other:?} (supported: llama, mistral, qwen2, qwen3)"))),
    };
    let spec = spec.and_then(Spec::check).map_err(|error| error.in_file("config.json"))?;
    Ok(Plan { spec, names: llama::NAMES, end_tokens: config.end_tokens() })
}

/// Reads the header of a GGUF file.
pub fn from_gguf(header: &Header) -> Result<Plan> {
    let spec = gguf::spec(header)?.check()?;
    Ok(Plan { spec, names: gguf::NAMES, end_tokens: Vec::new() })
}
