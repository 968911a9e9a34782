//! The methods of Python's strings, lists and maps.

use std::rc::Rc;

use super::args::{Args, needed};
use super::chars::is_space;
use super::filters_text as texts;
use super::format::braces;
use super::places::span;
use super::render::Renderer;
use super::stop::{RunResult, Stop};
use super::string::Text;
use super::value::{Kind, Value};

/// The changeless ones. Those of tuples first.
pub(crate) const LIST_METHODS: [&str; 3] = ["count", "index", "copy"];
pub(crate) const MAP_METHODS: [&str; 5] = ["get", "items", "keys", "values", "copy"];
pub(crate) const TEXT_METHODS: [&str; 43] = [
    "capitalize",
    "casefold",
    "center",
    "count",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "upper",
    "zfill",
];

impl Renderer<'_> {
    pub fn call_method(&mut self, of: &Value, name: &str, args: Args) -> RunResult<Value> {
        match of {
            Value::Text(text) => {
                self.budget.pay_bytes(text.as_str().len())?;
                self.text_method(text, name, args)
            }
            Value::Map(map) => match name {
                "get" => {
                    let [key, default] = args.take("get", ["key", "default"])?;
                    let found = map.get(&needed(key, "get", "key")?, &self.budget)?.cloned();
                    Ok(found.or(default).unwrap_or(Value::None))
                }
                "copy" => Ok(of.clone()),
                _ => {
                    args.take::<0>(name, [])?;
                    self.map_view(of, name)
                }
            },
            Value::List(list) => match name {
                "copy" => Ok(of.clone()),
                _ => {
                    let [item] = args.take(name, ["value"])?;
                    let item = needed(item, name, "value")?;
                    let mut places = Vec::new();
                    for (at, each) in list.items.iter().enumerate() {
                        if each.equals(&item, &self.budget)? {
                            places.push(at as i64);
                        }
                    }
                    match (name, places.first()) {
                        ("count", _) => Ok(Value::Int(places.len() as i64)),
                        (_, Some(first)) => Ok(Value::Int(*first)),
                        _ => Err(Stop::new("the value is not in the list")),
                    }
                }
            },
            _ => Err(Stop::new(format!("the method '{name}' is not known"))),
        }
    }

    /// A map's keys, values, or both in pairs.
    pub fn map_view(&mut self, of: &Value, name: &str) -> RunResult<Value> {
        let Value::Map(map) = of else { return Err(Stop::new("can only get item pairs from a mapping.")) };
        let _held = self.budget.hold(map.entries.len() * size_of::<Value>())?;
        let (kind, items) = match name {
            "keys" => (Kind::Keys, map.entries.iter().map(|(key, _)| key.clone()).collect()),
            "values" => (Kind::Values, map.entries.iter().map(|(_, value)| value.clone()).collect()),
            _ => {
                let pair = |(key, value): &(Value, Value)| {
                    Value::list(Kind::Tuple, vec![key.clone(), value.clone()], &self.budget)
                };
                (Kind::Items, map.entries.iter().map(pair).collect::<RunResult<Vec<_>>>()?)
            }
        };
        Value::list(kind, items, &self.budget)
    }

    fn text_method(&mut self, text: &Rc<Text>, name: &str, args: Args) -> RunResult<Value> {
        let budget = &self.budget.clone();
        let value = match name {
            "strip" | "lstrip" | "rstrip" => {
                let [chars] = args.take(name, ["chars"])?;
                return Ok(Value::Text(texts::strip(text, chars.as_ref(), name, budget)?));
            }
            "split" | "rsplit" => return self.split(text, name, args),
            "partition" | "rpartition" => return self.partition(text, name, args),
            "splitlines" => return self.split_lines(text, args),
            "startswith" | "endswith" => return starts_or_ends(text, name, args, self),
            "find" | "rfind" | "index" | "rindex" | "count" => return search(text, name, args),
            "replace" => {
                let [old, new, count] = args.take(name, ["old", "new", "count"])?;
                let (old, new) = (needed(old, name, "old")?, needed(new, name, "new")?);
                let count = count.map_or(Ok(-1), |count| count.expect_int("count"))?;
                texts::replace(
                    text,
                    old.expect_text("replace() argument 1")?,
                    new.expect_text("replace() argument 2")?,
                    count,
                    budget,
                )?
            }
            "join" => {
                let [items] = args.take(name, ["iterable"])?;
                return texts::join(&needed(items, name, "iterable")?, text, true, budget);
            }
            "format" => braces(text, &args, self)?,
            "center" | "ljust" | "rjust" => {
                let [width, fill] = args.take(name, ["width", "fillchar"])?;
                let width = needed(width, name, "width")?.expect_int("width")?;
                texts::justify(text, width, fill.as_ref(), name, budget)?
            }
            "expandtabs" => {
                let [size] = args.take(name, ["tabsize"])?;
                texts::expand_tabs(text, size.map_or(Ok(8), |size| size.expect_int("tabsize"))?, budget)?
            }
            "zfill" => {
                let [width] = args.take(name, ["width"])?;
                texts::zfill(text, needed(width, name, "width")?.expect_int("width")?, budget)?
            }
            "removeprefix" | "removesuffix" => return self.without(text, name, args),
            _ => {
                args.take::<0>(name, [])?;
                return match texts::changed_case(text, name, budget)? {
                    Some(text) => Ok(Value::Text(text)),
                    None => Ok(Value::Bool(super::checks::is_of_kind(text.as_str(), name))),
                };
            }
        };
        Ok(Value::Text(value))
    }

    fn parts(&self, text: &Text, ranges: Vec<std::ops::Range<usize>>, kind: Kind) -> RunResult<Value> {
        let parts = ranges.into_iter().map(|range| text.part(range, &self.budget).map(Value::Text));
        Value::list(kind, parts.collect::<RunResult<Vec<_>>>()?, &self.budget)
    }

    fn split(&mut self, text: &Text, name: &str, args: Args) -> RunResult<Value> {
        let [separator, most] = args.take(name, ["sep", "maxsplit"])?;
        let most = most.map_or(Ok(-1), |most| most.expect_int("maxsplit"))?;
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let whole = text.as_str();
        let at = |part: &str| {
            let start = part.as_ptr() as usize - whole.as_ptr() as usize;
            start..start + part.len()
        };
        let separator = match separator {
            None | Some(Value::None) => return self.parts(text, words(whole, most, name == "rsplit"), Kind::List),
            Some(separator) => separator.expect_text("sep")?.clone(),
        };
        if separator.as_str().is_empty() {
            return Err(Stop::new("empty separator"));
        }
        let pieces = most.saturating_add(1);
        let ranges = match name {
            "split" => whole.splitn(pieces, separator.as_str()).map(at).collect(),
            _ => {
                let mut ranges: Vec<_> = whole.rsplitn(pieces, separator.as_str()).map(at).collect();
                ranges.reverse();
                ranges
            }
        };
        self.parts(text, ranges, Kind::List)
    }

    fn without(&mut self, text: &Text, name: &str, args: Args) -> RunResult<Value> {
        let [part] = args.take(name, ["part"])?;
        let part = needed(part, name, "part")?;
        let part = part.expect_text("the argument")?.as_str();
        let whole = text.as_str();
        let range = match name {
            "removeprefix" => whole.strip_prefix(part).map(|_| part.len()..whole.len()),
            _ => whole.strip_suffix(part).map(|rest| 0..rest.len()),
        };
        Ok(Value::Text(text.part(range.unwrap_or(0..whole.len()), &self.budget)?))
    }

    fn partition(&mut self, text: &Text, name: &str, args: Args) -> RunResult<Value> {
        let [separator] = args.take(name, ["sep"])?;
        let separator = needed(separator, name, "sep")?;
        let separator = separator.expect_text("sep")?.as_str();
        let whole = text.as_str();
        if separator.is_empty() {
            return Err(Stop::new("empty separator"));
        }
        let found = if name == "partition" { whole.find(separator) } else { whole.rfind(separator) };
        let ranges = match found {
            Some(at) => vec![0..at, at..at + separator.len(), at + separator.len()..whole.len()],
            None if name == "partition" => vec![0..whole.len(), 0..0, 0..0],
            None => vec![0..0, 0..0, 0..whole.len()],
        };
        self.parts(text, ranges, Kind::Tuple)
    }

    fn split_lines(&mut self, text: &Text, args: Args) -> RunResult<Value> {
        let [keeps] = args.take("splitlines", ["keepends"])?;
        let lines = texts::lines(text.as_str(), keeps.is_some_and(|keeps| keeps.is_true()));
        self.parts(text, lines, Kind::List)
    }
}

