//! `general.sampling.*` of a GGUF file: how its author would draw tokens. llama.cpp draws so wherever its user says nothing
//! else; here it is a suggestion as a decoder's `generation_config.json` is one, from which converters have it.

use super::generation_config::GenerationConfig;
use crate::checkpoint::{Metadata, MetadataValue};

const PREFIX: &str = "general.sampling.";
/// Of keys that are refused unless they change nothing: no more than numbers for these.
const OF_OTHERS: [&str; 3] = ["mirostat_tau", "mirostat_eta", "xtc_threshold"];

impl GenerationConfig {
    /// Takes what the file suggests, in place of what was known. What is lacking is refused where a call asks for it.
    pub fn suggest(&mut self, metadata: &Metadata) {
        let Some(said) = Said::new(metadata) else { return };
        let mut refused: Vec<String> = metadata
            .iter()
            .filter(|(key, value)| lacks(key, value))
            .map(|(key, value)| format!("{key:?}: {value}"))
            .collect();
        let mut within = |name: &str, least: f64, most: f64| {
            let number = said.number(name)?;
            let there = number.is_some_and(|number| (least..=most).contains(&number));
            if !there {
                refused.push(format!("{:?}: {}", format!("{PREFIX}{name}"), said.value(name)?));
            }
            number.filter(|_| there)
        };
        // Nothing is drawn at no temperature or a negative one, and nothing is cut off by a count that is none.
        self.temperature = within("temp", f64::MIN, 100.0).map(|temperature| temperature.max(0.0));
        self.top_k = within("top_k", f64::MIN, f64::from(i32::MAX)).map(|count| count.max(0.0));
        [self.top_p, self.min_p] = ["top_p", "min_p"].map(|name| within(name, 0.0, 1.0));
        self.repetition_penalty = within("penalty_repeat", 0.01, 100.0);
        // It looks back at the whole text, as transformers' does, or at nothing.
        match said.number("penalty_last_n") {
            None | Some(Some(-1.0)) => {}
            Some(Some(0.0)) => self.repetition_penalty = None,
            Some(_) if self.repetition_penalty.is_none_or(|penalty| penalty == 1.0) => {}
            Some(_) => {
                refused.extend(said.value("penalty_last_n").map(|value| format!("\"{PREFIX}penalty_last_n\": {value}")))
            }
        }
        (self.refused_draws, self.file) = (refused, None);
    }
}

/// The keys that there are.
struct Said<'a>(&'a Metadata);

impl<'a> Said<'a> {
    fn new(metadata: &'a Metadata) -> Option<Self> {
        metadata.iter().any(|(key, _)| key.starts_with(PREFIX)).then_some(Self(metadata))
    }

    fn value(&self, name: &str) -> Option<&'a MetadataValue> {
        self.0.get(&format!("{PREFIX}{name}"))
    }

    /// A number as it was written, which 32 bits hold inexactly. `Some(None)`: what is there is none.
    fn number(&self, name: &str) -> Option<Option<f64>> {
        Some(match self.value(name)? {
            MetadataValue::F32(number) => number.to_string().parse().ok(),
            MetadataValue::F64(number) => Some(*number),
            value => value.integer().map(|number| number as f64),
        })
    }
}

/// Whether it changes a draw in a way that we lack.
fn lacks(key: &str, value: &MetadataValue) -> bool {
    let Some(name) = key.strip_prefix(PREFIX) else { return false };
    let zero = matches!(value, MetadataValue::F32(0.0) | MetadataValue::F64(0.0)) || value.integer() == Some(0);
    match name {
        "temp" | "top_k" | "top_p" | "min_p" | "penalty_repeat" | "penalty_last_n" => false,
        "mirostat" | "xtc_probability" => !zero,
        name => !OF_OTHERS.contains(&name),
    }
}
