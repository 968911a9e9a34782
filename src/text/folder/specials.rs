//! The special tokens of a folder: what its files say, else what the class of its tokenizer has.

use std::collections::HashMap;

use serde_json::Value;

use super::class::Class;
use super::files::{Files, config_of};
use crate::text::json_file::AddedTokenFile;
use crate::{Error, Result};

/// The parts a special token plays.
const NAMES: [&str; 7] = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

pub(super) struct Specials {
    /// By the part each plays, in the order of `NAMES`.
    named: Vec<(&'static str, AddedTokenFile)>,
    /// Others, by `additional_special_tokens`.
    others: Vec<AddedTokenFile>,
    /// With ids of their own: `added_tokens_decoder` or `added_tokens.json`.
    explicit: Vec<AddedTokenFile>,
}

impl Class {
    /// What a class takes where the files say nothing.
    pub fn specials(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Class::Gpt2 => {
                &[("bos_token", "<|endoftext|>"), ("eos_token", "<|endoftext|>"), ("unk_token", "<|endoftext|>")]
            }
            Class::Roberta | Class::XlmRoberta | Class::Camembert => &[
                ("bos_token", "<s>"),
                ("eos_token", "</s>"),
                ("unk_token", "<unk>"),
                ("sep_token", "</s>"),
                ("pad_token", "<pad>"),
                ("cls_token", "<s>"),
                ("mask_token", "<mask>"),
            ],
            Class::Clip => &[
                ("bos_token", "<|startoftext|>"),
                ("eos_token", "<|endoftext|>"),
                ("unk_token", "<|endoftext|>"),
                ("pad_token", "<|endoftext|>"),
            ],
            Class::Bert => &[
                ("unk_token", "[UNK]"),
                ("sep_token", "[SEP]"),
                ("pad_token", "[PAD]"),
                ("cls_token", "[CLS]"),
                ("mask_token", "[MASK]"),
            ],
            Class::T5 | Class::Marian => &[("eos_token", "</s>"), ("unk_token", "<unk>"), ("pad_token", "<pad>")],
            Class::Llama => &[("bos_token", "<s>"), ("eos_token", "</s>"), ("unk_token", "<unk>")],
            Class::Gemma => &[
                ("bos_token", "<bos>"),
                ("eos_token", "<eos>"),
                ("unk_token", "<unk>"),
                ("pad_token", "<pad>"),
                ("mask_token", "<mask>"),
            ],
        }
    }
}

/// A token is its text, or an object with its text and how it is found.
fn token(value: &Value) -> Option<AddedTokenFile> {
    let text = value.as_str().or_else(|| value["content"].as_str()).filter(|text| !text.is_empty())?;
    let flag = |name: &str, usual: bool| value[name].as_bool().unwrap_or(usual);
    Some(AddedTokenFile {
        single_word: flag("single_word", false),
        lstrip: flag("lstrip", false),
        rstrip: flag("rstrip", false),
        normalized: flag("normalized", false),
        ..AddedTokenFile::new(0, text.to_owned(), flag("special", true))
    })
}

impl Specials {
    /// `mask_takes_space`: a mask that the files do not describe takes the space before it.
    pub fn new(config: &Value, files: &Files, usual: &[(&'static str, &str)], mask_takes_space: bool) -> Result<Self> {
        let read = |name: &str| -> Result<Value> {
            let text = files.get(name).map(|bytes| std::str::from_utf8(bytes)).transpose();
            config_of(text.map_err(|_| Error::corrupt(format!("{name} is no UTF-8")))?, name)
        };
        let (map, added) = (read("special_tokens_map.json")?, read("added_tokens.json")?);
        let mut named = Vec::new();
        for name in NAMES {
            let usual = usual.iter().find(|(of, _)| *of == name).map(|(_, text)| Value::from(*text));
            // Said to be none, there is none; else the files, one after the other, and the class.
            let said = if config.get(name).is_some() { &config[name] } else { &map[name] };
            let none = config.get(name).is_some_and(Value::is_null);
            let usual = usual.filter(|_| !none);
            let found = token(said).or_else(|| usual.as_ref().and_then(token));
            named.extend(found.map(|mut token| {
                token.special = true;
                token.lstrip |= name == "mask_token" && said.is_null() && mask_takes_space;
                (name, token)
            }));
        }
        let list = |value: &Value| value["additional_special_tokens"].as_array().cloned();
        let others = list(config).or_else(|| list(&map)).unwrap_or_default();
        let others: Vec<AddedTokenFile> = others.iter().filter_map(token).collect();
        let special = |text: &str| {
            named.iter().any(|(_, token): &(_, AddedTokenFile)| token.content == text)
                || others.iter().any(|token| token.content == text)
        };
        let mut explicit = Vec::new();
        if let Some(list) = config["added_tokens_decoder"].as_object() {
            for (id, value) in list {
                let id = id.parse().ok().zip(token(value));
                let (id, token) = id.ok_or_else(|| Error::corrupt("tokenizer_config.json: added_tokens_decoder"))?;
                let special = value["special"].as_bool().unwrap_or(false) || special(&token.content);
                explicit.push(AddedTokenFile { id, special, ..token });
            }
        } else if let Some(list) = added.as_object() {
            for (text, id) in list {
                let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
                let id = id.ok_or_else(|| Error::corrupt(format!("added_tokens.json: {text:?} has no id")))?;
                let special = special(text);
                explicit
                    .push(AddedTokenFile { normalized: !special, ..AddedTokenFile::new(id, text.clone(), special) });
            }
        }
        explicit.sort_by_key(|token| token.id);
        Ok(Self { named, others, explicit })
    }

    /// The text of the token that plays a part; none is empty.
    pub fn text(&self, name: &str) -> String {
        let found = self.named.iter().find(|(of, _)| *of == name);
        found.map(|(_, token)| token.content.clone()).unwrap_or_default()
    }

    /// Each part with its token's text.
    pub fn names(&self) -> Vec<(&'static str, String)> {
        self.named.iter().map(|(name, token)| (*name, token.content.clone())).collect()
    }

    /// Tokens that the files give ids; what a vocabulary has already keeps its own.
    pub fn explicit(&self, known: &HashMap<String, u32>) -> Vec<AddedTokenFile> {
        let token = |token: &AddedTokenFile| {
            let id = known.get(&token.content).copied().unwrap_or(token.id);
            AddedTokenFile { id, ..token.clone() }
        };
        self.explicit.iter().map(token).collect()
    }

    /// The others, whose ids are yet to be found.
    pub fn named(&self) -> Vec<AddedTokenFile> {
        self.named.iter().map(|(_, token)| token).chain(&self.others).cloned().collect()
    }
}
