//! The options of a generation, as the caller writes them and as they are used.

use std::collections::HashMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::rules::Rules;
use crate::{Error, Result};

/// `GenerateOptions` of the JavaScript contract, less what stays in JavaScript. Numbers are taken as
/// they come, so that a wrong one is refused in words that name it: see [`Sampling::new`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GenerateOptions {
    pub max_tokens: Option<f64>,
    pub temperature: Option<f64>,
    pub top_k: Option<f64>,
    pub top_p: Option<f64>,
    pub min_p: Option<f64>,
    pub repetition_penalty: Option<f64>,
    pub presence_penalty: Option<f64>,
    pub frequency_penalty: Option<f64>,
    /// By token id, which is a string in JavaScript's records.
    pub logit_bias: Option<HashMap<String, f64>>,
    pub seed: Option<f64>,
    pub stop: Option<Vec<String>>,
    pub ignore_end: Option<bool>,
    pub logprobs: Option<f64>,
    /// Tokens before which the text does not end.
    pub min_tokens: Option<f64>,
    /// Runs of so many tokens come once only.
    pub no_repeat_ngram: Option<f64>,
    /// The text goes on where the context ends.
    pub context_shift: Option<ContextShiftOptions>,
    /// Begin with what the checkpoint suggests.
    pub use_defaults: Option<bool>,
    /// Texts that grow side by side: of encoder-decoders.
    pub beams: Option<f64>,
    /// What their lengths count: of searches with several.
    pub length_penalty: Option<f64>,
    pub early_stopping: Option<EarlyStopping>,
    pub draft: Option<Draft>,
}

/// Where tokens are drafted, for a pass to compute several at once. The text is the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Draft {
    /// Out of what was said before, where that pays.
    #[default]
    Auto,
    /// The same wherever what was said before is likely to come again.
    Prompt,
    Off,
}

/// What stays of a text that outgrows its context.
#[derive(Clone, Debug, Deserialize)]
pub struct ContextShiftOptions {
    /// The first tokens, so many.
    pub keep: f64,
}

/// When a search with several beams is over, as transformers has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EarlyStopping {
    /// No beam is likely to beat the worst of the texts that have ended.
    #[default]
    Likely,
    /// As many texts have ended as there are beams.
    Full,
    /// No beam can beat the worst of the texts that have ended.
    Never,
}

/// `false`, `true` and "never", as transformers writes them.
impl<'de> Deserialize<'de> for EarlyStopping {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Flag(bool),
            Word(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Flag(false) => Ok(Self::Likely),
            Written::Flag(true) => Ok(Self::Full),
            Written::Word(word) if word == "never" => Ok(Self::Never),
            Written::Word(word) => Err(D::Error::custom(format!("{word:?}, expected a flag or \"never\""))),
        }
    }
}

/// The options after checking, with their defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// `None`: until the end token or the end of the context.
    pub max_tokens: Option<usize>,
    /// The first tokens, which stay where a text outgrows its context. `None`: it ends there.
    pub keep: Option<usize>,
    /// 0: always the best token.
    pub temperature: f32,
    /// 0: all.
    pub top_k: usize,
    /// 1: all.
    pub top_p: f32,
    /// 0: all.
    pub min_p: f32,
    /// 1: none.
    pub repetition_penalty: f32,
    pub presence_penalty: f32,
    pub frequency_penalty: f32,
    /// Sorted by id. `-∞` forbids a token.
    pub logit_bias: Vec<(u32, f32)>,
    /// `None`: the caller draws one.
    pub seed: Option<u64>,
    pub ignore_end: bool,
    /// How many alternatives to tell with each token; `None`: no log-probabilities at all.
    pub logprobs: Option<usize>,
    pub rules: Rules,
    /// Texts that grow side by side: more than one is a beam search.
    pub beams: usize,
    /// A text's score is divided by its length to this power.
    pub length_penalty: f32,
    pub early_stopping: EarlyStopping,
    /// Of a search, whether what is left after bias, penalties and rules is brought to a sum of 1 again.
    pub renormalise: bool,
    pub draft: Draft,
}

