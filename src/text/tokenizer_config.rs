//! `tokenizer_config.json`: which tokens play which parts, the chat templates, and what goes before `tokenizer.json`.
//! docs/what-is-read.md lists every field, and what becomes of it here.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::json_file::{AddedTokenFile, TokenizerFile, Vocabulary};
use super::templates::Templates;
use crate::{Error, Result};

/// The parts that all tokenizers know. Others end in `_token`, too.
const PARTS: [&str; 7] = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
/// Classes that take tokenizer.json as it is.
const GENERIC: [&str; 3] = ["PreTrainedTokenizerFast", "TokenizersBackend", "PreTrainedTokenizer"];

#[derive(Default)]
pub(super) struct TokenizerConfig(Map<String, Value>);

impl TokenizerConfig {
    pub fn read(json: Option<&str>) -> Result<Self> {
        let read = |json| serde_json::from_str(json);
        let fields = json.map_or(Ok(Map::new()), read);
        let config = Self(fields.map_err(|error| Error::corrupt(format!("tokenizer_config.json: {error}")))?);
        for name in ["split_special_tokens", "separate_vocabs"] {
            if config.flag(name)? == Some(true) {
                return Err(Error::unsupported(format!("tokenizer_config.json: {name:?}: true")));
            }
        }
        Ok(config)
    }

    /// The field, unless it is null.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub fn flag(&self, name: &str) -> Result<Option<bool>> {
        let wrong =
            |value| Error::corrupt(format!("tokenizer_config.json: {name:?} is {value}, expected true or false"));
        self.get(name).map(|value| value.as_bool().ok_or_else(|| wrong(value))).transpose()
    }

    /// The text of the token of that part.
    pub fn token(&self, name: &str) -> String {
        self.get(name).and_then(text_of).unwrap_or_default().to_owned()
    }

    /// Takes tokens that the file leaves open.
    pub fn fill(&mut self, usual: &[(&str, String)]) {
        for (name, text) in usual {
            if ["bos_token", "eos_token", "pad_token"].contains(name) && self.get(name).is_none() {
                self.0.insert((*name).to_owned(), Value::from(text.as_str()));
            }
        }
    }

    /// Every token that has a name, by it.
    fn named(&self) -> impl Iterator<Item = (&str, &Value)> {
        let own = self.0.iter().filter(|(name, _)| name.ends_with("_token"));
        let more = ["extra_special_tokens", "model_specific_special_tokens"];
        let more = more.into_iter().filter_map(|name| self.get(name)?.as_object()).flatten();
        own.chain(more).map(|(name, value)| (name.as_str(), value)).filter(|(_, value)| text_of(value).is_some())
    }

    /// One template, or several by name; and the tokens that templates know. BOS and EOS are never undefined.
    pub fn templates(&self) -> Templates {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let sources = match self.get("chat_template") {
            Some(Value::Array(list)) => {
                list.iter().filter_map(|entry| Some((text(&entry["name"])?, text(&entry["template"])?))).collect()
            }
            Some(Value::Object(named)) => {
                named.iter().filter_map(|(name, source)| Some((name.clone(), text(source)?))).collect()
            }
            Some(one) => text(one).map(|source| (Templates::DEFAULT.to_owned(), source)).into_iter().collect(),
            None => Vec::new(),
        };
        let ends = ["bos_token", "eos_token"];
        let others = self.named().filter(|(name, _)| !ends.contains(name)).map(|(name, _)| name);
        let mut tokens: Vec<_> = ends.map(|name| (name.to_owned(), self.token(name))).into();
        tokens.extend(others.map(|name| (name.to_owned(), self.text_of(name))).filter(|(_, text)| !text.is_empty()));
        let controls = self.get("chat_control_tokens").and_then(Value::as_array);
        let controls = controls.map(|list| list.iter().filter_map(text).collect());
        Templates { sources, tokens, controls }
    }

    fn text_of(&self, name: &str) -> String {
        let value = self.named().find(|(other, _)| *other == name).and_then(|(_, value)| text_of(value));
        value.unwrap_or_default().to_owned()
    }

    /// What it says of what tokenizer.json says too: transformers' classes go by this file.
    pub fn overrule(&self, file: &mut TokenizerFile) -> Result<()> {
        let class = self.get("tokenizer_class").and_then(Value::as_str).unwrap_or_default();
        if !GENERIC.contains(&class) {
            for (name, field) in [
                ("do_lower_case", "lowercase"),
                ("tokenize_chinese_chars", "handle_chinese_chars"),
                ("strip_accents", "strip_accents"),
            ] {
                // Accents may be said to go by the case.
                let said = self.flag(name)?.map(Value::Bool).or_else(|| self.0.get(name).cloned());
                let Some(said) = said.filter(|said| !said.is_null() || name == "strip_accents") else { continue };
                each(&mut file.normalizer, "normalizers", |rule| {
                    if rule["type"] == "BertNormalizer" {
                        rule[field] = said.clone();
                    }
                    true
                });
            }
            if let Some(prefix) = self.flag("add_prefix_space")? {
                prefix_space(file, prefix);
            }
            if ["RobertaTokenizer", "BartTokenizer"].contains(&class.trim_end_matches("Fast")) {
                let prefix = self.flag("add_prefix_space")?.unwrap_or(false);
                trim_offsets(file, self.flag("trim_offsets")?.unwrap_or(true), prefix);
            }
        }
        self.add_tokens(file)
    }

    /// Adds the tokens that tokenizer.json has not among its added ones, and takes how others are found from here.
    fn add_tokens(&self, file: &mut TokenizerFile) -> Result<()> {
        let mut given: Vec<(u32, &Value)> = Vec::new();
        for (id, token) in self.get("added_tokens_decoder").and_then(Value::as_object).into_iter().flatten() {
            let id = id.parse().ok().filter(|_| text_of(token).is_some());
            given.push((id.ok_or_else(|| Error::corrupt("tokenizer_config.json: added_tokens_decoder"))?, token));
        }
        given.sort_by_key(|(id, _)| *id);
        let special = PARTS.into_iter().filter_map(|name| self.get(name)).chain(self.named().map(|(_, token)| token));
        let list =
            ["extra_special_tokens", "additional_special_tokens"].map(|name| self.get(name).and_then(Value::as_array));
        let special = special.chain(list.into_iter().flatten().take(1).flatten());
        let mut tokens = AddedTokens::new(file);
        given.iter().for_each(|(_, token)| tokens.take(token, false));
        special.for_each(|token| tokens.take(token, true));
        Ok(())
    }
}

