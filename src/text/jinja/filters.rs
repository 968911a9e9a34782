//! What stands behind `|`.

use std::rc::Rc;

use super::args::{Args, needed};
use super::filters_text as texts;
use super::format::percent;
use super::json::to_json;
use super::render::Renderer;
use super::stop::{RunResult, Stop};
use super::string::{Text, Writer};
use super::value::{Kind, Value};
use super::write::{text_of, write_repr};

/// Those of strings, which take the text of whatever they are given.
const OF_TEXTS: [&str; 17] = [
    "capitalize",
    "center",
    "e",
    "escape",
    "forceescape",
    "format",
    "indent",
    "lower",
    "replace",
    "safe",
    "string",
    "title",
    "trim",
    "truncate",
    "upper",
    "urlencode",
    "wordcount",
];
const OF_LISTS: [&str; 22] = [
    "batch",
    "dictsort",
    "first",
    "groupby",
    "items",
    "join",
    "last",
    "list",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "reverse",
    "select",
    "selectattr",
    "slice",
    "sort",
    "sum",
    "unique",
    "length",
    "count",
];
const OTHERS: [&str; 9] = ["abs", "attr", "d", "default", "float", "int", "pprint", "round", "tojson"];

/// Whether there is a filter of this name.
pub(crate) fn is_known(name: &str) -> bool {
    OF_TEXTS.contains(&name) || OF_LISTS.contains(&name) || OTHERS.contains(&name)
}