/// Most texts that grow side by side: each has a cache of its own.
pub(super) const MAX_BEAMS: f64 = 16.0;
/// Most alternatives told with each token.
const MAX_LOGPROBS: f64 = 20.0;
/// Integers that JavaScript can hold exactly end here.
const MAX_INTEGER: f64 = 9_007_199_254_740_991.0;
/// Largest bias and penalty: beyond it a float's precision would drown the logits.
const MAX_BIAS: f64 = 1e4;

/// A number within its range, or words that say which was expected.
fn number(name: &str, value: Option<f64>, default: f64, low: f64, high: f64) -> Result<f64> {
    let value = value.unwrap_or(default);
    if (low..=high).contains(&value) {
        Ok(value)
    } else {
        Err(Error::invalid(format!("{name}: {value}, expected a number from {low} to {high}")))
    }
}

fn integer(name: &str, value: f64, low: f64, high: f64) -> Result<u64> {
    if (low..=high).contains(&value) && value.fract() == 0.0 {
        Ok(value as u64)
    } else {
        Err(Error::invalid(format!("{name}: {value}, expected an integer from {low} to {high}")))
    }
}

fn logit_bias(bias: &HashMap<String, f64>, vocabulary: usize) -> Result<Vec<(u32, f32)>> {
    let mut list = Vec::with_capacity(bias.len());
    for (key, &value) in bias {
        let id = key.parse::<u32>().ok().filter(|&id| (id as usize) < vocabulary);
        let id = id
            .ok_or_else(|| Error::invalid(format!("logitBias: key {key:?}, expected a token id below {vocabulary}")))?;
        // -Infinity forbids the token; +Infinity would leave nothing to compare.
        if value != f64::NEG_INFINITY && !(-MAX_BIAS..=MAX_BIAS).contains(&value) {
            let range = format!("-Infinity or a number from -{MAX_BIAS} to {MAX_BIAS}");
            return Err(Error::invalid(format!("logitBias[{id}]: {value}, expected {range}")));
        }
        list.push((id, value as f32));
    }
    list.sort_unstable_by_key(|&(id, _)| id);
    Ok(list)
}

