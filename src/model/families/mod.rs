//! The families: each file turns a configuration into a [`Spec`] and names the checkpoint's tensors.

mod config;
mod deit;
mod dinov2;
mod gguf;
mod gguf_image;
mod llama;
mod mistral;
mod qwen2;
mod qwen3;
mod vit;

use super::part::{Names, Part};
use super::spec::{Head, Input, Spec};
use crate::checkpoint::Header;
use crate::error::{Error, Result};
use crate::image::Processor;
use config::Config;

/// A model that is to be loaded: what it computes, and where its weights are.
#[derive(Clone, Debug)]
pub struct Plan {
    pub spec: Spec,
    pub names: Names,
    /// Tokens that end a text, where the configuration says so.
    pub end_tokens: Vec<u32>,
    /// Of the classes, by their numbers.
    pub labels: Vec<String>,
    /// What pictures become, where the checkpoint itself says so.
    pub processor: Option<Processor>,
}

impl Plan {
    /// Of the images that a model of images takes.
    pub fn channels(&self) -> Option<usize> {
        match &self.spec.input {
            Input::Patches(patches) => Some(patches.channels),
            Input::Tokens { .. } => None,
        }
    }
}

/// Reads the `config.json` of a folder in Hugging Face's layout.
/// Errors: corrupt-file, unsupported-model with the name of what we lack.
pub fn from_config(json: &str) -> Result<Plan> {
    let config: Config = serde_json::from_str(json)
        .map_err(|error| Error::corrupt(format!("not a model configuration: {error}")).in_file("config.json"))?;
    let (spec, names): (Result<Spec>, Names) = match config.model_type.as_str() {
        "llama" => (llama::spec(&config), llama::NAMES),
        "mistral" => (mistral::spec(&config), llama::NAMES),
        "qwen2" => (qwen2::spec(&config), llama::NAMES),
        "qwen3" => (qwen3::spec(&config), llama::NAMES),
        "vit" => (vit::spec(&config), vit::NAMES),
        "deit" => (deit::spec(&config), deit::NAMES),
        "dinov2" => (dinov2::spec(&config), dinov2::NAMES),
        "dinov2_with_registers" => (dinov2::spec(&config), dinov2::WITH_REGISTERS),
        other => {
            let message = format!("model type {other:?} (supported: {SUPPORTED})");
            return Err(Error::unsupported(message).in_file("config.json"));
        }
    };
    let spec = spec.and_then(Spec::check).map_err(|error| error.in_file("config.json"))?;
    let labels = match spec.head {
        Head::Classes { .. } => config.labels()?,
        _ => Vec::new(),
    };
    Ok(Plan { spec, names, end_tokens: config.end_tokens(), labels, processor: None })
}

const SUPPORTED: &str = "llama, mistral, qwen2, qwen3, vit, deit, dinov2, dinov2_with_registers";

/// Reads the header of a GGUF file.
pub fn from_gguf(header: &Header) -> Result<Plan> {
    if gguf_image::is_image(header) {
        return gguf_image::plan(header);
    }
    let spec = gguf::spec(header)?.check()?;
    Ok(Plan { spec, names: gguf::NAMES, end_tokens: Vec::new(), labels: Vec::new(), processor: None })
}
