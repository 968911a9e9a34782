//! Python's two ways to put values into a text: `'%s' % value` and `'{}'.format(value)`.

use std::rc::Rc;

use super::args::Args;
use super::budget::Budget;
use super::render::Renderer;
use super::stop::{RunResult, Stop};
use super::string::{Text, Writer};
use super::value::{Kind, Value};
use super::write::{text_of, write, write_repr};

/// Widest field.
const MAX_WIDTH: usize = 10_000;

/// How a value is to look.
#[derive(Default)]
struct Look {
    fill: Option<char>,
    align: Option<char>,
    sign: Option<char>,
    alternate: bool,
    width: usize,
    comma: bool,
    precision: Option<usize>,
    kind: Option<char>,
}

/// `format % values`: several in a tuple, or by name in a map.
pub(crate) fn percent(format: &Text, values: &Value, budget: &Rc<Budget>) -> RunResult<Rc<Text>> {
    let mut positional = match values {
        Value::List(list) if list.kind == Kind::Tuple => list.items.clone(),
        other => vec![other.clone()],
    }
    .into_iter();
    let mut named = false;
    let mut out = Writer::new(budget);
    let whole = format.as_str();
    let mut at = 0;
    while let Some(start) = whole[at..].find('%').map(|found| found + at) {
        out.push_part(format, at..start)?;
        let mut field = Field { text: &whole[start + 1..] };
        let name = field.name()?;
        let mut look = field.look(&mut positional)?;
        let Some(kind) = field.next() else { return Err(Stop::new("incomplete format")) };
        at = whole.len() - field.text.len();
        if kind == '%' {
            out.push("%", false)?;
            continue;
        }
        let value = match (name, values) {
            (Some(name), Value::Map(map)) => {
                named = true;
                map.field(name).cloned().ok_or_else(|| Stop::new(format!("there is no '{name}' to format")))?
            }
            (Some(_), _) => return Err(Stop::new("format requires a mapping")),
            (None, _) => positional.next().ok_or_else(|| Stop::new("not enough arguments for format string"))?,
        };
        look.kind = Some(kind);
        percent_value(&mut out, &look, &value)?;
    }
    out.push_part(format, at..whole.len())?;
    // What has places or names may stay unused.
    let may_stay = match values {
        Value::List(list) => list.kind != Kind::Tuple,
        other => matches!(other, Value::Map(_) | Value::Undefined(_)),
    };
    if !named && !may_stay && positional.next().is_some() {
        return Err(Stop::new("not all arguments converted during string formatting"));
    }
    Ok(Rc::new(out.finish()))
}

/// What stands between `%` and its letter.
struct Field<'a> {
    text: &'a str,
}

impl<'a> Field<'a> {
    fn next(&mut self) -> Option<char> {
        let c = self.text.chars().next()?;
        self.text = &self.text[c.len_utf8()..];
        Some(c)
    }

    fn name(&mut self) -> RunResult<Option<&'a str>> {
        let Some(rest) = self.text.strip_prefix('(') else { return Ok(None) };
        let (name, rest) = rest.split_once(')').ok_or_else(|| Stop::new("incomplete format key"))?;
        self.text = rest;
        Ok(Some(name))
    }

    fn look(&mut self, values: &mut impl Iterator<Item = Value>) -> RunResult<Look> {
        let mut look = Look { align: Some('>'), ..Look::default() };
        while let Some(flag) = self.text.chars().next().filter(|c| "-+ 0#".contains(*c)) {
            match flag {
                '-' => look.align = Some('<'),
                '0' => look.fill = Some('0'),
                '#' => look.alternate = true,
                _ => look.sign = if look.sign == Some('+') { look.sign } else { Some(flag) },
            }
            self.next();
        }
        look.width = self.number(values)?.unwrap_or(0);
        if let Some(rest) = self.text.strip_prefix('.') {
            self.text = rest;
            look.precision = Some(self.number(values)?.unwrap_or(0));
        }
        self.text = self.text.trim_start_matches(['h', 'l', 'L']);
        if look.align == Some('<') {
            look.fill = None;
        }
        Ok(look)
    }

    fn number(&mut self, values: &mut impl Iterator<Item = Value>) -> RunResult<Option<usize>> {
        if let Some(rest) = self.text.strip_prefix('*') {
            self.text = rest;
            let value = values.next().ok_or_else(|| Stop::new("not enough arguments for format string"))?;
            return narrow(value.expect_int("* wants int")?.max(0) as usize).map(Some);
        }
        let length = self.text.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.text.len());
        let (digits, rest) = self.text.split_at(length);
        self.text = rest;
        if digits.is_empty() { Ok(None) } else { narrow(digits.parse().unwrap_or(usize::MAX)).map(Some) }
    }
}