impl Renderer<'_> {
    pub fn filter(&mut self, name: &str, of: Value, args: Args) -> RunResult<Value> {
        self.budget.pay(1)?;
        if OF_TEXTS.contains(&name) {
            return self.text_filter(name, &of, args);
        }
        if OF_LISTS.contains(&name) {
            return self.list_filter(name, of, args);
        }
        match name {
            "tojson" => to_json(&of, args, &self.budget),
            "default" | "d" => {
                let [default, falsy] = args.take("default", ["default_value", "boolean"])?;
                let replaced =
                    matches!(of, Value::Undefined(_)) || (falsy.is_some_and(|falsy| falsy.is_true()) && !of.is_true());
                Ok(if replaced { default.unwrap_or_else(|| Value::Text(Text::literal(""))) } else { of })
            }
            "attr" => {
                let [name] = args.take("attr", ["name"])?;
                let name: Rc<str> = needed(name, "attr", "name")?.expect_text("name")?.as_str().into();
                match &of {
                    // An entry is no attribute.
                    Value::Map(_) => Err(Stop::new("the filter 'attr' does not see the entries of a map")),
                    _ => self.attribute(&of, &name),
                }
            }
            "int" => int(&of, args),
            "float" => {
                let [default] = args.take("float", ["default"])?;
                let number = match &of {
                    Value::Text(text) => parse_float(text.as_str()),
                    other => other.defined()?.as_number(),
                };
                Ok(number.map_or_else(|| default.unwrap_or(Value::Float(0.0)), Value::Float))
            }
            "abs" => match of.defined()? {
                Value::Float(value) => Ok(Value::Float(value.abs())),
                other => match other.as_int().map(i64::checked_abs) {
                    Some(Some(value)) => Ok(Value::Int(value)),
                    _ => Err(Stop::new(format!("bad operand type for abs(): '{}'", other.kind()))),
                },
            },
            "round" => round(&of, args),
            "pprint" => {
                args.take::<0>(name, [])?;
                self.pretty(&of)
            }
            _ => Err(Stop::new(format!("no filter named '{name}' is known here"))),
        }
    }

    /// Python's `pformat`, of what fits into a line.
    fn pretty(&mut self, of: &Value) -> RunResult<Value> {
        let mut out = Writer::new(&self.budget);
        write_repr(&mut out, of)?;
        let text = out.finish();
        if text.chars() > 79 || matches!(of, Value::Map(map) if map.entries.len() > 1) {
            return Err(Stop::new("the filter 'pprint' is known here for what fits into a line"));
        }
        Ok(Value::Text(Rc::new(text)))
    }

    fn text_filter(&mut self, name: &str, of: &Value, args: Args) -> RunResult<Value> {
        let budget = &self.budget.clone();
        let text = text_of(of, budget)?;
        budget.pay_bytes(text.as_str().len())?;
        Ok(Value::Text(match name {
            "replace" => {
                let [old, new, count] = args.take(name, ["old", "new", "count"])?;
                let (old, new) = (needed(old, name, "old")?, needed(new, name, "new")?);
                let count = match count {
                    None | Some(Value::None) => -1,
                    Some(count) => count.expect_int("count")?,
                };
                texts::replace(&text, &*text_of(&old, budget)?, &*text_of(&new, budget)?, count, budget)?
            }
            "trim" => {
                let [chars] = args.take(name, ["chars"])?;
                texts::strip(&text, chars.as_ref(), "strip", budget)?
            }
            "indent" => return self.indent(of, args),
            "center" => {
                let [width] = args.take(name, ["width"])?;
                texts::justify(&text, width.map_or(Ok(80), |width| width.expect_int("width"))?, None, name, budget)?
            }
            "truncate" => return self.truncate(of.expect_text("what is truncated")?, args),
            "format" => {
                let named = !args.named.is_empty();
                if named && !args.positional.is_empty() {
                    return Err(Stop::new("can't handle positional and keyword arguments at the same time"));
                }
                let values = if named {
                    let entries =
                        args.named.iter().map(|(name, value)| Ok((Value::text(name, budget)?, value.clone())));
                    Value::map(entries.collect::<RunResult<Vec<_>>>()?, budget)?
                } else {
                    Value::list(Kind::Tuple, args.positional, budget)?
                };
                percent(&text, &values, budget)?
            }
            "urlencode" => {
                args.take::<0>(name, [])?;
                return self.url_encode(of);
            }
            "wordcount" => {
                args.take::<0>(name, [])?;
                let is_word = |c: char| c == '_' || c.is_alphanumeric();
                let words = text.as_str().split(|c| !is_word(c)).filter(|word| !word.is_empty());
                return Ok(Value::Int(words.count() as i64));
            }
            _ => {
                args.take::<0>(name, [])?;
                self.plain_text_filter(name, text)?
            }
        }))
    }

    fn plain_text_filter(&mut self, name: &str, text: Rc<Text>) -> RunResult<Rc<Text>> {
        let budget = &self.budget;
        match name {
            "string" => Ok(text),
            "title" => texts::title(&text, budget),
            "forceescape" => texts::escaped(&text, budget),
            "escape" | "e" if !text.markup => texts::escaped(&text, budget),
            "escape" | "e" | "safe" => {
                let mut safe = Writer::new(budget);
                safe.push_text(&text)?;
                let mut safe = safe.finish();
                safe.markup = true;
                Ok(Rc::new(safe))
            }
            _ => Ok(texts::changed_case(&text, name, budget)?.unwrap_or(text)),
        }
    }

    fn indent(&mut self, of: &Value, args: Args) -> RunResult<Value> {
        let [width, first, blank] = args.take("indent", ["width", "first", "blank"])?;
        let margin = match width {
            Some(Value::Text(margin)) => margin,
            width => {
                let width = width.map_or(Ok(4), |width| width.expect_int("width"))?;
                let width = usize::try_from(width).unwrap_or(0);
                self.budget.hold(width)?;
                Text::new(&" ".repeat(width), false, &self.budget)?
            }
        };
        let is_true = |value: Option<Value>| value.is_some_and(|value| value.is_true());
        let text = of.expect_text("what is indented")?;
        texts::indent(text, &margin, is_true(first), is_true(blank), &self.budget).map(Value::Text)
    }

    fn truncate(&mut self, text: &Rc<Text>, args: Args) -> RunResult<Value> {
        let [length, kills, end, leeway] = args.take("truncate", ["length", "killwords", "end", "leeway"])?;
        let number = |value: Option<Value>, default| match value {
            None | Some(Value::None) => Ok(default),
            Some(value) => value.expect_int("the length").map(|value| usize::try_from(value).unwrap_or(0)),
        };
        let end = match end {
            Some(end) => end.expect_text("end")?.clone(),
            None => Text::literal("..."),
        };
        let (length, leeway) = (number(length, 255)?, number(leeway, 5)?);
        let kills = kills.is_some_and(|kills| kills.is_true());
        texts::truncate(text, length, kills, &end, leeway, &self.budget).map(Value::Text)
    }

    /// Of a map, or pairs, as a query.
    fn url_encode(&mut self, of: &Value) -> RunResult<Value> {
        let mut out = Writer::new(&self.budget);
        let pairs = match of {
            Value::Map(_) => self.map_view(of, "items")?.items(&self.budget)?,
            Value::List(_) => of.items(&self.budget)?,
            other => {
                texts::url_encoded(&*text_of(other, &self.budget)?, false, &mut out)?;
                return Ok(Value::Text(Rc::new(out.finish())));
            }
        };
        for (at, pair) in pairs.iter().enumerate() {
            let pair = pair.items(&self.budget)?;
            let [key, value] = &pair[..] else { return Err(Stop::new("urlencode takes pairs")) };
            out.push(if at > 0 { "&" } else { "" }, false)?;
            texts::url_encoded(&*text_of(key, &self.budget)?, true, &mut out)?;
            out.push("=", false)?;
            texts::url_encoded(&*text_of(value, &self.budget)?, true, &mut out)?;
        }
        Ok(Value::Text(Rc::new(out.finish())))
    }
}

