//! A model's tokenizer, if its checkpoint has one.

use super::value::ids_from_js;
use crate::error::{Code, Error, Result};
use crate::model::Sequence;
use crate::text::{Chat, ChatPrompt, Moment, Tokenizer};
use wasm_bindgen::{JsCast, JsValue};

/// By the clock of the user's place.
fn now() -> Moment {
    let date = js_sys::Date::new_0();
    let milliseconds = date.get_time();
    let seconds = (milliseconds / 1000.0).floor();
    let microseconds = ((milliseconds - seconds * 1000.0) * 1000.0) as u32;
    let offset = -(date.get_timezone_offset() * 60.0) as i64;
    Moment { seconds: seconds as i64, microseconds, offset }
}

pub struct Words(pub Option<Tokenizer>);

impl Words {
    pub fn tokenizer(&self) -> Result<&Tokenizer> {
        self.0.as_ref().ok_or_else(|| {
            let message = "this checkpoint came without a tokenizer: only token ids can be used";
            Error::new(Code::MissingFile, message).in_file("tokenizer.json")
        })
    }

    pub fn encode(&self, text: &str, add_special: bool) -> Result<Vec<u32>> {
        self.tokenizer()?.encode(text, add_special)
    }

    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String> {
        self.tokenizer()?.decode(ids, skip_special)
    }

    /// The text of a conversation.
    pub fn chat_text(&self, chat: &str) -> Result<String> {
        let tokenizer = self.tokenizer()?;
        tokenizer.chat_text(self.prompt(chat)?)
    }

    /// The tokens of a conversation.
    pub fn chat_tokens(&self, chat: &str) -> Result<Vec<u32>> {
        self.tokenizer()?.encode_chat(&self.prompt(chat)?)
    }

    fn prompt(&self, chat: &str) -> Result<ChatPrompt> {
        let chat = Chat::from_json(chat)?;
        self.tokenizer()?.chat_template(chat.has_tools())?.render(&chat, Some(now()))
    }

    /// A prompt's tokens: ids, or text with what the tokenizer puts before one; also with what it puts behind one where
    /// an encoder reads it as a whole. A decoder that goes on with the text would find its end there.
    pub fn tokens(&self, prompt: &JsValue, whole: bool) -> Result<Vec<u32>> {
        match prompt.as_string() {
            Some(text) if whole => self.encode(&text, true),
            Some(text) => self.tokenizer()?.encode_prompt(&text),
            None => ids_from_js(prompt),
        }
    }

    /// A text's tokens, a pair's or given ones. Texts are cut after `most` tokens.
    pub fn sequence(&self, text: &JsValue, most: usize) -> Result<Sequence> {
        let (first, second) = match text.dyn_ref::<js_sys::Array>() {
            Some(pair) => (pair.get(0).as_string(), pair.get(1).as_string()),
            None => (text.as_string(), None),
        };
        match first {
            Some(first) => {
                let (ids, types) = self.tokenizer()?.encode_pair(&first, second.as_deref(), Some(most))?;
                Ok(Sequence { ids, types, unpooled: 0 })
            }
            None => Ok(Sequence::new(ids_from_js(text)?)),
        }
    }

    /// The tokens of a prompt that stand before a text's own: as sentence-transformers counts them, without the special one
    /// at the end.
    pub fn leading(&self, prompt: &str, most: usize) -> Result<usize> {
        let tokenizer = self.tokenizer()?;
        let (ids, _) = tokenizer.encode_pair(prompt, None, Some(most))?;
        let ended = ids.last().is_some_and(|id| tokenizer.is_special(*id));
        Ok(ids.len() - usize::from(ended))
    }
}
