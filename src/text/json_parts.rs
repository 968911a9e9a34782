//! The steps around the model of a `tokenizer.json`: before it, after it, and back to text.

use serde_json::Value;
use tokenizers::normalizer::SplitDelimiterBehavior;
use tokenizers::normalizers::{BertNormalizer, Prepend, Strip};
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::fixed_length::FixedLength;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::pre_tokenizers::punctuation::Punctuation;

use super::bpe;
use super::decoder::Joining;
use super::normalizer::{MAX_REPLACEMENT, Rule};
use super::pattern;
use super::post_processor::{Piece, PieceTemplate, PostProcessor};
use super::pre_tokenizer::{self, SplitStep};
use super::precompiled;
use crate::{Error, Result};

/// Most steps of one kind, however they are nested.
const MAX_STEPS: usize = 64;

/// Bytes that all patterns may take together, compiled.
const MAX_COMPILED: usize = 8 << 20;

/// What happens to a text before and after the model.
#[derive(Default)]
pub(crate) struct Pipeline {
    pub rules: Vec<Rule>,
    pub steps: Vec<SplitStep>,
    pub post_processor: Option<PostProcessor>,
    /// Bytes of all patterns, compiled.
    compiled: usize,
}

fn unsupported(part: &str, what: &str) -> Error {
    Error::unsupported(format!("tokenizer.json: the {part} {what:?} is not known"))
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    let text = value.get(key).and_then(Value::as_str);
    text.ok_or_else(|| Error::corrupt(format!("tokenizer.json: {:?} without {key:?}", value["type"])))
}

fn flag(value: &Value, key: &str, default: bool) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or(default)
}

/// The members of a `Sequence`, or the one value itself.
fn members<'a>(value: Option<&'a Value>, key: &str) -> Result<Vec<&'a Value>> {
    fn gather<'a>(value: &'a Value, key: &str, list: &mut Vec<&'a Value>) -> Result<()> {
        if value["type"] == "Sequence" {
            for member in value.get(key).and_then(Value::as_array).into_iter().flatten() {
                gather(member, key, list)?;
            }
        } else if list.len() == MAX_STEPS {
            return Err(Error::unsupported(format!("tokenizer.json: more than {MAX_STEPS} {key}")));
        } else {
            list.push(value);
        }
        Ok(())
    }
    let mut list = Vec::new();
    if let Some(value) = value.filter(|value| !value.is_null()) {
        gather(value, key, &mut list)?;
    }
    Ok(list)
}

/// A pattern to split at or to replace: a plain text or a regular expression.
enum Pattern<'a> {
    Text(&'a str),
    Regex(&'a str),
}

fn pattern_of(value: &Value) -> Result<Pattern<'_>> {
    let pattern = &value["pattern"];
    match (pattern["String"].as_str(), pattern["Regex"].as_str()) {
        (Some(text), _) => Ok(Pattern::Text(text)),
        (_, Some(regex)) => Ok(Pattern::Regex(regex)),
        _ => Err(Error::corrupt(format!("tokenizer.json: {:?} without a pattern", value["type"]))),
    }
}

fn metaspace(value: &Value) -> Result<(char, PrependScheme)> {
    let mut replacement = value.get("replacement").and_then(Value::as_str).unwrap_or("▁").chars();
    let (Some(sign), None) = (replacement.next(), replacement.next()) else {
        return Err(Error::corrupt("tokenizer.json: Metaspace whose replacement is not one character"));
    };
    let scheme = match value.get("prepend_scheme").and_then(Value::as_str) {
        _ if !flag(value, "add_prefix_space", true) => PrependScheme::Never,
        Some("always") | None => PrependScheme::Always,
        Some("first") => PrependScheme::First,
        Some("never") => PrependScheme::Never,
        Some(other) => return Err(unsupported("prepend scheme", other)),
    };
    Ok((sign, scheme))
}

fn behavior(value: &Value) -> Result<SplitDelimiterBehavior> {
    Ok(match value.get("behavior").and_then(Value::as_str).unwrap_or("Isolated") {
        "Removed" => SplitDelimiterBehavior::Removed,
        "Isolated" => SplitDelimiterBehavior::Isolated,
        "MergedWithPrevious" => SplitDelimiterBehavior::MergedWithPrevious,
        "MergedWithNext" => SplitDelimiterBehavior::MergedWithNext,
        "Contiguous" => SplitDelimiterBehavior::Contiguous,
        other => return Err(unsupported("split behavior", other)),
    })
}

