//! Regular expressions: a lazily built automaton of the regex-automata crate, and our own small tables of Unicode's
//! classes. The regex crate has three more engines, searches for literals and tables for every property there is: half
//! the module's text side, and tokenizers' patterns are best searched with this one engine.

mod parse;
pub(crate) mod unicode;

use std::sync::{Mutex, MutexGuard, PoisonError};

use regex_automata::hybrid::{dfa, regex as hybrid};
use regex_automata::nfa::thompson::pikevm::{self, PikeVM};
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::hir::Hir;
use tokenizers::Offsets;
use tokenizers::pattern::Pattern;

/// Memory for one compiled pattern, of which Unicode's classes take most, and for its automaton's states.
const MAX_COMPILED: usize = 8 << 20;

/// Patterns that are searched for together.
pub(crate) struct Regex(Engine);

/// What searches, and what it remembers.
enum Engine {
    Automaton(Box<(hybrid::Regex, Mutex<hybrid::Cache>)>),
    /// For patterns with `\b`, of which an automaton of bytes cannot tell: several times slower.
    Simulation(Box<(PikeVM, Mutex<pikevm::Cache>)>),
}

/// Where a pattern was found, in bytes, and which one.
pub(crate) struct Match {
    pub start: usize,
    pub end: usize,
    pub pattern: usize,
}

impl Regex {
    /// Compiles patterns; the error says in words what is not supported. The automaton takes no look-around and no
    /// references: what a backtracking engine would do with a stranger's pattern can take for ever on a short text.
    pub fn new(patterns: &[&str]) -> Result<Self, String> {
        let patterns = patterns.iter().map(|pattern| parse::parse(pattern)).collect::<Result<Vec<_>, _>>()?;
        if patterns.iter().any(|pattern| pattern.properties().look_set().contains_word()) {
            let engine = PikeVM::new_from_nfa(compile(&patterns, false)?).map_err(|error| error.to_string())?;
            let cache = Mutex::new(engine.create_cache());
            return Ok(Self(Engine::Simulation(Box::new((engine, cache)))));
        }
        let forward = automaton(&patterns, false)?;
        let engine = hybrid::Builder::new().build_from_dfas(forward, automaton(&patterns, true)?);
        let cache = Mutex::new(engine.create_cache());
        Ok(Self(Engine::Automaton(Box::new((engine, cache)))))
    }

    /// The first place from `from` on where a pattern matches, and there the first of the patterns that does, each with
    /// the preferences of a backtracking search.
    pub fn find_at(&self, text: &str, from: usize) -> Option<Match> {
        let input = Input::new(text).range(from..);
        let found = match &self.0 {
            Engine::Simulation(parts) => parts.0.find(&mut locked(&parts.1), input),
            Engine::Automaton(parts) => {
                let (engine, cache) = &**parts;
                let mut cache = locked(cache);
                // Nearly always one word follows the other, and then the way back to its start is spared. The automaton
                // neither gives up nor stops at a byte: there are no errors.
                let next = input.clone().anchored(Anchored::Yes);
                if let Some(end) = engine.forward().try_search_fwd(cache.forward_mut(), &next).ok()? {
                    return Some(Match { start: from, end: end.offset(), pattern: end.pattern().as_usize() });
                }
                engine.try_search(&mut cache, &input).ok()?
            }
        }?;
        Some(Match { start: found.start(), end: found.end(), pattern: found.pattern().as_usize() })
    }
}

fn locked<T>(cache: &Mutex<T>) -> MutexGuard<'_, T> {
    cache.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All matches one after the other and what is between them; empty ones too, except right behind another.
impl Pattern for &Regex {
    fn find_matches(&self, text: &str) -> tokenizers::Result<Vec<(Offsets, bool)>> {
        if text.is_empty() {
            return Ok(vec![((0, 0), false)]);
        }
        let (mut parts, mut from, mut last) = (Vec::new(), 0, None);
        while let Some(Match { start, end, .. }) = self.find_at(text, from) {
            if start == end && last == Some(end) {
                let Some(next) = text[from..].chars().next() else { break };
                from += next.len_utf8();
                continue;
            }
            let done = last.unwrap_or(0);
            if done < start {
                parts.push(((done, start), false));
            }
            parts.push(((start, end), true));
            (from, last) = (end, Some(end));
        }
        let done = last.unwrap_or(0);
        if done < text.len() {
            parts.push(((done, text.len()), false));
        }
        Ok(parts)
    }
}

