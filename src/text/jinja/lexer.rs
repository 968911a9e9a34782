//! A template's source as tokens, with lines and spaces trimmed as transformers has it: `trim_blocks`, `lstrip_blocks`.

use std::rc::Rc;

use super::chars::is_space;
use super::stop::{RunResult, Stop};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Lexeme {
    /// What stands outside of all marks.
    Data(Rc<str>),
    BlockBegin,
    BlockEnd,
    OutputBegin,
    OutputEnd,
    Name(Rc<str>),
    Text(Rc<str>),
    Int(i64),
    Float(f64),
    Sign(&'static str),
    End,
}

/// The longer ones first.
const SIGNS: [&str; 25] = [
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".",
    ":", "|", ",",
];

pub(crate) struct Lexer<'a> {
    source: &'a str,
    at: usize,
    line: u32,
    /// The last token ended a line, or there was none.
    line_starting: bool,
    tokens: Vec<(Lexeme, u32)>,
}

pub(crate) fn lex(source: &str) -> RunResult<Vec<(Lexeme, u32)>> {
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let source = source.strip_suffix('\n').unwrap_or(&source);
    let mut lexer = Lexer { source, at: 0, line: 1, line_starting: true, tokens: Vec::new() };
    while lexer.at < source.len() {
        lexer.data().map_err(|stop| stop.at(lexer.line))?;
    }
    lexer.tokens.push((Lexeme::End, lexer.line));
    Ok(lexer.tokens)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Block,
    Output,
    Comment,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn push(&mut self, token: Lexeme) {
        self.tokens.push((token, self.line));
    }

    fn advance(&mut self, bytes: usize) {
        self.line += self.source[self.at..self.at + bytes].matches('\n').count() as u32;
        self.at += bytes;
    }

    fn push_data(&mut self, text: &str) {
        if !text.is_empty() {
            self.push(Lexeme::Data(text.into()));
        }
    }

    /// Text up to the next mark, and what is in the mark.
    fn data(&mut self) -> RunResult<()> {
        let rest = self.rest();
        let marks = [("{%", Mark::Block), ("{{", Mark::Output), ("{#", Mark::Comment)];
        let found = marks.iter().filter_map(|&(open, mark)| Some((rest.find(open)?, mark))).min_by_key(|found| found.0);
        let Some((start, mark)) = found else {
            self.push_data(rest);
            self.advance(rest.len());
            return Ok(());
        };
        let sign = rest[start + 2..].chars().next().filter(|c| matches!(c, '-' | '+'));
        let text = self.trimmed(&rest[..start], sign, mark != Mark::Output);
        self.push_data(text);
        self.advance(start + 2 + sign.map_or(0, char::len_utf8));
        self.line_starting = false;
        match mark {
            Mark::Comment => self.comment(),
            Mark::Output => self.expression(Lexeme::OutputBegin),
            Mark::Block if self.raw_begin() => self.raw(),
            Mark::Block => self.expression(Lexeme::BlockBegin),
        }
    }

    /// Less the spaces before a mark: all of them before `{%-`, those that begin a line before other blocks.
    fn trimmed<'t>(&self, text: &'t str, sign: Option<char>, strips: bool) -> &'t str {
        if sign == Some('-') {
            return text.trim_end_matches(is_space);
        }
        let line = text.rfind('\n').map_or(0, |at| at + 1);
        let begins = line > 0 || self.line_starting;
        match strips && sign.is_none() && begins && text[line..].chars().all(is_space) {
            true => &text[..line],
            false => text,
        }
    }

    /// The length of a mark's end that stands here, with what is trimmed behind it.
    fn end_of(&self, close: &str, trims: bool) -> Option<usize> {
        let rest = self.rest();
        if let Some(after) = rest.strip_prefix('-').and_then(|rest| rest.strip_prefix(close)) {
            return Some(rest.len() - after.trim_start_matches(is_space).len());
        }
        if trims && rest.strip_prefix('+').is_some_and(|rest| rest.starts_with(close)) {
            return Some(1 + close.len());
        }
        let after = rest.strip_prefix(close)?;
        Some(close.len() + usize::from(trims && after.starts_with('\n')))
    }

    /// Goes behind a mark's end, if it stands here.
    fn take_end(&mut self, close: &str, trims: bool) -> bool {
        let Some(length) = self.end_of(close, trims) else { return false };
        self.line_starting = self.rest()[..length].ends_with('\n');
        self.advance(length);
        true
    }

    fn comment(&mut self) -> RunResult<()> {
        let Some(end) = self.rest().find("#}") else { return Err(Stop::new("missing end of comment tag")) };
        let signed = self.rest()[..end].ends_with(['-', '+']);
        self.advance(end - usize::from(signed));
        self.take_end("#}", true);
        Ok(())
    }

    /// Goes behind `raw %}`, if that is what the block says. No line end is trimmed there.
    fn raw_begin(&mut self) -> bool {
        let rest = self.rest().trim_start_matches(is_space);
        let Some(after) = rest.strip_prefix("raw") else { return false };
        let after = after.trim_start_matches(is_space);
        let behind = match after.strip_prefix("-%}") {
            Some(behind) => behind.trim_start_matches(is_space),
            None => match after.strip_prefix("%}") {
                Some(behind) => behind,
                None => return false,
            },
        };
        self.advance(self.rest().len() - behind.len());
        true
    }

    fn raw(&mut self) -> RunResult<()> {
        let rest = self.rest();
        let mut from = 0;
        while let Some(start) = rest[from..].find("{%").map(|at| at + from) {
            let tag = &rest[start + 2..];
            let sign = tag.chars().next().filter(|c| matches!(c, '-' | '+'));
            let name = tag[usize::from(sign.is_some())..].trim_start_matches(is_space);
            if let Some(after) = name.strip_prefix("endraw") {
                let after = after.trim_start_matches(is_space);
                let end = rest.len() - after.len();
                if ["%}", "-%}", "+%}"].iter().any(|close| after.starts_with(close)) {
                    let text = self.trimmed(&rest[..start], sign, true);
                    self.push_data(text);
                    self.advance(end);
                    self.take_end("%}", true);
                    return Ok(());
                }
            }
            from = start + 2;
        }
        Err(Stop::new("missing end of raw directive"))
    }

    /// The tokens of a mark.
    fn expression(&mut self, begin: Lexeme) -> RunResult<()> {
        let (close, end, trims) = match begin {
            Lexeme::BlockBegin => ("%}", Lexeme::BlockEnd, true),
            _ => ("}}", Lexeme::OutputEnd, false),
        };
        self.push(begin);
        let mut open: Vec<&'static str> = Vec::new();
        loop {
            if open.is_empty() && self.take_end(close, trims) {
                self.push(end);
                return Ok(());
            }
            let rest = self.rest();
            let spaces = rest.len() - rest.trim_start_matches(is_space).len();
            if spaces > 0 {
                self.advance(spaces);
                continue;
            }
            self.token(&mut open)?;
        }
    }

    fn token(&mut self, open: &mut Vec<&'static str>) -> RunResult<()> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Err(Stop::new("unexpected end of template")) };
        match first {
            '0'..='9' => return self.number(),
            '\'' | '"' => return self.string(first),
            _ if first == '_' || first.is_alphanumeric() => {
                let length = rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len());
                self.push(Lexeme::Name(rest[..length].into()));
                self.advance(length);
                return Ok(());
            }
            _ => {}
        }
        let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) else {
            return Err(Stop::new(format!("unexpected char {first:?}")));
        };
        match sign {
            "(" => open.push(")"),
            "[" => open.push("]"),
            "{" => open.push("}"),
            ")" | "]" | "}" if open.pop() != Some(sign) => return Err(Stop::new(format!("unexpected '{sign}'"))),
            _ => {}
        }
        self.push(Lexeme::Sign(sign));
        self.advance(sign.len());
        Ok(())
    }

    fn number(&mut self) -> RunResult<()> {
        let rest = self.rest();
        let (length, is_float) = number_length(rest);
        // A place behind a dot, as in `pair.1.0`, is no fraction.
        let behind_dot = self.source[..self.at].ends_with('.');
        let length = if is_float && behind_dot { digits(rest) } else { length };
        let text = rest[..length].replace('_', "");
        let too_large = || Stop::new(format!("the number {text} is too large"));
        let token = if is_float && !behind_dot {
            Lexeme::Float(text.parse().map_err(|_| too_large())?)
        } else {
            let lower = text.to_lowercase();
            let (base, digits) = match lower.get(..2) {
                Some("0x") => (16, &lower[2..]),
                Some("0o") => (8, &lower[2..]),
                Some("0b") => (2, &lower[2..]),
                _ => (10, &lower[..]),
            };
            Lexeme::Int(i64::from_str_radix(digits, base).map_err(|_| too_large())?)
        };
        self.push(token);
        self.advance(length);
        Ok(())
    }

    fn string(&mut self, quote: char) -> RunResult<()> {
        let rest = self.rest();
        let mut escaped = false;
        let end = rest.char_indices().skip(1).find(|&(_, c)| {
            let ends = c == quote && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let Some((end, _)) = end else { return Err(Stop::new("unexpected end of a string")) };
        let text = super::escapes::unescape(&rest[1..end])?;
        self.push(Lexeme::Text(text.into()));
        self.advance(end + 1);
        Ok(())
    }
}

/// How many digits a text begins with, with single underscores between them.
fn digits(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let mut at = 0;
    while digit(at) || (at > 0 && bytes.get(at) == Some(&b'_') && digit(at + 1)) {
        at += 1;
    }
    at
}

/// The length of the number that a text begins with, and whether it is a fraction.
fn number_length(text: &str) -> (usize, bool) {
    let prefixed = |prefix: [&str; 2], base: u32| {
        let rest = text.strip_prefix(prefix[0]).or(text.strip_prefix(prefix[1]))?;
        let length = rest.find(|c: char| c != '_' && !c.is_digit(base)).unwrap_or(rest.len());
        (length > 0).then_some((2 + length, false))
    };
    let whole = prefixed(["0x", "0X"], 16).or_else(|| prefixed(["0o", "0O"], 8)).or_else(|| prefixed(["0b", "0B"], 2));
    if let Some(found) = whole {
        return found;
    }
    let whole = digits(text);
    let fraction = text[whole..].strip_prefix('.').map_or(0, digits);
    let end = if fraction > 0 { whole + 1 + fraction } else { whole };
    let exponent = text[end..].strip_prefix(['e', 'E']).map_or(0, |rest| {
        let sign = usize::from(rest.starts_with(['+', '-']));
        match digits(&rest[sign..]) {
            0 => 0,
            length => 1 + sign + length,
        }
    });
    (end + exponent, fraction > 0 || exponent > 0)
}
