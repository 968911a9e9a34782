//! What is done to strings, as filters and as methods. What came from the caller stays marked as such.

use std::rc::Rc;

use super::budget::Budget;
use super::chars::{ends_line, is_space};
use super::stop::{RunResult, Stop};
use super::string::{Text, Writer};
use super::value::Value;
use super::write::text_of;

/// Less the spaces, or other characters, at its sides.
pub(crate) fn strip(text: &Text, chars: Option<&Value>, name: &str, budget: &Rc<Budget>) -> RunResult<Rc<Text>> {
    let chars: Option<Vec<char>> = match chars {
        None | Some(Value::None) => None,
        Some(chars) => Some(chars.expect_text("strip arg")?.as_str().chars().collect()),
    };
    budget.pay_bytes(text.as_str().len().saturating_mul(chars.as_ref().map_or(1, Vec::len)))?;
    let goes = |c: char| chars.as_ref().map_or_else(|| is_space(c), |chars| chars.contains(&c));
    let whole = text.as_str();
    let start = if name == "rstrip" { 0 } else { whole.len() - whole.trim_start_matches(goes).len() };
    let end = if name == "lstrip" { whole.len() } else { whole.trim_end_matches(goes).len() };
    text.part(start..end.max(start), budget)
}

/// The first `count` of the places where `old` is, or all: below zero.
pub(crate) fn replace(text: &Text, old: &Text, new: &Text, count: i64, budget: &Rc<Budget>) -> RunResult<Rc<Text>> {
    let whole = text.as_str();
    let most = usize::try_from(count).unwrap_or(usize::MAX);
    let mut out = Writer::new(budget);
    let mut at = 0;
    for (start, found) in whole.match_indices(old.as_str()).take(most) {
        out.push_part(text, at..start)?;
        out.push_text(new)?;
        at = start + found.len();
    }
    out.push_part(text, at..whole.len())?;
    Ok(Rc::new(out.finish()))
}

/// `strict`: as the method, which takes strings only.
pub(crate) fn join(items: &Value, separator: &Text, strict: bool, budget: &Rc<Budget>) -> RunResult<Value> {
    let mut out = Writer::new(budget);
    for (at, item) in items.items(budget)?.into_iter().enumerate() {
        if at > 0 {
            out.push_text(separator)?;
        }
        if strict && !matches!(item, Value::Text(_)) {
            return Err(Stop::new(format!("sequence item {at}: expected str instance, {} found", item.kind())));
        }
        out.push_text(&*text_of(&item, budget)?)?;
    }
    Ok(Value::Text(Rc::new(out.finish())))
}

/// `center`, `ljust` or `rjust`.
pub(crate) fn justify(
    text: &Text,
    width: i64,
    fill: Option<&Value>,
    name: &str,
    budget: &Rc<Budget>,
) -> RunResult<Rc<Text>> {
    let fill = match fill {
        None => " ",
        Some(fill) => fill.expect_text("the fill character")?.as_str(),
    };
    if fill.chars().count() != 1 {
        return Err(Stop::new("the fill character must be exactly one character long"));
    }
    let missing = usize::try_from(width).unwrap_or(0).saturating_sub(text.chars());
    budget.hold(missing)?;
    let left = match name {
        "ljust" => 0,
        "rjust" => missing,
        // Python's way to halve what is odd.
        _ => missing / 2 + (missing & width as usize & 1),
    };
    let mut out = Writer::new(budget);
    out.push(&fill.repeat(left), false)?;
    out.push_text(text)?;
    out.push(&fill.repeat(missing - left), false)?;
    Ok(Rc::new(out.finish()))
}

pub(crate) fn zfill(text: &Text, width: i64, budget: &Rc<Budget>) -> RunResult<Rc<Text>> {
    let missing = usize::try_from(width).unwrap_or(0).saturating_sub(text.chars());
    budget.hold(missing)?;
    let sign = usize::from(text.as_str().starts_with(['+', '-']));
    let mut out = Writer::new(budget);
    out.push_part(text, 0..sign)?;
    out.push(&"0".repeat(missing), false)?;
    out.push_part(text, sign..text.as_str().len())?;
    Ok(Rc::new(out.finish()))
}