/// A token is its text, or an object with its text and how it is found.
fn text_of(token: &Value) -> Option<&str> {
    token.as_str().or_else(|| token["content"].as_str()).filter(|text| !text.is_empty())
}

/// The added tokens of a file, by their texts.
struct AddedTokens<'a> {
    added: &'a mut Vec<AddedTokenFile>,
    places: HashMap<String, usize>,
    vocabulary: &'a Vocabulary,
    /// Ids of the vocabulary, once somebody has asked for one.
    ids: Option<HashMap<&'a str, u32>>,
}

impl<'a> AddedTokens<'a> {
    fn new(file: &'a mut TokenizerFile) -> Self {
        let TokenizerFile { added_tokens, model, .. } = file;
        let places = added_tokens.iter().enumerate().map(|(place, token)| (token.content.clone(), place)).collect();
        Self { added: added_tokens, places, vocabulary: &model.vocab, ids: None }
    }

    /// `named`: it plays a part, and what is known of it already stays.
    fn take(&mut self, token: &Value, named: bool) {
        let Some(content) = text_of(token) else { return };
        let flag = |name: &str| token[name].as_bool();
        let place = self.places.get(content).copied();
        let special = named || flag("special").unwrap_or(false);
        let mut new = AddedTokenFile {
            single_word: flag("single_word").unwrap_or(false),
            lstrip: flag("lstrip").unwrap_or(false),
            rstrip: flag("rstrip").unwrap_or(false),
            normalized: flag("normalized").unwrap_or(!special),
            ..AddedTokenFile::new(0, content.to_owned(), special)
        };
        match place.map(|place| &mut self.added[place]) {
            Some(_) if named => {}
            Some(known) => {
                (new.id, new.special) = (known.id, special || known.special);
                *known = new;
            }
            None => {
                new.id = self.id(content);
                self.places.insert(new.content.clone(), self.added.len());
                self.added.push(new);
            }
        }
    }

    /// The vocabulary's, else the next that is free.
    fn id(&mut self, content: &str) -> u32 {
        let vocabulary = self.vocabulary;
        let ids = self.ids.get_or_insert_with(|| match vocabulary {
            Vocabulary::Ids(list) => list.iter().map(|(text, id)| (text.as_str(), *id)).collect(),
            Vocabulary::Scores(list) => list.iter().map(|(text, _)| text.as_str()).zip(0..).collect(),
        });
        let free = self.added.iter().map(|token| token.id.saturating_add(1)).max().unwrap_or(0).max(ids.len() as u32);
        ids.get(content).copied().unwrap_or(free)
    }
}

/// Does something to each part of a pipeline; those for which it says no are left out.
fn each(value: &mut Option<Value>, list: &str, mut change: impl FnMut(&mut Value) -> bool) {
    fn walk(value: &mut Value, list: &str, change: &mut dyn FnMut(&mut Value) -> bool) -> bool {
        if let Some(parts) = value.get_mut(list).and_then(Value::as_array_mut) {
            parts.retain_mut(|part| walk(part, list, change));
            return true;
        }
        !value.is_object() || change(value)
    }
    if value.as_mut().is_some_and(|value| !walk(value, list, &mut change)) {
        *value = None;
    }
}

/// Whether tokens cover the spaces at their ends; `prefix`: the first may have been put there. RoBERTa's class has a
/// post-processor of its own for that.
fn trim_offsets(file: &mut TokenizerFile, trims: bool, prefix: bool) {
    each(&mut file.post_processor, "processors", |step| {
        if step["type"] == "RobertaProcessing" {
            step["trim_offsets"] = false.into();
        }
        step["type"] != "ByteLevel"
    });
    let trimming = trims.then(|| json!({"type": "ByteLevel", "trim_offsets": true, "add_prefix_space": prefix}));
    let steps: Vec<Value> = file.post_processor.take().into_iter().chain(trimming).collect();
    file.post_processor = Some(json!({"type": "Sequence", "processors": steps}));
}

/// Whether a text gets a space before it that it does not begin with.
fn prefix_space(file: &mut TokenizerFile, prefix: bool) {
    let mut spaces = false;
    each(&mut file.pre_tokenizer, "pretokenizers", |step| {
        if step["type"] == "ByteLevel" {
            step["add_prefix_space"] = prefix.into();
        } else if step["type"] == "Metaspace" && !prefix {
            (step["prepend_scheme"], spaces) = ("never".into(), true);
        }
        true
    });
    if prefix {
        return;
    }
    each(&mut file.normalizer, "normalizers", |rule| {
        let prepends = rule["type"] == "Prepend" && rule["prepend"] == "▁";
        spaces |= prepends;
        !prepends
    });
    if spaces {
        each(&mut file.decoder, "decoders", |decoder| {
            if decoder["type"] == "Metaspace" {
                decoder["prepend_scheme"] = "never".into();
            }
            decoder["type"] != "Strip"
        });
    }
}
