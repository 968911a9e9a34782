//! A conversation as callers give it, and as chat templates expect it.

use serde::Deserialize;

use super::data::Data;
use crate::{Error, Result};

/// Roles that are the caller's program's to choose, never a visitor's: a template may make a control token of one.
const ROLES: [&str; 5] = ["system", "developer", "user", "assistant", "tool"];

/// A conversation, with what else its template is to know.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Chat {
    pub messages: Vec<Message>,
    /// Ends the prompt where the assistant's turn begins.
    #[serde(default)]
    pub add_generation_prompt: bool,
    /// Ends the prompt where the last message's text does, for the model to go on with.
    #[serde(default)]
    pub continue_final_message: bool,
    pub tools: Option<Vec<Tool>>,
    /// Variables of the template: `enable_thinking`, `documents`, …
    pub template_options: Option<Data>,
    /// Control tokens that are spelled out in the messages count as such.
    #[serde(default)]
    pub allow_special: bool,
}

/// One turn of a conversation.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Message {
    pub role: String,
    pub content: Option<MessageContent>,
    pub name: Option<String>,
    pub reasoning: Option<String>,
    pub tool_calls: Option<Vec<ToolCall>>,
    pub tool_call_id: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum MessageContent {
    Text(String),
    Parts(Vec<MessagePart>),
}

/// A part of a message that is in several.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
pub enum MessagePart {
    Text { text: String },
}

/// What a model may call.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    pub name: String,
    pub description: Option<String>,
    pub parameters: Option<Data>,
}

/// What a model has called.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolCall {
    pub id: Option<String>,
    pub name: String,
    pub arguments: Option<Data>,
}

impl Chat {
    /// A conversation of nothing but texts: role and content of each.
    pub fn of_texts(turns: &[(&str, &str)], add_generation_prompt: bool) -> Self {
        let message = |&(role, content): &(&str, &str)| Message {
            role: role.to_owned(),
            content: Some(MessageContent::Text(content.to_owned())),
            name: None,
            reasoning: None,
            tool_calls: None,
            tool_call_id: None,
        };
        let messages = turns.iter().map(message).collect();
        Self {
            messages,
            add_generation_prompt,
            continue_final_message: false,
            tools: None,
            template_options: None,
            allow_special: false,
        }
    }

    pub fn from_json(json: &str) -> Result<Self> {
        serde_json::from_str(json).map_err(|error| Error::invalid(format!("the conversation: {error}")))
    }

    /// The messages in the shape that templates know. `in_parts`: the template goes through the parts of a content.
    pub(crate) fn template_messages(&self, in_parts: bool) -> Vec<Vec<(&'static str, Data)>> {
        self.messages.iter().map(|message| message.fields(in_parts)).collect()
    }

    /// The template's variables, beside the messages.
    pub(crate) fn variables(&self) -> Result<Vec<(String, Data)>> {
        let mut variables = match &self.template_options {
            None | Some(Data::Null) => Vec::new(),
            Some(Data::Map(options)) => options.clone(),
            Some(_) => return Err(Error::invalid("templateOptions should be an object")),
        };
        if let Some((name, _)) =
            variables.iter().find(|(name, _)| name == "messages" || name == "add_generation_prompt")
        {
            return Err(Error::invalid(format!("templateOptions.{name}: the call itself says what that is")));
        }
        if let Some(tools) = &self.tools {
            if variables.iter().any(|(name, _)| name == "tools") {
                return Err(Error::invalid("tools are given twice, also by templateOptions.tools"));
            }
            variables.push(("tools".to_owned(), Data::List(tools.iter().map(Tool::data).collect())));
        }
        Ok(variables)
    }

    /// Whether it is for a template that tells of tools.
    pub fn has_tools(&self) -> bool {
        let among_options =
            |options: &Data| matches!(options, Data::Map(fields) if fields.iter().any(|(name, _)| name == "tools"));
        self.tools.is_some() || self.template_options.as_ref().is_some_and(among_options)
    }

    pub(crate) fn has_tool_calls(&self) -> bool {
        self.messages.iter().any(|message| message.tool_calls.as_ref().is_some_and(|calls| !calls.is_empty()))
    }
}

impl Message {
    /// As transformers gives it: what is null is left out, and reasoning goes by each of the names that templates know.
    fn fields(&self, in_parts: bool) -> Vec<(&'static str, Data)> {
        let mut fields = vec![("role", Data::text(&self.role))];
        let mut add = |name, value: Option<Data>| fields.extend(value.map(|value| (name, value)));
        add("content", self.content.as_ref().map(|content| content.data(in_parts)));
        let text = |text: &Option<String>| text.as_deref().map(Data::text);
        add("thinking", text(&self.reasoning));
        add("reasoning_content", text(&self.reasoning));
        let calls = self.tool_calls.as_ref();
        add("tool_calls", calls.map(|calls| Data::List(calls.iter().map(ToolCall::data).collect())));
        add("tool_call_id", text(&self.tool_call_id));
        add("name", text(&self.name));
        fields
    }

    /// Whether its role is one of those that no visitor can have written.
    pub(crate) fn has_known_role(&self) -> bool {
        ROLES.contains(&self.role.as_str())
    }
}

impl MessageContent {
    fn data(&self, in_parts: bool) -> Data {
        match self {
            Self::Text(text) => Data::text(text),
            Self::Parts(parts) if in_parts => {
                let part = |MessagePart::Text { text }: &MessagePart| {
                    map([("type", Data::text("text")), ("text", Data::text(text))])
                };
                Data::List(parts.iter().map(part).collect())
            }
            Self::Parts(parts) => Data::Text(parts.iter().map(|MessagePart::Text { text }| text.as_str()).collect()),
        }
    }
}

impl Tool {
    fn data(&self) -> Data {
        let name = Some(("name", Data::text(&self.name)));
        let description = self.description.as_deref().map(|text| ("description", Data::text(text)));
        let parameters = self.parameters.clone().map(|parameters| ("parameters", parameters));
        function(None, [name, description, parameters])
    }
}

impl ToolCall {
    fn data(&self) -> Data {
        let arguments = self.arguments.clone().unwrap_or(Data::Map(Vec::new()));
        function(self.id.as_deref(), [Some(("name", Data::text(&self.name))), Some(("arguments", arguments)), None])
    }
}

/// A function in the spelling of OpenAI's API, which templates share.
fn function(id: Option<&str>, fields: [Option<(&'static str, Data)>; 3]) -> Data {
    let id = id.map(|id| ("id", Data::text(id)));
    let whole = [("type", Data::text("function")), ("function", map(fields.into_iter().flatten()))];
    map(id.into_iter().chain(whole))
}

fn map(fields: impl IntoIterator<Item = (&'static str, Data)>) -> Data {
    Data::Map(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}
