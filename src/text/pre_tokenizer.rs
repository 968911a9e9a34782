//! Cutting text into the words that byte-pair merges never cross.

use tokenizers::normalizer::SplitDelimiterBehavior;
use tokenizers::pattern::{Invert, Pattern};
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::metaspace::Metaspace;
use tokenizers::pre_tokenizers::punctuation::Punctuation;
use tokenizers::pre_tokenizers::whitespace::WhitespaceSplit;
use tokenizers::{NormalizedString, Offsets, PreTokenizedString, PreTokenizer};

use super::bpe;
use super::pattern::{Match, Regex};
use crate::{Error, Result};

/// Longest pattern taken; the longest in use has some 500 bytes.
const MAX_PATTERN: usize = 4096;

/// One step of pre-tokenization; they run one after the other.
pub(crate) enum Step {
    Split {
        words: Words,
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
    Bert,
}

impl Step {
    pub fn split(pattern: &str, behavior: SplitDelimiterBehavior, invert: bool) -> Result<Self> {
        Ok(Step::Split { words: Words::new(pattern)?, behavior, invert })
    }

    pub fn apply(&self, text: &mut PreTokenizedString) -> tokenizers::Result<()> {
        match self {
            Step::Split { words, behavior, invert: false } => text.split(|_, part| part.split(words, *behavior)),
            Step::Split { words, behavior, invert: true } => text.split(|_, part| part.split(Invert(words), *behavior)),
            Step::PrefixSpace => text.normalize(|part| {
                if !part.get().starts_with(' ') {
                    part.prepend(" ");
                }
                Ok(())
            }),
            Step::Bytes => text.normalize(|part| {
                bytes(part);
                Ok(())
            }),
            Step::Digits(step) => step.pre_tokenize(text),
            Step::Metaspace(step) => step.pre_tokenize(text),
            Step::Punctuation(step) => step.pre_tokenize(text),
            Step::WhitespaceSplit => WhitespaceSplit.pre_tokenize(text),
            Step::Bert => BertPreTokenizer.pre_tokenize(text),
        }
    }
}

/// Writes each byte as its character.
fn bytes(part: &mut NormalizedString) {
    let mut characters = Vec::with_capacity(part.len());
    for c in part.get().chars() {
        let mut buffer = [0; 4];
        let bytes = c.encode_utf8(&mut buffer).bytes().enumerate();
        characters.extend(bytes.map(|(index, byte)| (bpe::character_of(byte), isize::from(index > 0))));
    }
    part.transform(characters, 0);
}

/// Compiles regular expressions, whose whole is `pattern`.
fn compile_parts(pattern: &str, parts: &[&str]) -> Result<Regex> {
    let shown: String = pattern.chars().take(200).collect();
    if pattern.len() > MAX_PATTERN {
        return Err(Error::unsupported(format!("tokenizer: the pattern {shown:?}… is too long")));
    }
    let regex = Regex::new(parts);
    regex.map_err(|error| Error::unsupported(format!("tokenizer: the pattern {shown:?} is not supported: {error}")))
}

pub(crate) fn compile(pattern: &str) -> Result<Regex> {
    compile_parts(pattern, &[pattern])
}

/// The one use of look-around in tokenizers' patterns, at their end: white space without the last one
/// before a word, or else any white space.
const TRAILING_SPACE: &str = r"\s+(?!\S)|\s+";

/// A pattern that finds words.
pub(crate) struct Words {
    regex: Regex,
    /// The pattern ended in `TRAILING_SPACE`: which of the regex's patterns is its white space.
    trailing_space: Option<usize>,
}

impl Words {
    pub fn new(pattern: &str) -> Result<Self> {
        let (head, parts) = match pattern.strip_suffix(TRAILING_SPACE).map(|head| (head, head.strip_suffix('|'))) {
            Some((_, Some(alternatives))) => (alternatives, vec![alternatives, r"\s+"]),
            Some(("", None)) => ("", vec![r"\s+"]),
            _ => return Ok(Self { regex: compile(pattern)?, trailing_space: None }),
        };
        let trailing_space = Some(parts.len() - 1);
        Ok(Self { regex: compile_parts(head, &parts)?, trailing_space })
    }

