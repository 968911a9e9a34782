//! A tokenizer from GGUF metadata (`tokenizer.ggml.*`).

use tokenizers::AddedToken;
use tokenizers::normalizers::{BertNormalizer, Prepend, Strip};
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};

use super::bpe;
use super::decoder::{Decoder, Joining};
use super::model::{self, TokenModel};
use super::normalizer::Rule;
use super::pattern::compile;
use super::post_processor::PostProcessor;
use super::pre_tokenizer::{SplitStep, byte_level, named};
use super::templates::Templates;
use super::tokenizer::{Parts, Tokenizer};
use crate::checkpoint::{Array, Metadata, MetadataValue};
use crate::{Code, Error, Result};

/// What `tokenizer.ggml.*` says.
#[derive(Clone, Debug, Default)]
pub struct GgufVocabulary {
    /// "gpt2" (byte-level BPE), "llama" (SentencePiece BPE), "t5" (SentencePiece unigram)
    /// or "bert" (WordPiece).
    pub model: String,
    /// The name of the pre-tokenizer; only byte-level vocabularies have one.
    pub pre: Option<String>,
    pub tokens: Vec<String>,
    pub scores: Vec<f32>,
    pub token_types: Vec<i32>,
    pub merges: Vec<String>,
    pub bos: Option<u32>,
    pub eos: Option<u32>,
    pub unknown: Option<u32>,
    /// BERT's `[CLS]` and `[SEP]`, where they are not at the usual names.
    pub cls: Option<u32>,
    pub separator: Option<u32>,
    /// Other tokens that end a turn or a text (`eot`, `eom`).
    pub ends: Vec<u32>,
    pub add_bos: Option<bool>,
    pub add_eos: Option<bool>,
    pub add_space_prefix: Option<bool>,
    pub remove_extra_whitespaces: Option<bool>,
    /// BERT's normalization.
    pub lowercase: Option<bool>,
    pub strip_accents: Option<bool>,
    /// SentencePiece's compiled normalization rules.
    pub precompiled_charsmap: Vec<u8>,
    /// By name.
    pub chat_templates: Vec<(String, String)>,
}

/// Kinds of tokens in `tokenizer.ggml.token_type`.
const UNKNOWN: i32 = 2;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
/// SentencePiece's sign for a space.
const SPACE: &str = "▁";

impl Tokenizer {
    /// The tokenizer that a GGUF file's metadata describe.
    pub fn from_gguf(metadata: &Metadata) -> Result<Self> {
        Self::from_gguf_vocabulary(GgufVocabulary::read(metadata)?)
    }

    /// The tokenizer of a vocabulary as GGUF metadata tell it.
    pub fn from_gguf_vocabulary(mut v: GgufVocabulary) -> Result<Self> {
        if v.tokens.is_empty() {
            return Err(Error::corrupt("tokenizer.ggml.tokens is empty"));
        }
        if !v.token_types.is_empty() && v.token_types.len() != v.tokens.len() {
            let message = format!("tokenizer.ggml: {} token types for {} tokens", v.token_types.len(), v.tokens.len());
            return Err(Error::corrupt(message));
        }
        for (name, id) in
            [("bos", v.bos), ("eos", v.eos), ("unknown", v.unknown), ("cls", v.cls), ("separator", v.separator)]
        {
            v.check_id(name, id)?;
        }
        for id in v.ends.clone() {
            v.check_id("eot or eom", Some(id))?;
        }
        match v.model.as_str() {
            "gpt2" => v.byte_level(),
            "llama" => v.sentence_piece_bpe(),
            "t5" => v.unigram(),
            "bert" => v.word_piece(),
            other => return Err(Error::unsupported(format!("tokenizer.ggml.model: {other:?} is not known"))),
        }
        .and_then(Tokenizer::new)
    }
}

/// The default, and those that have a name.
fn chat_templates(metadata: &Metadata) -> Vec<(String, String)> {
    const KEY: &str = "tokenizer.chat_template";
    let default = metadata.str(KEY).map(|source| (Templates::DEFAULT.to_owned(), source.to_owned()));
    let named = metadata.iter().filter_map(|(key, _)| {
        let name = key.strip_prefix(KEY)?.strip_prefix('.')?;
        Some((name.to_owned(), metadata.str(key)?.to_owned()))
    });
    default.into_iter().chain(named).collect()
}

