//! A tokenizer from a folder without `tokenizer.json`: what transformers' class of it would make of the other files.

mod class;
mod files;
mod sentence_piece;
mod specials;

use std::collections::HashMap;

use serde_json::{Value, json};

use self::class::Class;
pub use self::files::Files;
use self::files::config_of;
use self::sentence_piece::{CONTROL, SentencePieceModel, USER_DEFINED};
use self::specials::Specials;
use super::json_file::{AddedTokenFile, ModelFile, Pair, TokenizerFile, Vocabulary};
use super::json_parts::encode_base64;
use super::tokenizer::{Codes, Tokenizer};
use super::tokenizer_config::TokenizerConfig;
use crate::{Code, Error, Result};

/// Files that say more about tokens, with any class.
const MORE: [&str; 2] = ["special_tokens_map.json", "added_tokens.json"];
/// In place of a token that no text may match: a character that is none, and the token's id.
const NO_TEXT: char = '\u{10ffff}';

/// The files to ask for where there is no `tokenizer.json`, the needed ones first. None where nothing is known of them.
pub fn tokenizer_files(tokenizer_config: Option<&str>, model_type: &str) -> Result<Vec<&'static str>> {
    let config = config_of(tokenizer_config, "tokenizer_config.json")?;
    let class = Class::of(&config, model_type);
    Ok(class.map_or(Vec::new(), |class| class.files().iter().copied().chain(MORE).collect()))
}

impl Tokenizer {
    /// The tokenizer of a folder's other files than `tokenizer.json`. `None` where the folder has not one of them.
    pub fn from_folder(files: &Files, tokenizer_config: Option<&str>, model_type: &str) -> Result<Option<Self>> {
        let config = config_of(tokenizer_config, "tokenizer_config.json")?;
        let Some(class) = Class::of(&config, model_type) else { return Ok(None) };
        let there = |name: &&&str| files.contains_key(**name);
        if class.files().iter().filter(there).count() == 0 {
            return Ok(None);
        }
        let folder = Folder {
            files,
            class,
            specials: Specials::new(&config, files, class.specials(), class == Class::Camembert)?,
            config: &config,
        };
        let file = folder.file()?;
        let mut config = TokenizerConfig::read(tokenizer_config)?;
        config.fill(&folder.specials.names());
        Self::from_file(file, config).map(Some)
    }
}

struct Folder<'a> {
    files: &'a Files,
    class: Class,
    specials: Specials,
    config: &'a Value,
}

