//! A tokenizer from `tokenizer.json` and `tokenizer_config.json`.
//!
//! The file is read into what we know, field by field, and the crate's parts are built from that: its
//! own reader takes much on trust that ends in a panic later.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use tokenizers::{AddedToken, NormalizedString, Normalizer};

use super::bpe;
use super::decoder::Decoder;
use super::json_file::{AddedTokenFile, ModelFile, Pair, TokenizerFile, Vocabulary};
use super::json_parts::{self, Bytes, Pipeline};
use super::model::{self, TokenModel};
use super::normalizer::{Normalizing, Rule};
use super::post_processor::PostProcessor;
use super::tokenizer::{Parts, Tokenizer};
use super::tokenizer_config::TokenizerConfig;
use super::work::StepBudget;
use crate::{Error, Result};

/// Longest `tokenizer.json` taken; the longest in use has 35 MB.
const MAX_JSON: usize = 96 << 20;
/// Bytes that all tokens may have together, once the decoder has made text of them.
const MAX_TEXTS: usize = 128 << 20;
/// Largest token id taken, as every id below it takes some memory.
const MAX_ID: u32 = 1 << 22;

impl Tokenizer {
    /// The tokenizer of `tokenizer.json`; `tokenizer_config.json` tells which tokens begin and end a
    /// text, and brings the chat template.
    pub fn from_json(tokenizer_json: &str, tokenizer_config: Option<&str>) -> Result<Self> {
        if tokenizer_json.len() > MAX_JSON {
            let message = format!("tokenizer.json has {} bytes, at most {MAX_JSON}", tokenizer_json.len());
            return Err(Error::unsupported(message));
        }
        let mut file: TokenizerFile =
            serde_json::from_str(tokenizer_json).map_err(|error| Error::corrupt(format!("tokenizer.json: {error}")))?;
        let config = TokenizerConfig::read(tokenizer_config)?;
        config.overrule(&mut file)?;
        Self::from_file(file, config)
    }

    pub(super) fn from_file(file: TokenizerFile, config: TokenizerConfig) -> Result<Self> {
        let TokenizerFile {
            model,
            added_tokens,
            normalizer,
            pre_tokenizer,
            post_processor,
            decoder,
            truncation,
            texts,
            codes,
        } = file;
        let mut pipeline = Pipeline::default();
        pipeline.normalizer(normalizer.as_ref())?;
        pipeline.pre_tokenizer(pre_tokenizer.as_ref())?;
        pipeline.post_processor(post_processor.as_ref())?;
        let (joining, bytes) = json_parts::decoder(decoder.as_ref())?;
        let texts = texts.map(Vocabulary::Ids);
        let shown = shown(&added_tokens, &pipeline.rules)?;
        let vocabulary = texts.as_ref().unwrap_or(&model.vocab);
        let tokens = decoder_of(vocabulary, &added_tokens, &shown, Decoder::new(joining), &bytes)?;
        let model = model.build()?;
        let mut parts = assemble(model, added_tokens, tokens, pipeline, &config)?;
        parts.codes = codes;
        let truncation = truncation.unwrap_or_default();
        // Files say "no limit" with a number like 1e30.
        let length = config.get("model_max_length").or(config.get("max_len"));
        let length = length.and_then(Value::as_f64).filter(|&length| length < 1e9);
        let truncated = truncation["max_length"].as_u64();
        let truncated = truncated.map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        parts.max_tokens = length.map(|length| length as usize).or(truncated);
        let side = config.get("truncation_side").unwrap_or(&truncation["direction"]).as_str();
        parts.post_processor.keep_end = side.is_some_and(|side| side.eq_ignore_ascii_case("left"));
        Tokenizer::new(parts)
    }
}

fn assemble(
    model: TokenModel,
    added: Vec<AddedTokenFile>,
    decoder: Decoder,
    pipeline: Pipeline,
    config: &TokenizerConfig,
) -> Result<Parts> {
    let id_of = |token: &str| {
        let found = added.iter().find(|added| added.content == token).map(|added| added.id);
        found.or_else(|| model.id_of(token))
    };
    let (bos_text, eos_text) = (config.token("bos_token"), config.token("eos_token"));
    let (eos, padding) = (id_of(&eos_text), id_of(&config.token("pad_token")));
    let Pipeline { rules, steps, post_processor, .. } = pipeline;
    let mut post_processor = post_processor.unwrap_or_else(|| PostProcessor::around(&[], &[]));
    let (mut before, mut after) = post_processor.sides();
    // Without a bos_token, what a text begins with is the nearest to one.
    let bos = id_of(&bos_text).or(before.first().copied());
    if let Some(id) = post_processor.largest().filter(|&id| id as usize >= decoder.len()) {
        return Err(Error::corrupt(format!("tokenizer.json: the post-processor adds token {id}, which is not there")));
    }
    let asked = [config.flag("add_bos_token")?, config.flag("add_eos_token")?];
    let add_bos = bos.filter(|_| before.is_empty() && asked[0] == Some(true));
    let add_eos = eos.filter(|_| after.is_empty() && asked[1] == Some(true));
    if add_bos.or(add_eos).is_some() {
        before.extend(add_bos);
        after.extend(add_eos);
        post_processor = PostProcessor::around(&before, &after);
    }
    let token = |token: AddedTokenFile| {
        let id = token.id;
        let added = AddedToken::from(token.content, token.special).normalized(token.normalized);
        (added.single_word(token.single_word).lstrip(token.lstrip).rstrip(token.rstrip), id)
    };
    Ok(Parts {
        rules,
        steps,
        added: added.into_iter().filter(|token| !token.content.is_empty()).map(token).collect(),
        decoder,
        post_processor,
        max_tokens: None,
        bos,
        ends: eos.into_iter().collect(),
        padding,
        templates: config.templates(),
        warnings: Vec::new(),
        codes: None,
        model,
    })
}