fn narrow(width: usize) -> RunResult<usize> {
    if width > MAX_WIDTH {
        return Err(Stop::new(format!("a field of {width} characters, where {MAX_WIDTH} are the most")));
    }
    Ok(width)
}

fn percent_value(out: &mut Writer, look: &Look, value: &Value) -> RunResult<()> {
    let kind = look.kind.unwrap_or('s');
    match kind {
        's' | 'r' | 'a' => {
            let mut text = Writer::new(out.budget());
            if kind == 's' {
                write(&mut text, value)?
            } else {
                write_repr(&mut text, value)?
            }
            let text = text.finish();
            let end = look.precision.map_or(text.as_str().len(), |most| text.byte_of(most));
            let text = text.part(0..end, out.budget())?;
            padded(out, &Look { fill: None, width: look.width, align: look.align, ..Look::default() }, &text, '>')
        }
        'c' => {
            let text = match value {
                Value::Text(text) if text.chars() == 1 => text.clone(),
                other => {
                    let code = u32::try_from(other.expect_int("%c")?).ok().and_then(char::from_u32);
                    let c = code.ok_or_else(|| Stop::new("%c requires int or char"))?;
                    Text::new(&c.to_string(), false, out.budget())?
                }
            };
            padded(
                out,
                &Look { fill: None, ..Look { width: look.width, align: look.align, ..Look::default() } },
                &text,
                '>',
            )
        }
        'd' | 'i' | 'u' => {
            let value = match value {
                Value::Float(value) if value.abs() < 9e18 => Value::Int(value.trunc() as i64),
                other => Value::Int(other.expect_int(&format!("%{kind} format: a real number is required, so it"))?),
            };
            number(out, &Look { kind: Some('d'), fill: look.fill, ..*look }, &value)
        }
        'x' | 'X' | 'o' => number(out, look, &Value::Int(value.expect_int(&format!("%{kind} format"))?)),
        'f' | 'F' | 'e' | 'E' => {
            let value = value.defined()?.as_number();
            number(out, look, &Value::Float(value.ok_or_else(|| Stop::new("must be real number"))?))
        }
        _ => Err(Stop::new(format!("the format character '{kind}' is not known here"))),
    }
}

/// A number in its sign, digits and padding.
fn number(out: &mut Writer, look: &Look, value: &Value) -> RunResult<()> {
    let (negative, digits) = match (value, look.kind) {
        (Value::Float(value), kind) => {
            (value.is_sign_negative() && !value.is_nan(), float_digits(value.abs(), kind, look.precision)?)
        }
        (other, kind) => {
            let value = other.expect_int("the value")?;
            let size = value.unsigned_abs();
            let digits = match kind {
                None | Some('d') => size.to_string(),
                Some('x') => format!("{}{size:x}", if look.alternate { "0x" } else { "" }),
                Some('X') => format!("{}{size:X}", if look.alternate { "0X" } else { "" }),
                Some('o') => format!("{}{size:o}", if look.alternate { "0o" } else { "" }),
                Some('b') => format!("{}{size:b}", if look.alternate { "0b" } else { "" }),
                Some('c') => char::from_u32(size as u32).map(String::from).unwrap_or_default(),
                Some(kind @ ('f' | 'F' | 'e' | 'E' | '%')) => float_digits(size as f64, Some(kind), look.precision)?,
                Some(kind) => {
                    return Err(Stop::new(format!("the format character '{kind}' is not known here for int")));
                }
            };
            let zeros = look.precision.filter(|_| !matches!(kind, Some('f' | 'F' | 'e' | 'E' | '%')));
            (value < 0, format!("{}{digits}", "0".repeat(zeros.unwrap_or(0).saturating_sub(digits.len()))))
        }
    };
    let digits = if look.comma { with_commas(&digits) } else { digits };
    let sign = if negative {
        "-".to_owned()
    } else {
        look.sign.filter(|sign| *sign != '-').map(String::from).unwrap_or_default()
    };
    // Zeros stand between sign and digits.
    let inner =
        look.align == Some('=') || (look.fill == Some('0') && look.align != Some('<') && look.align != Some('^'));
    let text = if inner {
        let missing = look.width.saturating_sub(sign.len() + digits.chars().count());
        format!("{sign}{}{digits}", look.fill.unwrap_or(' ').to_string().repeat(missing))
    } else {
        format!("{sign}{digits}")
    };
    let text = Text::new(&text, false, out.budget())?;
    padded(out, look, &text, '>')
}

