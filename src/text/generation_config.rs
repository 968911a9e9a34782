//! `generation_config.json`, and the fields of older `config.json` files that say the same: how a checkpoint's texts are
//! made. docs/what-is-read.md lists every field of transformers' class, and what becomes of it here.
//!
//! Of an encoder-decoder all of it counts but how tokens are drawn; of a decoder its end tokens do, and the rest is a
//! suggestion (`useDefaults`). What the caller says comes first.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::options::{EarlyStopping, GenerateOptions, MAX_BEAMS, Sampling};
use crate::{Error, Result};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct GenerationConfig {
    /// What an encoder-decoder's text begins with, before anything is said.
    pub start: Option<u32>,
    /// What it must say first.
    pub first: Option<u32>,
    /// Tokens that end a text.
    pub ends: Vec<u32>,
    /// What it must say last where its length ends it.
    last: Option<u32>,
    max_length: Option<f64>,
    max_new_tokens: Option<f64>,
    min_length: Option<f64>,
    min_new_tokens: Option<f64>,
    beams: Option<f64>,
    length_penalty: Option<f64>,
    early_stopping: Option<EarlyStopping>,
    renormalise: bool,
    no_repeat: Option<f64>,
    no_repeat_source: usize,
    pub(super) repetition_penalty: Option<f64>,
    bad_words: Vec<Vec<u32>>,
    never: Vec<u32>,
    not_first: Vec<u32>,
    stop: Vec<String>,
    pub(super) temperature: Option<f64>,
    pub(super) top_k: Option<f64>,
    pub(super) top_p: Option<f64>,
    pub(super) min_p: Option<f64>,
    /// Fields that change a text in a way we lack, as they are written.
    refused: Vec<String>,
    /// Those that change a draw only.
    pub(super) refused_draws: Vec<String>,
    /// What is wrong with a first token.
    wrong: Option<String>,
    /// The file that says so, where it is a file of its own.
    pub(super) file: Option<&'static str>,
}

/// What a text is made from.
pub struct Before<'a> {
    /// What the decoder has read.
    pub prompt: &'a [u32],
    /// What the encoder has, where there is one.
    pub source: Option<&'a [u32]>,
    pub ends: &'a [u32],
}

/// A decoder's suggestions in the words of the contract with the caller.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Suggested {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_tokens: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repetition_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_repeat_ngram: Option<f64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub logit_bias: BTreeMap<String, f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
}

impl GenerationConfig {
    /// Reads a file's fields. A value that makes no sense is one that we lack: see [`GenerationConfig::check`].
    pub fn read(fields: &Map<String, Value>, vocabulary: usize) -> Self {
        let mut fields = GenerationFields { fields, vocabulary, refused: Vec::new(), wrong: None };
        let f = &mut fields;
        let drawn = f.flag("do_sample");
        // transformers draws where the file says so, at a temperature of 1 where it says no other. Where it does not say,
        // its settings are still what other programs draw by.
        let draws = drawn != Some(false);
        let temperature = f.within("temperature", 0.0, 100.0).filter(|_| draws);
        let top_k = f.count("top_k").filter(|_| draws);
        let [top_p, min_p] = ["top_p", "min_p"].map(|name| f.within(name, 0.0, 1.0).filter(|_| draws));
        let read = Self {
            start: f.id("decoder_start_token_id"),
            first: f.id("forced_bos_token_id"),
            ends: f.ends(),
            last: f.ids("forced_eos_token_id").into_iter().min(),
            max_length: f.count("max_length"),
            max_new_tokens: f.count("max_new_tokens"),
            min_length: f.count("min_length"),
            min_new_tokens: f.count("min_new_tokens"),
            beams: f.count("num_beams"),
            length_penalty: f.within("length_penalty", -100.0, 100.0),
            early_stopping: f.early_stopping(),
            renormalise: f.flag("renormalize_logits") == Some(true),
            no_repeat: f.count("no_repeat_ngram_size"),
            no_repeat_source: f.count("encoder_no_repeat_ngram_size").map_or(0, |size| size as usize),
            repetition_penalty: f.within("repetition_penalty", 0.01, 100.0),
            bad_words: f.bad_words(),
            never: f.ids("suppress_tokens"),
            not_first: f.ids("begin_suppress_tokens"),
            stop: f.texts("stop_strings"),
            temperature: temperature.or((drawn == Some(true)).then_some(1.0)),
            top_k,
            top_p,
            min_p,
            refused_draws: if draws { lacking(f.fields, LACKING_DRAWS) } else { Vec::new() },
            refused: Vec::new(),
            wrong: None,
            file: Some("generation_config.json"),
        };
        let mut refused = lacking(fields.fields, LACKING);
        refused.extend(
            read.beams
                .filter(|beams| !(1.0..=MAX_BEAMS).contains(beams))
                .map(|beams| format!("\"num_beams\": {beams} (1 to {MAX_BEAMS} are supported)")),
        );
        refused.extend(fields.refused);
        Self { refused, wrong: fields.wrong, ..read }
    }