/// The words of a text. After `most` cuts the rest is one piece, trimmed where the cutting began.
fn words(whole: &str, most: usize, from_end: bool) -> Vec<std::ops::Range<usize>> {
    let mut ranges = Vec::new();
    let (mut start, mut end) = (0, whole.len());
    loop {
        let rest = &whole[start..end];
        let rest = if from_end { rest.trim_end_matches(is_space) } else { rest.trim_start_matches(is_space) };
        if rest.is_empty() {
            break;
        }
        start = rest.as_ptr() as usize - whole.as_ptr() as usize;
        end = start + rest.len();
        if ranges.len() >= most {
            ranges.push(start..end);
            break;
        }
        if from_end {
            let word = rest.trim_end_matches(|c| !is_space(c)).len();
            ranges.push(start + word..end);
            end = start + word;
        } else {
            let word = rest.find(is_space).unwrap_or(rest.len());
            ranges.push(start..start + word);
            start += word;
        }
    }
    if from_end {
        ranges.reverse();
    }
    ranges
}

/// The part of a text between two places, in bytes; `None`: it would begin behind the end.
fn section(text: &Text, start: Option<Value>, end: Option<Value>) -> RunResult<Option<std::ops::Range<usize>>> {
    let place = |value: Option<Value>| match value {
        None | Some(Value::None) => Ok(None),
        Some(value) => value.expect_int("slice indices").map(Some),
    };
    let (start, end) = (place(start)?, place(end)?);
    if start.is_some_and(|start| start > text.chars() as i64) {
        return Ok(None);
    }
    let span = span(start, end, text.chars());
    Ok(Some(text.byte_of(span.start)..text.byte_of(span.end)))
}