impl GgufVocabulary {
    fn read(metadata: &Metadata) -> Result<Self> {
        let key = |name: &str| format!("tokenizer.ggml.{name}");
        let missing = |name: &str| Error::new(Code::MissingFile, format!("the GGUF file has no tokenizer.ggml.{name}"));
        let id = |name: &str| metadata.u32(&key(name));
        let flag = |name: &str| metadata.bool(&key(name));
        let precompiled_charsmap = match metadata.get(&key("precompiled_charsmap")) {
            Some(MetadataValue::Array(Array::U8(bytes))) => bytes.clone(),
            Some(MetadataValue::Array(Array::I8(bytes))) => bytes.iter().map(|&byte| byte as u8).collect(),
            _ => Vec::new(),
        };
        Ok(Self {
            model: metadata.str(&key("model")).ok_or_else(|| missing("model"))?.to_owned(),
            pre: metadata.str(&key("pre")).map(str::to_owned),
            tokens: metadata.strings(&key("tokens")).ok_or_else(|| missing("tokens"))?.to_vec(),
            scores: metadata.f32s(&key("scores")).unwrap_or_default().to_vec(),
            token_types: metadata.i32s(&key("token_type")).unwrap_or_default().to_vec(),
            merges: metadata.strings(&key("merges")).unwrap_or_default().to_vec(),
            bos: id("bos_token_id"),
            eos: id("eos_token_id"),
            unknown: id("unknown_token_id"),
            cls: id("cls_token_id"),
            // Spelled so in the files.
            separator: id("seperator_token_id"),
            ends: ["eot_token_id", "eom_token_id"].into_iter().filter_map(id).collect(),
            add_bos: flag("add_bos_token"),
            add_eos: flag("add_eos_token"),
            add_space_prefix: flag("add_space_prefix"),
            remove_extra_whitespaces: flag("remove_extra_whitespaces"),
            lowercase: flag("normalizer.lowercase"),
            strip_accents: flag("normalizer.strip_accents"),
            precompiled_charsmap,
            chat_templates: chat_templates(metadata),
        })
    }

    /// What the metadata leave open and is assumed, in words.
    pub fn warnings(metadata: &Metadata) -> Vec<String> {
        let silent = metadata.str("tokenizer.ggml.model") == Some("gpt2") && !metadata.contains("tokenizer.ggml.pre");
        let warning = "the file has no \"tokenizer.ggml.pre\": how texts are split before they are encoded is a guess \
            (llama.cpp's default), and the ids may be wrong; convert the model anew with today's llama.cpp";
        silent.then(|| warning.to_owned()).into_iter().collect()
    }

    fn check_id(&self, name: &str, id: Option<u32>) -> Result<()> {
        match id {
            Some(id) if id as usize >= self.tokens.len() => {
                let message = format!("tokenizer.ggml: the {name} token has id {id}, of {} tokens", self.tokens.len());
                Err(Error::corrupt(message))
            }
            _ => Ok(()),
        }
    }

    /// Scores, of which SentencePiece needs one for each token.
    fn check_scores(&self) -> Result<()> {
        if self.scores.len() != self.tokens.len() {
            let message = format!("tokenizer.ggml: {} scores for {} tokens", self.scores.len(), self.tokens.len());
            return Err(Error::corrupt(message));
        }
        match self.scores.iter().position(|score| !score.is_finite()) {
            Some(id) => Err(Error::corrupt(format!("tokenizer.ggml.scores: token {id} has {}", self.scores[id]))),
            None => Ok(()),
        }
    }

    fn kind(&self, id: usize) -> i32 {
        self.token_types.get(id).copied().unwrap_or(1)
    }

    fn text(&self, id: Option<u32>) -> String {
        id.map_or(String::new(), |id| self.tokens[id as usize].clone())
    }

    fn vocabulary(&self) -> impl Iterator<Item = (String, u32)> {
        self.tokens.iter().cloned().zip(0..)
    }