/// Added tokens as the rules make them, where that is something else than is written: that is what they are decoded to.
fn shown(added: &[AddedTokenFile], rules: &[Rule]) -> Result<HashMap<u32, String>> {
    let work = StepBudget::of(added.iter().map(|token| token.content.len()).sum());
    let rules = Normalizing::new(rules, &work);
    let mut shown = HashMap::new();
    for token in added.iter().filter(|token| token.normalized) {
        let mut text = NormalizedString::from(token.content.as_str());
        let done = rules.normalize(&mut text);
        done.map_err(|error| Error::unsupported(format!("tokenizer.json: added tokens: {error}")))?;
        if text.get() != token.content {
            shown.insert(token.id, text.get().to_owned());
        }
    }
    Ok(shown)
}

/// What every id stands for. Ids may have gaps, and added tokens replace the vocabulary's.
fn decoder_of(
    vocabulary: &Vocabulary,
    added: &[AddedTokenFile],
    shown: &HashMap<u32, String>,
    mut decoder: Decoder,
    bytes: &Bytes,
) -> Result<Decoder> {
    let mut texts: Vec<&str> = Vec::new();
    let tokens: Box<dyn Iterator<Item = (u32, &str)>> = match vocabulary {
        Vocabulary::Ids(list) => Box::new(list.iter().map(|(token, id)| (*id, token.as_str()))),
        Vocabulary::Scores(list) => Box::new((0..).zip(list.iter().map(|(token, _)| token.as_str()))),
    };
    let added_texts = added.iter().map(|added| (added.id, shown.get(&added.id).unwrap_or(&added.content).as_str()));
    for (id, token) in tokens.chain(added_texts) {
        if id > MAX_ID {
            return Err(Error::unsupported(format!("tokenizer.json: token {token:?} has id {id}, at most {MAX_ID}")));
        }
        if id as usize >= texts.len() {
            texts.resize(id as usize + 1, "");
        }
        texts[id as usize] = token;
    }
    // By their texts, as the crate has it: one that the rules change is none when it is decoded.
    let special = added.iter().filter(|added| added.special).map(|added| added.content.as_str());
    let special: HashSet<&str> = special.collect();
    for token in texts {
        decoder.add(&bytes.of(token)?, special.contains(token))?;
        if decoder.size() > MAX_TEXTS {
            return Err(Error::unsupported(format!("tokenizer.json: tokens of more than {MAX_TEXTS} bytes together")));
        }
    }
    Ok(decoder)
}

impl ModelFile {
    fn build(self) -> Result<TokenModel> {
        let kind = match (self.r#type.as_deref(), &self.vocab) {
            (Some(kind), _) => kind,
            // Older files do not say.
            (None, Vocabulary::Scores(_)) => "Unigram",
            (None, _) if self.merges.is_some() => "BPE",
            (None, _) => "WordPiece",
        };
        match kind {
            "BPE" => self.bpe(),
            "Unigram" => self.unigram(),
            "WordPiece" => self.word_piece(),
            "WordLevel" => {
                model::word_level(Self::ids(self.vocab)?, self.unk_token.unwrap_or_else(|| "<unk>".to_owned()))
            }
            other => Err(Error::unsupported(format!("tokenizer.json: the model {other:?} is not known"))),
        }
    }

    fn ids(vocabulary: Vocabulary) -> Result<Vec<(String, u32)>> {
        match vocabulary {
            Vocabulary::Ids(list) if !list.is_empty() => Ok(list),
            _ => Err(Error::corrupt("tokenizer.json: the vocabulary has no tokens with ids")),
        }
    }

    fn bpe(self) -> Result<TokenModel> {
        let Some(merges) = self.merges else {
            return Err(Error::corrupt("tokenizer.json: a BPE model without merges"));
        };
        if let Some(share) = self.dropout.filter(|share| *share != 0.0) {
            let message = format!("tokenizer.json: \"dropout\": {share}, which leaves a text's tokens to chance");
            return Err(Error::unsupported(message));
        }
        let options = bpe::BpeOptions {
            unknown: self.unk_token,
            fuse_unknown: self.fuse_unk,
            byte_fallback: self.byte_fallback,
            ignore_merges: self.ignore_merges,
            continuing_prefix: self.continuing_subword_prefix.filter(|prefix| !prefix.is_empty()),
            word_suffix: self.end_of_word_suffix.filter(|suffix| !suffix.is_empty()),
        };
        let merges = merges.into_iter().map(|Pair(left, right)| (left, right)).collect();
        bpe::build(Self::ids(self.vocab)?.into_iter(), merges, options).map(TokenModel::Bpe)
    }

    fn unigram(self) -> Result<TokenModel> {
        let Vocabulary::Scores(list) = self.vocab else {
            return Err(Error::corrupt("tokenizer.json: a unigram vocabulary without scores"));
        };
        model::unigram(list, self.unk_id, self.byte_fallback, self.known)
    }

    fn word_piece(self) -> Result<TokenModel> {
        let unknown = self.unk_token.unwrap_or_else(|| "[UNK]".to_owned());
        let longest = self.max_input_chars_per_word.unwrap_or(100);
        let prefix = self.continuing_subword_prefix.unwrap_or_else(|| "##".to_owned());
        model::word_piece(Self::ids(self.vocab)?, unknown, prefix, longest)
    }
}
