//! Cutting text into the words that byte-pair merges never cross.

use tokenizers::normalizer::SplitDelimiterBehavior;
use tokenizers::pattern::Invert;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::fixed_length::FixedLength;
use tokenizers::pre_tokenizers::metaspace::Metaspace;
use tokenizers::pre_tokenizers::punctuation::Punctuation;
use tokenizers::pre_tokenizers::unicode_scripts::UnicodeScripts;
use tokenizers::pre_tokenizers::whitespace::WhitespaceSplit;
use tokenizers::{NormalizedString, PreTokenizedString, PreTokenizer};

use super::bpe;
use super::pattern::{Regex, compile};
use super::work::StepBudget;
use crate::{Error, Result};

/// What it costs to look at a part of a text, and to write a byte anew.
const A_PART: u64 = 16;
pub(crate) const A_BYTE: u64 = 4;

/// One step of pre-tokenization; they run one after the other.
pub(crate) enum SplitStep {
    Split {
        regex: Regex,
        behavior: SplitDelimiterBehavior,
        invert: bool,
    },
    /// A space before what does not begin with one.
    PrefixSpace,
    /// Each byte of the text as one of 256 visible characters, which the vocabulary is written in.
    Bytes,
    Digits(Digits),
    Metaspace(Metaspace),
    Punctuation(Punctuation),
    WhitespaceSplit,
    UnicodeScripts,
    FixedLength(FixedLength),
    Bert,
}

impl SplitStep {
    pub fn split(pattern: &str, behavior: SplitDelimiterBehavior, invert: bool) -> Result<Self> {
        Ok(SplitStep::Split { regex: compile(pattern)?, behavior, invert })
    }

    pub fn apply(&self, text: &mut PreTokenizedString, work: &StepBudget) -> tokenizers::Result<()> {
        match self {
            SplitStep::Split { regex, behavior, invert } => text.split(|_, part| {
                work.pay(A_PART)?;
                let pattern = regex.within(work);
                if *invert { part.split(Invert(pattern), *behavior) } else { part.split(pattern, *behavior) }
            }),
            SplitStep::PrefixSpace => text.normalize(|part| {
                if !part.get().starts_with(' ') {
                    part.prepend(" ");
                }
                Ok(())
            }),
            SplitStep::Bytes => text.normalize(|part| {
                work.pay(A_PART + A_BYTE * part.len() as u64)?;
                bytes(part);
                Ok(())
            }),
            SplitStep::Digits(step) => step.pre_tokenize(text),
            SplitStep::Metaspace(step) => step.pre_tokenize(text),
            SplitStep::Punctuation(step) => step.pre_tokenize(text),
            SplitStep::WhitespaceSplit => WhitespaceSplit.pre_tokenize(text),
            SplitStep::UnicodeScripts => UnicodeScripts.pre_tokenize(text),
            SplitStep::FixedLength(step) => step.pre_tokenize(text),
            SplitStep::Bert => BertPreTokenizer.pre_tokenize(text),
        }
    }
}

/// Writes each byte as its character.
pub(crate) fn bytes(part: &mut NormalizedString) {
    let mut characters = Vec::with_capacity(part.len());
    for c in part.get().chars() {
        let mut buffer = [0; 4];
        let bytes = c.encode_utf8(&mut buffer).bytes().enumerate();
        characters.extend(bytes.map(|(index, byte)| (bpe::character_of(byte), isize::from(index > 0))));
    }
    part.transform(characters, 0);
}

const CONTRACTIONS: &str = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
/// Words as cl100k and its many children cut them, with what follows the letters left open.
const WORDS: &str = r"[^\r\n\p{L}\p{N}]?\p{L}+";
const MARKS_AND_SPACE: &str = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const UPPER: &str = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]";
const LOWER: &str = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]";

/// Letters that have two cases, as DeepSeek LLM's tokenizer.json lists them. Written by number, since some look like others.
const CASED: &[&str] = &[
    r"A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-\u0373",
    r"\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481",
    r"\u048a-\u052f\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b",
    r"\u1d6b-\u1d77\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b",
    r"\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb",
    r"\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128",
    r"\u212a-\u212d\u212f-\u2134\u2139\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4",
    r"\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf",
    r"\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a\x{10400}-\x{1044f}\x{104b0}-\x{104d3}",
    r"\x{104d8}-\x{104fb}\x{10c80}-\x{10cb2}\x{10cc0}-\x{10cf2}\x{118a0}-\x{118df}\x{1e900}-\x{1e943}",
];

/// How a byte-level vocabulary named by `tokenizer.ggml.pre` cuts text.
pub(crate) struct Named {
    pub patterns: Vec<String>,
    /// A word that is in the vocabulary is one token, whatever the merges say.
    pub ignore_merges: bool,
    /// Text is composed first (NFC).
    pub compose: bool,
    /// A text begins with BOS unless the checkpoint says otherwise.
    pub adds_bos: bool,
}

