//! Chat templates: the checkpoint's own Jinja program that turns messages into a prompt.
//!
//! It is a stranger's program, and gets a budget of steps and of bytes: see `FUEL` and `MAX_WRITTEN`. What
//! minijinja offers no hold on is a list that contains another one several times, and that again, some
//! thirty times over: it is small, but to compare it with its like (`==`, `sort`), to put it beside a text
//! (`~`) or to add it to itself (`+`) takes time or memory without end. The instance then dies for want of
//! memory, or the page ends its Worker after ten seconds (`js/connection.ts`); no checkpoint in use does so.

use std::fmt;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Rest, Serde};
use minijinja::{Environment, ErrorKind, Output, State, Value, context};
use serde::{Deserialize, Serialize};

use super::date;
use crate::{Error, Result};

/// Longest template taken; the longest in use, with tool calling, have some 20 kB.
const MAX_SOURCE: usize = 256 << 10;
/// minijinja's fuel: one for each instruction and for each 64 bytes of data that any operator, filter
/// or output makes, charged before it is allocated. So a template makes at most 64 bytes times this, and
/// runs for a second or two. Messages bring their own, as their text is copied several times.
const FUEL: u64 = 400_000;
/// How often a template may copy all messages on top of that, in 64ths.
const FUEL_PER_BYTE: u64 = 4;
/// Longest text of a list or map, written out as JSON or otherwise. Lists may share parts, so that a few
/// steps can describe a text of any length; fuel is only charged once it is there.
const MAX_WRITTEN: usize = 1 << 20;
/// Blocks and calls within each other. Each takes native stack, of which WebAssembly has 1 MiB.
const MAX_DEPTH: usize = 100;

/// One turn of a conversation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Message {
    pub role: String,
    pub content: String,
}

/// A checkpoint's chat template, rendered as transformers renders it: trimmed blocks, Python's string
/// methods, `raise_exception`, `strftime_now`, JSON as Python writes it, no tools.
pub struct ChatTemplate {
    environment: Environment<'static>,
    bos: String,
    eos: String,
    clock: Option<fn() -> i64>,
}

const NAME: &str = "chat_template";

impl ChatTemplate {
    pub fn new(source: String, bos: &str, eos: &str) -> Result<Self> {
        if source.len() > MAX_SOURCE {
            let message = format!("the chat template has {} bytes, at most {MAX_SOURCE}", source.len());
            return Err(Error::unsupported(message));
        }
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(|error| failed(&error))?);
        environment.set_recursion_limit(MAX_DEPTH);
        environment.set_unknown_method_callback(call_method);
        environment.set_formatter(format_value);
        environment.add_filter("tojson", to_json);
        environment.add_filter("string", |state: &State, value: &Value| text_of(state, value).map(Value::from));
        environment.add_filter("join", join);
        environment.add_filter("indent", indent);
        // Those that take their value's text, as the text's own methods, which see the text first.
        for method in ["upper", "lower", "title", "capitalize", "replace", "split"] {
            environment.add_filter(method, move |state: &mut State, value: &Value, arguments: Rest<Value>| {
                let text = Value::from(text_of(state, value)?);
                call_method(state, &text, method, &arguments)
            });
        }
        environment.add_filter("trim", |state: &mut State, value: &Value, arguments: Rest<Value>| {
            let text = Value::from(text_of(state, value)?);
            call_method(state, &text, "strip", &arguments)
        });
        // What else writes whole lists out, without which every template in use does.
        for filter in ["pprint", "format", "escape", "e", "lines"] {
            environment.remove_filter(filter);
        }
        environment.remove_global("debug");
        environment.add_function("raise_exception", |message: String| -> Result<Value, minijinja::Error> {
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, "raised").with_source(Raised(message)))
        });
        environment.add_template_owned(NAME, without_generation_marks(&source)).map_err(|error| failed(&error))?;
        Ok(Self { environment, bos: bos.to_owned(), eos: eos.to_owned(), clock: None })
    }

    /// Gives templates the date, which some write into the prompt: seconds since 1970, local time.
    /// Without a clock `strftime_now` is undefined, and most of them fall back on a fixed date.
    pub fn with_clock(mut self, clock: fn() -> i64) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The prompt for these messages. `add_generation_prompt` ends it where the assistant's turn begins.
    pub fn render(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String> {
        let length: usize = messages.iter().map(|message| message.role.len() + message.content.len()).sum();
        let mut environment = self.environment.clone();
        environment.set_fuel(Some(FUEL + FUEL_PER_BYTE * length as u64));
        if let Some(clock) = self.clock {
            let now = clock();
            environment.add_function("strftime_now", move |format: &str| date::format(now, format));
        }
        let template = environment.get_template(NAME).map_err(|error| failed(&error))?;
        let variables = context! {
            messages => Value::from(Serde(messages)),
            add_generation_prompt,
            bos_token => self.bos.as_str(),
            eos_token => self.eos.as_str(),
            tools => (),
            documents => (),
        };
        template.render(variables).map_err(|error| failed(&error))
    }
}

/// What a template says with `raise_exception`.
#[derive(Debug)]
struct Raised(String);

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Raised {}

