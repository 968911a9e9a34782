//! The families: each file turns a configuration into a [`Spec`] and names the checkpoint's tensors.

mod alibi;
mod bart;
mod bert;
mod bloom;
mod clip;
mod cohere;
mod cohere2;
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
mod gguf_experts;
mod gguf_image;
mod gguf_keys;
mod gguf_names;
mod gpt2;
mod gpt_neox;
mod gpt_oss;
mod gptj;
mod granite;
mod granite4;
mod labels;
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
mod roberta;
mod rotary;
mod siglip;
mod smollm3;
mod stablelm;
mod starcoder2;
mod t5;
mod vit;

use super::part::{Layout, Names, Part, Shape, Slot};
use super::spec::{Head, Input, Scores, Spec};
use crate::checkpoint::Header;
use crate::error::{Code, Error, Result};
use crate::image::Processor;
use crate::text::GenerationConfig;
use config::Config;

/// A family of models, by `config.json`'s word for it.
struct Family {
    model_type: &'static str,
    /// What makes each of its stacks' [`Spec`], and where its tensors are. The first stack answers.
    stacks: &'static [(MakeSpec, Names)],
}

type MakeSpec = fn(&Config) -> Result<Spec>;

const fn family(model_type: &'static str, stacks: &'static [(MakeSpec, Names)]) -> Family {
    Family { model_type, stacks }
}

const FAMILIES: &[Family] = &[
    family("llama", &[(llama::spec, llama::NAMES)]),
    family("mistral", &[(mistral::spec, llama::NAMES)]),
    family("mixtral", &[(mixtral::spec, mixtral::NAMES)]),
    family("qwen2", &[(qwen2::spec, llama::NAMES)]),
    family("qwen3", &[(qwen3::spec, llama::NAMES)]),
    family("qwen3_moe", &[(qwen3_moe::spec, qwen3_moe::NAMES)]),
    family("gpt_oss", &[(gpt_oss::spec, gpt_oss::NAMES)]),
    family("gpt2", &[(gpt2::spec, gpt2::NAMES)]),
    family("opt", &[(opt::spec, opt::NAMES)]),
    family("bloom", &[(bloom::spec, bloom::NAMES)]),
    family("mpt", &[(mpt::spec, mpt::NAMES)]),
    family("gptj", &[(gptj::spec, gptj::NAMES)]),
    family("gpt_neox", &[(gpt_neox::spec, gpt_neox::NAMES)]),
    family("falcon", &[(falcon::spec, bloom::NAMES)]),
    family("RefinedWeb", &[(falcon::spec, bloom::NAMES)]),
    family("RefinedWebModel", &[(falcon::spec, bloom::NAMES)]),
    family("cohere", &[(cohere::spec, llama::NAMES)]),
    family("cohere2", &[(cohere2::spec, llama::NAMES)]),
    family("gemma", &[(gemma::spec, llama::NAMES)]),
    family("gemma2", &[(gemma2::spec, gemma2::NAMES)]),
    family("gemma3_text", &[(gemma3::spec, gemma2::NAMES)]),
    family("phi", &[(phi::spec, phi::NAMES)]),
    family("phi3", &[(phi3::spec, phi3::NAMES)]),
    family("stablelm", &[(stablelm::spec, llama::NAMES)]),
    family("olmo2", &[(olmo2::spec, gemma2::NAMES)]),
    family("olmo3", &[(olmo3::spec, gemma2::NAMES)]),
    family("olmoe", &[(olmoe::spec, qwen3_moe::NAMES)]),
    family("granite", &[(granite::spec, llama::NAMES)]),
    family("granitemoehybrid", &[(granite4::spec, granite4::NAMES)]),
    family("smollm3", &[(smollm3::spec, llama::NAMES)]),
    family("starcoder2", &[(starcoder2::spec, starcoder2::NAMES)]),
    family("vit", &[(vit::spec, vit::NAMES)]),
    family("deit", &[(deit::spec, deit::NAMES)]),
    family("dinov2", &[(dinov2::spec, dinov2::NAMES)]),
    family("dinov2_with_registers", &[(dinov2::spec, dinov2::WITH_REGISTERS)]),
    family("bert", &[(bert::spec, bert::NAMES)]),
    family("roberta", &[(roberta::spec, roberta::NAMES)]),
    family("xlm-roberta", &[(roberta::spec, roberta::NAMES)]),
    family("camembert", &[(roberta::spec, roberta::NAMES)]),
    family("distilbert", &[(distilbert::spec, distilbert::NAMES)]),
    family("modernbert", &[(modernbert::spec, modernbert::NAMES)]),
    family("t5", &[(t5::decoder, t5::DECODER), (t5::encoder, t5::ENCODER)]),
    family("mt5", &[(t5::decoder, t5::DECODER), (t5::encoder, t5::ENCODER)]),
    family("bart", &[(bart::decoder, bart::DECODER), (bart::encoder, bart::ENCODER)]),
    family("marian", &[(marian::decoder, bart::DECODER), (marian::encoder, bart::ENCODER)]),
    family("clip", &[(clip::texts, clip::TEXT_NAMES), (clip::images, clip::IMAGE_NAMES)]),
    family("siglip", &[(siglip::texts, siglip::TEXT_NAMES), (siglip::images, clip::IMAGE_NAMES)]),
];

