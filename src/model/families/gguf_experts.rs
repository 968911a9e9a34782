//! Mixtures of experts as GGUF files have them: which architectures are such, and their keys in the words of `config.json`.

use super::gguf_checks::refuse;
use super::gguf_keys::Keys;
use crate::error::{Error, Result};
use serde_json::Value;

/// Architectures that may have experts, and what those have whose files do not say whether shares are divided by their sum
/// (`expert_weights_norm`): as llama.cpp computes them. None: no file may say otherwise.
const MIXTURES: [(&str, Option<bool>); 5] =
    [("llama", None), ("mistral", None), ("qwen3moe", Some(true)), ("olmoe", Some(false)), ("gpt-oss", None)];

/// What other mixtures have: experts of every token, groups of experts, and shares that are multiplied. Granite's converter
/// writes of the first where there are no others, and means the feed-forward network.
const REFUSED: [(&str, &[f64]); 4] = [
    ("expert_group_count", &[0.0, 1.0]),
    ("expert_shared_count", &[0.0]),
    ("expert_shared_feed_forward_length", &[0.0]),
    ("expert_weights_scale", &[0.0, 1.0]),
];

/// `expert_gating_func`'s word for a softmax over all scores, and for one over those of the chosen experts: with shares
/// divided by their sum they are the same.
const SOFTMAX: usize = 1;
const SOFTMAX_OF_CHOSEN: usize = 3;

/// What a file says of its experts.
pub struct Mixture {
    count: usize,
    used: usize,
    renormalise: Option<bool>,
    /// Of an expert, where it is not the feed-forward network's.
    width: Option<usize>,
}

impl Mixture {
    /// None of a file without experts. Errors: corrupt-file, unsupported-model.
    pub fn of(keys: &Keys) -> Result<Option<Self>> {
        let Some(count) = keys.some("expert_count") else {
            return match keys.architecture {
                "qwen3moe" | "olmoe" | "gpt-oss" => Err(keys.missing("expert_count")),
                _ => Ok(None),
            };
        };
        let Some((_, default)) = MIXTURES.iter().find(|(name, _)| *name == keys.architecture) else {
            return Err(Error::unsupported(format!("{} with mixture of experts", keys.architecture)));
        };
        refuse(keys, &REFUSED)?;
        let said = keys.flag("expert_weights_norm");
        if let (None, Some(false), false) = (default, said, keys.architecture == "gpt-oss") {
            return Err(Error::unsupported(format!("{:?}: false", keys.key("expert_weights_norm"))));
        }
        let gating = keys.some("expert_gating_func").unwrap_or(SOFTMAX);
        if gating != SOFTMAX && (gating, keys.architecture) != (SOFTMAX_OF_CHOSEN, "gpt-oss") {
            return Err(Error::unsupported(format!("{:?}: {gating}", keys.key("expert_gating_func"))));
        }
        let used = keys.each("expert_used_count")?.ok_or_else(|| keys.missing("expert_used_count"))?;
        let width = keys.each("expert_feed_forward_length")?.filter(|width| *width > 0);
        Ok(Some(Self { count, used, renormalise: default.map(|default| said.unwrap_or(default)), width }))
    }

    /// Its fields of `config.json`; `inner`: the feed-forward network's width.
    pub fn words(&self, keys: &Keys, inner: Option<usize>, set: &mut impl FnMut(&str, Value)) {
        set("num_local_experts|num_experts", self.count.into());
        set("num_experts_per_tok", self.used.into());
        set("norm_topk_prob", self.renormalise.into());
        if inner.is_none() || keys.architecture == "gpt-oss" {
            set("intermediate_size", self.width.into());
        }
        // What llama.cpp takes where the file does not say.
        let share = inner.and_then(|inner| inner.checked_div(self.used));
        set("moe_intermediate_size", self.width.or(share).into());
    }
}
