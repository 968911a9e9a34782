//! Damaged and hostile `tokenizer.json`s: each field of six families', one after the other, gone or with a value that it
//! should not have. What comes of it is a tokenizer, whose work has an end, or an error that says so: never a panic.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use azulejo::text::Tokenizer;
use azulejo::{Code, Result};
use serde_json::{Value, json};

use crate::sample::due;

const FAMILIES: [&str; 6] = ["bert_uncased", "t5", "llama", "clip", "llama3", "albert"];

/// What a field becomes.
fn values() -> Vec<Value> {
    let regex = |pattern: &str| json!({"Regex": pattern});
    let longer = json!({"type": "Replace", "pattern": {"String": "e"}, "content": "e".repeat(16)});
    let bytes = json!({"type": "ByteLevel", "add_prefix_space": true, "use_regex": false});
    let split = |pattern: &str| json!({"type": "Split", "pattern": regex(pattern), "behavior": "Isolated"});
    vec![
        json!(null),
        json!(true),
        json!(""),
        json!("a"),
        json!("日"),
        json!("x".repeat(100_000)),
        json!({}),
        json!([]),
        json!([1, "two", null]),
        json!([["a", 0.0], ["b", 1e308]]),
        json!({"a": 0, "b": 4_194_304}),
        json!({"a": 4_294_967_295u32}),
        json!(0),
        json!(-1),
        json!(1u64 << 40),
        json!(4_194_303),
        json!(0.5),
        json!(-1e308),
        json!("Regex"),
        regex("(?:a*)*b"),
        regex(r"(?<=.*)x|(.)\1*"),
        regex(""),
        regex("("),
        longer.clone(),
        json!({"type": "Sequence", "normalizers": vec![longer.clone(); 8], "decoders": vec![longer; 8]}),
        json!({"type": "Sequence", "pretokenizers": vec![bytes; 40]}),
        json!({"type": "Sequence", "pretokenizers": vec![split("[a-z]*x|."); 20]}),
        json!({"type": "FixedLength", "length": 0}),
        json!({"type": "UnicodeScripts"}),
        json!({"type": "WordLevel", "vocab": {"<unk>": 0, "a": 1}}),
        json!({"type": "Precompiled", "precompiled_charsmap": "BAAAAAAAAAA="}),
        json!(vec![json!({"id": 3, "content": "a", "single_word": true, "rstrip": true, "lstrip": true}); 50]),
    ]
}

/// The places of all fields but for the tokens themselves; of lists, the first two.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let members: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, inner)| (name.clone(), inner)).collect(),
        Value::Array(list) => {
            list.iter().take(2).enumerate().map(|(index, inner)| (index.to_string(), inner)).collect()
        }
        _ => return,
    };
    let members = if at.ends_with("/vocab") { &members[..members.len().min(1)] } else { &members[..] };
    for (name, inner) in members {
        let place = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        found.push(place.clone());
        places(inner, &place, found);
    }
}

/// Reads it and uses it.
fn tried(json: &str) -> Result<()> {
    let tokenizer = Tokenizer::from_json(json, Some(r#"{"add_bos_token": true, "bos_token": "<s>"}"#))?;
    for text in ["", "The tiles e\u{301} 東京 <s>▁x  \n👩‍👩 12", &"e".repeat(3000), &" <s>".repeat(500)] {
        let found = tokenizer.encode(text, true).and_then(|ids| tokenizer.decode(&ids, true));
        tokenizer.encode_pair(text, Some("a"), Some(9)).ok();
        found?;
    }
    tokenizer.decode(&[0, 1, 2, 3], false).map(|_| ())
}

#[test]
fn a_hostile_tokenizer_json_is_read_or_refused_and_its_work_has_an_end() {
    let (mut panics, mut cases, mut read) = (Vec::new(), 0, 0);
    for family in FAMILIES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/reference/tokenizers/{family}.json"));
        let file: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let file = &file["tokenizer"];
        let mut all = Vec::new();
        places(file, "", &mut all);
        let changes = all.iter().flat_map(|place| values().into_iter().map(move |value| (place, value))).enumerate();
        for (_, (place, value)) in changes.filter(|(index, _)| due(*index)) {
            let mut broken = file.clone();
            *broken.pointer_mut(place).unwrap() = value.clone();
            cases += 1;
            match catch_unwind(AssertUnwindSafe(|| tried(&broken.to_string()))) {
                Ok(Ok(())) => read += 1,
                Ok(Err(error)) => {
                    let known = [Code::CorruptFile, Code::UnsupportedModel, Code::InvalidArgument];
                    assert!(known.contains(&error.code), "{family}{place}: {error}");
                }
                Err(_) => {
                    panics.push(format!("{family}{place} = {}", value.to_string().chars().take(80).collect::<String>()))
                }
            }
        }
    }
    assert!(panics.is_empty(), "{} panics:\n{}", panics.len(), panics.join("\n"));
    assert!(cases > 1000 && read > 100, "{cases} cases, {read} read");
}