pub(crate) fn expand_tabs(text: &Text, size: i64, budget: &Rc<Budget>) -> RunResult<Rc<Text>> {
    let size = usize::try_from(size).unwrap_or(0);
    let mut out = Writer::new(budget);
    let mut column = 0usize;
    for (c, given) in text.marked_chars() {
        match c {
            '\t' => {
                let spaces = column.checked_rem(size).map_or(0, |over| size - over);
                budget.hold(spaces)?;
                out.push(&" ".repeat(spaces), given)?;
                column += spaces;
            }
            _ => {
                column = if matches!(c, '\n' | '\r') { 0 } else { column + 1 };
                out.push_char(c, given)?;
            }
        }
    }
    Ok(Rc::new(out.finish()))
}

/// A method that changes letters; `None`: there is none of that name.
pub(crate) fn changed_case(text: &Text, name: &str, budget: &Rc<Budget>) -> RunResult<Option<Rc<Text>>> {
    Ok(Some(match name {
        "lower" | "casefold" if text.as_str().is_ascii() => text.map(budget, str::to_ascii_lowercase)?,
        "upper" => text.map(budget, str::to_uppercase)?,
        "lower" => text.map(budget, str::to_lowercase)?,
        "casefold" => text.map(budget, |text| text.to_lowercase().replace('ß', "ss").replace('ς', "σ"))?,
        "capitalize" => by_chars(text, budget, title_of, |at, _, _| at == 0)?,
        // A word begins behind what is no letter.
        "title" => by_chars(text, budget, title_of, |_, before, _| !before.is_some_and(is_cased))?,
        "swapcase" => by_chars(text, budget, upper_of, |_, _, c| c.is_lowercase())?,
        _ => return Ok(None),
    }))
}

pub(crate) fn is_cased(c: char) -> bool {
    c.is_uppercase() || c.is_lowercase() || is_title(c)
}

/// One of the few letters that are two, of which the first is large.
fn is_title(c: char) -> bool {
    matches!(c, 'ǅ' | 'ǈ' | 'ǋ' | 'ǲ' | 'ᾈ'..='ᾏ' | 'ᾘ'..='ᾟ' | 'ᾨ'..='ᾯ' | 'ᾼ' | 'ῌ' | 'ῼ')
}

fn upper_of(c: char) -> String {
    c.to_uppercase().collect()
}

/// As it stands at the beginning of a word: of what are two letters only the first is large.
fn title_of(c: char) -> String {
    match c {
        'Ǆ'..='ǆ' => "ǅ".to_owned(),
        'Ǉ'..='ǉ' => "ǈ".to_owned(),
        'Ǌ'..='ǌ' => "ǋ".to_owned(),
        'Ǳ'..='ǳ' => "ǲ".to_owned(),
        _ => {
            let mut upper = c.to_uppercase();
            let first = upper.next();
            first.into_iter().chain(upper.flat_map(char::to_lowercase)).collect()
        }
    }
}

/// Each letter large or small, as `is_large` says of its place, the one before, and itself.
fn by_chars(
    text: &Text,
    budget: &Rc<Budget>,
    large: fn(char) -> String,
    is_large: impl Fn(usize, Option<char>, char) -> bool,
) -> RunResult<Rc<Text>> {
    let mut out = Writer::new(budget);
    let mut before = None;
    for (at, (c, given)) in text.marked_chars().enumerate() {
        let changed = if is_large(at, before, c) { large(c) } else { c.to_lowercase().collect() };
        out.push(&changed, given)?;
        before = Some(c);
    }
    Ok(Rc::new(out.finish()))
}