    /// The parts that all kinds share. `bytes` is what a token stands for.
    fn parts(
        &mut self,
        model: TokenModel,
        joining: Joining,
        bytes: impl Fn(&str, i32) -> Vec<u8>,
        add_bos: bool,
        add_eos: bool,
    ) -> Result<Parts> {
        let mut decoder = Decoder::new(joining);
        let mut added = Vec::new();
        // Of equal tokens the last is the one that text gets.
        let last: std::collections::HashMap<&str, u32> = self.tokens.iter().map(String::as_str).zip(0..).collect();
        for (id, token) in self.tokens.iter().enumerate() {
            let kind = self.kind(id);
            let special =
                kind == CONTROL || kind == UNKNOWN || self.bos == Some(id as u32) || self.eos == Some(id as u32);
            decoder.add(&bytes(token, kind), special)?;
            if (special || kind == USER_DEFINED) && !token.is_empty() {
                let token = AddedToken::from(token.clone(), special).normalized(false);
                let id = last[token.content.as_str()];
                added.push((token, id));
            }
        }
        let sided = |name: &str, asked: Option<bool>, usual: bool, id: Option<u32>| match (asked, id) {
            (Some(true), None) => Err(Error::corrupt(format!("tokenizer.ggml: add_{name}_token without such a token"))),
            (asked, id) => Ok(id.filter(|_| asked.unwrap_or(usual)).into_iter().collect::<Vec<u32>>()),
        };
        let before = sided("bos", self.add_bos, add_bos, self.bos)?;
        let after = sided("eos", self.add_eos, add_eos, self.eos)?;
        let post_processor = match (&before[..], &after[..]) {
            // Encoders: ModernBERT, and RoBERTa and XLM-R.
            (&[bos], &[eos]) if self.pre.as_deref() == Some("modern-bert") => PostProcessor::bert(bos, eos),
            (&[bos], &[eos]) => PostProcessor::roberta(bos, eos),
            (before, after) => PostProcessor::around(before, after),
        };
        Ok(Parts {
            model,
            rules: Vec::new(),
            steps: Vec::new(),
            added,
            decoder,
            post_processor,
            max_tokens: None,
            bos: self.bos,
            ends: self.eos.into_iter().chain(self.ends.iter().copied()).collect(),
            padding: None,
            templates: Templates {
                sources: std::mem::take(&mut self.chat_templates),
                tokens: [("bos_token", self.bos), ("eos_token", self.eos)]
                    .map(|(name, id)| (name.to_owned(), self.text(id)))
                    .into(),
                controls: None,
            },
            warnings: Vec::new(),
            codes: None,
        })
    }

    fn byte_level(&mut self) -> Result<Parts> {
        if self.merges.is_empty() {
            return Err(Error::corrupt("tokenizer.ggml.merges is missing: a byte-level tokenizer needs it"));
        }
        let pre = named(self.pre.as_deref().unwrap_or("default"))?;
        let split = |merge: &String| {
            // A token may begin with a space, but not be empty.
            let at = merge.char_indices().skip(1).find(|&(_, c)| c == ' ').map(|(at, _)| at);
            at.map(|at| (merge[..at].to_owned(), merge[at + 1..].to_owned()))
                .ok_or_else(|| Error::corrupt(format!("tokenizer.ggml.merges: {merge:?} is not a pair")))
        };
        let merges = self.merges.iter().map(split).collect::<Result<_>>()?;
        let options = bpe::BpeOptions { ignore_merges: pre.ignore_merges, ..Default::default() };
        let model = TokenModel::Bpe(bpe::build(self.vocabulary(), merges, options)?);
        let mut parts = self.parts(model, Joining::Plain, byte_level_bytes, pre.adds_bos, false)?;
        parts.steps = byte_level(&pre.patterns)?;
        if pre.compose {
            parts.rules.push(Rule::Nfc);
        }
        Ok(parts)
    }