/// A text as Python's `float` reads it.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let text = digits_of(text.trim_matches(super::chars::is_space))?;
    let plain = text.trim_start_matches(['+', '-']);
    // Rust knows more names of infinity than Python, and the same of what is no number.
    let known = plain.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        || ["inf", "infinity", "nan"].contains(&plain.to_ascii_lowercase().as_str());
    if known { text.parse().ok() } else { None }
}

/// Without the underscores between digits; `None`: one stands elsewhere.
fn digits_of(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_alphanumeric);
    let misplaced =
        bytes.iter().enumerate().any(|(at, byte)| *byte == b'_' && !(digit(at.checked_sub(1)) && digit(Some(at + 1))));
    (!misplaced).then(|| text.replace('_', ""))
}

/// A text as Python's `int` reads it in a base.
fn parse_int(text: &str, base: u32) -> Option<i64> {
    let text = digits_of(text.trim_matches(super::chars::is_space))?.to_ascii_lowercase();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(&text)),
    };
    let prefix = match base {
        16 => "0x",
        8 => "0o",
        2 => "0b",
        _ => "",
    };
    let digits = digits.strip_prefix(prefix).unwrap_or(digits);
    if digits.starts_with(['+', '-']) {
        return None;
    }
    i64::from_str_radix(&format!("{sign}{digits}"), base).ok()
}

fn int(of: &Value, args: Args) -> RunResult<Value> {
    let [default, base] = args.take("int", ["default", "base"])?;
    let base = base.map_or(Ok(10), |base| base.expect_int("base"))?;
    let base = u32::try_from(base).ok().filter(|base| (2..=36).contains(base));
    let base = base.ok_or_else(|| Stop::new("int() base must be >= 2 and <= 36"))?;
    let whole = |value: f64| (value.is_finite() && value.abs() < 9e18).then_some(value as i64);
    let number = match of.defined()? {
        Value::Text(text) => parse_int(text.as_str(), base).or_else(|| parse_float(text.as_str()).and_then(whole)),
        Value::Float(value) => whole(*value),
        other => other.as_int(),
    };
    Ok(number.map_or_else(|| default.unwrap_or(Value::Int(0)), Value::Int))
}

fn round(of: &Value, args: Args) -> RunResult<Value> {
    let [precision, method] = args.take("round", ["precision", "method"])?;
    let precision = precision.map_or(Ok(0), |precision| precision.expect_int("precision"))?;
    let method =
        method.map_or(Ok("common".to_owned()), |method| Ok(method.expect_text("method")?.as_str().to_owned()))?;
    let number = of.defined()?.as_number().ok_or_else(|| Stop::new(format!("type {} can't be rounded", of.kind())))?;
    if !(-15..=30).contains(&precision) {
        return Err(Stop::new(format!("round: a precision of {precision} is not known here")));
    }
    let scale = 10f64.powi(precision as i32);
    Ok(match &*method {
        "common" if of.as_int().is_some() && precision >= 0 => Value::Int(of.as_int().unwrap_or(0)),
        // To the nearest of the decimal numbers, of two as near to the even one.
        "common" if precision >= 0 => {
            Value::Float(parse_float(&format!("{number:.*}", precision as usize)).unwrap_or(number))
        }
        "common" => return Err(Stop::new("round: a precision below zero is not known here")),
        "ceil" => Value::Float((number * scale).ceil() / scale),
        "floor" => Value::Float((number * scale).floor() / scale),
        _ => return Err(Stop::new("method must be common, ceil or floor")),
    })
}
