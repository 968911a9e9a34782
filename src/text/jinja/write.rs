//! Values as text: Python's `str`, `repr` and numbers.

use std::fmt::Write as _;
use std::rc::Rc;

use super::budget::Budget;
use super::stop::{RunResult, Stop};
use super::string::{Text, Writer};
use super::value::{Kind, Value};

/// Python's `str(value)`.
pub(crate) fn text_of(value: &Value, budget: &Rc<Budget>) -> RunResult<Rc<Text>> {
    if let Value::Text(text) = value {
        return Ok(text.clone());
    }
    let mut writer = Writer::new(budget);
    write(&mut writer, value)?;
    Ok(Rc::new(writer.finish()))
}

/// Writes `str(value)`.
pub(crate) fn write(out: &mut Writer, value: &Value) -> RunResult<()> {
    match value {
        Value::Undefined(_) => Ok(()),
        Value::Text(text) => out.push_text(text),
        other => write_repr(out, other),
    }
}

/// Writes Python's `repr(value)`.
pub(crate) fn write_repr(out: &mut Writer, value: &Value) -> RunResult<()> {
    match value {
        Value::Undefined(_) => out.push("Undefined", false),
        Value::None => out.push("None", false),
        Value::Bool(true) => out.push("True", false),
        Value::Bool(false) => out.push("False", false),
        Value::Int(value) => out.push(&value.to_string(), false),
        Value::Float(value) => out.push(&float(*value), false),
        Value::Text(text) if text.markup => {
            out.push("Markup(", false)?;
            write_quoted(out, text)?;
            out.push(")", false)
        }
        Value::Text(text) => write_quoted(out, text),
        Value::List(list) => {
            let (open, close) = match list.kind {
                Kind::List => ("[", "]"),
                Kind::Tuple if list.items.len() == 1 => ("(", ",)"),
                Kind::Tuple => ("(", ")"),
                Kind::Range => return write_range(out, &list.items),
                Kind::Generator => return Err(unwritten(value)),
                Kind::Keys => ("dict_keys([", "])"),
                Kind::Values => ("dict_values([", "])"),
                Kind::Items => ("dict_items([", "])"),
            };
            out.push(open, false)?;
            write_list(out, list.items.iter(), write_repr)?;
            out.push(close, false)
        }
        Value::Map(map) => {
            out.push("{", false)?;
            write_list(out, map.entries.iter(), |out, (key, value)| {
                write_repr(out, key)?;
                out.push(": ", false)?;
                write_repr(out, value)
            })?;
            out.push("}", false)
        }
        Value::Function(_) | Value::Method(_) | Value::Object(_) => Err(unwritten(value)),
    }
}

/// Python writes where it lies in memory.
fn unwritten(value: &Value) -> Stop {
    Stop::new(format!("a value of type {} is written out as text", value.kind()))
}

fn write_list<T>(
    out: &mut Writer,
    items: impl Iterator<Item = T>,
    mut item: impl FnMut(&mut Writer, T) -> RunResult<()>,
) -> RunResult<()> {
    for (at, each) in items.enumerate() {
        if at > 0 {
            out.push(", ", false)?;
        }
        item(out, each)?;
    }
    Ok(())
}

fn write_range(out: &mut Writer, items: &[Value]) -> RunResult<()> {
    let at = |place: usize| items.get(place).and_then(Value::as_int);
    let start = at(0).unwrap_or(0);
    let step = at(1).map_or(1, |second| second - start);
    let end = items.last().and_then(Value::as_int).map_or(0, |last| last + step);
    let text = if step == 1 { format!("range({start}, {end})") } else { format!("range({start}, {end}, {step})") };
    out.push(&text, false)
}

/// A string in quotes, with what cannot be printed as an escape.
fn write_quoted(out: &mut Writer, text: &Text) -> RunResult<()> {
    let quote = if text.as_str().contains('\'') && !text.as_str().contains('"') { '"' } else { '\'' };
    out.push_char(quote, false)?;
    for (c, given) in text.marked_chars() {
        let mut escaped = String::new();
        match c {
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            '\\' => escaped.push_str("\\\\"),
            _ if c == quote => escaped.extend(['\\', c]),
            _ if is_printable(c) => escaped.push(c),
            _ => write_code(&mut escaped, c as u32),
        }
        out.push(&escaped, given)?;
    }
    out.push_char(quote, false)
}

fn write_code(out: &mut String, code: u32) {
    // Writing into a string cannot fail.
    let _ = match code {
        0..=0xff => write!(out, "\\x{code:02x}"),
        0x100..=0xffff => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
}

/// Python's `isprintable`, of one character, less what is not assigned.
pub(crate) fn is_printable(c: char) -> bool {
    let format = matches!(c as u32,
        0xad | 0x600..=0x605 | 0x61c | 0x6dd | 0x70f | 0x890..=0x891 | 0x8e2 | 0x180e | 0x200b..=0x200f
        | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff | 0xfff9..=0xfffb | 0xe000..=0xf8ff | 0x110bd | 0x110cd
        | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a | 0xe0000..=0x10ffff);
    c == ' ' || !(c.is_control() || c.is_whitespace() || format)
}

/// Python's `repr` of a number: the shortest that is read as the same, in scientific spelling where it is long.
pub(crate) fn float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    // Rust's always has an exponent.
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = format!("{value}");
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}