    fn sentence_piece_bpe(&mut self) -> Result<Parts> {
        self.check_scores()?;
        let inside = |id: u32| Some(id).filter(|&id| (id as usize) < self.tokens.len());
        // What SentencePiece itself takes where nothing is said.
        let (unknown, bos, eos) = (inside(0), inside(1), inside(2));
        self.unknown = self.unknown.or(unknown);
        self.bos = self.bos.or(bos);
        self.eos = self.eos.or(eos);
        let options = bpe::BpeOptions {
            unknown: self.unknown.map(|id| self.tokens[id as usize].clone()),
            fuse_unknown: true,
            byte_fallback: true,
            ..Default::default()
        };
        let merges = bpe::merges_by_score(&self.tokens, &self.scores)?;
        let model = TokenModel::Bpe(bpe::build(self.vocabulary(), merges, options)?);
        let prefix = self.add_space_prefix.unwrap_or(true);
        let joining = if prefix { Joining::StripStart(1) } else { Joining::Plain };
        let mut parts = self.parts(model, joining, piece_bytes, true, false)?;
        if prefix {
            parts.rules.push(Rule::Prepend(Prepend::new(SPACE.to_owned())));
        }
        parts.rules.push(Rule::Replace(compile(" ")?, SPACE.to_owned()));
        Ok(parts)
    }

    fn unigram(&mut self) -> Result<Parts> {
        self.check_scores()?;
        let scored = self.tokens.iter().cloned().zip(self.scores.iter().map(|&score| f64::from(score)));
        let unknown = self.unknown.unwrap_or(0) as usize;
        let fallback = self.tokens.iter().any(|token| bpe::fallback_byte(token).is_some());
        let model = model::unigram(scored.collect(), Some(unknown), fallback, None)?;
        let prefix = self.add_space_prefix.unwrap_or(true);
        let joining = if prefix { Joining::StripStart(1) } else { Joining::Plain };
        let mut parts = self.parts(model, joining, piece_bytes, false, true)?;
        if !self.precompiled_charsmap.is_empty() {
            parts.rules.push(Rule::Precompiled(super::precompiled::read(&self.precompiled_charsmap)?));
        }
        if self.remove_extra_whitespaces.unwrap_or(true) {
            parts.rules.push(Rule::Strip(Strip::new(true, true)));
            parts.rules.push(Rule::Replace(compile(" {2,}")?, " ".to_owned()));
        }
        let scheme = if prefix { PrependScheme::Always } else { PrependScheme::Never };
        parts.steps.push(SplitStep::Metaspace(Metaspace::new('▁', scheme, true)));
        Ok(parts)
    }
}

impl GgufVocabulary {
    /// A vocabulary in which the beginnings of words are marked, which BERT's own leaves plain.
    fn word_piece(&mut self) -> Result<Parts> {
        for id in 0..self.tokens.len() {
            let token = &self.tokens[id];
            if let Some(beginning) = token.strip_prefix(SPACE) {
                self.tokens[id] = beginning.to_owned();
            } else if self.kind(id) != CONTROL && !(token.starts_with('[') && token.ends_with(']')) {
                self.tokens[id] = format!("##{token}");
            }
        }
        let named = |id: Option<u32>, name: &str| {
            let found = id.or_else(|| self.tokens.iter().position(|token| token == name).map(|id| id as u32));
            found.ok_or_else(|| Error::corrupt(format!("tokenizer.ggml.tokens has no {name}")))
        };
        let cls = named(self.cls.or(self.bos), "[CLS]")?;
        let sep = named(self.separator, "[SEP]")?;
        let unknown = self.tokens[named(self.unknown, "[UNK]")? as usize].clone();
        let model = model::word_piece(self.vocabulary().collect(), unknown, "##".to_owned(), 100)?;
        let joining = Joining::WordPiece { prefix: "##".to_owned(), cleanup: true };
        (self.add_bos, self.add_eos) = (Some(false), Some(false));
        let mut parts = self.parts(model, joining, |token, _| token.as_bytes().to_vec(), false, false)?;
        parts.post_processor = PostProcessor::bert(cls, sep);
        let lowercase = self.lowercase.unwrap_or(true);
        parts.rules.push(Rule::Bert(BertNormalizer::new(true, true, self.strip_accents, lowercase)));
        parts.steps.push(SplitStep::Bert);
        Ok(parts)
    }
}

/// What a byte-level token stands for: what was added to the vocabulary is written as it is.
fn byte_level_bytes(token: &str, kind: i32) -> Vec<u8> {
    if kind == CONTROL || kind == USER_DEFINED { token.as_bytes().to_vec() } else { bpe::byte_level(token) }
}

/// What a SentencePiece token stands for.
fn piece_bytes(token: &str, _: i32) -> Vec<u8> {
    match bpe::fallback_byte(token) {
        Some(byte) => vec![byte],
        None => token.replace(SPACE, " ").into_bytes(),
    }
}
