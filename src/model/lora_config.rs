//! PEFT's `adapter_config.json`: <https://huggingface.co/docs/peft/package_reference/lora>.

use super::families::config::Config;
use crate::error::{Error, Result};
use serde_json::{Map, Value};

/// What it says of an adapter's factors.
pub struct LoraConfig {
    alpha: f64,
    /// The factor is alpha / √rank: <https://arxiv.org/abs/2312.03732>.
    by_root: bool,
    /// Those of some modules, by what their names end with.
    alphas: Vec<(String, f64)>,
}

/// Fields that say how an adapter was trained, what it is of, or what its tensors say as well.
const HARMLESS: [&str; 25] = [
    "auto_mapping",
    "base_model_name_or_path",
    "revision",
    "task_type",
    "peft_type",
    "peft_version",
    "inference_mode",
    "r",
    "rank_pattern",
    "lora_alpha",
    "alpha_pattern",
    "use_rslora",
    "target_modules",
    "exclude_modules",
    "layers_to_transform",
    "layers_pattern",
    "lora_dropout",
    // Transposes what a merge adds: A and B are the same.
    "fan_in_fan_out",
    "bias",
    "init_lora_weights",
    "loftq_config",
    "eva_config",
    "megatron_config",
    "megatron_core",
    "qalora_group_size",
];

/// Beginnings of weights that take a part of the model's own away, which are then no longer those of its files.
const CHANGING: [&str; 4] = ["pissa", "olora", "corda", "loftq"];

impl LoraConfig {
    /// Errors: corrupt-file, unsupported-model with the name of what we lack.
    pub fn parse(json: &str) -> Result<Self> {
        let config = Config::parse(json);
        config.and_then(|config| Self::read(&config)).map_err(|error| error.in_file("adapter_config.json"))
    }

    fn read(config: &Config) -> Result<Self> {
        match config.text("peft_type")? {
            Some("LORA") => {}
            other => return Err(Error::unsupported(format!("an adapter of type {other:?}"))),
        }
        let bias = config.text("bias")?.unwrap_or("none");
        if bias != "none" {
            return Err(Error::unsupported(format!("an adapter with \"bias\": {bias:?}")));
        }
        if let Some((_, Value::String(beginning))) = config.get("init_lora_weights")
            && CHANGING.iter().any(|changing| beginning.to_lowercase().starts_with(changing))
        {
            return Err(Error::unsupported(format!("an adapter with \"init_lora_weights\": {beginning:?}")));
        }
        if let Some((name, value)) = config.fields().iter().find(|(name, value)| is_asked(name, value)) {
            let value: String = value.to_string().chars().take(60).collect();
            return Err(Error::unsupported(format!("an adapter with {name:?}: {value}")));
        }
        let rank = config.required("r")?;
        let alpha = config.number("lora_alpha", 8.0)?;
        let alphas = config.part("alpha_pattern")?.fields().iter().map(own_alpha).collect::<Result<_>>()?;
        if rank == 0 || !alpha.is_finite() {
            return Err(Error::corrupt(format!("\"r\": {rank}, \"lora_alpha\": {alpha}")));
        }
        Ok(Self { alpha, by_root: config.flag("use_rslora", false)?, alphas })
    }

    /// What multiplies what an adapter adds beside a module.
    pub fn factor(&self, module: &str, rank: usize) -> f32 {
        // PEFT's `(.*\.)?name$`.
        let is_of =
            |name: &str| module.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('.'));
        let own = self.alphas.iter().find(|(name, _)| is_of(name));
        let (alpha, rank) = (own.map_or(self.alpha, |(_, alpha)| *alpha), rank as f64);
        (alpha / if self.by_root { rank.sqrt() } else { rank }) as f32
    }
}

/// The alpha of some modules. Error: unsupported-model for a pattern that is no plain name.
fn own_alpha((name, alpha): (&String, &Value)) -> Result<(String, f64)> {
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || "_.".contains(c)) {
        return Err(Error::unsupported(format!("an adapter with \"alpha_pattern\" of {name:?}")));
    }
    match alpha.as_f64().filter(|alpha| alpha.is_finite()) {
        Some(alpha) => Ok((name.clone(), alpha)),
        None => Err(Error::corrupt(format!("\"alpha_pattern\" of {name:?} is {alpha}, expected a number"))),
    }
}

/// Whether a field that we do not know asks for something.
fn is_asked(name: &str, value: &Value) -> bool {
    let is_empty = match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(values) => values.is_empty(),
        Value::Object(fields) => Map::is_empty(fields),
        _ => false,
    };
    !is_empty && !HARMLESS.contains(&name)
}
