//! The families: each file turns a configuration into a [`Spec`] and names the checkpoint's tensors.

mod alibi;
mod bart;
mod bert;
mod bloom;
mod clip;
mod cohere;
mod config;
mod deit;
mod dinov2;
mod distilbert;
mod falcon;
mod gemma;
mod gemma2;
mod gemma3;
mod gguf;
mod gguf_checks;
mod gguf_image;
mod gguf_keys;
mod gguf_names;
mod gpt2;
mod gpt_neox;
mod gptj;
mod labels;
mod llama;
mod marian;
mod mistral;
mod modernbert;
mod mpt;
mod olmo2;
mod opt;
mod phi;
mod phi3;
mod qwen2;
mod qwen3;
mod roberta;
mod rotary;
mod siglip;
mod smollm3;
mod stablelm;
mod starcoder2;
mod t5;
mod vit;

use super::part::{Layout, Names, Part, Slot};
use super::spec::{Head, Input, Scores, Spec};
use crate::checkpoint::Header;
use crate::error::{Code, Error, Result};
use crate::image::Processor;
use crate::text::GenerationConfig;
use config::Config;

/// A family of models, by `config.json`'s word for it.
struct Family {
    model_type: &'static str,
    spec: fn(&Config) -> Result<Spec>,
    names: Names,
    /// Of the other stack's tensors.
    second: Names,
}

/// Of one stack.
const fn family(model_type: &'static str, spec: fn(&Config) -> Result<Spec>, names: Names) -> Family {
    pair(model_type, spec, names, Names::NONE)
}

/// Of two stacks.
const fn pair(model_type: &'static str, spec: fn(&Config) -> Result<Spec>, names: Names, second: Names) -> Family {
    Family { model_type, spec, names, second }
}

const FAMILIES: &[Family] = &[
    family("llama", llama::spec, llama::NAMES),
    family("mistral", mistral::spec, llama::NAMES),
    family("qwen2", qwen2::spec, llama::NAMES),
    family("qwen3", qwen3::spec, llama::NAMES),
    family("gpt2", gpt2::spec, gpt2::NAMES),
    family("opt", opt::spec, opt::NAMES),
    family("bloom", bloom::spec, bloom::NAMES),
    family("mpt", mpt::spec, mpt::NAMES),
    family("gptj", gptj::spec, gptj::NAMES),
    family("gpt_neox", gpt_neox::spec, gpt_neox::NAMES),
    family("falcon", falcon::spec, bloom::NAMES),
    family("RefinedWeb", falcon::spec, bloom::NAMES),
    family("RefinedWebModel", falcon::spec, bloom::NAMES),
    family("cohere", cohere::spec, llama::NAMES),
    family("gemma", gemma::spec, llama::NAMES),
    family("gemma2", gemma2::spec, gemma2::NAMES),
    family("gemma3_text", gemma3::spec, gemma2::NAMES),
    family("phi", phi::spec, phi::NAMES),
    family("phi3", phi3::spec, phi3::NAMES),
    family("stablelm", stablelm::spec, llama::NAMES),
    family("olmo2", olmo2::spec, gemma2::NAMES),
    family("smollm3", smollm3::spec, llama::NAMES),
    family("starcoder2", starcoder2::spec, starcoder2::NAMES),
    family("vit", vit::spec, vit::NAMES),
    family("deit", deit::spec, deit::NAMES),
    family("dinov2", dinov2::spec, dinov2::NAMES),
    family("dinov2_with_registers", dinov2::spec, dinov2::WITH_REGISTERS),
    family("bert", bert::spec, bert::NAMES),
    family("roberta", roberta::spec, roberta::NAMES),
    family("xlm-roberta", roberta::spec, roberta::NAMES),
    family("camembert", roberta::spec, roberta::NAMES),
    family("distilbert", distilbert::spec, distilbert::NAMES),
    family("modernbert", modernbert::spec, modernbert::NAMES),
    pair("t5", t5::spec, t5::DECODER, t5::ENCODER),
    pair("mt5", t5::spec, t5::DECODER, t5::ENCODER),
    pair("bart", bart::spec, bart::DECODER, bart::ENCODER),
    pair("marian", marian::spec, bart::DECODER, bart::ENCODER),
    pair("clip", clip::spec, clip::TEXT_NAMES, clip::IMAGE_NAMES),
    pair("siglip", siglip::spec, siglip::TEXT_NAMES, clip::IMAGE_NAMES),
];

/// A model that is to be loaded: what it computes, and where its weights are.
#[derive(Clone, Debug)]
pub struct Plan {
    pub spec: Spec,
    pub names: Names,
    /// Of the other stack's tensors.
    pub second: Names,
    /// Tokens that end a text, where the configuration says so.
    pub end_tokens: Vec<u32>,
    /// How texts are made.
    pub generation: GenerationConfig,
    /// Of the classes, by their numbers.
    pub labels: Vec<String>,
    /// What pictures become, where the checkpoint itself says so.
    pub processor: Option<Processor>,
    /// What the checkpoint leaves open and is assumed, in words.
    pub warnings: Vec<String>,
}

