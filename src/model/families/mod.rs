//! The families: each file turns a configuration into a [`Spec`] and names the checkpoint's tensors.

mod alibi;
mod bart;
mod bert;
mod bloom;
mod clip;
mod cohere;
mod cohere2;
pub(super) mod config;
mod deit;
mod dinov2;
mod distilbert;
mod falcon;
mod gemma;
mod gemma2;
mod gemma3;
mod gguf;
mod gguf_checks;
mod gguf_dense;
mod gguf_experts;
mod gguf_image;
mod gguf_keys;
mod gguf_names;
mod glm4;
mod gpt2;
mod gpt_neox;
mod gpt_oss;
mod gptj;
mod granite;
mod granite4;
pub(super) mod labels;
mod lfm2;
mod llama;
mod marian;
mod mistral;
mod mixtral;
mod modernbert;
mod mpt;
mod olmo2;
mod olmo3;
mod olmoe;
mod opt;
mod phi;
mod phi3;
mod qwen2;
mod qwen3;
mod qwen3_moe;
mod registry;
mod roberta;
mod rotary;
mod siglip;
mod smollm3;
mod stablelm;
mod starcoder2;
mod t5;
mod vit;

use super::model_config::ModelConfig;
use super::role::{Layout, Names, Role};
use super::spec::Head;
use crate::checkpoint::Header;
use crate::error::{Code, Error, Result};
use crate::text::GenerationConfig;
use config::Config;
use registry::{FAMILIES, Family};

pub use gguf::REORDERED;

/// Reads the `config.json` of a folder in Hugging Face's layout.
/// Errors: corrupt-file, unsupported-model with the name of what we lack.
pub fn from_config(json: &str) -> Result<ModelConfig> {
    Config::parse(json).and_then(|config| plan(&config)).map_err(|error| error.in_file("config.json"))
}

/// What a `config.json` calls its model.
pub fn model_type(json: &str) -> Result<String> {
    let config = Config::parse(json)?;
    config.model_type().map(str::to_owned).map_err(|error| error.in_file("config.json"))
}

fn plan(config: &Config) -> Result<ModelConfig> {
    let model_type = config.model_type()?;
    let Some(family) = Family::of(model_type) else {
        let supported: Vec<&str> = FAMILIES.iter().map(|family| family.model_type).collect();
        let message = format!("model type {model_type:?} (supported: {})", supported.join(", "));
        return Err(Error::unsupported(message));
    };
    if let Some(method) = config.part("quantization_config")?.text("quant_method")? {
        return Err(Error::new(Code::UnsupportedQuantization, format!("quantization {method:?}")));
    }
    let plan = ModelConfig::new(family.stacks(config)?).check()?;
    let spec = plan.spec();
    // Mixtures of experts have the model types of models without.
    let mixed = plan.specs().flat_map(|spec| &spec.blocks).any(|block| block.feed_forward.experts.is_some());
    for name in ["num_local_experts", "num_experts"] {
        if let Some(experts) = config.optional_count(name)?.filter(|experts| *experts > 0 && !mixed) {
            return Err(Error::unsupported(format!("{name:?}: {experts}")));
        }
    }
    let labels = match spec.head {
        Head::Classes(_) => config.labels()?,
        _ => Vec::new(),
    };
    let generation = match spec.task() {
        "causal-lm" => config.generation(spec.vocabulary()),
        "seq2seq" => config.seq2seq_generation(spec.vocabulary())?,
        _ => GenerationConfig::default(),
    };
    Ok(ModelConfig { end_tokens: config.end_tokens(), generation, labels, ..plan })
}

/// Where the tensors of an architecture are in Hugging Face's files, [`Spec::architecture`](super::spec::Spec) being our
/// word for it; none of a model of several stacks.
pub(super) fn names_of(architecture: &str) -> Option<Names> {
    Family::names_of(architecture)
}

/// The same in GGUF files, whose own word the architecture is; with our word for it.
pub(super) fn gguf_names_of(architecture: &str) -> Option<(&'static str, Names)> {
    let (model_type, names) = gguf::names_of(architecture)?;
    Some((Family::of(model_type)?.architecture(), names))
}

/// Reads the header of a GGUF file.
pub fn from_gguf(header: &Header) -> Result<ModelConfig> {
    if gguf_image::is_image(header) {
        return gguf_image::plan(header);
    }
    gguf::plan(header)
}
