//! The families, by `config.json`'s words for them.

use super::config::Config;
use super::{
    bart, bert, bloom, clip, cohere, cohere2, deit, dinov2, distilbert, falcon, gemma, gemma2, gemma3, glm4, gpt_neox,
    gpt_oss, gpt2, gptj, granite, granite4, lfm2, llama, marian, mistral, mixtral, modernbert, mpt, olmo2, olmo3,
    olmoe, opt, phi, phi3, qwen2, qwen3, qwen3_moe, roberta, siglip, smollm3, stablelm, starcoder2, t5, vit,
};
use crate::error::Result;
use crate::model::model_config::Stack;
use crate::model::role::Names;
use crate::model::spec::Spec;

/// A family of models, by `config.json`'s word for it.
pub struct Family {
    pub model_type: &'static str,
    /// Our word for it.
    architecture: &'static str,
    stacks: Stacks,
}

/// What makes a model's stacks, and where their tensors are. The first one answers.
enum Stacks {
    One(fn(&Config) -> Result<Spec>, Names),
    Two(fn(&Config) -> Result<[Spec; 2]>, [Names; 2]),
}

/// Of one stack.
const fn family(model_type: &'static str, spec: fn(&Config) -> Result<Spec>, names: Names) -> Family {
    Family { model_type, architecture: model_type, stacks: Stacks::One(spec, names) }
}

/// Of two stacks.
const fn pair(model_type: &'static str, specs: fn(&Config) -> Result<[Spec; 2]>, names: [Names; 2]) -> Family {
    Family { model_type, architecture: model_type, stacks: Stacks::Two(specs, names) }
}

pub const FAMILIES: &[Family] = &[
    family("llama", llama::spec, llama::NAMES),
    family("mistral", mistral::spec, llama::NAMES),
    family("mixtral", mixtral::spec, mixtral::NAMES),
    family("qwen2", qwen2::spec, llama::NAMES),
    family("qwen3", qwen3::spec, llama::NAMES),
    family("qwen3_moe", qwen3_moe::spec, qwen3_moe::NAMES),
    family("gpt_oss", gpt_oss::spec, gpt_oss::NAMES),
    family("lfm2", lfm2::spec, lfm2::NAMES),
    family("gpt2", gpt2::spec, gpt2::NAMES),
    family("opt", opt::spec, opt::NAMES),
    family("bloom", bloom::spec, bloom::NAMES),
    family("mpt", mpt::spec, mpt::NAMES),
    family("gptj", gptj::spec, gptj::NAMES),
    family("gpt_neox", gpt_neox::spec, gpt_neox::NAMES),
    family("falcon", falcon::spec, bloom::NAMES),
    Family { architecture: "falcon", ..family("RefinedWeb", falcon::spec, bloom::NAMES) },
    Family { architecture: "falcon", ..family("RefinedWebModel", falcon::spec, bloom::NAMES) },
    family("cohere", cohere::spec, llama::NAMES),
    family("cohere2", cohere2::spec, llama::NAMES),
    family("gemma", gemma::spec, llama::NAMES),
    family("gemma2", gemma2::spec, gemma2::NAMES),
    Family { architecture: "gemma3", ..family("gemma3_text", gemma3::spec, gemma2::NAMES) },
    family("phi", phi::spec, phi::NAMES),
    family("phi3", phi3::spec, phi3::NAMES),
    family("glm4", glm4::spec, glm4::NAMES),
    family("stablelm", stablelm::spec, llama::NAMES),
    family("olmo2", olmo2::spec, gemma2::NAMES),
    family("olmo3", olmo3::spec, gemma2::NAMES),
    family("olmoe", olmoe::spec, qwen3_moe::NAMES),
    family("granite", granite::spec, llama::NAMES),
    family("granitemoehybrid", granite4::spec, granite4::NAMES),
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
    pair("t5", t5::specs, [t5::DECODER, t5::ENCODER]),
    pair("mt5", t5::specs, [t5::DECODER, t5::ENCODER]),
    pair("bart", bart::specs, [bart::DECODER, bart::ENCODER]),
    pair("marian", marian::specs, [bart::DECODER, bart::ENCODER]),
    pair("clip", clip::specs, [clip::TEXT_NAMES, clip::IMAGE_NAMES]),
    pair("siglip", siglip::specs, [siglip::TEXT_NAMES, clip::IMAGE_NAMES]),
];

impl Family {
    pub fn of(model_type: &str) -> Option<&'static Self> {
        FAMILIES.iter().find(|family| family.model_type == model_type)
    }

    pub fn architecture(&self) -> &'static str {
        self.architecture
    }

    /// Of an architecture's one stack.
    pub fn names_of(architecture: &str) -> Option<Names> {
        FAMILIES.iter().find_map(|family| match family.stacks {
            Stacks::One(_, names) if family.architecture == architecture => Some(names),
            _ => None,
        })
    }

    /// The stacks of a configuration's model. Errors: corrupt-file, unsupported-model.
    pub fn stacks(&self, config: &Config) -> Result<Vec<Stack>> {
        let stack = |(spec, names)| Stack { spec: Spec { architecture: self.architecture.to_owned(), ..spec }, names };
        Ok(match self.stacks {
            Stacks::One(spec, names) => vec![stack((spec(config)?, names))],
            Stacks::Two(specs, names) => specs(config)?.into_iter().zip(names).map(stack).collect(),
        })
    }
}