    /// Whether an encoder-decoder can be run as it says. Errors: unsupported-model with the field's name, corrupt-file.
    pub fn check(&self) -> Result<()> {
        self.check_first()?;
        self.refuse(&self.refused)
    }

    fn refuse(&self, lacking: &[String]) -> Result<()> {
        let Some(field) = lacking.first() else { return Ok(()) };
        let error = Error::unsupported(field.clone());
        Err(match self.file {
            Some(file) => error.in_file(file),
            None => error,
        })
    }

    /// Whether there are the tokens that texts begin with. Error: corrupt-file.
    pub fn check_first(&self) -> Result<()> {
        self.wrong.as_ref().map_or(Ok(()), |wrong| Err(Error::corrupt(wrong.clone())))
    }

    /// What is used of a decoder where the caller asks for the defaults.
    pub fn suggested(&self) -> Suggested {
        let alone = self.bad_words.iter().filter(|word| word.len() == 1).map(|word| word[0]);
        let never = self.never.iter().copied().chain(alone).filter(|id| !self.ends.contains(id));
        Suggested {
            max_tokens: self.max_new_tokens,
            min_tokens: self.min_new_tokens.filter(|tokens| *tokens > 0.0),
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            repetition_penalty: self.repetition_penalty,
            no_repeat_ngram: self.no_repeat.filter(|size| *size > 0.0),
            logit_bias: never.map(|id| (id.to_string(), f64::NEG_INFINITY)).collect(),
            stop: self.stop.clone(),
        }
    }

    /// How tokens are chosen: by the caller's options, and by the file where they say nothing and it counts.
    /// Errors: invalid-argument, unsupported-model.
    pub fn sampling(&self, options: &GenerateOptions, vocabulary: usize, before: &Before) -> Result<Sampling> {
        let (asked, encoder) = (options.use_defaults == Some(true), before.source.is_some());
        let mut options = options.clone();
        if asked {
            self.draw(&mut options, encoder)?;
        }
        if !asked && !encoder {
            return finish(Sampling::new(&options, vocabulary)?, &options, before);
        }
        self.lengths(&mut options, before.prompt.len());
        let o = &mut options;
        o.repetition_penalty = o.repetition_penalty.or(self.repetition_penalty);
        o.no_repeat_ngram = o.no_repeat_ngram.or(self.no_repeat);
        if encoder {
            self.search(o)?;
        }
        let mut sampling = Sampling::new(o, vocabulary)?;
        // An end token alone is no bad word.
        let words = self.bad_words.iter().filter(|word| !(word.len() == 1 && before.ends.contains(&word[0])));
        let (alone, several): (Vec<_>, Vec<_>) = words.cloned().partition(|word| word.len() == 1);
        let never = self.never.iter().copied().chain(alone.concat());
        sampling.logit_bias.extend(never.map(|id| (id, f32::NEG_INFINITY)));
        sampling.renormalise = encoder && self.renormalise;
        sampling.rules.bad_words = several;
        sampling.rules.not_first = self.not_first.clone();
        if let (Some(source), size @ 1..) = (before.source, self.no_repeat_source) {
            (sampling.rules.no_repeat_source, sampling.rules.source) = (size, source.to_vec());
        }
        let last = self.last.filter(|_| !sampling.ignore_end);
        sampling.rules.forced = sampling.max_tokens.and_then(|most| most.checked_sub(1)).zip(last);
        finish(sampling, o, before)
    }

    /// The strings that end a text.
    pub fn stops(&self, options: &GenerateOptions) -> Vec<String> {
        let suggested = if options.use_defaults == Some(true) { self.stop.clone() } else { Vec::new() };
        options.stop.clone().unwrap_or(suggested)
    }

