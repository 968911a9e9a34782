//! What must hold for any `tokenizer.json`, `tokenizer_config.json` and texts: an object of the three, or a
//! `tokenizer.json` alone.

use azulejo::text::{StopStrings, Tokenizer};
use serde_json::Value;

use super::{bounded, made_or_refused};

/// Each id below the largest, 4 million, has its place in several tables; compiled patterns; a text as its rules make it.
const MOST: usize = 640 << 20;

const TEXTS: [&str; 3] =
    ["The tiles e\u{301} 東京 <s>▁x  \n👩‍👩 12", " a<mask>b ", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"];

pub struct Case {
    pub tokenizer: String,
    pub config: Option<String>,
    pub texts: Vec<String>,
}

pub fn case(bytes: &[u8]) -> Option<Case> {
    let whole = std::str::from_utf8(bytes).ok()?;
    let usual = || TEXTS.map(str::to_owned).into();
    let alone = || Case { tokenizer: whole.to_owned(), config: None, texts: usual() };
    let Ok(Value::Object(fields)) = serde_json::from_str(whole) else { return Some(alone()) };
    let Some(tokenizer) = fields.get("tokenizer") else { return Some(alone()) };
    let texts = fields.get("texts").and_then(Value::as_array);
    let texts: Vec<String> = texts.into_iter().flatten().filter_map(Value::as_str).take(8).map(str::to_owned).collect();
    let texts = if texts.is_empty() { usual() } else { texts };
    Some(Case { tokenizer: tokenizer.to_string(), config: fields.get("config").map(Value::to_string), texts })
}

/// What a tokenizer makes of one text.
pub struct Answer {
    pub text: String,
    pub ids: Vec<u32>,
    /// `None` where its decoder is not supported.
    pub decoded: Option<String>,
}

/// Reads the files and goes through the texts; what comes of those that are not refused.
pub fn check(bytes: &[u8]) -> Vec<Answer> {
    let Some(case) = case(bytes) else { return Vec::new() };
    let most = MOST + 64 * bytes.len();
    let read = bounded(most, || Tokenizer::from_json(&case.tokenizer, case.config.as_deref()));
    let Some(tokenizer) = made_or_refused(read, &["tokenizer"]) else { return Vec::new() };
    let answers = case.texts.iter().filter_map(|text| bounded(most, || uses(&tokenizer, text)));
    answers.collect()
}

/// Does with a tokenizer what a model does.
pub fn uses(tokenizer: &Tokenizer, text: &str) -> Option<Answer> {
    let words = ["tokenizer"];
    let ids = made_or_refused(tokenizer.encode(text, false), &words);
    for ids in [
        made_or_refused(tokenizer.encode(text, true), &words),
        made_or_refused(tokenizer.encode_prompt(text), &words),
        made_or_refused(tokenizer.encode_pair(text, Some("a"), Some(9)), &words).map(|(ids, _)| ids),
        ids.clone(),
    ]
    .iter()
    .flatten()
    {
        let size = tokenizer.vocabulary_size();
        assert!(ids.iter().all(|&id| (id as usize) < size), "{ids:?} of {size} tokens");
    }
    if let (Some(ids), Some(tokens)) = (&ids, made_or_refused(tokenizer.locate(text), &words)) {
        let units = text.encode_utf16().count();
        assert!(tokens.iter().map(|token| token.id).eq(ids.iter().copied()), "other tokens where they are located");
        let inside = |place: &std::ops::Range<usize>| place.start <= place.end && place.end <= units;
        assert!(tokens.iter().all(|token| inside(&token.place)), "{tokens:?} of {units} units");
    }
    made_or_refused(tokenizer.chat_template(false), &["chat template", "chat_template"]);
    let ids = ids?;
    let decoded = made_or_refused(tokenizer.decode(&ids, false), &["decod"]);
    assert_eq!(decoded, streamed(tokenizer, &ids), "a text as tokens come is another");
    Some(Answer { text: text.to_owned(), ids, decoded })
}

fn streamed(tokenizer: &Tokenizer, ids: &[u32]) -> Option<String> {
    let stops = StopStrings::new(&[]).expect("no stop strings");
    let mut stream = tokenizer.stream(stops, false, false).ok()?;
    let mut text: String = ids.iter().map(|&id| stream.push(id)).collect();
    text += &stream.finish();
    Some(text)
}