impl Folder<'_> {
    fn bytes(&self, name: &str) -> Result<&[u8]> {
        let missing = || {
            let others = self.class.files().join(", ");
            Error::new(
                Code::MissingFile,
                format!("without tokenizer.json this model needs {others}: {name} is missing"),
            )
        };
        self.files.get(name).map(Vec::as_slice).ok_or_else(missing)
    }

    fn text(&self, name: &str) -> Result<&str> {
        std::str::from_utf8(self.bytes(name)?).map_err(|_| Error::corrupt(format!("{name} is no UTF-8")).in_file(name))
    }

    fn flag(&self, name: &str, usual: bool) -> bool {
        self.config[name].as_bool().unwrap_or(usual)
    }

    /// What `tokenizer.json` would say.
    fn file(&self) -> Result<TokenizerFile> {
        match self.class {
            Class::Gpt2 | Class::Roberta | Class::Clip => self.byte_level(),
            Class::Bert => self.word_piece(),
            Class::T5 | Class::XlmRoberta | Class::Camembert => self.unigram(),
            Class::Llama | Class::Gemma => self.merges(),
            Class::Marian => self.marian(),
        }
    }

    /// Adds the class's special tokens and the folder's added ones.
    fn with_tokens(&self, mut file: TokenizerFile, mut added: Vec<AddedTokenFile>) -> Result<TokenizerFile> {
        let mut known: HashMap<String, u32> = match &file.model.vocab {
            Vocabulary::Ids(list) => list.iter().cloned().collect(),
            Vocabulary::Scores(list) => list.iter().map(|(token, _)| token.clone()).zip(0..).collect(),
        };
        let mut next = known.len() as u32;
        added.extend(self.specials.explicit(&known));
        for token in &added {
            known.insert(token.content.clone(), token.id);
            next = next.max(token.id + 1);
        }
        for mut token in self.specials.named() {
            if let Some(other) = added.iter_mut().find(|other| other.content == token.content) {
                other.special = true;
                continue;
            }
            token.id = *known.entry(token.content.clone()).or_insert(next);
            next = next.max(token.id + 1);
            added.push(token);
        }
        added.sort_by_key(|token| token.id);
        file.post_processor = self.post_processor(&known)?;
        file.added_tokens = added;
        Ok(file)
    }

    fn post_processor(&self, ids: &HashMap<String, u32>) -> Result<Option<Value>> {
        let special = |name: &str| -> Result<(String, u32)> {
            let text = self.specials.text(name);
            let id = ids.get(&text).ok_or_else(|| Error::corrupt(format!("the tokenizer has no {name}")))?;
            Ok((text, *id))
        };
        let around = |single: &[&str], pair: &[&str]| -> Result<Option<Value>> {
            let mut tokens = serde_json::Map::new();
            let mut pieces = |list: &[&str], second: u32| -> Result<Vec<Value>> {
                let (mut kind, mut made) = (0, Vec::new());
                for &piece in list {
                    if piece == "B" {
                        kind = second;
                    }
                    made.push(if piece.len() == 1 {
                        json!({"Sequence": {"id": piece, "type_id": kind}})
                    } else {
                        let (text, id) = special(piece)?;
                        tokens.insert(text.clone(), json!({"id": text, "ids": [id], "tokens": [text]}));
                        json!({"SpecialToken": {"id": text, "type_id": kind}})
                    });
                }
                Ok(made)
            };
            let (single, pair) = (pieces(single, 1)?, pieces(pair, u32::from(self.class == Class::Bert))?);
            Ok(Some(json!({"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": tokens})))
        };
        match self.class {
            Class::Gpt2 | Class::Llama | Class::Gemma => Ok(None),
            Class::Roberta => {
                let around = around(
                    &["cls_token", "A", "sep_token"],
                    &["cls_token", "A", "sep_token", "sep_token", "B", "sep_token"],
                )?;
                let (trims, prefix) = (self.flag("trim_offsets", true), self.flag("add_prefix_space", false));
                let trimming = json!({"type": "ByteLevel", "trim_offsets": trims, "add_prefix_space": prefix});
                Ok(Some(json!({"type": "Sequence", "processors": [around, trimming]})))
            }
            Class::Clip => around(
                &["bos_token", "A", "eos_token"],
                &["bos_token", "A", "eos_token", "eos_token", "B", "eos_token"],
            ),
            Class::Bert => around(&["cls_token", "A", "sep_token"], &["cls_token", "A", "sep_token", "B", "sep_token"]),
            Class::T5 => around(&["A", "eos_token"], &["A", "eos_token", "B", "eos_token"]),
            Class::Marian => around(&["A", "eos_token"], &["A", "B", "eos_token"]),
            Class::XlmRoberta | Class::Camembert => around(
                &["bos_token", "A", "eos_token"],
                &["bos_token", "A", "eos_token", "eos_token", "B", "eos_token"],
            ),
        }
    }

    /// `vocab.json` and `merges.txt`.
    fn byte_level(&self) -> Result<TokenizerFile> {
        let vocab = self.vocab_json()?;
        let lines = self.text("merges.txt")?.lines().filter(|line| !line.is_empty() && !line.starts_with("#version"));
        let merge = |line: &str| match line.split_once(' ') {
            Some((left, right)) if !right.contains(' ') => Ok(Pair(left.to_owned(), right.to_owned())),
            _ => Err(Error::corrupt(format!("merges.txt: {line:?} is not a pair")).in_file("merges.txt")),
        };
        let mut model = ModelFile::new("BPE", Vocabulary::Ids(vocab));
        model.merges = Some(lines.map(merge).collect::<Result<_>>()?);
        let clip = self.class == Class::Clip;
        let prefix = !clip && self.flag("add_prefix_space", false);
        let bytes = json!({"type": "ByteLevel", "add_prefix_space": prefix});
        let mut file = TokenizerFile::new(model);
        file.decoder = Some(json!({"type": "ByteLevel"}));
        file.pre_tokenizer = Some(bytes.clone());
        if clip {
            file.model.end_of_word_suffix = Some("</w>".to_owned());
            file.model.unk_token = Some(self.specials.text("unk_token"));
            let spaces = json!({"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "});
            file.normalizer =
                Some(json!({"type": "Sequence", "normalizers": [{"type": "NFC"}, spaces, {"type": "Lowercase"}]}));
            let words = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";
            let split = json!({"type": "Split", "pattern": {"Regex": words}, "behavior": "Removed", "invert": true});
            file.pre_tokenizer = Some(json!({"type": "Sequence", "pretokenizers": [split, bytes]}));
        }
        self.with_tokens(file, Vec::new())
    }

    fn vocab_json(&self) -> Result<Vec<(String, u32)>> {
        let list: Vocabulary = serde_json::from_str(self.text("vocab.json")?)
            .map_err(|error| Error::corrupt(format!("vocab.json: {error}")).in_file("vocab.json"))?;
        match list {
            Vocabulary::Ids(list) => Ok(list),
            Vocabulary::Scores(_) => {
                Err(Error::corrupt("vocab.json: a list, not tokens with their ids").in_file("vocab.json"))
            }
        }
    }

    /// `vocab.txt`: a token a line.
    fn word_piece(&self) -> Result<TokenizerFile> {
        let lines = self.text("vocab.txt")?.lines().map(|line| line.trim_end_matches(['\n', '\r']).to_owned());
        // The last of equal ones counts.
        let ids: HashMap<String, u32> = lines.zip(0..).collect();
        let mut model = ModelFile::new("WordPiece", Vocabulary::Ids(ids.into_iter().collect()));
        model.unk_token = Some(self.specials.text("unk_token"));
        let mut file = TokenizerFile::new(model);
        file.normalizer = Some(json!({
            "type": "BertNormalizer",
            "clean_text": true,
            "handle_chinese_chars": self.flag("tokenize_chinese_chars", true),
            "strip_accents": self.config["strip_accents"],
            "lowercase": self.flag("do_lower_case", true),
        }));
        file.pre_tokenizer = Some(json!({"type": "BertPreTokenizer"}));
        file.decoder = Some(json!({"type": "WordPiece", "prefix": "##", "cleanup": true}));
        self.with_tokens(file, Vec::new())
    }

    fn sentence_piece(&self, unigram: bool) -> Result<SentencePieceModel> {
        let name = self.class.files().last().expect("each class has files");
        let model = SentencePieceModel::read(self.bytes(name)?).map_err(|error| error.in_file(name))?;
        if model.unigram != unigram {
            let kind = if model.unigram { "unigram" } else { "BPE" };
            return Err(Error::unsupported(format!("{name}: a {kind} model, where this family has the other kind")));
        }
        Ok(model)
    }

    /// Control tokens, and what users have defined.
    fn added_pieces(model: &SentencePieceModel, shift: impl Fn(u32) -> Option<u32>) -> Vec<AddedTokenFile> {
        let pieces = (0..).zip(&model.pieces).filter(|(_, piece)| matches!(piece.kind, CONTROL | USER_DEFINED));
        let token = |(id, piece): (u32, &sentence_piece::SentencePiece)| {
            Some(AddedTokenFile::new(shift(id)?, piece.text.clone(), piece.kind == CONTROL))
        };
        pieces.filter_map(token).collect()
    }

    fn precompiled(model: &SentencePieceModel) -> Option<Value> {
        let rules = || json!({"type": "Precompiled", "precompiled_charsmap": encode_base64(&model.charsmap)});
        (!model.charsmap.is_empty()).then(rules)
    }

    /// What SentencePiece itself does to a text, spaces and typed signs of them alike.
    fn spaces(model: &SentencePieceModel) -> Vec<Value> {
        let replace = |pattern: &str, content: &str| json!({"type": "Replace", "pattern": {"Regex": pattern}, "content": content});
        let extra = model.remove_extra_whitespaces;
        let prefix = || json!({"type": "Prepend", "prepend": "▁"});
        let rules = [
            Self::precompiled(model),
            extra.then(|| replace(r"\A +", "")),
            extra.then(|| replace(" {2,}", " ")),
            model.add_dummy_prefix.then(prefix),
            Some(replace(" ", "▁")),
            extra.then(|| replace(r"▁+\z", "")),
        ];
        rules.into_iter().flatten().collect()
    }

    fn unigram(&self) -> Result<TokenizerFile> {
        let model = self.sentence_piece(true)?;
        let mut scores: Vec<(String, f64)> =
            model.pieces.iter().map(|piece| (piece.text.clone(), piece.score)).collect();
        let mut added = Vec::new();
        let unknown = match self.class {
            Class::XlmRoberta => {
                // Its own four tokens in place of three pieces, and the mask behind all.
                let names = ["bos_token", "pad_token", "eos_token", "unk_token"];
                let mut list: Vec<(String, f64)> = names.map(|name| (self.specials.text(name), 0.0)).into();
                list.extend(scores.drain(3.min(scores.len())..));
                list.push((self.specials.text("mask_token"), 0.0));
                scores = list;
                3
            }
            Class::Camembert => {
                let (pad, unknown) = (self.specials.text("pad_token"), self.specials.text("unk_token"));
                let names = ["<s>NOTUSED", &pad, "</s>NOTUSED", &unknown, "<unk>NOTUSED"];
                let mut list: Vec<(String, f64)> = names.map(|name| (name.to_owned(), 0.0)).into();
                list[4].1 = -100.0;
                list.extend(scores.drain(1.min(scores.len())..));
                list.push((self.specials.text("mask_token"), 0.0));
                scores = list;
                3
            }
            _ => {
                added = Self::added_pieces(&model, Some);
                // T5's marks of what is left out, the first one last.
                let extra = self.config["extra_ids"].as_u64().unwrap_or(100).min(1000) as u32;
                for (index, id) in (0..extra).rev().zip(scores.len() as u32..) {
                    added.push(AddedTokenFile::new(id, format!("<extra_id_{index}>"), true));
                }
                model.unknown
            }
        };
        let mut file = TokenizerFile::new(ModelFile::new("Unigram", Vocabulary::Scores(scores)));
        file.model.unk_id = Some(unknown);
        file.normalizer = Self::precompiled(&model);
        let scheme = if self.flag("add_prefix_space", true) { "always" } else { "never" };
        let spaces = json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme});
        file.pre_tokenizer = Some(json!({"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, spaces]}));
        file.decoder = Some(spaces);
        self.with_tokens(file, added)
    }

    /// `tokenizer.model` with merges: of Llama or Gemma.
    fn merges(&self) -> Result<TokenizerFile> {
        let model = self.sentence_piece(false)?;
        let texts: Vec<String> = model.pieces.iter().map(|piece| piece.text.clone()).collect();
        let merges = super::bpe::merges_by_rank(&texts)?;
        let vocab = texts.into_iter().zip(0..).collect();
        let mut file = TokenizerFile::new(ModelFile::new("BPE", Vocabulary::Ids(vocab)));
        file.model.merges = Some(merges.into_iter().map(|(left, right)| Pair(left, right)).collect());
        (file.model.fuse_unk, file.model.byte_fallback) = (true, true);
        let mut decoders = vec![
            json!({"type": "Replace", "pattern": {"String": "▁"}, "content": " "}),
            json!({"type": "ByteFallback"}),
            json!({"type": "Fuse"}),
        ];
        if self.class == Class::Gemma {
            file.model.unk_token = Some(self.specials.text("unk_token"));
            file.normalizer = Some(json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"}));
            let split = json!({"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious"});
            file.pre_tokenizer = Some(split);
        } else {
            let prefix = self.flag("add_prefix_space", true);
            let scheme = match (prefix, self.flag("legacy", false)) {
                (false, _) => "never",
                (true, true) => "always",
                (true, false) => "first",
            };
            let spaces = json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": false});
            file.pre_tokenizer = Some(spaces);
            if prefix {
                decoders.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
            }
        }
        file.decoder = Some(json!({"type": "Sequence", "decoders": decoders}));
        self.with_tokens(file, Self::added_pieces(&model, Some))
    }

    /// `source.spm` cuts texts, and `vocab.json`, which both languages share, has the pieces' ids.
    fn marian(&self) -> Result<TokenizerFile> {
        let model = self.sentence_piece(true)?;
        let vocab = self.vocab_json()?;
        let ids: HashMap<&str, u32> = vocab.iter().map(|(token, id)| (token.as_str(), *id)).collect();
        let unknown = self.specials.text("unk_token");
        let unknown = *ids.get(unknown.as_str()).ok_or_else(|| Error::corrupt("vocab.json has no unknown token"))?;
        let count = vocab.iter().map(|&(_, id)| id as usize + 1).max().unwrap_or(0);
        if count != vocab.len() {
            return Err(Error::corrupt("vocab.json: ids with gaps, or some twice").in_file("vocab.json"));
        }
        let mut scores: Vec<(String, f64)> = (0..count).map(|id| (format!("{NO_TEXT}{id}"), 0.0)).collect();
        for piece in model.pieces.iter().filter(|piece| matches!(piece.kind, 1 | USER_DEFINED)) {
            match ids.get(piece.text.as_str()) {
                Some(&id) => scores[id as usize] = (piece.text.clone(), piece.score),
                // It takes the text all the same, and stands for nothing.
                None => scores.push((piece.text.clone(), piece.score)),
            }
        }
        // Found as they are written, before the model sees a text.
        for (_, text) in self.specials.names() {
            if let Some(&id) = ids.get(text.as_str()) {
                scores[id as usize] = (text, 0.0);
            }
        }
        let is_code = |(token, _): &&(String, u32)| token.starts_with(">>") && token.ends_with("<<");
        let codes = vocab.iter().filter(is_code).cloned().collect();
        let mut file = TokenizerFile::new(ModelFile::new("Unigram", Vocabulary::Scores(scores)));
        file.model.unk_id = Some(unknown as usize);
        file.model.known = Some(count as u32);
        file.codes = Some(Codes { ids: codes, unknown });
        file.texts = Some(vocab);
        file.normalizer = Some(json!({"type": "Sequence", "normalizers": Self::spaces(&model)}));
        file.decoder = Some(json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"}));
        self.with_tokens(file, Vec::new())
    }
}