/// The patterns of GGUF's pre-tokenizers by name, as llama.cpp has them; where it rewrote a pattern for
/// its own engine, the original of the model's `tokenizer.json`.
pub(crate) fn named(name: &str) -> Result<Named> {
    let cl100k = |digits: &str| vec![format!(r"{CONTRACTIONS}|{WORDS}|{digits}|{MARKS_AND_SPACE}")];
    let o200k = |contractions: &str, digits: &str| {
        let start = r"[^\r\n\p{L}\p{N}]?";
        let rest = r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
        let words = format!("{start}{UPPER}*{LOWER}+{contractions}|{start}{UPPER}+{LOWER}*{contractions}");
        vec![format!("{words}|{digits}|{rest}")]
    };
    let list = |patterns: &[&str]| patterns.iter().map(|pattern| pattern.to_string()).collect();
    let (mut ignore_merges, mut compose, mut adds_bos) = (false, false, false);
    let patterns: Vec<String> = match name {
        "default" => list(&[r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"]),
        "gpt-2" | "phi-2" | "mellum" | "gigachat" | "a.x-4.0" | "exaone4" | "jais" | "trillion" | "granite-docling"
        | "roberta-bpe" | "jina-v1-en" | "jina-v2-code" => list(&[GPT2]),
        "mpt" | "olmo" | "modern-bert" => {
            compose = true;
            list(&[GPT2])
        }
        // SmolLM's tokenizer.json splits off every numeral (\p{N}), as those below do. transformers reads
        // this name without any splitting, which differs for "½" and its like alone, since no merge has
        // a digit. The reference is made with transformers; decimal digits agree with both.
        "smollm" => list(&[r"\p{Nd}", GPT2]),
        "starcoder" | "refact" | "command-r" | "codeshell" | "exaone" | "minerva-7b" => {
            compose = name == "command-r";
            list(&[r"\p{N}", GPT2])
        }
        "llama3" | "llama-v3" | "llama-bpe" | "falcon3" | "falcon-h1" | "pixtral" | "midm-2.0" | "lfm2" => {
            (ignore_merges, adds_bos) = (true, true);
            cl100k(r"\p{N}{1,3}")
        }
        "dbrx" | "smaug-bpe" | "glm4" | "chatglm-bpe" => cl100k(r"\p{N}{1,3}"),
        "qwen2" | "deepseek-r1-qwen" | "megrez" | "kormo" | "f2llmv2" => {
            compose = true;
            cl100k(r"\p{N}")
        }
        "stablelm2" | "hunyuan" | "solar-open" => cl100k(r"\p{N}"),
        "minicpm5" => {
            ignore_merges = true;
            let mut patterns = vec![r"\p{N}{1,3}".to_owned()];
            patterns.extend(cl100k(r"\p{N}+"));
            patterns
        }
        "qwen35" => {
            compose = true;
            let words = r"[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*";
            vec![format!(r"{CONTRACTIONS}|{words}|\s*[\r\n]+|\s+(?!\S)|\s+")]
        }
        "seed-coder" => {
            let rest = r"\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+";
            vec![format!("{CONTRACTIONS}|{WORDS}|{rest}")]
        }
        "tekken" => {
            (ignore_merges, adds_bos) = (true, true);
            o200k("", r"\p{N}")
        }
        "gpt-4o" | "llama4" | "kanana2" => o200k(&format!("{CONTRACTIONS}?"), r"\p{N}{1,3}"),
        "deepseek-v3" | "hunyuan-dense" => {
            let words = r"[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
            let marked = format!(r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{{|}}~][A-Za-z]+|{words}"##);
            list(&[r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", &marked])
        }
        "deepseek-coder" => list(&[r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+", r"\p{N}"]),
        "deepseek-llm" => list(&[
            r"[\r\n]",
            &format!(r"\s?[{}]+", CASED.concat()),
            r"\s?[!-/:-~！-／：-～‘-‟　-。]+",
            r"\s+$",
            "[一-龥ࠀ-一가-퟿]+",
            r"\p{N}+",
        ]),
        "superbpe" => list(&[r"\p{N}+", r"(?=(\d{3})+(?!\d))"]),
        "falcon" => list(&[r"[\p{P}\$\+<=>\^~\|`]+", GPT2, "[0-9][0-9][0-9]"]),
        "bloom" | "poro-chat" | "gpt3-finnish" => list(&[r" ?[^(\s|.,!?…。，、।۔،)]+"]),
        "viking" => list(&[r" ?[^(\s|.,!?…。，、।۔،)]+", r"\p{N}"]),
        other => return Err(Error::unsupported(format!("tokenizer: the pre-tokenizer {other:?} is not known"))),
    };
    Ok(Named { patterns, ignore_merges, compose, adds_bos })
}

/// The steps of a byte-level vocabulary with these patterns.
pub(crate) fn byte_level(patterns: &[String]) -> Result<Vec<SplitStep>> {
    let split = |pattern: &String| SplitStep::split(pattern, SplitDelimiterBehavior::Isolated, false);
    let mut steps = patterns.iter().map(split).collect::<Result<Vec<_>>>()?;
    steps.push(SplitStep::Bytes);
    Ok(steps)
}

/// GPT-2's pattern, which `ByteLevel` of a `tokenizer.json` means where it says `use_regex`.
pub(crate) fn gpt2() -> Result<SplitStep> {
    SplitStep::split(GPT2, SplitDelimiterBehavior::Isolated, false)
}