impl Plan {
    fn new(spec: Spec, names: Names) -> Self {
        Self {
            spec,
            names,
            second: Names::NONE,
            end_tokens: Vec::new(),
            generation: GenerationConfig::default(),
            labels: Vec::new(),
            processor: None,
            warnings: Vec::new(),
        }
    }

    /// What generation_config.json says of texts: instead of config.json, but for what ends a text or begins it. Errors:
    /// corrupt-file, unsupported-model where an encoder-decoder's texts would be others.
    pub fn set_generation(&mut self, json: Option<&str>) -> Result<()> {
        let file = if json.is_some() { "generation_config.json" } else { "config.json" };
        if let Some(json) = json {
            let config = Config::parse(json).map_err(|error| error.in_file(file))?;
            let mut generation = GenerationConfig::read(&config.into_fields(), self.spec.vocabulary());
            generation.start = generation.start.or(self.generation.start);
            self.end_tokens.extend(&generation.ends);
            self.generation = generation;
        }
        if !self.spec.cross_attention {
            return Ok(());
        }
        self.generation.check().map_err(|error| error.in_file(file))
    }

    /// What sentence-transformers makes of a cross-encoder's logits. Error: unsupported-model.
    pub fn cross_encoder(&mut self, activation: &str) -> Result<()> {
        let scores = labels::cross_encoder(activation)?;
        if let Head::Classes(head) = &mut self.spec.head
            && (head.classes == 1 || scores != Scores::Identity)
        {
            head.scores = scores;
        }
        Ok(())
    }

    /// Of the images that a model of images takes.
    pub fn channels(&self) -> Option<usize> {
        let images = |spec: &Spec| match &spec.input {
            Input::Patches(patches) => Some(patches.channels),
            Input::Tokens(_) => None,
        };
        images(&self.spec).or_else(|| self.spec.second.as_deref().and_then(images))
    }

    /// The slots that a tensor fills.
    pub fn slots(&self, tensor: &str) -> Vec<Slot> {
        let mut slots = self.names.slots(tensor);
        slots.extend(self.second.slots(tensor).into_iter().map(|slot| Slot { second: true, ..slot }));
        slots
    }

    /// Whether a tensor is one that nobody needs.
    pub fn ignores(&self, tensor: &str) -> bool {
        self.names.ignores(tensor) || self.second.ignores(tensor)
    }

    /// The name of a slot's tensor, for messages.
    pub fn tensor(&self, slot: Slot) -> String {
        if slot.second { self.second.tensor(slot) } else { self.names.tensor(slot) }
    }
}

/// Reads the `config.json` of a folder in Hugging Face's layout.
/// Errors: corrupt-file, unsupported-model with the name of what we lack.
pub fn from_config(json: &str) -> Result<Plan> {
    Config::parse(json).and_then(|config| plan(&config)).map_err(|error| error.in_file("config.json"))
}

/// What a `config.json` calls its model.
pub fn model_type(json: &str) -> Result<String> {
    let config = Config::parse(json)?;
    config.model_type().map(str::to_owned).map_err(|error| error.in_file("config.json"))
}

fn plan(config: &Config) -> Result<Plan> {
    let model_type = config.model_type()?;
    let Some(family) = FAMILIES.iter().find(|family| family.model_type == model_type) else {
        let supported: Vec<&str> = FAMILIES.iter().map(|family| family.model_type).collect();
        let message = format!("model type {model_type:?} (supported: {})", supported.join(", "));
        return Err(Error::unsupported(message));
    };
    // Mixtures of experts have the model types of models without.
    config.refuse("num_local_experts")?;
    config.refuse("num_experts")?;
    if let Some(method) = config.part("quantization_config")?.text("quant_method")? {
        return Err(Error::new(Code::UnsupportedQuantization, format!("quantization {method:?}")));
    }
    let spec = (family.spec)(config)?.check()?;
    let labels = match spec.head {
        Head::Classes(_) => config.labels()?,
        _ => Vec::new(),
    };
    let generation = match spec.task() {
        "causal-lm" => config.generation(spec.vocabulary()),
        "seq2seq" => config.seq2seq_generation(spec.vocabulary())?,
        _ => GenerationConfig::default(),
    };
    let plan = Plan::new(spec, family.names);
    Ok(Plan { second: family.second, end_tokens: config.end_tokens(), generation, labels, ..plan })
}

/// Reads the header of a GGUF file.
pub fn from_gguf(header: &Header) -> Result<Plan> {
    if gguf_image::is_image(header) {
        return gguf_image::plan(header);
    }
    gguf::plan(header)
}
