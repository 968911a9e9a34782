//! Answers questions that are also put to the reference: JSON lines in, JSON lines out. `{"answer": …}`, or
//! `{"refused": …}` in words.
//!
//! | question | answer |
//! |---|---|
//! | `{"template", "tokens", "chat", "now"}` | the prompt |
//! | `{"tokenizer", "config", "texts"}` | of each text `[ids, ids with special tokens, decoded]`, or `null` where it is refused |

use std::io::{BufRead, Write, stdin, stdout};

use azulejo::Result;
use azulejo::text::{Chat, ChatTemplate, Moment, Tokenizer};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Rendering {
    template: String,
    tokens: Vec<(String, String)>,
    /// In JSON: the order of fields counts.
    chat: String,
    now: (i64, u32),
}

#[derive(Deserialize)]
struct Tokenizing {
    tokenizer: String,
    config: Option<String>,
    texts: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Question {
    Rendering(Rendering),
    Tokenizing(Tokenizing),
}

fn render(question: Rendering) -> Result<Value> {
    let template = ChatTemplate::new(&question.template, &question.tokens)?;
    let (seconds, microseconds) = question.now;
    let now = Moment { seconds, microseconds, offset: 0 };
    Ok(template.render(&Chat::from_json(&question.chat)?, Some(now))?.text().into())
}

fn tokenize(question: Tokenizing) -> Result<Value> {
    let tokenizer = Tokenizer::from_json(&question.tokenizer, question.config.as_deref())?;
    let answer = |text: &String| -> Result<Value> {
        let ids = tokenizer.encode(text, false)?;
        let decoded = tokenizer.decode(&ids, false).ok();
        Ok(json!([ids, tokenizer.encode_pair(text, None, None)?.0, decoded]))
    };
    Ok(question.texts.iter().map(|text| answer(text).unwrap_or(Value::Null)).collect())
}

fn main() {
    for line in stdin().lock().lines() {
        let line = line.expect("a line");
        let answer = match serde_json::from_str(&line).expect("a question") {
            Question::Rendering(question) => render(question),
            Question::Tokenizing(question) => tokenize(question),
        };
        let told = match answer {
            Ok(answer) => json!({ "answer": answer }),
            Err(error) => json!({ "refused": error.to_string() }),
        };
        writeln!(stdout(), "{told}").expect("somebody who reads");
    }
}