impl Pipeline {
    pub fn normalizer(&mut self, value: Option<&Value>) -> Result<()> {
        for value in members(value, "normalizers")? {
            let rule = match text(value, "type")? {
                "BertNormalizer" => Rule::Bert(BertNormalizer::new(
                    flag(value, "clean_text", true),
                    flag(value, "handle_chinese_chars", true),
                    value.get("strip_accents").and_then(Value::as_bool),
                    flag(value, "lowercase", true),
                )),
                "Lowercase" => Rule::Lowercase,
                "NFC" => Rule::Nfc,
                "NFD" => Rule::Nfd,
                "NFKC" => Rule::Nfkc,
                "NFKD" => Rule::Nfkd,
                "Nmt" => Rule::Nmt,
                "StripAccents" => Rule::StripAccents,
                "ByteLevel" => Rule::Bytes,
                "Strip" => Rule::Strip(Strip::new(flag(value, "strip_left", true), flag(value, "strip_right", true))),
                "Precompiled" => {
                    let rules = decode_base64(text(value, "precompiled_charsmap")?);
                    let rules = rules.ok_or_else(|| Error::corrupt("tokenizer.json: Precompiled is not base64"))?;
                    Rule::Precompiled(precompiled::read(&rules)?)
                }
                "Prepend" => Rule::Prepend(Prepend::new(short(text(value, "prepend")?)?.to_owned())),
                "Replace" => self.replace(value)?,
                other => return Err(unsupported("normalizer", other)),
            };
            self.rules.push(rule);
        }
        Ok(())
    }

    /// Patterns are bounded one by one, and all together.
    fn count(&mut self, regex: &pattern::Regex) -> Result<()> {
        self.compiled += regex.size();
        if self.compiled > MAX_COMPILED {
            return Err(Error::unsupported("tokenizer.json: its patterns take too much memory together"));
        }
        Ok(())
    }

    fn replace(&mut self, value: &Value) -> Result<Rule> {
        let content = short(text(value, "content")?)?;
        let regex = match pattern_of(value)? {
            Pattern::Text(text) => pattern::compile(&pattern::escape(text))?,
            Pattern::Regex(regex) => pattern::compile(regex)?,
        };
        self.count(&regex)?;
        // The crate loses count of its characters there.
        if regex.may_be_empty() {
            return Err(Error::unsupported("tokenizer.json: Replace of a pattern that matches where there is nothing"));
        }
        Ok(Rule::Replace(regex, content.to_owned()))
    }

    pub fn pre_tokenizer(&mut self, value: Option<&Value>) -> Result<()> {
        for value in members(value, "pretokenizers")? {
            match text(value, "type")? {
                "ByteLevel" => {
                    if flag(value, "add_prefix_space", true) {
                        self.steps.push(SplitStep::PrefixSpace);
                    }
                    if flag(value, "use_regex", true) {
                        self.steps.push(pre_tokenizer::gpt2()?);
                    }
                    self.steps.push(SplitStep::Bytes);
                }
                "Split" => {
                    let (behavior, invert) = (behavior(value)?, flag(value, "invert", false));
                    let step = match pattern_of(value)? {
                        Pattern::Text(text) => SplitStep::split(&pattern::escape(text), behavior, invert)?,
                        Pattern::Regex(regex) => SplitStep::split(regex, behavior, invert)?,
                    };
                    if let SplitStep::Split { regex, .. } = &step {
                        self.count(regex)?;
                    }
                    self.steps.push(step);
                }
                "Digits" => self.steps.push(SplitStep::Digits(Digits::new(flag(value, "individual_digits", false)))),
                "Metaspace" => {
                    let (sign, scheme) = metaspace(value)?;
                    self.steps.push(SplitStep::Metaspace(Metaspace::new(sign, scheme, flag(value, "split", true))));
                }
                "Punctuation" => self.steps.push(SplitStep::Punctuation(Punctuation::new(behavior(value)?))),
                // In Unicode's sense, not in Oniguruma's: the crate asks another engine here.
                "Whitespace" => {
                    let pattern = r"[\w\u200c\u200d]+|[^\w\s\u200c\u200d]+";
                    self.steps.push(SplitStep::split(pattern, SplitDelimiterBehavior::Removed, true)?);
                }
                "CharDelimiterSplit" => {
                    let delimiter = pattern::escape(text(value, "delimiter")?);
                    self.steps.push(SplitStep::split(&delimiter, SplitDelimiterBehavior::Removed, false)?);
                }
                "UnicodeScripts" => self.steps.push(SplitStep::UnicodeScripts),
                "FixedLength" => match value.get("length").map_or(Some(5), Value::as_u64) {
                    Some(length) if length > 0 => {
                        self.steps.push(SplitStep::FixedLength(FixedLength::new(length as usize)))
                    }
                    _ => return Err(Error::corrupt("tokenizer.json: FixedLength without a length")),
                },
                "WhitespaceSplit" => self.steps.push(SplitStep::WhitespaceSplit),
                "BertPreTokenizer" => self.steps.push(SplitStep::Bert),
                other => return Err(unsupported("pre-tokenizer", other)),
            }
        }
        Ok(())
    }