impl Family {
    fn stacks(&self, config: &Config) -> Result<Vec<Stack>> {
        self.stacks.iter().map(|(spec, names)| Ok(Stack { spec: spec(config)?, names: *names })).collect()
    }
}

/// A stack that is to be loaded: what it computes, and where its weights are.
#[derive(Clone, Debug)]
pub struct Stack {
    pub spec: Spec,
    pub names: Names,
}

/// A model that is to be loaded.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The first answers: a decoder before the encoder that it looks at, texts before images.
    pub stacks: Vec<Stack>,
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
    fn new(stacks: Vec<Stack>) -> Self {
        Self {
            stacks,
            end_tokens: Vec::new(),
            generation: GenerationConfig::default(),
            labels: Vec::new(),
            processor: None,
            warnings: Vec::new(),
        }
    }

    /// The stack that answers.
    pub fn spec(&self) -> &Spec {
        &self.stacks[0].spec
    }

    pub fn spec_mut(&mut self) -> &mut Spec {
        &mut self.stacks[0].spec
    }

    pub fn specs(&self) -> impl Iterator<Item = &Spec> + Clone {
        self.stacks.iter().map(|stack| &stack.spec)
    }

    /// What generation_config.json says of texts: instead of config.json, but for what ends a text or begins it. Errors:
    /// corrupt-file, unsupported-model where an encoder-decoder's texts would be others.
    pub fn set_generation(&mut self, json: Option<&str>) -> Result<()> {
        let file = if json.is_some() { "generation_config.json" } else { "config.json" };
        if let Some(json) = json {
            let config = Config::parse(json).map_err(|error| error.in_file(file))?;
            let mut generation = GenerationConfig::read(&config.into_fields(), self.spec().vocabulary());
            generation.start = generation.start.or(self.generation.start);
            self.end_tokens.extend(&generation.ends);
            self.generation = generation;
        }
        if !self.spec().looks_across() {
            return Ok(());
        }
        self.generation.check().map_err(|error| error.in_file(file))
    }

    /// What sentence-transformers makes of a cross-encoder's logits. Error: unsupported-model.
    pub fn cross_encoder(&mut self, activation: &str) -> Result<()> {
        let scores = labels::cross_encoder(activation)?;
        if let Head::Classes(head) = &mut self.spec_mut().head
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
        self.specs().find_map(images)
    }

    /// Every slot that the model needs, with its shape. Error: corrupt-file.
    pub fn wanted(&self) -> Result<Vec<(Slot, Shape)>> {
        let mut all = Vec::new();
        for (stack, spec) in (0..).zip(self.specs()) {
            all.extend(spec.wanted()?.slots.into_iter().map(|(slot, shape)| (Slot { stack, ..slot }, shape)));
        }
        Ok(all)
    }

    /// The slots that a tensor fills.
    pub fn slots(&self, tensor: &str) -> Vec<Slot> {
        let stacks = (0..).zip(&self.stacks);
        let of_stack = |(number, stack): (u8, &Stack)| {
            stack.names.slots(tensor).into_iter().map(move |slot| Slot { stack: number, ..slot })
        };
        stacks.flat_map(of_stack).collect()
    }

    /// Whether a tensor is one that nobody needs.
    pub fn ignores(&self, tensor: &str) -> bool {
        self.stacks.iter().any(|stack| stack.names.ignores(tensor))
    }

    /// The name of a slot's tensor, for messages.
    pub fn tensor(&self, slot: Slot) -> String {
        self.stacks[usize::from(slot.stack)].names.tensor(slot)
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
    if let Some(method) = config.part("quantization_config")?.text("quant_method")? {
        return Err(Error::new(Code::UnsupportedQuantization, format!("quantization {method:?}")));
    }
    let plan = Plan::new(family.stacks(config)?).check()?;
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
    Ok(Plan { end_tokens: config.end_tokens(), generation, labels, ..plan })
}

/// Reads the header of a GGUF file.
pub fn from_gguf(header: &Header) -> Result<Plan> {
    if gguf_image::is_image(header) {
        return gguf_image::plan(header);
    }
    gguf::plan(header)
}
