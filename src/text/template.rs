//! Chat templates: the checkpoint's own Jinja program that turns messages into a prompt.
//!
//! It is a stranger's program, and is given so many steps and bytes: see `STEPS`, `BYTES` and `jinja`.

use std::ops::Range;
use std::rc::Rc;

use super::chat::Chat;
use super::continued::Continued;
use super::data::Data;
use super::date::Moment;
use super::jinja::{Budget, Kind, Renderer, RunResult, Spans, Stop, Template, Text, Value, parse};
use crate::{Error, Result};

/// Longest template taken; the longest in use, with tool calling, have some 20 kB.
const MAX_SOURCE: usize = 256 << 10;
/// What a template may do: a step is an expression, a statement, or 1 KiB that is copied. So many take half a second.
const STEPS: u64 = 5_000_000;
/// On top of that for each byte of the conversation: some templates look at each character.
const STEPS_PER_BYTE: u64 = 200;
/// And for each pair of messages: some look back at all of them from each. Of so many at most.
const STEPS_PER_PAIR: u64 = 50;
const MAX_PAIRED: u64 = 2000;
/// What its values may take, and how often the whole conversation on top of that.
const BYTES: usize = 64 << 20;
const COPIES: usize = 64;

/// A checkpoint's chat template, rendered as transformers renders it.
pub struct ChatTemplate {
    template: Template,
    /// `bos_token` and the like.
    tokens: Vec<(String, String)>,
    in_parts: bool,
    calls_tools: bool,
}

/// A rendered conversation.
pub struct ChatPrompt {
    text: String,
    given: Spans,
    /// All text of the template's own.
    literals: String,
    allow_special: bool,
}

impl ChatPrompt {
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Which of its bytes came from the caller.
    pub fn given(&self) -> &[Range<usize>] {
        &self.given
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }

    pub(crate) fn allows_special(&self) -> bool {
        self.allow_special
    }

    /// Whether a token means more than its text in chats: one that is special, or that the template itself writes. As
    /// transformers has it; spaces are text wherever they are.
    pub(crate) fn is_control(&self, token: &str, special: bool) -> bool {
        special || (self.literals.contains(token) && !token.chars().all(char::is_whitespace))
    }

    /// Whether a token stands where the caller gave any of it.
    pub(crate) fn is_spelled(&self, token: &str) -> bool {
        self.text.match_indices(token).any(|(at, _)| self.is_given(&(at..at + token.len())))
    }

    /// Whether the caller gave any of these bytes.
    pub(crate) fn is_given(&self, range: &Range<usize>) -> bool {
        let first = self.given.partition_point(|span| span.end <= range.start);
        self.given.get(first).is_some_and(|span| span.start < range.end)
    }
}

impl ChatTemplate {
    /// `tokens`: the texts of `bos_token`, `eos_token` and the like.
    pub fn new(source: &str, tokens: &[(String, String)]) -> Result<Self> {
        if source.len() > MAX_SOURCE {
            let message = format!("the chat template has {} bytes, at most {MAX_SOURCE}", source.len());
            return Err(Error::unsupported(message));
        }
        let template = parse(source).map_err(|stop| failed(&stop))?;
        let in_parts = template.literals.iter().any(|literal| literal.as_str() == "text") || source.contains(".text");
        Ok(Self { template, tokens: tokens.to_vec(), in_parts, calls_tools: source.contains("tool_calls") })
    }

    /// The prompt for a conversation. Without a moment `strftime_now` is undefined, and most templates that use it fall
    /// back on a fixed date.
    pub fn render(&self, chat: &Chat, now: Option<Moment>) -> Result<ChatPrompt> {
        let variables = self.check(chat)?;
        let mut messages = chat.template_messages(self.in_parts);
        let continued = chat.continue_final_message.then(|| Continued::mark(chat, &mut messages)).transpose()?;
        let fields = messages.iter().flatten().map(|(_, value)| value.size());
        let size = fields.sum::<usize>() + variables.iter().map(|(_, value)| value.size()).sum::<usize>();
        let paired = (messages.len() as u64).min(MAX_PAIRED);
        let steps = STEPS + STEPS_PER_BYTE * size as u64 + STEPS_PER_PAIR * paired * paired;
        let budget = Budget::new(steps, BYTES + COPIES * size);
        let rendered = self.rendered(chat, &messages, &variables, now, &budget).map_err(|stop| failed(&stop))?;
        let literals: Vec<&str> = self.template.literals.iter().map(|text| text.as_str()).collect();
        let text = rendered.as_str();
        let end = continued.map_or(Ok(text.len()), |continued| continued.end(text))?;
        Ok(ChatPrompt {
            text: text[..end].to_owned(),
            given: rendered.given().clone(),
            literals: literals.join("\0"),
            allow_special: chat.allow_special,
        })
    }

    /// What the template has no use for would be lost without a word.
    fn check(&self, chat: &Chat) -> Result<Vec<(String, Data)>> {
        if chat.messages.is_empty() {
            return Err(Error::invalid("a conversation without messages"));
        }
        let variables = chat.variables()?;
        for (name, _) in &variables {
            if !self.template.names.iter().any(|known| **known == **name) {
                let message = match name.as_str() {
                    "tools" => "this checkpoint's chat template takes no tools".to_owned(),
                    _ => format!("templateOptions.{name}: this checkpoint's chat template has no such variable"),
                };
                return Err(Error::invalid(message));
            }
        }
        if chat.has_tool_calls() && !self.calls_tools {
            return Err(Error::invalid("toolCalls: this checkpoint's chat template has no way to write them"));
        }
        Ok(variables)
    }

    fn rendered(
        &self,
        chat: &Chat,
        messages: &[Vec<(&'static str, Data)>],
        variables: &[(String, Data)],
        now: Option<Moment>,
        budget: &Rc<Budget>,
    ) -> RunResult<Text> {
        let message = |(message, known): (&Vec<(&'static str, Data)>, bool)| {
            let field = |(name, value): &(&'static str, Data)| {
                let value = match value {
                    Data::Text(role) if *name == "role" && known => Value::text(role, budget)?,
                    other => other.value(budget)?,
                };
                Ok((Value::text(name, budget)?, value))
            };
            Value::map(message.iter().map(field).collect::<RunResult<Vec<_>>>()?, budget)
        };
        let known = chat.messages.iter().map(|message| message.has_known_role());
        let messages = messages.iter().zip(known).map(message).collect::<RunResult<Vec<_>>>()?;
        let mut all = vec![
            ("messages", Value::list(Kind::List, messages, budget)?),
            ("add_generation_prompt", Value::Bool(chat.add_generation_prompt)),
            ("tools", Value::None),
            ("documents", Value::None),
        ];
        for (name, token) in &self.tokens {
            all.push((name, Value::text(token, budget)?));
        }
        for (name, value) in variables {
            all.push((name, value.value(budget)?));
        }
        Renderer::new(&self.template, &all, now, budget.clone()).render()
    }
}

/// A refusal by the template is about the messages; anything else about the template.
fn failed(stop: &Stop) -> Error {
    if stop.is_raised() {
        return Error::invalid(format!("the chat template refuses these messages: {}", stop.message()));
    }
    let line = stop.line().map_or(String::new(), |line| format!(", line {line}"));
    Error::unsupported(format!("chat template{line}: {}", stop.message()))
}