    pub fn post_processor(&mut self, value: Option<&Value>) -> Result<()> {
        let mut trims = Vec::new();
        for value in members(value, "processors")? {
            let kind = text(value, "type")?;
            if ["ByteLevel", "RobertaProcessing"].contains(&kind) && value["trim_offsets"] != false {
                trims.push(value["add_prefix_space"] != false);
            }
            let found = match kind {
                // It moves offsets and changes no ids.
                "ByteLevel" => continue,
                "TemplateProcessing" => PostProcessor::new(template(value, "single")?, template(value, "pair")?),
                "BertProcessing" | "RobertaProcessing" => {
                    let id = |key: &str| value[key][1].as_u64().and_then(|id| u32::try_from(id).ok());
                    let (Some(cls), Some(sep)) = (id("cls"), id("sep")) else {
                        return Err(Error::corrupt(format!("tokenizer.json: {kind} without cls and sep")));
                    };
                    let roberta = kind == "RobertaProcessing";
                    if roberta { PostProcessor::roberta(cls, sep) } else { PostProcessor::bert(cls, sep) }
                }
                other => return Err(unsupported("post-processor", other)),
            };
            if self.post_processor.replace(found).is_some() {
                return Err(unsupported("second post-processor", kind));
            }
        }
        if !trims.is_empty() {
            self.post_processor.get_or_insert_with(|| PostProcessor::around(&[], &[])).trims = trims;
        }
        Ok(())
    }
}

/// The template for one text (`single`) or two (`pair`), which older files may lack.
fn template(value: &Value, key: &str) -> Result<PieceTemplate> {
    let corrupt = |what: &str| Error::corrupt(format!("tokenizer.json: TemplateProcessing {what}"));
    let whole = match &value[key] {
        Value::Null if key == "pair" => return Ok(vec![(Piece::First, 0), (Piece::Second, 1)]),
        whole => whole.as_array().ok_or_else(|| corrupt(&format!("without a template {key:?}")))?,
    };
    let number = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    let mut template = PieceTemplate::new();
    for piece in whole {
        let kind = |name: &str| number(&piece[name]["type_id"]).unwrap_or(0);
        match piece["Sequence"]["id"].as_str() {
            Some("A") => template.push((Piece::First, kind("Sequence"))),
            Some("B") if key == "pair" => template.push((Piece::Second, kind("Sequence"))),
            _ => {
                let name = piece["SpecialToken"]["id"].as_str().ok_or_else(|| corrupt("with an unknown piece"))?;
                let ids = value["special_tokens"][name]["ids"].as_array();
                for id in ids
                    .map(|ids| ids.iter().take(MAX_STEPS))
                    .ok_or_else(|| corrupt(&format!("without ids for {name:?}")))?
                {
                    let id = number(id).ok_or_else(|| corrupt("with a wrong id"))?;
                    template.push((Piece::Token(id), kind("SpecialToken")));
                }
            }
        }
    }
    // Each text once, and no more around it than anybody needs.
    let texts = template.iter().filter(|(piece, _)| !matches!(piece, Piece::Token(_)));
    let wanted = if key == "pair" { 2 } else { 1 };
    let first = template.iter().filter(|&&(piece, _)| piece == Piece::First).count();
    if texts.count() != wanted || first != 1 || template.len() > MAX_STEPS {
        return Err(Error::unsupported(format!(
            "tokenizer.json: the template {key:?} is not one of texts and few tokens"
        )));
    }
    Ok(template)
}

/// A replacement that cannot make text much longer.
fn short(text: &str) -> Result<&str> {
    if text.len() > MAX_REPLACEMENT {
        let message = format!("tokenizer.json: a replacement of {} bytes, at most {MAX_REPLACEMENT}", text.len());
        return Err(Error::unsupported(message));
    }
    Ok(text)
}