fn compile(patterns: &[Hir], reverse: bool) -> Result<NFA, String> {
    // What groups caught is asked of the simulation alone, and of it only where the whole matched.
    let captures = if reverse { WhichCaptures::None } else { WhichCaptures::Implicit };
    let config = thompson::Config::new().nfa_size_limit(Some(MAX_COMPILED)).which_captures(captures).reverse(reverse);
    let built = thompson::Compiler::new().configure(config).build_many_from_hir(patterns);
    built.map_err(|error| error.to_string())
}

/// The automaton that finds where matches end, or where they start, running backwards.
fn automaton(patterns: &[Hir], reverse: bool) -> Result<dfa::DFA, String> {
    let kind = if reverse { MatchKind::All } else { MatchKind::LeftmostFirst };
    let config = dfa::Config::new().match_kind(kind).cache_capacity(MAX_COMPILED);
    let built = dfa::Builder::new().configure(config).build_from_nfa(compile(patterns, reverse)?);
    built.map_err(|error| error.to_string())
}

/// A pattern that matches the text itself.
pub(crate) fn escape(text: &str) -> String {
    regex_syntax::escape(text)
}

#[cfg(test)]
mod tests {
    use tokenizers::pattern::Pattern;

    use super::{Regex, parse};

    #[test]
    fn patterns_are_read_as_the_regex_crate_reads_them() {
        for pattern in [
            "",
            "a|",
            "abc",
            "é|日本",
            r"\x41\u{1F600}\n",
            ".",
            "(?s).",
            "(?R).",
            "^a$",
            "(?m)^a$",
            "(?mR)^a$",
            r"\Aa\z",
            r"\d\D\s\S\w\W",
            r"[\d\s\W_-]",
            "[^a-z0-9]",
            "[a-c[x-z]&&[^b]]",
            r"[\p{L}--\p{Lu}]",
            "[a-g~~c-z]",
            "[[:alpha:][:^digit:]]",
            "[[:punct:]&&[:print:]]",
            "[[:space:][:blank:][:cntrl:][:xdigit:][:word:]]",
            "(?i)[[:^upper:]]",
            "(?i)[^k]",
            "(?i)straße|ſ",
            "(?i:'s|'t|'re)|s",
            "(?:a(?i)b|c)d",
            "(?i)[a-c&&B]",
            "a?b*c+d{2}e{3,}f{4,5}",
            "a??b*?c+?d{2,3}?",
            "(?U)a*b*?",
            "(?x) a b # c",
            r"\ba\B|\b{start}x\b{end}|\b{start-half}y\b{end-half}",
            "(?:)",
            "(?-i)a",
            r"[^\r\n\p{L}\p{N}]?\p{L}+",
            "[--a]",
            "[^\\p{Any}]",
        ] {
            assert_eq!(parse::parse(pattern), Ok(regex_syntax::parse(pattern).unwrap()), "{pattern}");
        }
    }

    #[test]
    fn matches_are_those_of_the_regex_crate() {
        let texts =
            ["", "a", "Hello  world, it's 12345 o'clock!\r\n\n  x", "日本語 ½ ñandú ſS K\u{301}x", "    ", "aXbXé"];
        for pattern in [
            "",
            "a*",
            "X",
            r"\s+",
            "x*?",
            r"^",
            "$",
            r"\p{L}+|\p{N}{1,3}",
            r" ?[^\s\p{L}\p{N}]+",
            "(?i)s|K",
            "(a|b)+X",
            r"\b\p{L}+\b|\d+",
        ] {
            let (ours, theirs) = (Regex::new(&[pattern]).unwrap(), regex::Regex::new(pattern).unwrap());
            for text in texts {
                let expected = (&theirs).find_matches(text).unwrap();
                assert_eq!((&ours).find_matches(text).unwrap(), expected, "{pattern} in {text}");
            }
        }
    }

    #[test]
    fn what_the_automaton_or_the_tables_lack_is_refused_by_name() {
        for (pattern, name) in [(r"\p{Age=3.0}", "Age=3.0"), ("(?-u)a", "(?-u)"), (r"\p{Linear_B}", "Linear_B")] {
            let error = Regex::new(&[pattern]).err().unwrap();
            assert!(error.contains(name), "{pattern}: {error}");
        }
    }
}
