//! `config.json`, in today's spelling and in the one that most published checkpoints have. A family asks for the fields
//! that it uses, by any of their names; what it does not ask for is ignored.

use super::super::check::{check_heads, check_layers};
use crate::device::Activation;
use crate::error::{Error, Result};
use crate::json;
use crate::text::GenerationConfig;
use serde_json::{Map, Value};

/// A configuration's fields.
pub struct Config(Map<String, Value>);

pub(super) fn wrong(name: &str, value: &Value, expected: &str) -> Error {
    Error::corrupt(format!("{name:?} is {value}, expected {expected}"))
}

impl Config {
    /// Error: corrupt-file.
    pub fn parse(json: &str) -> Result<Self> {
        let failed = |error| Error::corrupt(format!("not a model configuration: {error}"));
        json::parse(json).map(Self).map_err(failed)
    }

    pub fn new(fields: Map<String, Value>) -> Self {
        Self(fields)
    }

    /// A configuration inside this one; an empty one where it is missing.
    pub fn part(&self, name: &str) -> Result<Config> {
        match self.get(name) {
            None => Ok(Self(Map::new())),
            Some((_, Value::Object(fields))) => Ok(Self(fields.clone())),
            Some((name, value)) => Err(wrong(name, value, "an object")),
        }
    }

    pub fn fields(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The first of several names, `a|b`, that has a value other than null.
    pub fn get<'n>(&self, names: &'n str) -> Option<(&'n str, &Value)> {
        names.split('|').find_map(|name| self.0.get(name).filter(|value| !value.is_null()).map(|value| (name, value)))
    }

    /// Whether the field is there, be it null.
    pub fn mentions(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Whether the field has a value.
    pub fn has(&self, names: &str) -> bool {
        self.get(names).is_some()
    }

    pub fn text(&self, names: &str) -> Result<Option<&str>> {
        let Some((name, value)) = self.get(names) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| wrong(name, value, "a text"))
    }

    pub fn optional_count(&self, names: &str) -> Result<Option<usize>> {
        let Some((name, value)) = self.get(names) else { return Ok(None) };
        let count = value.as_u64().and_then(|count| usize::try_from(count).ok());
        count.map(Some).ok_or_else(|| wrong(name, value, "a whole number"))
    }

    pub fn count(&self, names: &str, default: usize) -> Result<usize> {
        Ok(self.optional_count(names)?.unwrap_or(default))
    }

    /// A number that no configuration leaves out.
    pub fn required(&self, names: &str) -> Result<usize> {
        let missing = || Error::corrupt(format!("without {:?}", names.split('|').next().unwrap_or_default()));
        self.optional_count(names)?.ok_or_else(missing)
    }

    pub fn optional_number(&self, names: &str) -> Result<Option<f64>> {
        let Some((name, value)) = self.get(names) else { return Ok(None) };
        value.as_f64().map(Some).ok_or_else(|| wrong(name, value, "a number"))
    }

    pub fn number(&self, names: &str, default: f64) -> Result<f64> {
        Ok(self.optional_number(names)?.unwrap_or(default))
    }

    pub fn flag(&self, names: &str, default: bool) -> Result<bool> {
        let Some((name, value)) = self.get(names) else { return Ok(default) };
        value.as_bool().ok_or_else(|| wrong(name, value, "true or false"))
    }

    /// A list of texts or numbers.
    pub fn list(&self, names: &str) -> Result<Option<&[Value]>> {
        match self.get(names) {
            None => Ok(None),
            Some((_, Value::Array(list))) => Ok(Some(list)),
            Some((name, value)) => Err(wrong(name, value, "a list")),
        }
    }

    /// Refuses a choice that we lack where it is made.
    pub fn refuse(&self, name: &str) -> Result<()> {
        match self.0.get(name) {
            None | Some(Value::Null | Value::Bool(false)) => Ok(()),
            Some(value) => Err(Error::unsupported(format!("{name:?}: {value}"))),
        }
    }