/// Longest text of one token once its parts are replaced.
const MAX_TOKEN: usize = 64 << 10;

/// What a token's text stands for.
#[derive(Debug, PartialEq)]
pub(crate) enum Bytes {
    /// Itself.
    Plain,
    /// One byte a character.
    ByteLevel,
    /// Itself with parts replaced, or one byte written in hexadecimal.
    Pieces { replace: Vec<(String, String)>, byte_fallback: bool },
}

impl Bytes {
    pub fn of(&self, token: &str) -> Result<Vec<u8>> {
        Ok(match self {
            Bytes::Plain => token.as_bytes().to_vec(),
            Bytes::ByteLevel => bpe::byte_level(token),
            Bytes::Pieces { replace, byte_fallback } => match bpe::fallback_byte(token) {
                Some(byte) if *byte_fallback => vec![byte],
                _ => {
                    let mut text = token.to_owned();
                    for (from, to) in replace {
                        text = text.replace(from, to);
                        if text.len() > MAX_TOKEN {
                            let message =
                                format!("tokenizer.json: the decoder makes more than {MAX_TOKEN} bytes of a token");
                            return Err(Error::unsupported(message));
                        }
                    }
                    text.into_bytes()
                }
            },
        })
    }
}

/// How tokens become text. A decoder that is not known is no reason to refuse a model that only reads.
pub(crate) fn decoder(value: Option<&Value>) -> Result<(Joining, Bytes)> {
    let list = members(value, "decoders")?;
    let Some((first, rest)) = list.split_first() else {
        // Of no decoders, or no decoder.
        let joining = if value.is_some_and(|value| !value.is_null()) { Joining::Plain } else { Joining::Spaced };
        return Ok((joining, Bytes::Plain));
    };
    let single = match (text(first, "type")?, rest) {
        ("ByteLevel", []) => Some((Joining::Plain, Bytes::ByteLevel)),
        ("WordPiece", []) => {
            let prefix = first["prefix"].as_str().unwrap_or("##").to_owned();
            Some((Joining::WordPiece { prefix, cleanup: flag(first, "cleanup", true) }, Bytes::Plain))
        }
        ("Metaspace", []) => {
            let (sign, scheme) = metaspace(first)?;
            Some(match scheme {
                PrependScheme::Never => {
                    let replace = vec![(sign.to_string(), " ".to_owned())];
                    (Joining::Plain, Bytes::Pieces { replace, byte_fallback: false })
                }
                _ => (Joining::Metaspace(sign.to_string()), Bytes::Plain),
            })
        }
        _ => None,
    };
    match single {
        Some(found) => Ok(found),
        None => sentence_piece_decoder(&list),
    }
}

/// Replacements, byte fallback, and spaces stripped at the start of the whole.
fn sentence_piece_decoder(list: &[&Value]) -> Result<(Joining, Bytes)> {
    let (mut replace, mut byte_fallback, mut joining, mut fused) = (Vec::new(), false, Joining::Plain, false);
    for value in list {
        match text(value, "type")? {
            "Replace" if !fused => match pattern_of(value)? {
                Pattern::Text(from) if !from.is_empty() => {
                    replace.push((from.to_owned(), short(text(value, "content")?)?.to_owned()));
                }
                _ => return Ok((Joining::Unknown("Replace".to_owned()), Bytes::Plain)),
            },
            "ByteFallback" if !fused => byte_fallback = true,
            "Fuse" => fused = true,
            "Strip" if fused && value["content"] == " " && value["stop"].as_u64().unwrap_or(0) == 0 => {
                joining = Joining::StripStart(value["start"].as_u64().unwrap_or(0).min(16) as usize);
            }
            other => return Ok((Joining::Unknown(other.to_owned()), Bytes::Plain)),
        }
    }
    Ok((joining, Bytes::Pieces { replace, byte_fallback }))
}

pub(super) fn encode_base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for part in bytes.chunks(3) {
        let bits = (0..3).fold(0u32, |bits, at| bits << 8 | u32::from(part.get(at).copied().unwrap_or(0)));
        let digits = (0..=part.len()).map(|at| char::from(DIGITS[(bits >> (18 - 6 * at) & 63) as usize]));
        out.extend(digits);
    }
    out
}

/// Base64 with or without padding; `None` where it is none.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    Some(out)
}