/// A refusal by the template is about the messages; anything else about the template.
fn failed(error: &minijinja::Error) -> Error {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(Raised(message)) = inner.downcast_ref() {
            return Error::invalid(format!("the chat template refuses these messages: {message}"));
        }
        source = inner.source();
    }
    let line = error.line().map_or(String::new(), |line| format!(", line {line}"));
    let detail = error.detail().map_or(String::new(), |detail| format!(": {detail}"));
    Error::unsupported(format!("chat template{line}: {}{detail}", error.kind()))
}

/// `{% generation %}` marks what to train on and means nothing here: it becomes `{% if true %}`.
fn without_generation_marks(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find("{%") {
        let (before, tag) = rest.split_at(at);
        let end = tag.find("%}").map_or(tag.len(), |end| end + 2);
        let (tag, after) = tag.split_at(end);
        out.push_str(before);
        match tag.trim_matches(['{', '}', '%', '-', '+']).trim() {
            "generation" => out.push_str(&tag.replace("generation", "if true")),
            "endgeneration" => out.push_str(&tag.replace("endgeneration", "endif")),
            _ => out.push_str(tag),
        }
        rest = after;
    }
    out + rest
}

/// Text that refuses to grow beyond `MAX_WRITTEN`.
#[derive(Default)]
struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > MAX_WRITTEN {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = std::str::from_utf8(bytes).map_err(std::io::Error::other)?;
        fmt::Write::write_str(self, text).map_err(std::io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn too_long() -> minijinja::Error {
    minijinja::Error::new(ErrorKind::OutOfFuel, format!("a value of more than {MAX_WRITTEN} bytes is written out"))
}

/// A value as text, paid for.
fn text_of(state: &State, value: &Value) -> Result<String, minijinja::Error> {
    if let Some(text) = value.as_str() {
        return Ok(text.to_owned());
    }
    let mut text = Bounded::default();
    fmt::write(&mut text, format_args!("{value}")).map_err(|_| too_long())?;
    state.consume_fuel(text.0.len() as u64 / 16)?;
    Ok(text.0)
}

/// Writes the value of `{{ … }}`.
fn format_value(out: &mut Output, state: &mut State, value: &Value) -> Result<(), minijinja::Error> {
    if value.as_str().is_some() || value.as_object().is_none() {
        return minijinja::escape_formatter(out, state, value);
    }
    out.write_str(&text_of(state, value)?)?;
    Ok(())
}

/// Python's `json.dumps(value, ensure_ascii=False)`, as transformers has it: nothing escaped for HTML.
fn to_json(state: &State, value: &Value, options: Kwargs) -> Result<Value, minijinja::Error> {
    let indent: Option<usize> = options.get("indent")?;
    for ignored in ["ensure_ascii", "sort_keys", "separators"] {
        options.get::<Option<Value>>(ignored)?;
    }
    options.assert_all_used()?;
    let mut text = Bounded::default();
    let done = match indent {
        Some(width) if width > 16 => return Err(too_long()),
        Some(width) => {
            let indent = " ".repeat(width);
            let pretty = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
            value.serialize(&mut serde_json::Serializer::with_formatter(&mut text, pretty))
        }
        None => value.serialize(&mut serde_json::Serializer::with_formatter(&mut text, PythonJson)),
    };
    done.map_err(|_| too_long())?;
    state.consume_fuel(text.0.len() as u64 / 16)?;
    Ok(Value::from(text.0))
}

/// JSON with a space after each comma and colon.
struct PythonJson;

impl serde_json::ser::Formatter for PythonJson {
    fn begin_array_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}

/// `values|join(separator)`.
fn join(state: &State, values: &Value, separator: Option<&str>) -> Result<Value, minijinja::Error> {
    let separator = separator.unwrap_or("");
    let mut text = String::new();
    for (index, value) in values.try_iter()?.enumerate() {
        let part = text_of(state, &value)?;
        state.consume_fuel(1 + (separator.len() + part.len()) as u64 / 64)?;
        if index > 0 {
            text.push_str(separator);
        }
        text.push_str(&part);
    }
    Ok(Value::from(text))
}

/// Python's `textwrap.indent` as Jinja has it: all lines but the first, and none that is empty.
fn indent(state: &State, value: &Value, width: Option<usize>, first: Option<bool>) -> Result<Value, minijinja::Error> {
    let text = text_of(state, value)?;
    let width = width.unwrap_or(4);
    if width > 64 {
        return Err(too_long());
    }
    state.consume_fuel((text.lines().count() * (width + 1)) as u64 / 16)?;
    let margin = " ".repeat(width);
    let lines = text.split('\n').enumerate().map(|(index, line)| {
        let bare = line.is_empty() || (index == 0 && !first.unwrap_or(false));
        if bare { line.to_owned() } else { format!("{margin}{line}") }
    });
    Ok(Value::from(lines.collect::<Vec<_>>().join("\n")))
}

/// Python's methods, less what would write whole lists out unseen or take long over long strings.
fn call_method(state: &mut State, value: &Value, method: &str, arguments: &[Value]) -> Result<Value, minijinja::Error> {
    match (value.as_str(), method, arguments) {
        (Some(separator), "join", [values]) => return join(state, values, Some(separator)),
        (Some(_), "format", _) => return Err(minijinja::Error::from(ErrorKind::UnknownMethod)),
        (Some(text), ..) => state.consume_fuel(text.len() as u64 / 64)?,
        (None, "count", _) => state.consume_fuel(value.len().unwrap_or(0) as u64)?,
        _ => {}
    }
    minijinja_contrib::pycompat::unknown_method_callback(state, value, method, arguments)
}