    /// Refuses every value but one, which is also what a missing field means.
    pub fn expect(&self, name: &str, only: impl Into<Value>) -> Result<()> {
        let only = only.into();
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(()),
            Some(value) if *value == only => Ok(()),
            Some(value) => Err(Error::unsupported(format!("{name:?}: {value} (supported: {only})"))),
        }
    }

    pub fn model_type(&self) -> Result<&str> {
        self.text("model_type")?.ok_or_else(|| Error::corrupt("not a model configuration: without \"model_type\""))
    }

    pub fn layers(&self, names: &str) -> Result<usize> {
        check_layers(self.required(names)?)
    }

    /// Values of a head where the width is shared out evenly.
    pub fn head_dim(&self, width: usize, heads: usize) -> Result<usize> {
        match width.checked_div(check_heads("heads", heads)?) {
            Some(head_dim) if head_dim * heads == width => Ok(head_dim),
            _ => Err(Error::corrupt(format!("a width of {width} is not a multiple of {heads} heads"))),
        }
    }

    /// The feed-forward activation; the family's own where the configuration does not say.
    pub fn activation(&self, names: &str, default: Activation) -> Result<Activation> {
        self.text(names)?.map_or(Ok(default), activation)
    }

    /// Height and width of images, and of patches.
    pub fn image_and_patch(&self, default_patch: usize) -> Result<[[usize; 2]; 2]> {
        Ok([self.sides("image_size", 224)?, self.sides("patch_size", default_patch)?])
    }

    /// The side of a square, or height and width.
    fn sides(&self, name: &str, default: usize) -> Result<[usize; 2]> {
        let Some(Value::Array(sides)) = self.0.get(name) else { return Ok([self.count(name, default)?; 2]) };
        let side = |at: usize| sides.get(at).and_then(Value::as_u64).and_then(|side| usize::try_from(side).ok());
        match (side(0), side(1), sides.len()) {
            (Some(height), Some(width), 2) => Ok([height, width]),
            _ => Err(wrong(name, &self.0[name], "a number or two")),
        }
    }

    /// The class of transformers' that the checkpoint is of; the first that it names counts.
    pub fn class(&self) -> Option<&str> {
        self.0.get("architectures")?.as_array()?.first()?.as_str()
    }

    /// Whether the checkpoint is one of a class whose name has this in it.
    pub fn is_class(&self, name: &str) -> bool {
        self.class().is_some_and(|class| class.contains(name))
    }

    /// Refuses classes other than those whose names end so: they have other heads.
    pub fn expect_class(&self, endings: &[&str]) -> Result<()> {
        match self.class() {
            Some(class) if class.contains("Encoder") || !endings.iter().any(|ending| class.ends_with(ending)) => {
                Err(Error::unsupported(format!("{class} (supported: {})", endings.join(", "))))
            }
            _ => Ok(()),
        }
    }

    /// How texts are made, where it says so itself: most checkpoints have a file of its own for that.
    pub fn generation(&self, vocabulary: usize) -> GenerationConfig {
        GenerationConfig::read(&self.0, vocabulary)
    }

    /// The same of an encoder-decoder, with what transformers' classes say where it does not. Error: corrupt-file.
    pub fn seq2seq_generation(&self, vocabulary: usize) -> Result<GenerationConfig> {
        let mut fields = self.0.clone();
        let last = match self.text("model_type")? {
            Some("bart") => Some(2),
            Some("marian") => Some(0),
            _ => None,
        };
        if let (Some(last), false) = (last, self.mentions("forced_eos_token_id")) {
            fields.insert("forced_eos_token_id".to_owned(), last.into());
        }
        let mut generation = GenerationConfig::read(&fields, vocabulary);
        generation.check_first()?;
        let token = |name| self.optional_count(name).map(|id| id.filter(|id| *id < vocabulary).map(|id| id as u32));
        generation.start = generation.start.or(token("pad_token_id")?);
        // An older name of the field.
        if self.flag("force_bos_token_to_be_generated", false)? {
            generation.first = generation.first.or(token("bos_token_id")?);
        }
        Ok(generation)
    }

    pub fn into_fields(self) -> Map<String, Value> {
        self.0
    }

    pub fn end_tokens(&self) -> Vec<u32> {
        let ids = match self.0.get("eos_token_id") {
            Some(Value::Array(ids)) => ids.as_slice(),
            Some(id) => std::slice::from_ref(id),
            None => &[],
        };
        ids.iter().filter_map(Value::as_u64).filter_map(|id| u32::try_from(id).ok()).collect()
    }
}

/// An activation by transformers' name of it.
pub fn activation(name: &str) -> Result<Activation> {
    match name {
        "silu" | "swish" => Ok(Activation::Silu),
        "gelu" => Ok(Activation::Gelu),
        "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" => Ok(Activation::GeluTanh),
        "quick_gelu" => Ok(Activation::GeluQuick),
        "relu" => Ok(Activation::Relu),
        "tanh" => Ok(Activation::Tanh),
        other => Err(Error::unsupported(format!(
            "activation {other:?} (supported: silu, gelu, gelu_new, gelu_pytorch_tanh, quick_gelu, relu, tanh)"
        ))),
    }
}
