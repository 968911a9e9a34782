//! What tokens cover of ugly texts, as Python says (reference/tokenizers/offsets.py, class_offsets.py).

use std::fs;
use std::path::Path;

use azulejo::text::Tokenizer;
use serde_json::{Value, json};

fn read(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/tokenizers").join(name);
    let file = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&file).unwrap()
}

/// A family's tokenizer; after its name may stand what becomes of spaces at tokens' ends.
fn tokenizer(name: &str) -> Tokenizer {
    let (family, how) = name.split_once(", ").unwrap_or((name, ""));
    let mut file = read(&format!("{family}.json"))["tokenizer"].take();
    if how.starts_with("trimmed") {
        let prefix = how.ends_with("prefix");
        file["post_processor"] =
            json!({"type": "ByteLevel", "trim_offsets": true, "add_prefix_space": prefix, "use_regex": true});
    }
    Tokenizer::from_json(&file.to_string(), None).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Beginnings and ends in characters, in UTF-16 units.
fn in_units(text: &str, characters: &Value) -> Vec<usize> {
    let unit = |at: &Value| text.chars().take(at.as_u64().unwrap() as usize).map(char::len_utf16).sum();
    characters.as_array().unwrap().iter().map(unit).collect()
}

#[test]
fn every_family_s_tokens_cover_what_the_python_package_says() {
    let families = read("offsets.json");
    let families = families.as_object().unwrap();
    assert!(families.len() >= 28, "{} families", families.len());
    let mut report = Vec::new();
    for (family, texts) in families {
        let tokenizer = tokenizer(family);
        for (text, expected) in texts.as_object().unwrap() {
            let tokens = tokenizer.locate(text).unwrap();
            let found: Vec<usize> = tokens.iter().flat_map(|token| [token.place.start, token.place.end]).collect();
            let expected = in_units(text, expected);
            if found != expected {
                report.push(format!("{family}: {text:?}\n    {found:?}\n    {expected:?}"));
            }
            let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
            let (before, after) = tokenizer.sides();
            let (whole, _) = tokenizer.encode_pair(text, None, None).unwrap();
            assert_eq!([before, ids, after].concat(), whole, "{family}: {text:?}");
        }
    }
    assert!(report.is_empty(), "{} differences:\n{}", report.len(), report.join("\n"));
}

#[test]
fn roberta_s_class_trims_spaces_in_its_own_way() {
    let file = read("class_offsets.json");
    let text = file["text"].as_str().unwrap();
    let cases = file["cases"].as_array().unwrap();
    assert!(cases.len() >= 28, "{} cases", cases.len());
    let plain = read("roberta.json")["tokenizer"].take();
    for case in cases {
        let mut tokenizer = plain.clone();
        tokenizer["post_processor"] = case["post_processor"].clone();
        let tokenizer = Tokenizer::from_json(&tokenizer.to_string(), Some(&case["config"].to_string())).unwrap();
        let found = tokenizer.locate(text).unwrap();
        let found: Vec<usize> = found.iter().flat_map(|token| [token.place.start, token.place.end]).collect();
        assert_eq!(found, in_units(text, &case["offsets"]), "{} after {}", case["config"], case["post_processor"]);
    }
}
