//! What must hold for any compiled normalization rules and any text: `TEXT 0xff RULES`, since UTF-8 has no byte 0xff.

use azulejo::text::normalized;

use super::{bounded, made_or_refused};

const MOST: usize = 16 << 20;

pub struct Case<'a> {
    pub text: &'a str,
    pub rules: &'a [u8],
}

pub fn case(bytes: &[u8]) -> Option<Case<'_>> {
    let end = bytes.iter().position(|&byte| byte == 0xff)?;
    Some(Case { text: std::str::from_utf8(&bytes[..end]).ok()?, rules: &bytes[end + 1..] })
}

/// Reads the rules and goes by them; the text that comes of it, where they are not refused.
pub fn check(bytes: &[u8]) -> Option<String> {
    let Case { text, rules } = case(bytes)?;
    let found = bounded(MOST + 64 * bytes.len(), || normalized(rules, text));
    made_or_refused(found, &["compiled normalization rule", "too much work"])
}