fn with_commas(digits: &str) -> String {
    let end = digits.find(['.', 'e', '%']).unwrap_or(digits.len());
    let (whole, rest) = digits.split_at(end);
    let mut out = String::new();
    for (at, c) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out + rest
}

fn float_digits(value: f64, kind: Option<char>, precision: Option<usize>) -> RunResult<String> {
    let places = precision.unwrap_or(6);
    if !value.is_finite() {
        let text = super::write::float(value);
        return Ok(if matches!(kind, Some('F' | 'E')) { text.to_uppercase() } else { text });
    }
    Ok(match kind {
        None if precision.is_none() => super::write::float(value),
        Some('f' | 'F') => format!("{value:.places$}"),
        Some('%') => format!("{:.places$}%", value * 100.0),
        Some(kind @ ('e' | 'E')) => {
            let text = format!("{value:.places$e}");
            let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
            format!("{digits}{}{sign}{exponent:0>2}", kind)
        }
        _ => return Err(Stop::new("this way to format a number is not known here")),
    })
}

/// A text in its field.
fn padded(out: &mut Writer, look: &Look, text: &Text, usual: char) -> RunResult<()> {
    let missing = look.width.saturating_sub(text.chars());
    let left = match look.align.unwrap_or(usual) {
        '<' => 0,
        '^' => missing / 2,
        _ => missing,
    };
    let fill = look.fill.unwrap_or(' ').to_string();
    out.push(&fill.repeat(left), false)?;
    out.push_text(text)?;
    out.push(&fill.repeat(missing - left), false)
}

/// `format.format(…)`
pub(crate) fn braces(format: &Text, args: &Args, renderer: &mut Renderer<'_>) -> RunResult<Rc<Text>> {
    let budget = renderer.budget.clone();
    let mut out = Writer::new(&budget);
    let whole = format.as_str();
    let (mut at, mut automatic) = (0, 0);
    while let Some(start) = whole[at..].find(['{', '}']).map(|found| found + at) {
        out.push_part(format, at..start)?;
        let rest = &whole[start..];
        if rest.starts_with("{{") || rest.starts_with("}}") {
            out.push_part(format, start..start + 1)?;
            at = start + 2;
            continue;
        }
        let Some(end) = rest.find('}').filter(|end| *end > 0) else {
            return Err(Stop::new("single '{' or '}' encountered in format string"));
        };
        let field = &rest[1..end];
        if field.contains('{') {
            return Err(Stop::new("fields within fields are not known here"));
        }
        let (field, look) = field.split_once(':').unwrap_or((field, ""));
        let (name, conversion) = field.split_once('!').unwrap_or((field, ""));
        let value = named_value(name, args, &mut automatic, renderer)?;
        brace_value(&mut out, &value, conversion, look)?;
        at = start + end + 1;
    }
    out.push_part(format, at..whole.len())?;
    Ok(Rc::new(out.finish()))
}