    /// Suggestions of how tokens are drawn.
    fn draw(&self, o: &mut GenerateOptions, encoder: bool) -> Result<()> {
        self.refuse(&self.refused)?;
        self.refuse(&self.refused_draws)?;
        if !encoder && let Some(beams) = self.beams.filter(|beams| *beams > 1.0) {
            self.refuse(&[format!("\"num_beams\": {beams} of a decoder")])?;
        }
        o.temperature = o.temperature.or(self.temperature);
        o.top_k = o.top_k.or(self.top_k);
        o.top_p = o.top_p.or(self.top_p);
        o.min_p = o.min_p.or(self.min_p);
        Ok(())
    }

    /// `prompt`: tokens that the decoder has read, as lengths count them.
    fn lengths(&self, o: &mut GenerateOptions, prompt: usize) {
        let (prompt, first) = (prompt as f64, f64::from(u8::from(self.first.is_some())));
        let whole = self.max_length.map(|length| (length - prompt).max(1.0));
        o.max_tokens = o.max_tokens.or(self.max_new_tokens.map(|tokens| (tokens - first).max(0.0))).or(whole);
        // New tokens go before the length, as there.
        let new = self.min_new_tokens.map(|tokens| tokens - first);
        let least = new.unwrap_or(self.min_length.unwrap_or(0.0) - prompt);
        o.min_tokens = o.min_tokens.or(Some(least.max(0.0)));
    }

    /// How many texts grow side by side, and how they are compared. Who draws, or wants each token's probability, follows
    /// one text.
    fn search(&self, o: &mut GenerateOptions) -> Result<()> {
        let one = o.logprobs.is_some() || o.temperature.is_some_and(|temperature| temperature > 0.0);
        let draws = o.beams.is_none() && o.use_defaults == Some(true) && self.temperature.is_some_and(|t| t > 0.0);
        if let Some(beams) = self.beams.filter(|beams| draws && *beams > 1.0) {
            self.refuse(&[format!("\"do_sample\": true with \"num_beams\": {beams}")])?;
        }
        o.beams = o.beams.or(if one { None } else { self.beams });
        if o.beams.is_some_and(|beams| beams > 1.0) {
            o.length_penalty = o.length_penalty.or(self.length_penalty);
            o.early_stopping = o.early_stopping.or(self.early_stopping);
        }
        Ok(())
    }
}

/// What options mean only together. Error: invalid-argument.
fn finish(mut sampling: Sampling, o: &GenerateOptions, before: &Before) -> Result<Sampling> {
    let refuse = |name: &str, why: &str| Err(Error::invalid(format!("{name}: {why}")));
    if sampling.beams > 1 {
        if sampling.temperature > 0.0 {
            return refuse("beams", "a search with several draws no tokens, and goes with temperature 0 only");
        }
        if sampling.logprobs.is_some() {
            return refuse("beams", "logprobs go with one only");
        }
        let draws = [("topK", sampling.top_k > 0), ("topP", sampling.top_p < 1.0), ("minP", sampling.min_p > 0.0)];
        if let Some((name, _)) = draws.iter().find(|(_, given)| *given) {
            let several = format!("a search with {} beams draws no tokens; give beams: 1 to draw", sampling.beams);
            return refuse(name, &several);
        }
    } else if o.length_penalty.is_some() || o.early_stopping.is_some() {
        let name = if o.length_penalty.is_some() { "lengthPenalty" } else { "earlyStopping" };
        return refuse(name, "it compares several beams, and there is one");
    }
    if !sampling.ignore_end {
        sampling.rules.ends = before.ends.to_vec();
    }
    Ok(sampling)
}

/// Fields that we lack, with the values that change nothing.
type Lacking = &'static [(&'static str, fn(&Value) -> bool)];

const LACKING: Lacking = &[
    ("constraints", never),
    ("diversity_penalty", is_zero),
    ("dola_layers", never),
    ("encoder_repetition_penalty", is_one),
    ("exponential_decay_length_penalty", never),
    ("force_words_ids", never),
    ("guidance_scale", is_one),
    ("max_time", never),
    ("num_beam_groups", is_one),
    ("penalty_alpha", is_zero),
    ("sequence_bias", never),
    ("token_healing", never),
    ("watermarking_config", never),
];
const LACKING_DRAWS: Lacking =
    &[("epsilon_cutoff", is_zero), ("eta_cutoff", is_zero), ("top_h", never), ("typical_p", is_one)];

