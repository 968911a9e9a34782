//! Tokenizers built as the families' published ones are, with what Python's `tokenizers` makes of ugly texts
//! (reference/tokenizers/make.py), and all-MiniLM's own tokenizer with what transformers makes of them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::fetched::minilm;
use azulejo::text::{GgufVocabulary, Sentence, SentenceFiles, SentencePooling, Tokenizer};
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

/// All families' files: those with a whole tokenizer in them.
fn families() -> Vec<(String, Value)> {
    let folder = fs::read_dir(root().join("tests/reference/tokenizers")).unwrap();
    let mut paths: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "json"));
    paths.sort();
    let files = paths.iter().map(|path| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, serde_json::from_str::<Value>(&read(path)).unwrap())
    });
    files.filter(|(_, file)| file["tokenizer"].is_object()).collect()
}

/// What differs in one case, in words.
fn differences(tokenizer: &Tokenizer, case: &Value) -> Vec<String> {
    let text = |index: usize| case["texts"][index].as_str();
    let (first, second) = (text(0).unwrap(), text(1));
    let most = case["most"].as_u64().map(|most| most as usize);
    let mut found = Vec::new();
    let mut compare = |what: &str, ours: String, theirs: String| {
        if ours != theirs {
            found.push(format!("{what} of {}, at most {most:?}:\n    {ours}\n    {theirs}", case["texts"]));
        }
    };
    let (both, types) = tokenizer.encode_pair(first, second, most).unwrap();
    compare("ids", format!("{both:?}"), format!("{:?}", ids(&case["ids"])));
    let expected = case.get("types").map_or(vec![0; both.len()], ids);
    compare("types", format!("{types:?}"), format!("{expected:?}"));
    if case.get("plain").is_some() {
        let plain = tokenizer.encode(first, false).unwrap();
        compare("plain ids", format!("{plain:?}"), format!("{:?}", ids(&case["plain"])));
        for (key, skip) in [("decoded", false), ("skipped", true)] {
            let back = tokenizer.decode(&ids(&case["plain"]), skip).unwrap();
            compare(key, format!("{back:?}"), format!("{:?}", case[key].as_str().unwrap()));
        }
    }
    found
}

#[test]
fn every_family_s_tokenizer_gives_what_the_python_package_gives() {
    let families = families();
    assert!(families.len() >= 22, "{} families", families.len());
    let mut report = Vec::new();
    for (family, file) in &families {
        let tokenizer = Tokenizer::from_json(&file["tokenizer"].to_string(), None);
        let tokenizer = tokenizer.unwrap_or_else(|error| panic!("{family}: {error}"));
        for case in file["cases"].as_array().unwrap() {
            report.extend(differences(&tokenizer, case).into_iter().map(|line| format!("{family}: {line}")));
        }
    }
    assert!(report.is_empty(), "{} differences:\n{}", report.len(), report.join("\n"));
}

/// What grammars go by: a token in the midst of a text adds the same whatever stands beside it, and a text that goes on from
/// another one is cut as it would be there.
#[test]
fn tokens_in_the_midst_of_a_text_are_the_pieces_that_it_is_made_of() {
    let texts =
        ["{\"name\": \"", " größe\": [1, 2.5]", "\n\t] }", "Hello world", "  two  spaces ", "<|im_end|></s><s>", "🙂é"];
    let (mut refused, mut cut) = (0, 0);
    for (family, file) in families() {
        let tokenizer = Tokenizer::from_json(&file["tokenizer"].to_string(), None).unwrap();
        if tokenizer.piece(0).is_err() {
            refused += 1;
            assert_eq!(tokenizer.encode_after("a"), None, "{family}");
            continue;
        }
        for text in texts {
            let Some(ids) = tokenizer.encode_after(text) else { continue };
            let pieces: Vec<u8> = ids.iter().flat_map(|id| tokenizer.piece(*id).unwrap()).collect();
            assert_eq!(String::from_utf8_lossy(&pieces), text, "{family}");
            assert!(ids.iter().all(|id| !tokenizer.is_special(*id)), "{family}: {text}");
            // As a stream writes them behind another text.
            let stops = azulejo::text::StopStrings::new(&[]).unwrap();
            let mut stream = tokenizer.stream(stops, true, true).unwrap();
            let mut written: String = ids.iter().map(|id| stream.push(*id)).collect();
            written += &stream.finish();
            assert_eq!(written, text, "{family}");
            cut += 1;
        }
    }
    assert!(refused <= 4 && cut >= 97, "{refused} families refused, {cut} texts cut");
}

