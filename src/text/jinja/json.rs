//! `tojson`, which transformers has write what Python's `json.dumps` does, nothing escaped for HTML.

use std::rc::Rc;

use super::args::Args;
use super::budget::Budget;
use super::stop::{RunResult, Stop};
use super::string::{Text, Writer};
use super::value::{Kind, Value};
use super::write::float;

/// How `json.dumps` is asked to write.
struct Style {
    ascii: bool,
    sorted: bool,
    /// What a level is moved to the right by.
    indent: Option<Rc<Text>>,
    comma: Rc<Text>,
    colon: Rc<Text>,
    depth: usize,
}

/// `value|tojson(ensure_ascii=false, indent=none, separators=none, sort_keys=false)`.
pub(crate) fn to_json(value: &Value, args: Args, budget: &Rc<Budget>) -> RunResult<Value> {
    let names = ["ensure_ascii", "indent", "separators", "sort_keys"];
    let [ascii, indent, separators, sorted] = args.take("tojson", names)?;
    let is_true = |value: Option<Value>| value.is_some_and(|value| value.is_true());
    let indent = match indent {
        None | Some(Value::None) => None,
        Some(Value::Text(text)) => Some(text),
        Some(width) => {
            let width = width.expect_int("indent")?.max(0) as usize;
            budget.hold(width)?;
            Some(Text::new(&" ".repeat(width), false, budget)?)
        }
    };
    let (comma, colon) = match separators {
        None | Some(Value::None) => (Text::literal(if indent.is_some() { "," } else { ", " }), Text::literal(": ")),
        Some(pair) => match &pair.items(budget)?[..] {
            [comma, colon] => (comma.expect_text("separators")?.clone(), colon.expect_text("separators")?.clone()),
            other => return Err(Stop::new(format!("tojson: separators should be two texts, not {}", other.len()))),
        },
    };
    let mut style = Style { ascii: is_true(ascii), sorted: is_true(sorted), indent, comma, colon, depth: 0 };
    let mut out = Writer::new(budget);
    style.write(&mut out, value)?;
    Ok(Value::Text(Rc::new(out.finish())))
}

impl Style {
    fn write(&mut self, out: &mut Writer, value: &Value) -> RunResult<()> {
        match value {
            Value::None => out.push("null", false),
            Value::Bool(value) => out.push(if *value { "true" } else { "false" }, false),
            Value::Int(value) => out.push(&value.to_string(), false),
            Value::Float(value) => out.push(&json_float(*value), false),
            Value::Text(text) => self.quoted(out, text),
            Value::List(list) if matches!(list.kind, Kind::List | Kind::Tuple) => {
                self.all(out, ["[", "]"], &list.items, Self::write)
            }
            Value::Map(map) if self.sorted => {
                let keys: Vec<Value> = map.entries.iter().map(|(key, _)| key.clone()).collect();
                let order = super::sort::order(&keys, false, out.budget())?;
                self.all(out, ["{", "}"], &order, |style, out, &at| style.entry(out, &map.entries[at]))
            }
            Value::Map(map) => self.all(out, ["{", "}"], &map.entries, Self::entry),
            other => Err(Stop::new(format!("Object of type {} is not JSON serializable", other.kind()))),
        }
    }

    fn entry(&mut self, out: &mut Writer, (key, value): &(Value, Value)) -> RunResult<()> {
        match key {
            Value::Text(text) => self.quoted(out, text)?,
            Value::None => out.push("\"null\"", false)?,
            Value::Bool(value) => out.push(if *value { "\"true\"" } else { "\"false\"" }, false)?,
            Value::Int(value) => out.push(&format!("\"{value}\""), false)?,
            Value::Float(value) => out.push(&format!("\"{}\"", json_float(*value)), false)?,
            other => {
                let kind = other.kind();
                return Err(Stop::new(format!("keys must be str, int, float, bool or None, not {kind}")));
            }
        }
        out.push_text(&self.colon)?;
        self.write(out, value)
    }

    fn all<T>(
        &mut self,
        out: &mut Writer,
        [open, close]: [&str; 2],
        items: &[T],
        mut write: impl FnMut(&mut Self, &mut Writer, &T) -> RunResult<()>,
    ) -> RunResult<()> {
        out.push(open, false)?;
        self.depth += 1;
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                out.push_text(&self.comma)?;
            }
            self.line(out)?;
            write(self, out, item)?;
        }
        self.depth -= 1;
        if !items.is_empty() {
            self.line(out)?;
        }
        out.push(close, false)
    }

    fn line(&self, out: &mut Writer) -> RunResult<()> {
        let Some(indent) = &self.indent else { return Ok(()) };
        out.push("\n", false)?;
        (0..self.depth).try_for_each(|_| out.push_text(indent))
    }

    fn quoted(&self, out: &mut Writer, text: &Text) -> RunResult<()> {
        out.push("\"", false)?;
        for (stretch, given) in text.stretches() {
            let mut rest = stretch;
            while let Some(at) = rest.find(|c: char| self.is_escaped(c)) {
                out.push(&rest[..at], given)?;
                let mut chars = rest[at..].chars();
                let c = chars.next().unwrap_or_default();
                out.push(&escape(c), given)?;
                rest = chars.as_str();
            }
            out.push(rest, given)?;
        }
        out.push("\"", false)
    }

    fn is_escaped(&self, c: char) -> bool {
        matches!(c, '"' | '\\' | '\0'..='\x1f') || (self.ascii && !matches!(c, ' '..='~'))
    }
}

fn escape(c: char) -> String {
    match c {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        '\x08' => "\\b".to_owned(),
        '\x0c' => "\\f".to_owned(),
        _ => c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
    }
}

fn json_float(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        float(value)
    }
}
