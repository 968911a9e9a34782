//! GBNF as llama.cpp reads it (<https://github.com/ggml-org/llama.cpp/blob/master/grammars/README.md>), less its tokens.

use super::chars::CharSet;
use crate::Result;
use std::collections::HashMap;

/// What a rule says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Expr {
    /// One of these characters.
    Chars(CharSet),
    /// Another rule, by its number.
    Rule(usize),
    /// One after the other.
    Seq(Vec<Expr>),
    /// One of these.
    Alt(Vec<Expr>),
    /// So often at least, and at most where there is an end to it.
    Repeat(Box<Expr>, u32, Option<u32>),
}

/// Parentheses within each other.
const DEEPEST: usize = 100;
/// Of one thing, as llama.cpp has it.
const MOST_REPEATS: u32 = 2000;
/// Repetitions of repetitions, as in `x{3}?*`.
const MOST_SIGNS: usize = 4;

struct Parser<'a> {
    text: &'a str,
    /// In bytes.
    at: usize,
    numbers: HashMap<&'a str, usize>,
    rules: Vec<Option<Expr>>,
}

/// The rules, of which the first is "root".
pub fn parse(text: &str) -> Result<Vec<Expr>> {
    let mut parser = Parser { text, at: 0, numbers: HashMap::from([("root", 0)]), rules: vec![None] };
    parser.space(true);
    while parser.peek().is_some() {
        parser.rule()?;
        parser.space(true);
    }
    let mut names: Vec<(&str, usize)> = parser.numbers.into_iter().collect();
    names.sort_unstable_by_key(|(_, number)| *number);
    let rules = parser.rules.into_iter().zip(names);
    rules.map(|(rule, (name, _))| rule.ok_or_else(|| format!("the rule {name:?} is missing"))).collect()
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Takes it where it comes next.
    fn takes(&mut self, text: &str) -> bool {
        let taken = self.text[self.at..].starts_with(text);
        self.at += if taken { text.len() } else { 0 };
        taken
    }

    fn expected<T>(&self, what: &str) -> Result<T> {
        let line = self.text[..self.at].matches('\n').count() + 1;
        let found: String = self.text[self.at..].chars().take(20).collect();
        Err(format!("line {line}: expected {what}, found {found:?}"))
    }

    /// Spaces and comments; `lines`: line ends too.
    fn space(&mut self, lines: bool) {
        while let Some(next) = self.peek() {
            match next {
                ' ' | '\t' => self.at += 1,
                '\r' | '\n' if lines => self.at += 1,
                '#' => self.at += self.text[self.at..].find(['\r', '\n']).unwrap_or(self.text.len() - self.at),
                _ => return,
            }
        }
    }

    fn name(&mut self) -> Result<&'a str> {
        let rest = &self.text[self.at..];
        let is_word = |char: char| char.is_ascii_alphanumeric() || char == '-' || char == '_';
        let length = rest.find(|char| !is_word(char)).unwrap_or(rest.len());
        if length == 0 {
            return self.expected("a rule's name");
        }
        self.at += length;
        Ok(&rest[..length])
    }

    fn number_of(&mut self, name: &'a str) -> usize {
        let next = self.rules.len();
        let number = *self.numbers.entry(name).or_insert(next);
        if number == next {
            self.rules.push(None);
        }
        number
    }

    fn rule(&mut self) -> Result<()> {
        let name = self.name()?;
        self.space(false);
        if !self.takes("::=") {
            return self.expected("\"::=\"");
        }
        self.space(true);
        let expr = self.alternatives(0)?;
        if !matches!(self.peek(), None | Some('\r' | '\n')) {
            return self.expected("a line's end");
        }
        let number = self.number_of(name);
        match self.rules[number].replace(expr) {
            Some(_) => Err(format!("the rule {name:?} is there twice")),
            None => Ok(()),
        }
    }

    fn alternatives(&mut self, depth: usize) -> Result<Expr> {
        if depth > DEEPEST {
            return Err(format!("parentheses are nested more than {DEEPEST} deep"));
        }
        let mut all = vec![self.sequence(depth)?];
        while self.takes("|") {
            self.space(true);
            all.push(self.sequence(depth)?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Expr::Alt(all) })
    }

    fn sequence(&mut self, depth: usize) -> Result<Expr> {
        let mut all = Vec::new();
        while let Some(next) = self.peek() {
            let expr = match next {
                '"' => self.literal()?,
                '[' => Expr::Chars(self.class()?),
                '.' => {
                    self.at += 1;
                    Expr::Chars(CharSet::any())
                }
                '(' => {
                    self.at += 1;
                    self.space(true);
                    let inner = self.alternatives(depth + 1)?;
                    if !self.takes(")") {
                        return self.expected("\")\"");
                    }
                    inner
                }
                '<' | '!' => return Err("tokens (\"<…>\") are not supported: only their text".to_owned()),
                char if char.is_ascii_alphanumeric() || char == '-' || char == '_' => {
                    let name = self.name()?;
                    Expr::Rule(self.number_of(name))
                }
                _ => break,
            };
            self.space(depth > 0);
            all.push(self.repeated(expr, depth)?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Expr::Seq(all) })
    }

    fn repeated(&mut self, mut expr: Expr, depth: usize) -> Result<Expr> {
        let mut signs = 0;
        loop {
            let (least, most) = match self.peek() {
                Some('*') => (0, None),
                Some('+') => (1, None),
                Some('?') => (0, Some(1)),
                Some('{') => self.bounds()?,
                _ => return Ok(expr),
            };
            signs += 1;
            if signs > MOST_SIGNS {
                return Err(format!("more than {MOST_SIGNS} repetitions of each other"));
            }
            // Of bounds the closing brace is left.
            self.at += 1;
            self.space(depth > 0);
            if most.is_some_and(|most| most < least) || least.max(most.unwrap_or(0)) > MOST_REPEATS {
                return Err(format!("a repetition should be of {least} to {MOST_REPEATS} times"));
            }
            expr = Expr::Repeat(Box::new(expr), least, most);
        }
    }

    /// `{m}`, `{m,}` or `{m,n}`, up to its closing brace.
    fn bounds(&mut self) -> Result<(u32, Option<u32>)> {
        self.at += 1;
        self.space(false);
        let least = self.integer()?;
        self.space(false);
        let mut most = Some(least);
        if self.takes(",") {
            self.space(false);
            most = if self.peek() == Some('}') { None } else { Some(self.integer()?) };
            self.space(false);
        }
        if self.peek() == Some('}') { Ok((least, most)) } else { self.expected("\"}\"") }
    }

    fn integer(&mut self) -> Result<u32> {
        let rest = &self.text[self.at..];
        let digits = &rest[..rest.find(|char: char| !char.is_ascii_digit()).unwrap_or(rest.len())];
        match digits.parse() {
            Ok(number) => {
                self.at += digits.len();
                Ok(number)
            }
            Err(_) => self.expected("a number"),
        }
    }

    fn literal(&mut self) -> Result<Expr> {
        self.at += 1;
        let mut all = Vec::new();
        while !self.takes("\"") {
            all.push(Expr::Chars(CharSet::one(self.char()?)));
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Expr::Seq(all) })
    }

    fn class(&mut self) -> Result<CharSet> {
        self.at += 1;
        let negated = self.takes("^");
        let mut ranges = Vec::new();
        while !self.takes("]") {
            let start = self.char()?;
            let is_range = self.peek() == Some('-') && !self.text[self.at..].starts_with("-]");
            let end = if is_range {
                self.at += 1;
                self.char()?
            } else {
                start
            };
            if end < start {
                return Err(format!("the range from {start:?} to {end:?} is empty"));
            }
            ranges.push((start as u32, end as u32));
        }
        let set = CharSet::new(ranges);
        let set = if negated { set.complement() } else { set };
        if set.is_empty() { Err("a class without characters".to_owned()) } else { Ok(set) }
    }

    /// A character, or an escape for one.
    fn char(&mut self) -> Result<char> {
        let Some(next) = self.next() else { return self.expected("a character") };
        if next != '\\' {
            return Ok(next);
        }
        let digits = match self.next() {
            Some('x') => 2,
            Some('u') => 4,
            Some('U') => 8,
            Some('t') => return Ok('\t'),
            Some('r') => return Ok('\r'),
            Some('n') => return Ok('\n'),
            Some(char @ ('\\' | '"' | '[' | ']' | '-' | '^')) => return Ok(char),
            _ => return self.expected("an escape before this"),
        };
        let code =
            self.text.get(self.at..self.at + digits).filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let char = code.and_then(|code| u32::from_str_radix(code, 16).ok()).and_then(char::from_u32);
        self.at += if char.is_some() { digits } else { 0 };
        char.map_or_else(|| self.expected(&format!("a character's code of {digits} hexadecimal digits")), Ok)
    }
}
