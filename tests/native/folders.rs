//! Folders without tokenizer.json, with what transformers makes of them (reference/tokenizers/folders/make.py).

use std::fs;
use std::path::Path;

use azulejo::Code;
use azulejo::text::{Files, Tokenizer, tokenizer_files};
use serde_json::Value;

pub(crate) fn folder(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/tokenizers/folders").join(name);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn decode_base64(text: &str) -> Vec<u8> {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut out, mut bits, mut count) = (Vec::new(), 0u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        bits = bits << 6 | digits.iter().position(|&digit| digit == byte).unwrap() as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    out
}

/// The folder's files but for tokenizer_config.json, and that one.
pub(crate) fn files(folder: &Value) -> (Files, Option<String>) {
    let content = |value: &Value| match value["base64"].as_str() {
        Some(text) => decode_base64(text),
        None => value.as_str().unwrap().as_bytes().to_vec(),
    };
    let all = folder["files"].as_object().unwrap().iter();
    let mut files: Files = all.map(|(name, value)| (name.clone(), content(value))).collect();
    let config = files.remove("tokenizer_config.json").map(|bytes| String::from_utf8(bytes).unwrap());
    (files, config)
}

fn read(folder: &Value) -> Tokenizer {
    let (files, config) = files(folder);
    let model_type = folder["model_type"].as_str().unwrap();
    let read = Tokenizer::from_folder(&files, config.as_deref(), model_type);
    read.unwrap_or_else(|error| panic!("{model_type}: {error}")).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

/// What differs in one case, in words.
fn differences(name: &str, tokenizer: &Tokenizer, case: &Value) -> Vec<String> {
    let text = |index: usize| case["texts"][index].as_str();
    let mut found = Vec::new();
    let mut compare = |what: &str, ours: String, theirs: String| {
        if ours != theirs {
            found.push(format!("{name}: {what} of {}:\n    {ours}\n    {theirs}", case["texts"]));
        }
    };
    let (both, types) = tokenizer.encode_pair(text(0).unwrap(), text(1), None).unwrap();
    compare("ids", format!("{both:?}"), format!("{:?}", ids(&case["ids"])));
    compare("types", format!("{types:?}"), format!("{:?}", ids(&case["types"])));
    if case.get("plain").is_some() {
        let plain = tokenizer.encode(text(0).unwrap(), false).unwrap();
        compare("plain ids", format!("{plain:?}"), format!("{:?}", ids(&case["plain"])));
        for (key, skip) in [("decoded", false), ("skipped", true)] {
            let (back, expected) = (tokenizer.decode(&ids(&case["plain"]), skip).unwrap(), case[key].as_str().unwrap());
            match name {
                // Nobody writes with CLIP: transformers makes spaces of its ends of words, the tokenizers crate does not.
                "clip.json" => {}
                // transformers puts spaces behind special tokens, and strips the whole, which a stream cannot.
                "marian.json" if skip => compare(key, back.trim().to_owned(), expected.trim().to_owned()),
                "marian.json" => {}
                _ => compare(key, format!("{back:?}"), format!("{expected:?}")),
            }
        }
    }
    found
}

#[test]
fn a_folder_without_tokenizer_json_gives_what_transformers_gives() {
    let paths = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/tokenizers/folders")).unwrap();
    let mut names: Vec<String> = paths.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(".json"));
    names.sort();
    assert!(names.len() >= 15, "{names:?}");
    let mut report = Vec::new();
    for name in &names {
        let folder = folder(name);
        let tokenizer = read(&folder);
        for case in folder["cases"].as_array().unwrap() {
            report.extend(differences(name, &tokenizer, case));
        }
    }
    assert!(report.is_empty(), "{} differences:\n{}", report.len(), report.join("\n"));
}

#[test]
fn only_the_files_of_the_tokenizer_s_class_are_asked_for() {
    let asked = |config: Option<&str>, model_type: &str| tokenizer_files(config, model_type).unwrap();
    let more = ["special_tokens_map.json", "added_tokens.json"];
    assert_eq!(asked(None, "bert"), [&["vocab.txt"][..], &more].concat());
    assert_eq!(
        asked(Some(r#"{"tokenizer_class": "RobertaTokenizerFast"}"#), "bert")[..2],
        ["vocab.json", "merges.txt"]
    );
    assert!(asked(Some(r#"{"tokenizer_class": "SiglipTokenizer"}"#), "siglip").is_empty());
    assert!(asked(None, "vit").is_empty());
}

#[test]
fn what_a_folder_lacks_or_has_wrong_is_named() {
    let mut opt = files(&folder("opt.json")).0;
    let read = |files: &Files, model_type: &str| Tokenizer::from_folder(files, None, model_type);
    assert!(read(&Files::new(), "opt").unwrap().is_none());
    opt.remove("merges.txt");
    let error = read(&opt, "opt").err().unwrap();
    assert!(error.code == Code::MissingFile && error.message.contains("merges.txt"), "{error}");
    let mt5 = files(&folder("mt5.json")).0;
    let error = read(&[("tokenizer.model".to_owned(), mt5["spiece.model"].clone())].into(), "llama").err().unwrap();
    assert!(error.code == Code::UnsupportedModel && error.message.contains("unigram"), "{error}");
    // A model file that is cut ends in an error, or lacks its last pieces.
    let model = &mt5["spiece.model"];
    for end in (0..model.len()).step_by(7) {
        match read(&[("spiece.model".to_owned(), model[..end].to_vec())].into(), "mt5") {
            Ok(_) => {}
            Err(error) => assert!(matches!(error.code, Code::CorruptFile | Code::UnsupportedModel), "{error}"),
        }
    }
}