impl Sampling {
    /// Checks every field by itself; `vocabulary` is the number of logits.
    pub fn new(options: &GenerateOptions, vocabulary: usize) -> Result<Self> {
        let o = options;
        let whole = |name, value: Option<f64>, low, high| value.map(|v| integer(name, v, low, high)).transpose();
        // There is nothing of which more could be had than a usize counts.
        let count = |name, value, low, high| {
            Ok::<_, Error>(whole(name, value, low, high)?.map(|n| usize::try_from(n).unwrap_or(usize::MAX)))
        };
        let none = HashMap::new();
        let repetition_penalty = number("repetitionPenalty", o.repetition_penalty, 1.0, 0.01, 100.0)?;
        Ok(Self {
            max_tokens: count("maxTokens", o.max_tokens, 0.0, MAX_INTEGER)?,
            keep: count("contextShift.keep", o.context_shift.as_ref().map(|shift| shift.keep), 0.0, MAX_INTEGER)?,
            temperature: number("temperature", o.temperature, 0.0, 0.0, 100.0)? as f32,
            top_k: count("topK", o.top_k, 0.0, MAX_INTEGER)?.unwrap_or(0),
            top_p: number("topP", o.top_p, 1.0, 0.0, 1.0)? as f32,
            min_p: number("minP", o.min_p, 0.0, 0.0, 1.0)? as f32,
            repetition_penalty: repetition_penalty as f32,
            presence_penalty: number("presencePenalty", o.presence_penalty, 0.0, -100.0, 100.0)? as f32,
            frequency_penalty: number("frequencyPenalty", o.frequency_penalty, 0.0, -100.0, 100.0)? as f32,
            logit_bias: logit_bias(o.logit_bias.as_ref().unwrap_or(&none), vocabulary)?,
            seed: whole("seed", o.seed, 0.0, MAX_INTEGER)?,
            ignore_end: o.ignore_end.unwrap_or(false),
            logprobs: count("logprobs", o.logprobs, 0.0, MAX_LOGPROBS)?,
            rules: Rules {
                min_tokens: count("minTokens", o.min_tokens, 0.0, MAX_INTEGER)?.unwrap_or(0),
                no_repeat: count("noRepeatNgram", o.no_repeat_ngram, 0.0, MAX_INTEGER)?.unwrap_or(0),
                ..Rules::default()
            },
            beams: count("beams", o.beams, 1.0, MAX_BEAMS)?.unwrap_or(1),
            length_penalty: number("lengthPenalty", o.length_penalty, 1.0, -100.0, 100.0)? as f32,
            early_stopping: o.early_stopping.unwrap_or_default(),
            renormalise: false,
            draft: o.draft.unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Sampling> {
        Sampling::new(&serde_json::from_str(json).unwrap(), 100)
    }

    #[test]
    fn without_options_a_generation_is_greedy_and_unchanged() {
        let s = read("{}").unwrap();
        assert_eq!((s.temperature, s.top_k, s.top_p, s.min_p), (0.0, 0, 1.0, 0.0));
        assert_eq!((s.repetition_penalty, s.presence_penalty, s.frequency_penalty), (1.0, 0.0, 0.0));
        assert_eq!((s.max_tokens, s.seed, s.logprobs, s.ignore_end), (None, None, None, false));
        assert_eq!((s.beams, s.length_penalty, s.early_stopping), (1, 1.0, EarlyStopping::Likely));
        assert_eq!(s.rules, Rules::default());
    }

    #[test]
    fn names_are_those_of_the_contract() {
        let s = read(
            r#"{"maxTokens": 5, "topK": 3, "minP": 0.1, "repetitionPenalty": 1.5, "logitBias": {"7": -2, "3": 1.5},
                "seed": 9007199254740991, "ignoreEnd": true, "logprobs": 2, "somethingElse": 1}"#,
        )
        .unwrap();
        assert_eq!((s.max_tokens, s.top_k, s.repetition_penalty), (Some(5), 3, 1.5));
        assert_eq!(s.logit_bias, [(3, 1.5), (7, -2.0)]);
        assert_eq!((s.seed, s.ignore_end, s.logprobs), (Some(9007199254740991), true, Some(2)));
    }

    #[test]
    fn a_wrong_number_is_refused_with_its_name_and_range() {
        for (json, name) in [
            (r#"{"temperature": -0.1}"#, "temperature"),
            (r#"{"temperature": 101}"#, "temperature"),
            (r#"{"topP": 1.5}"#, "topP"),
            (r#"{"topK": 1.5}"#, "topK"),
            (r#"{"topK": -1}"#, "topK"),
            (r#"{"minP": 2}"#, "minP"),
            (r#"{"repetitionPenalty": 0}"#, "repetitionPenalty"),
            (r#"{"presencePenalty": 1e9}"#, "presencePenalty"),
            (r#"{"frequencyPenalty": -1e9}"#, "frequencyPenalty"),
            (r#"{"maxTokens": -1}"#, "maxTokens"),
            (r#"{"seed": 0.5}"#, "seed"),
            (r#"{"logprobs": 21}"#, "logprobs"),
            (r#"{"minTokens": 1.5}"#, "minTokens"),
            (r#"{"noRepeatNgram": -1}"#, "noRepeatNgram"),
            (r#"{"beams": 0}"#, "beams"),
            (r#"{"beams": 17}"#, "beams"),
            (r#"{"lengthPenalty": 1e9}"#, "lengthPenalty"),
            (r#"{"logitBias": {"x": 1}}"#, "logitBias"),
            (r#"{"logitBias": {"100": 1}}"#, "logitBias"),
            (r#"{"logitBias": {"1": 1e9}}"#, "logitBias"),
        ] {
            let error = read(json).unwrap_err();
            assert_eq!(error.code, crate::Code::InvalidArgument, "{json}");
            assert!(error.message.starts_with(name) && error.message.contains("expected"), "{json}: {error}");
        }
    }

    #[test]
    fn numbers_that_are_none_are_refused() {
        let options = GenerateOptions { temperature: Some(f64::NAN), ..Default::default() };
        assert!(Sampling::new(&options, 1).unwrap_err().message.contains("NaN"));
        let bias = HashMap::from([("0".to_owned(), f64::INFINITY)]);
        let options = GenerateOptions { logit_bias: Some(bias), ..Default::default() };
        assert!(Sampling::new(&options, 1).is_err());
    }
}