/// reference/tokenizers/configs/make.py.
#[test]
fn what_tokenizer_config_says_goes_before_tokenizer_json_as_in_transformers() {
    let cases: Value = serde_json::from_str(include_str!("../reference/tokenizers/configs/cases.json")).unwrap();
    let mut report = Vec::new();
    for case in cases.as_array().unwrap() {
        let (name, config) = (case["family"].as_str().unwrap(), case["config"].to_string());
        let tokenizer = Tokenizer::from_json(&family(name)["tokenizer"].to_string(), Some(&config)).unwrap();
        for row in case["rows"].as_array().unwrap() {
            let plain = tokenizer.encode(row["text"].as_str().unwrap(), false).unwrap();
            let both = tokenizer.encode_pair(row["text"].as_str().unwrap(), None, None).unwrap().0;
            let skipped = tokenizer.decode(&ids(&row["plain"]), true).unwrap();
            let ours = (both, plain, skipped.as_str());
            let theirs = (ids(&row["ids"]), ids(&row["plain"]), row["skipped"].as_str().unwrap());
            if ours != theirs {
                report.push(format!("{name}, {config}: {}:\n    {ours:?}\n    {theirs:?}", row["text"]));
            }
        }
    }
    assert!(report.is_empty(), "{} differences:\n{}", report.len(), report.join("\n"));
}

pub(crate) fn family(name: &str) -> Value {
    families().into_iter().find(|(family, _)| family == name).unwrap().1
}

/// A family's vocabulary as a GGUF file has it: tokens in order, each written by `spell`, added tokens that are special
/// as control tokens.
fn gguf_of(file: &Value, spell: impl Fn(&str) -> String) -> GgufVocabulary {
    let vocabulary = file["tokenizer"]["model"]["vocab"].as_object().unwrap();
    let mut tokens = vec![String::new(); vocabulary.len()];
    let mut token_types = vec![1; tokens.len()];
    for (token, id) in vocabulary {
        tokens[id.as_u64().unwrap() as usize] = spell(token);
    }
    for added in file["tokenizer"]["added_tokens"].as_array().unwrap() {
        let id = added["id"].as_u64().unwrap() as usize;
        if added["special"] == true && id < tokens.len() {
            tokens[id] = added["content"].as_str().unwrap().to_owned();
            token_types[id] = 3;
        }
    }
    GgufVocabulary { tokens, token_types, ..Default::default() }
}

/// All cases but those with tokens that stay out of the GGUF file.
fn same_as_the_family(vocabulary: GgufVocabulary, file: &Value) {
    let tokenizer = Tokenizer::from_gguf_vocabulary(vocabulary).unwrap();
    let left_out = |case: &&Value| !["<extra>", "<mask>"].iter().any(|token| case["texts"].to_string().contains(token));
    let cases: Vec<&Value> = file["cases"].as_array().unwrap().iter().filter(left_out).collect();
    assert!(cases.len() > 40);
    let report: Vec<String> = cases.into_iter().flat_map(|case| differences(&tokenizer, case)).collect();
    assert!(report.is_empty(), "{} differences:\n{}", report.len(), report.join("\n"));
}