/// Jinja's `title`, for which words begin behind spaces, hyphens and opening brackets.
pub(crate) fn title(text: &Text, budget: &Rc<Budget>) -> RunResult<Rc<Text>> {
    let parts = |c: char| is_space(c) || matches!(c, '-' | '(' | '{' | '[' | '<');
    by_chars(text, budget, upper_of, |_, before, _| before.is_none_or(parts))
}

/// Escaped for HTML.
pub(crate) fn escaped(text: &Text, budget: &Rc<Budget>) -> RunResult<Rc<Text>> {
    let mut out = Writer::new(budget);
    for (c, given) in text.marked_chars() {
        match c {
            '&' => out.push("&amp;", given)?,
            '<' => out.push("&lt;", given)?,
            '>' => out.push("&gt;", given)?,
            '"' => out.push("&#34;", given)?,
            '\'' => out.push("&#39;", given)?,
            _ => out.push_char(c, given)?,
        }
    }
    let mut text = out.finish();
    text.markup = true;
    Ok(Rc::new(text))
}

/// Jinja's `indent`: all lines but the first, and none that is empty, unless that is asked for.
pub(crate) fn indent(text: &Text, margin: &Text, first: bool, blank: bool, budget: &Rc<Budget>) -> RunResult<Rc<Text>> {
    let whole = text.as_str();
    let mut ranges = lines(whole, false);
    // The filter looks at the text with one more line end behind it.
    if whole.is_empty() || whole.ends_with('\n') {
        ranges.push(whole.len()..whole.len());
    }
    let mut out = Writer::new(budget);
    for (at, range) in ranges.into_iter().enumerate() {
        if at > 0 {
            out.push("\n", false)?;
        }
        if if at == 0 { first } else { blank || !range.is_empty() } {
            out.push_text(margin)?;
        }
        out.push_part(text, range)?;
    }
    Ok(Rc::new(out.finish()))
}

/// Jinja's `truncate`.
pub(crate) fn truncate(
    text: &Rc<Text>,
    length: usize,
    kills_words: bool,
    end: &Text,
    leeway: usize,
    budget: &Rc<Budget>,
) -> RunResult<Rc<Text>> {
    let Some(kept) = length.checked_sub(end.chars()) else {
        return Err(Stop::new(format!("expected length >= {}, got {length}", end.chars())));
    };
    if text.chars() <= length.saturating_add(leeway) {
        return Ok(text.clone());
    }
    let mut cut = text.byte_of(kept);
    if !kills_words {
        cut = text.as_str()[..cut].rfind(' ').unwrap_or(cut);
    }
    let mut out = Writer::new(budget);
    out.push_part(text, 0..cut)?;
    out.push_text(end)?;
    Ok(Rc::new(out.finish()))
}

/// Percent-encoded; `plus`: in a query, where spaces are pluses and slashes are encoded.
pub(crate) fn url_encoded(text: &Text, plus: bool, out: &mut Writer) -> RunResult<()> {
    for (c, given) in text.marked_chars() {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '.' | '-' | '~' => out.push_char(c, given)?,
            '/' if !plus => out.push_char(c, given)?,
            ' ' if plus => out.push_char('+', given)?,
            _ => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    out.push(&format!("%{byte:02X}"), given)?;
                }
            }
        }
    }
    Ok(())
}

/// The lines of a text, which end at more than `\n`.
pub(crate) fn lines(whole: &str, keeps_ends: bool) -> Vec<std::ops::Range<usize>> {
    let mut ranges = Vec::new();
    let mut start = 0;
    while start < whole.len() {
        let rest = &whole[start..];
        let Some(length) = rest.find(ends_line) else {
            ranges.push(start..whole.len());
            break;
        };
        let end = match rest[length..].strip_prefix("\r\n") {
            Some(_) => 2,
            None => rest[length..].chars().next().map_or(0, char::len_utf8),
        };
        ranges.push(start..start + length + if keeps_ends { end } else { 0 });
        start += length + end;
    }
    ranges
}
