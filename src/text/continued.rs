//! A conversation whose last message the model goes on with, instead of beginning a turn of its own.

use super::chat::Chat;
use super::data::Data;
use super::jinja::is_space;
use crate::{Error, Result};

/// Stands in the template's view at the end of the last message. It is transformers' own, spaces included: some
/// published templates look for it.
const MARK: &str = "CONTINUE_FINAL_MESSAGE_TAG ";

/// The text of the last message, which is to stand in the prompt.
pub(super) struct Continued {
    text: String,
}

impl Continued {
    /// Marks the end of the last message, which should have a text.
    pub fn mark(chat: &Chat, messages: &mut [Vec<(&'static str, Data)>]) -> Result<Self> {
        if chat.add_generation_prompt {
            return Err(Error::invalid(
                "continueFinalMessage and addGenerationPrompt: the answer begins in one of two",
            ));
        }
        if chat.messages.last().is_some_and(|message| message.tool_calls.is_some()) {
            return Err(Error::invalid(
                "continueFinalMessage: the last message ends with toolCalls, not with its text",
            ));
        }
        let content = messages.last_mut().and_then(|fields| fields.iter_mut().find(|(name, _)| *name == "content"));
        let text = content.and_then(|(_, content)| last_text(content));
        let text = text.ok_or_else(|| Error::invalid("continueFinalMessage: the last message has no text"))?;
        let whole = text.trim_matches(is_space).to_owned();
        text.push_str(MARK);
        Ok(Self { text: whole })
    }

    /// Where in a rendered conversation the message ends. Where the template takes spaces off a message's end, they
    /// are no part of it.
    pub fn end(&self, rendered: &str) -> Result<usize> {
        let lost = "continueFinalMessage: the chat template leaves the last message out, or changes it";
        let end = rendered.rfind(MARK.trim_end()).filter(|_| rendered.contains(&self.text));
        let end = end.ok_or_else(|| Error::invalid(lost))?;
        let keeps_spaces = rendered[end..].starts_with(MARK);
        Ok(if keeps_spaces { end } else { rendered[..end].trim_end_matches(is_space).len() })
    }
}

/// The text of a content, or of the last of its parts.
fn last_text(content: &mut Data) -> Option<&mut String> {
    match content {
        Data::Text(text) => Some(text),
        Data::List(parts) => parts.iter_mut().rev().find_map(|part| match part {
            Data::Map(fields) => {
                fields.iter_mut().find(|(name, _)| name == "text").and_then(|(_, text)| last_text(text))
            }
            _ => None,
        }),
        _ => None,
    }
}
