//! Where the differential fuzzers (fuzz/README.md) have once found another answer than the reference's: the reference's
//! goes on being ours, or ours is a refusal.

use azulejo::text::{Chat, ChatTemplate, Moment, Tokenizer};
use serde_json::Value;

/// A case a line.
fn cases(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn templates_that_once_made_another_text_make_the_reference_s_or_are_refused() {
    for case in cases(include_str!("../reference/found/templates.jsonl")) {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let tokens = [0, 1].map(|at| (text(&case["tokens"][at][0]), text(&case["tokens"][at][1])));
        let now = Moment { seconds: case["now"][0].as_i64().unwrap(), microseconds: 1234, offset: 0 };
        let chat = Chat::from_json(case["chat"].as_str().unwrap()).unwrap();
        let source = case["template"].as_str().unwrap();
        let made = ChatTemplate::new(source, &tokens).and_then(|template| template.render(&chat, Some(now)));
        if let Ok(prompt) = made {
            assert_eq!(Some(prompt.text()), case["expected"].as_str(), "{source:?}");
        }
    }
}

#[test]
fn tokenizers_that_once_gave_other_ids_give_the_reference_s_or_are_refused() {
    for case in cases(include_str!("../reference/found/tokenizers.jsonl")) {
        let Ok(tokenizer) = Tokenizer::from_json(&case["tokenizer"].to_string(), None) else { continue };
        let texts = case["texts"].as_array().unwrap().iter();
        for (text, expected) in texts.zip(case["expected"].as_array().unwrap()) {
            let Ok(ids) = tokenizer.encode(text.as_str().unwrap(), false) else { continue };
            assert_eq!(serde_json::json!(ids), expected[0], "{text}: {}", case["tokenizer"]);
            let (whole, _) = tokenizer.encode_pair(text.as_str().unwrap(), None, None).unwrap();
            assert_eq!(serde_json::json!(whole), expected[1], "{text}: {}", case["tokenizer"]);
            if let (Ok(decoded), Some(expected)) = (tokenizer.decode(&ids, false), expected[2].as_str()) {
                assert_eq!(decoded, expected, "{text}: {}", case["tokenizer"]);
            }
        }
    }
}
