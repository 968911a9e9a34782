//! Python's escapes in strings.

use super::stop::{RunResult, Stop};

/// A string's text: `\n`, `\x41`, `\u00e9`; what is no escape stays as it is.
pub(crate) fn unescape(text: &str) -> RunResult<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    // Half of a pair of UTF-16, which the next escape makes whole.
    let mut high: Option<u32> = None;
    while let Some(at) = rest.find('\\') {
        if at > 0 && high.is_some() {
            return Err(lone());
        }
        out.push_str(&rest[..at]);
        let escape = &rest[at + 1..];
        let Some(c) = escape.chars().next() else { return Err(Stop::new("\\ at the end of a string")) };
        rest = &escape[c.len_utf8()..];
        let (length, radix) = match c {
            'x' => (2, 16),
            'u' => (4, 16),
            'U' => (8, 16),
            '0'..='7' => {
                let length = escape.bytes().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
                rest = escape;
                (length, 8)
            }
            'N' => return Err(Stop::new("characters by their names, \\N{…}, are not known here")),
            _ if high.is_some() => return Err(lone()),
            _ => {
                out.push_str(&simple(c));
                continue;
            }
        };
        let digits = rest.get(..length).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let Some(code) = digits.and_then(|digits| u32::from_str_radix(digits, radix).ok()) else {
            return Err(Stop::new(format!("truncated \\{c} escape in a string")));
        };
        rest = &rest[length..];
        match (high.take(), code) {
            (None, 0xd800..0xdc00) => high = Some(code),
            (Some(high), 0xdc00..0xe000) => {
                out.extend(char::from_u32(0x10000 + ((high - 0xd800) << 10) + (code - 0xdc00)))
            }
            (None, _) => out.push(char::from_u32(code).ok_or_else(lone)?),
            _ => return Err(lone()),
        }
    }
    if high.is_some() {
        return Err(lone());
    }
    out.push_str(rest);
    Ok(out)
}

fn lone() -> Stop {
    Stop::new("half of a character, \\ud800 to \\udfff, in a string")
}

fn simple(c: char) -> String {
    match c {
        '\n' => String::new(),
        'n' => "\n".to_owned(),
        'r' => "\r".to_owned(),
        't' => "\t".to_owned(),
        'a' => "\x07".to_owned(),
        'b' => "\x08".to_owned(),
        'f' => "\x0c".to_owned(),
        'v' => "\x0b".to_owned(),
        '\\' | '\'' | '"' => c.to_string(),
        _ => format!("\\{c}"),
    }
}