fn starts_or_ends(text: &Text, name: &str, args: Args, renderer: &Renderer<'_>) -> RunResult<Value> {
    let [parts, start, end] = args.take(name, ["prefix", "start", "end"])?;
    let parts = needed(parts, name, "prefix")?;
    let Some(section) = section(text, start, end)? else { return Ok(Value::Bool(false)) };
    let section = &text.as_str()[section];
    let parts = match &parts {
        Value::List(list) if list.kind == Kind::Tuple => list.items.clone(),
        part => vec![part.clone()],
    };
    for part in &parts {
        let part = part.expect_text(&format!("{name} first arg"))?.as_str();
        renderer.budget.pay_bytes(part.len())?;
        if if name == "startswith" { section.starts_with(part) } else { section.ends_with(part) } {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}

fn search(text: &Text, name: &str, args: Args) -> RunResult<Value> {
    let [part, start, end] = args.take(name, ["sub", "start", "end"])?;
    let part = needed(part, name, "sub")?;
    let part = part.expect_text("the argument")?.as_str();
    let found = match section(text, start, end)? {
        None if name == "count" => return Ok(Value::Int(0)),
        None => None,
        Some(range) => {
            let section = &text.as_str()[range.clone()];
            if name == "count" {
                let count = if part.is_empty() { section.chars().count() + 1 } else { section.matches(part).count() };
                return Ok(Value::Int(count as i64));
            }
            let at = if name.starts_with('r') { section.rfind(part) } else { section.find(part) };
            at.map(|at| text.as_str()[..range.start + at].chars().count() as i64)
        }
    };
    match found {
        Some(at) => Ok(Value::Int(at)),
        None if name.ends_with("find") => Ok(Value::Int(-1)),
        None => Err(Stop::new("substring not found")),
    }
}