    /// Where a match ends after the look-ahead that the automaton cannot do: the last of several white
    /// space characters goes to the word behind it.
    fn end(&self, text: &str, found: &Match) -> usize {
        let run = &text[found.start..found.end];
        if self.trailing_space != Some(found.pattern) {
            return found.end;
        }
        let before_word = text[found.end..].chars().next().is_some_and(|c| !c.is_whitespace());
        match run.char_indices().next_back() {
            Some((last, _)) if last > 0 && before_word => found.start + last,
            _ => found.end,
        }
    }
}

impl Pattern for &Words {
    fn find_matches(&self, text: &str) -> tokenizers::Result<Vec<(Offsets, bool)>> {
        let mut parts = Vec::new();
        let (mut from, mut done) = (0, 0);
        while let Some(found) = self.regex.find_at(text, from) {
            let (start, end) = (found.start, self.end(text, &found));
            if start == end {
                // An empty match is no word; the search goes on behind the next character.
                let Some(next) = text[end..].chars().next() else { break };
                from = end + next.len_utf8();
                continue;
            }
            if done < start {
                parts.push(((done, start), false));
            }
            parts.push(((start, end), true));
            (from, done) = (end, end);
        }
        if done < text.len() || text.is_empty() {
            parts.push(((done, text.len()), false));
        }
        Ok(parts)
    }
}

const CONTRACTIONS: &str = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
/// Words as cl100k and its many children cut them, with what follows the letters left open.
const WORDS: &str = r"[^\r\n\p{L}\p{N}]?\p{L}+";
const MARKS_AND_SPACE: &str = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const UPPER: &str = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]";
const LOWER: &str = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]";

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
        "falcon" => list(&[r"[\p{P}\$\+<=>\^~\|`]+", GPT2, "[0-9][0-9][0-9]"]),
        "bloom" | "poro-chat" | "gpt3-finnish" => list(&[r" ?[^(\s|.,!?…。，、।۔،)]+"]),
        "viking" => list(&[r" ?[^(\s|.,!?…。，、।۔،)]+", r"\p{N}"]),
        other => return Err(Error::unsupported(format!("tokenizer: the pre-tokenizer {other:?} is not known"))),
    };
    Ok(Named { patterns, ignore_merges, compose, adds_bos })
}

/// All names that `named` knows.
const NAMES: [&str; 20] = [
    "default",
    "gpt-2",
    "smollm",
    "starcoder",
    "llama3",
    "dbrx",
    "qwen2",
    "minicpm5",
    "qwen35",
    "seed-coder",
    "tekken",
    "gpt-4o",
    "deepseek-v3",
    "deepseek-coder",
    "falcon",
    "bloom",
    "viking",
    "olmo",
    "stablelm2",
    "glm4",
];
/// Patterns of other files that were looked at.
const ALSO_KNOWN: [&str; 8] = [" {2,}", r"\s+", r"\s{2,}", " ", r"\n+", r"[\r\n]", r"\d", r"\d{3}"];

/// Whether a pattern is one of those whose time was seen to grow with the text's length alone: a word
/// is found where the search for it begins, and no further than it reaches.
pub(crate) fn is_known(pattern: &str) -> bool {
    // Files have line breaks in patterns both as they are and escaped.
    let pattern = pattern.replace('\r', r"\r").replace('\n', r"\n");
    let named = |name: &&str| named(name).is_ok_and(|named| named.patterns.contains(&pattern));
    ALSO_KNOWN.contains(&pattern.as_str()) || NAMES.iter().any(named)
}

/// The steps of a byte-level vocabulary with these patterns.
pub(crate) fn byte_level(patterns: &[String]) -> Result<Vec<Step>> {
    let split = |pattern: &String| Step::split(pattern, SplitDelimiterBehavior::Isolated, false);
    let mut steps = patterns.iter().map(split).collect::<Result<Vec<_>>>()?;
    steps.push(Step::Bytes);
    Ok(steps)
}

/// GPT-2's pattern, which `ByteLevel` of a `tokenizer.json` means where it says `use_regex`.
pub(crate) fn gpt2() -> Result<Step> {
    Step::split(GPT2, SplitDelimiterBehavior::Isolated, false)
}