fn never(_: &Value) -> bool {
    false
}

fn is_zero(value: &Value) -> bool {
    value.as_f64() == Some(0.0)
}

fn is_one(value: &Value) -> bool {
    value.as_f64() == Some(1.0)
}

fn lacking(fields: &Map<String, Value>, names: Lacking) -> Vec<String> {
    let says = |(name, neutral): &(&'static str, fn(&Value) -> bool)| {
        let value = fields.get(*name).filter(|value| !matches!(value, Value::Null | Value::Bool(false)))?;
        (!neutral(value)).then(|| format!("{name:?}: {value}"))
    };
    names.iter().filter_map(says).collect()
}

/// A file's fields, and those whose values make no sense.
struct GenerationFields<'a> {
    fields: &'a Map<String, Value>,
    vocabulary: usize,
    refused: Vec<String>,
    wrong: Option<String>,
}

impl<'a> GenerationFields<'a> {
    fn get(&self, name: &str) -> Option<&'a Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// The field, where `read` can make something of it.
    fn read<T>(&mut self, name: &str, read: impl FnOnce(&'a Value) -> Option<T>) -> Option<T> {
        let value = self.get(name)?;
        let read = read(value);
        if read.is_none() {
            self.refused.push(format!("{name:?}: {value}"));
        }
        read
    }

    /// A number that the option of that meaning takes.
    fn within(&mut self, name: &str, least: f64, most: f64) -> Option<f64> {
        self.read(name, |value| value.as_f64().filter(|number| (least..=most).contains(number)))
    }

    fn count(&mut self, name: &str) -> Option<f64> {
        self.read(name, |value| value.as_f64().filter(|n| *n >= 0.0 && n.fract() == 0.0))
    }

    fn flag(&mut self, name: &str) -> Option<bool> {
        self.read(name, Value::as_bool)
    }

    /// One token, alone or in a list of one.
    fn id(&mut self, name: &str) -> Option<u32> {
        let value = self.get(name)?;
        let one = match value {
            Value::Array(list) if list.len() == 1 => &list[0],
            value => value,
        };
        let read = id(one, self.vocabulary);
        if read.is_none() {
            let expected = format!("a token of the vocabulary of {}", self.vocabulary);
            self.wrong = Some(format!("{name:?} is {value}, expected {expected}"));
        }
        read
    }

    /// Tokens; those that the vocabulary does not have come never anyway.
    fn ids(&mut self, name: &str) -> Vec<u32> {
        let vocabulary = self.vocabulary;
        self.read(name, |value| ids(value, vocabulary)).unwrap_or_default()
    }

    /// Whatever else is written there ends nothing.
    fn ends(&self) -> Vec<u32> {
        let list = match self.get("eos_token_id") {
            Some(Value::Array(list)) => list.as_slice(),
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        list.iter().filter_map(|one| id(one, self.vocabulary)).collect()
    }

    fn bad_words(&mut self) -> Vec<Vec<u32>> {
        let vocabulary = self.vocabulary;
        let words = |value: &Value| {
            let words: Option<Vec<_>> =
                value.as_array()?.iter().map(|word| Some((word.as_array()?.len(), ids(word, vocabulary)?))).collect();
            // A word with a token that there is not comes never.
            Some(
                words?.into_iter().filter(|(len, word)| *len > 0 && word.len() == *len).map(|(_, word)| word).collect(),
            )
        };
        self.read("bad_words_ids", words).unwrap_or_default()
    }

    fn early_stopping(&mut self) -> Option<EarlyStopping> {
        self.read("early_stopping", |value| serde_json::from_value(value.clone()).ok())
    }

    fn texts(&mut self, name: &str) -> Vec<String> {
        let texts = |value: &Value| match value {
            Value::String(text) => Some(vec![text.clone()]),
            value => value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect(),
        };
        self.read(name, texts).unwrap_or_default()
    }
}

fn id(value: &Value, vocabulary: usize) -> Option<u32> {
    value.as_u64().filter(|id| *id < vocabulary as u64).and_then(|id| u32::try_from(id).ok())
}

fn ids(value: &Value, vocabulary: usize) -> Option<Vec<u32>> {
    let list = match value {
        Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    list.iter().all(Value::is_u64).then(|| list.iter().filter_map(|one| id(one, vocabulary)).collect())
}
