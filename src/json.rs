//! JSON as Python writes it: where a number is none, `NaN` and `Infinity` stand for it.

use serde::de::DeserializeOwned;

/// Reads JSON. A number that is none becomes the text of its name: whoever asks for a number there refuses it by that name,
/// and whoever does not never sees it.
pub fn parse<T: DeserializeOwned>(json: &str) -> serde_json::Result<T> {
    match serde_json::from_str(json) {
        Err(error) if error.is_syntax() && (json.contains("NaN") || json.contains("Infinity")) => {
            // Where that does not help, the first error says more.
            serde_json::from_str(&quoted(json)).map_err(|_| error)
        }
        result => result,
    }
}

/// The same with those names as texts.
fn quoted(json: &str) -> String {
    let mut result = String::with_capacity(json.len() + 64);
    let (mut rest, mut in_text) = (json, false);
    while let Some(c) = rest.chars().next() {
        let name = ["NaN", "-Infinity", "Infinity"].into_iter().find(|name| !in_text && rest.starts_with(name));
        let taken = match (name, c) {
            (Some(name), _) => {
                result.extend(["\"", name, "\""]);
                rest = &rest[name.len()..];
                continue;
            }
            (None, '\\') if in_text => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            (None, '"') => {
                in_text = !in_text;
                1
            }
            (None, c) => c.len_utf8(),
        };
        result.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn numbers_that_are_none_are_read_by_their_names() {
        let found: Value =
            parse(r#"{"a": NaN, "b": [-Infinity, Infinity, 1], "c NaN \" Infinity": "NaN \\"}"#).unwrap();
        assert_eq!(found, json!({"a": "NaN", "b": ["-Infinity", "Infinity", 1], "c NaN \" Infinity": "NaN \\"}));
    }

    #[test]
    fn what_is_broken_stays_broken() {
        for json in [r#"{"a": NaN"#, r#"{"a": NaNa}"#, r#"["NaN\"#, "[Infinity Infinity]", "ä NaN"] {
            assert!(parse::<Value>(json).is_err(), "{json}");
        }
    }
}
