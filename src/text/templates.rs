//! The chat templates that a checkpoint brings, and the tokens that they know by name.

use crate::{Error, Result};

#[derive(Default)]
pub(crate) struct Templates {
    /// By name. A single one is the default.
    pub sources: Vec<(String, String)>,
    /// The texts of `bos_token`, `eos_token` and the like.
    pub tokens: Vec<(String, String)>,
    /// The tokens beside special ones that mean more than their texts in chats, where the checkpoint lists them.
    pub controls: Option<Vec<String>>,
}

impl Templates {
    pub const DEFAULT: &str = "default";
    /// Which of several is for conversations with tools.
    pub const WITH_TOOLS: &str = "tool_use";

    /// The one that transformers takes.
    pub fn source(&self, with_tools: bool) -> Result<&str> {
        let named =
            |name: &str| self.sources.iter().find(|(known, _)| known == name).map(|(_, source)| source.as_str());
        if let Some(source) = named(Self::WITH_TOOLS).filter(|_| with_tools).or_else(|| named(Self::DEFAULT)) {
            return Ok(source);
        }
        if self.sources.is_empty() {
            return Err(Error::invalid("this checkpoint has no chat template: pass the prompt as text"));
        }
        let names: Vec<&str> = self.sources.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(", ");
        Err(Error::unsupported(format!(
            "this checkpoint has several chat templates and none of them is the default: {names}"
        )))
    }
}
