//! What must hold for any chat template and any text in a conversation: `TEMPLATE NUL TEXT`.

use azulejo::text::{Chat, ChatPrompt, ChatTemplate, Moment};
use serde_json::json;

use super::{bounded, made_or_refused};

/// What a template's values may take by their own count, and what they take beside it.
const MOST: usize = 512 << 20;

/// A character that no template writes: where it comes out, a caller has given it.
pub const SIGN: char = '\u{10fffd}';

pub struct Case<'a> {
    pub template: &'a str,
    pub text: &'a str,
}

pub fn case(bytes: &[u8]) -> Option<Case<'_>> {
    let all = std::str::from_utf8(bytes).ok()?;
    let (template, text) = all.split_once('\0').unwrap_or((all, "Hi"));
    Some(Case { template, text })
}

/// Conversations with the text in them: of texts alone, and with all that a conversation may have.
pub fn chats(text: &str) -> [Chat; 2] {
    let signed = format!("{SIGN}{text}{SIGN}");
    let parameters = json!({ "type": "object", "properties": { "x": { "type": "integer" } }, "required": ["x"] });
    let whole = json!({
        "messages": [
            { "role": "user", "content": [{ "type": "text", "text": signed }, { "type": "text", "text": "b" }] },
            { "role": "assistant", "content": "", "reasoning": signed, "toolCalls": [
                { "id": "call_1", "name": "add", "arguments": { "x": 1, "y": [2.5, null, true, signed] } }] },
            { "role": "tool", "content": signed, "name": "add", "toolCallId": "call_1" },
        ],
        "addGenerationPrompt": false,
        "tools": [{ "name": "add", "description": signed, "parameters": parameters }],
    });
    let turns = [("system", &*signed), ("user", "Hi"), ("assistant", &signed), ("user", &signed)];
    [Chat::of_texts(&turns, true), Chat::from_json(&whole.to_string()).expect("a conversation")]
}

/// Reads the template and runs it; what it makes of each conversation that it takes.
pub fn check(bytes: &[u8]) -> Vec<Option<String>> {
    let Some(Case { template, text }) = case(bytes) else { return Vec::new() };
    let tokens = [("bos_token", "<s>"), ("eos_token", "</s>")].map(|(name, text)| (name.to_owned(), text.to_owned()));
    let words = ["chat template", "chat_template"];
    let Some(read) = made_or_refused(bounded(MOST, || ChatTemplate::new(template, &tokens)), &words) else {
        return Vec::new();
    };
    let now = Some(Moment { seconds: 1_790_000_000, microseconds: 1234, offset: 3600 });
    let render = |chat: &Chat| {
        let prompt = made_or_refused(bounded(MOST + 64 * bytes.len(), || read.render(chat, now)), &words)?;
        assert_given(template, &prompt);
        Some(prompt.text().to_owned())
    };
    chats(text).iter().map(render).collect()
}

/// What a caller gave is known for it: no visitor can forge a turn.
fn assert_given(template: &str, prompt: &ChatPrompt) {
    let (text, mut end) = (prompt.text(), 0);
    for span in prompt.given() {
        let inside = end <= span.start && span.start < span.end && span.end <= text.len();
        assert!(inside && text.is_char_boundary(span.start) && text.is_char_boundary(span.end), "{span:?}");
        end = span.end;
    }
    // Unless the template spells it by its number.
    if template.to_lowercase().contains("10fffd") {
        return;
    }
    for (at, _) in text.match_indices(SIGN) {
        let known = prompt.given().iter().any(|span| span.start <= at && at < span.end);
        assert!(known, "byte {at} of {text:?} came from the caller, but {:?} only count as such", prompt.given());
    }
}