/// What `0`, `name`, `0.field` or `name[key]` stands for.
fn named_value(name: &str, args: &Args, automatic: &mut usize, renderer: &mut Renderer<'_>) -> RunResult<Value> {
    let end = name.find(['.', '[']).unwrap_or(name.len());
    let (first, mut path) = name.split_at(end);
    let place = if first.is_empty() {
        *automatic += 1;
        Some(*automatic - 1)
    } else {
        first.parse::<usize>().ok()
    };
    let found = match place {
        Some(place) => args.positional.get(place),
        None => args.named.iter().find(|(known, _)| **known == *first).map(|(_, value)| value),
    };
    let mut value = found.cloned().ok_or_else(|| Stop::new(format!("there is no argument '{first}' to format")))?;
    while !path.is_empty() {
        if let Some(rest) = path.strip_prefix('[') {
            let (key, rest) = rest.split_once(']').ok_or_else(|| Stop::new("missing ']' in format string"))?;
            let key = key.parse().map(Value::Int).or_else(|_| Value::text(key, &renderer.budget))?;
            value = renderer.item(&value, &key)?;
            path = rest;
        } else {
            let rest = &path[1..];
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            value = renderer.attribute(&value, &rest[..end].into())?;
            path = &rest[end..];
        }
    }
    Ok(value)
}

fn brace_value(out: &mut Writer, value: &Value, conversion: &str, look: &str) -> RunResult<()> {
    let is_plain = look.is_empty();
    let look = read_look(look)?;
    let text = match conversion {
        "" => match value {
            Value::Float(_) => return number(out, &look, value),
            Value::Bool(_) if is_plain => text_of(value, out.budget())?,
            Value::Int(_) | Value::Bool(_) => return whole_number(out, &look, value),
            Value::Text(text) => text.clone(),
            other if is_plain => text_of(other, out.budget())?,
            other => return Err(Stop::new(format!("{} has no other format than its own", other.kind()))),
        },
        "s" => text_of(value, out.budget())?,
        "r" => {
            let mut text = Writer::new(out.budget());
            write_repr(&mut text, value)?;
            Rc::new(text.finish())
        }
        _ => return Err(Stop::new(format!("the conversion '{conversion}' is not known here"))),
    };
    if look.kind.is_some_and(|kind| kind != 's') || look.sign.is_some() || look.comma || look.align == Some('=') {
        return Err(Stop::new(format!("this way to format {} is not known here", value.kind())));
    }
    let end = look.precision.map_or(text.as_str().len(), |most| text.byte_of(most));
    padded(out, &look, &*text.part(0..end, out.budget())?, '<')
}

fn whole_number(out: &mut Writer, look: &Look, value: &Value) -> RunResult<()> {
    if look.precision.is_some() && !matches!(look.kind, Some('f' | 'F' | 'e' | 'E' | '%')) {
        return Err(Stop::new("precision not allowed in integer format specifier"));
    }
    number(out, look, &Value::Int(value.expect_int("the value")?))
}

/// `[[fill]align][sign][#][0][width][,][.precision][kind]`
fn read_look(text: &str) -> RunResult<Look> {
    let mut look = Look::default();
    let chars: Vec<char> = text.chars().collect();
    let is_align = |at: usize| chars.get(at).is_some_and(|c| "<>=^".contains(*c));
    let mut at = 0;
    if is_align(1) {
        (look.fill, look.align, at) = (Some(chars[0]), Some(chars[1]), 2);
    } else if is_align(0) {
        (look.align, at) = (Some(chars[0]), 1);
    }
    let take = |at: &mut usize, wanted: &str| {
        let found = chars.get(*at).copied().filter(|c| wanted.contains(*c));
        *at += usize::from(found.is_some());
        found
    };
    look.sign = take(&mut at, "+- ");
    look.alternate = take(&mut at, "#").is_some();
    if take(&mut at, "0").is_some() && look.fill.is_none() {
        look.fill = Some('0');
    }
    let digits = |at: &mut usize| {
        let digits: String = chars[(*at).min(chars.len())..].iter().take_while(|c| c.is_ascii_digit()).collect();
        *at += digits.len();
        if digits.is_empty() { Ok(None) } else { narrow(digits.parse().unwrap_or(usize::MAX)).map(Some) }
    };
    look.width = digits(&mut at)?.unwrap_or(0);
    look.comma = take(&mut at, ",").is_some();
    if take(&mut at, ".").is_some() {
        look.precision = digits(&mut at)?;
    }
    look.kind = chars.get(at).copied();
    if at + 1 < chars.len() {
        return Err(Stop::new(format!("invalid format specifier '{text}'")));
    }
    Ok(look)
}