#[test]
fn bert_s_vocabulary_from_gguf_gives_what_its_tokenizer_json_gives() {
    let file = family("bert_uncased");
    let spell = |token: &str| match token.strip_prefix("##") {
        Some(rest) => rest.to_owned(),
        None => format!("▁{token}"),
    };
    same_as_the_family(GgufVocabulary { model: "bert".into(), ..gguf_of(&file, spell) }, &file);
    let cased = family("bert_cased");
    let vocabulary = GgufVocabulary { model: "bert".into(), lowercase: Some(false), ..gguf_of(&cased, spell) };
    same_as_the_family(vocabulary, &cased);
    let none = GgufVocabulary { model: "bert".into(), tokens: vec!["▁a".into()], ..Default::default() };
    assert!(Tokenizer::from_gguf_vocabulary(none).err().unwrap().message.contains("[CLS]"));
}

/// A byte-level vocabulary, by the name that GGUF files have for the family's way of cutting text.
fn byte_level(file: &Value, pre: &str, bos: Option<u32>, eos: Option<u32>) -> GgufVocabulary {
    let merges = file["tokenizer"]["model"]["merges"].as_array().unwrap().iter();
    let merge = |pair: &Value| format!("{} {}", pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
    let mut vocabulary = gguf_of(file, str::to_owned);
    let first = vocabulary.tokens.len();
    for added in file["tokenizer"]["added_tokens"].as_array().unwrap() {
        // Those behind the vocabulary are tokens as well.
        if added["id"].as_u64().unwrap() as usize >= first {
            vocabulary.tokens.push(added["content"].as_str().unwrap().to_owned());
            vocabulary.token_types.push(if added["special"] == true { 3 } else { 4 });
        }
    }
    GgufVocabulary {
        model: "gpt2".into(),
        pre: Some(pre.into()),
        merges: merges.map(merge).collect(),
        bos,
        eos,
        add_bos: Some(bos.is_some()),
        add_eos: Some(eos.is_some()),
        ..vocabulary
    }
}

#[test]
fn byte_level_vocabularies_from_gguf_give_what_their_tokenizer_json_gives() {
    for (name, pre, bos, eos) in [
        ("gpt2", "gpt-2", None, None),
        ("bloom", "bloom", None, None),
        ("falcon", "falcon", None, None),
        ("cohere", "command-r", Some(1), None),
        ("roberta", "roberta-bpe", Some(0), Some(2)),
        ("modern_bert", "modern-bert", Some(425), Some(426)),
        ("qwen2", "qwen2", None, None),
        ("llama3", "llama-bpe", Some(0), None),
    ] {
        println!("{name}");
        let file = family(name);
        same_as_the_family(byte_level(&file, pre, bos, eos), &file);
    }
}

#[test]
#[ignore = "reads a fetched checkpoint: scripts/cargo-test.mjs runs it"]
fn all_minilm_s_ids_are_those_of_transformers_as_long_as_its_files_say() {
    let tokenizer = Tokenizer::from_json(&minilm("tokenizer.json"), Some(&minilm("tokenizer_config.json"))).unwrap();
    let [pooling, transformer] = ["1_Pooling/config.json", "sentence_bert_config.json"].map(|file| Some(minilm(file)));
    let files = SentenceFiles { modules: minilm("modules.json"), pooling, transformer, ..SentenceFiles::default() };
    let sentence = Sentence::from_json(&files).unwrap();
    assert_eq!((sentence.pooling, sentence.normalize), (Some(SentencePooling::Mean), true));
    assert_eq!((sentence.max_tokens, tokenizer.max_tokens()), (Some(256), Some(512)));
    let reference: Value = serde_json::from_str(include_str!("../reference/minilm/reference.json")).unwrap();
    for case in reference.as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        let (found, types) = tokenizer.encode_pair(text, None, sentence.max_tokens).unwrap();
        assert_eq!(found, ids(&case["ids"]), "{text:?}");
        assert_eq!(types, vec![0; found.len()]);
        let whole = tokenizer.encode(text, true).unwrap();
        assert_eq!(whole.len() <= 256, whole == found, "{text:?}");
    }
}
