//! Tokenizers that are small enough to be read, and tokenizers that are broken.

use azulejo::Code;
use azulejo::text::{GgufVocabulary, StopStrings, Tokenizer};
use serde_json::json;

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| text.to_string()).collect()
}

/// Byte-level: every byte, a few merges, two special tokens and one that a user defined.
fn byte_level() -> GgufVocabulary {
    let printable = |byte: u32| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let others = (0..256u32).filter(|&byte| !printable(byte)).count() as u32;
    let mut tokens: Vec<String> = (0..256u32)
        .filter(|&byte| printable(byte))
        .chain(0x100..0x100 + others)
        .map(|code| char::from_u32(code).unwrap().to_string())
        .collect();
    tokens.extend(strings(&["he", "ll", "hell", "hello", "Ġhello", "<s>", "<|im_end|>", "<tool>"]));
    let mut token_types = vec![1; tokens.len() - 3];
    token_types.extend([3, 3, 4]);
    GgufVocabulary {
        model: "gpt2".into(),
        pre: Some("gpt-2".into()),
        merges: strings(&["h e", "l l", "he ll", "hell o", "Ġ hello"]),
        bos: Some(261),
        eos: Some(262),
        add_bos: Some(true),
        tokens,
        token_types,
        ..Default::default()
    }
}

/// SentencePiece: unknown, begin, end, 256 bytes, characters and some longer pieces by score.
fn sentence_piece() -> GgufVocabulary {
    let mut tokens = strings(&["<unk>", "<s>", "</s>"]);
    tokens.extend((0..256).map(|byte| format!("<0x{byte:02X}>")));
    let mut token_types = vec![2, 3, 3];
    token_types.extend([6; 256]);
    let pieces = ["▁h", "el", "lo", "▁hel", "▁hello", "▁", "h", "e", "l", "o"];
    tokens.extend(strings(&pieces));
    token_types.extend([1; 10]);
    let mut scores = vec![0.0; 259];
    scores.extend((0..10).map(|rank| -(rank as f32)));
    GgufVocabulary { model: "llama".into(), tokens, scores, token_types, ..Default::default() }
}

fn read(vocabulary: GgufVocabulary) -> azulejo::Result<Tokenizer> {
    Tokenizer::from_gguf_vocabulary(vocabulary)
}

#[test]
fn byte_level_vocabularies_hold_any_text() {
    let tokenizer = read(byte_level()).unwrap();
    assert_eq!(tokenizer.encode("hello hello", false).unwrap(), [259, 260]);
    for text in ["", " ", "é 🙂\u{0}\n\r\n\t  x", "hellohello", "  hello", "a\u{301}"] {
        let ids = tokenizer.encode(text, false).unwrap();
        assert_eq!(tokenizer.decode(&ids, false).unwrap(), text);
    }
}

#[test]
fn special_tokens_are_matched_in_text_and_skipped_on_demand() {
    let tokenizer = read(byte_level()).unwrap();
    let ids = tokenizer.encode("<s>hello<|im_end|><tool>", false).unwrap();
    assert_eq!(ids, [261, 259, 262, 263]);
    assert_eq!(tokenizer.decode(&ids, true).unwrap(), "hello<tool>");
    assert_eq!(tokenizer.end_tokens(), [262]);
}

#[test]
fn bos_is_added_unless_the_text_begins_with_it() {
    let tokenizer = read(byte_level()).unwrap();
    assert!(tokenizer.adds_bos());
    assert_eq!(tokenizer.encode("hello", true).unwrap(), [261, 259]);
    assert_eq!(tokenizer.encode("<s>hello", true).unwrap(), [261, 259]);
    assert_eq!(tokenizer.encode("", true).unwrap(), [261]);
}

#[test]
fn a_bos_that_is_written_out_is_the_only_one_and_a_prompt_has_no_eos_behind_it() {
    let both = read(GgufVocabulary { add_eos: Some(true), ..byte_level() }).unwrap();
    for text in ["hello", "<s>hello"] {
        assert_eq!(both.encode_prompt(text).unwrap(), [261, 259]);
    }
    // As the reference has it: who asks for what stands around a text gets it.
    assert_eq!(both.encode("hello", true).unwrap(), [261, 259, 262]);
    assert_eq!(both.encode("<s>hello", true).unwrap(), [261, 261, 259, 262]);
    assert_eq!(both.encode("<s>hello", false).unwrap(), [261, 259]);
    assert_eq!(both.encode_prompt("").unwrap(), [261]);
}

#[test]
fn what_users_have_defined_is_written_as_it_is() {
    let mut vocabulary = byte_level();
    // As DeepSeek's files have them: letters that stand for bytes elsewhere.
    vocabulary.tokens.extend(strings(&["ü", "õ", "Ġ"]));
    vocabulary.token_types.extend([4, 4, 3]);
    let tokenizer = read(vocabulary).unwrap();
    assert_eq!(tokenizer.encode("üõ", false).unwrap(), [264, 265]);
    assert_eq!(tokenizer.decode(&[264, 265, 266], false).unwrap(), "üõĠ");
    assert_eq!(tokenizer.decode(&tokenizer.encode("Führer", false).unwrap(), false).unwrap(), "Führer");
}

#[test]
fn pre_tokenizers_cut_where_their_names_say() {
    // Digits in twos, which no word may cross.
    let cut = |pre: &str, text: &str| {
        let mut vocabulary = byte_level();
        let first = vocabulary.tokens.len();
        vocabulary.tokens.extend(strings(&["12", "1234", "345", "Ġx", "Ġxy"]));
        vocabulary.token_types.extend([1; 5]);
        vocabulary.merges.extend(strings(&["1 2", "4 5", "3 45", "Ġ x"]));
        vocabulary.tokens.push("45".into());
        vocabulary.token_types.push(1);
        vocabulary.pre = Some(pre.into());
        let tokenizer = read(vocabulary).unwrap();
        let ids = tokenizer.encode(text, false).unwrap();
        assert_eq!(tokenizer.decode(&ids, false).unwrap(), text);
        ids.iter().map(|&id| if (id as usize) < first { -1 } else { (id as usize - first) as i32 }).collect::<Vec<_>>()
    };
    assert_eq!(cut("superbpe", "12345"), [0, 2], "12 and 345");
    assert_eq!(cut("deepseek-llm", "12345 x"), [0, 2, 3]);
    let text = "ΑΣ 東京 \u{1f80}\n12";
    assert_eq!(cut("deepseek-llm", text), cut("gpt-2", text));
}

#[test]
fn sentence_piece_merges_by_score_and_falls_back_to_bytes() {
    let tokenizer = read(sentence_piece()).unwrap();
    assert_eq!(tokenizer.encode("hello", true).unwrap(), [1, 263], "with <s>");
    assert_eq!(tokenizer.encode("hello hello", false).unwrap(), [263, 263]);
    let ids = tokenizer.encode("é", false).unwrap();
    assert_eq!(ids, [264, 3 + 0xc3, 3 + 0xa9]);
    assert_eq!(tokenizer.decode(&ids, false).unwrap(), "é");
    assert_eq!(tokenizer.decode(&[263, 263], false).unwrap(), "hello hello");
    let plain = GgufVocabulary { add_space_prefix: Some(false), ..sentence_piece() };
    assert_eq!(read(plain).unwrap().decode(&[263, 263], false).unwrap(), " hello hello");
}

#[test]
fn a_continued_text_keeps_the_first_token_s_space() {
    let tokenizer = read(sentence_piece()).unwrap();
    for (continues, expected) in [(true, " hello hello"), (false, "hello hello")] {
        let mut stream = tokenizer.stream(StopStrings::new(&[]).unwrap(), true, continues).unwrap();
        assert_eq!(stream.push(263) + &stream.push(263) + &stream.finish(), expected);
    }
}

#[test]
fn streamed_characters_are_whole_and_stop_strings_never_shown() {
    let tokenizer = read(byte_level()).unwrap();
    let text = "say 🙂 hello🙂STOP more";
    let stops = StopStrings::new(&strings(&["🙂STOP", "zzz"])).unwrap();
    let mut stream = tokenizer.stream(stops, true, true).unwrap();
    let mut shown = String::new();
    for id in tokenizer.encode(text, false).unwrap() {
        shown += &stream.push(id);
        assert!(text.starts_with(&shown), "{shown:?}");
        if stream.stopped() {
            break;
        }
    }
    assert!(stream.stopped());
    assert_eq!(shown + &stream.finish(), "say 🙂 hello");
}

#[test]
fn an_unknown_id_in_a_stream_has_no_text_but_decode_refuses_it() {
    let tokenizer = read(byte_level()).unwrap();
    let mut stream = tokenizer.stream(StopStrings::new(&[]).unwrap(), true, true).unwrap();
    assert_eq!(stream.push(4_000_000_000), "");
    assert_eq!(tokenizer.decode(&[4_000_000_000], true).unwrap_err().code, Code::InvalidArgument);
}

/// A change that breaks a vocabulary, and the code it is refused with.
type Breakage = (&'static str, fn(&mut GgufVocabulary), Code);

#[test]
fn broken_vocabularies_are_refused_in_words() {
    let byte_level_breakages: [Breakage; 10] = [
        ("merges", |v| v.merges.clear(), Code::CorruptFile),
        ("pair", |v| v.merges.push("hello".into()), Code::CorruptFile),
        ("merge", |v| v.merges.push("hello hello".into()), Code::CorruptFile),
        ("merge", |v| v.merges.push("x unheard-of".into()), Code::CorruptFile),
        ("no-such-pre", |v| v.pre = Some("no-such-pre".into()), Code::UnsupportedModel),
        ("no-such-model", |v| v.model = "no-such-model".into(), Code::UnsupportedModel),
        ("empty", |v| v.tokens.clear(), Code::CorruptFile),
        ("token types", |v| v.token_types.truncate(3), Code::CorruptFile),
        ("eos", |v| v.eos = Some(1000), Code::CorruptFile),
        ("add_bos", |v| v.bos = None, Code::CorruptFile),
    ];
    for (word, breakage, code) in byte_level_breakages {
        let mut vocabulary = byte_level();
        breakage(&mut vocabulary);
        let error = read(vocabulary).err().unwrap();
        assert_eq!(error.code, code, "{error}");
        assert!(error.message.contains(word), "{error}");
    }
    let sentence_piece_breakages: [Breakage; 4] = [
        ("scores", |v| v.scores.clear(), Code::CorruptFile),
        ("NaN", |v| v.scores[5] = f32::NAN, Code::CorruptFile),
        ("bytes", |v| v.tokens[5] = "a".repeat(1 << 20), Code::UnsupportedModel),
        (
            "bytes",
            |v| {
                v.model = "t5".into();
                v.tokens[5] = "a".repeat(5000);
            },
            Code::UnsupportedModel,
        ),
    ];
    for (word, breakage, code) in sentence_piece_breakages {
        let mut vocabulary = sentence_piece();
        breakage(&mut vocabulary);
        let error = read(vocabulary).err().unwrap();
        assert_eq!(error.code, code, "{error}");
        assert!(error.message.contains(word), "{error}");
    }
}

#[test]
fn equal_tokens_and_missing_parts_are_no_obstacle() {
    let mut vocabulary = byte_level();
    vocabulary.tokens[260] = "hello".into();
    vocabulary.merges.pop();
    let tokenizer = read(vocabulary).unwrap();
    assert_eq!(tokenizer.decode(&tokenizer.encode("hello", false).unwrap(), false).unwrap(), "hello");
    let mut twice = byte_level();
    twice.tokens[261] = "<|im_end|>".into();
    assert_eq!(read(twice).unwrap().encode("<|im_end|>", false).unwrap(), [262]);
    let untyped = GgufVocabulary { token_types: Vec::new(), ..byte_level() };
    assert_eq!(read(untyped).unwrap().encode("<s>", false).unwrap(), [261]);
}

#[test]
fn without_a_chat_template_the_caller_is_told() {
    let error = read(byte_level()).unwrap().chat_template(false).err().unwrap();
    assert_eq!(error.code, Code::InvalidArgument);
    assert!(error.message.contains("no chat template"), "{error}");
}

#[test]
fn texts_beyond_the_limit_are_refused() {
    let tokenizer = read(byte_level()).unwrap();
    assert_eq!(tokenizer.encode(&"a".repeat(5 << 20), false).unwrap_err().code, Code::InvalidArgument);
}

/// A small `tokenizer.json` with this pre-tokenizer.
fn tokenizer_json(pre_tokenizer: serde_json::Value) -> serde_json::Value {
    json!({
        "version": "1.0",
        "added_tokens": [{"id": 3, "content": "<s>", "special": true, "normalized": false}],
        "normalizer": null,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
            {"Sequence": {"id": "A", "type_id": 0}}], "pair": null, "special_tokens": {"<s>": {"id": "<s>", "ids": [3], "tokens": ["<s>"]}}},
        "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]},
    })
}

fn from_json(json: &serde_json::Value) -> azulejo::Result<Tokenizer> {
    let config = r#"{"bos_token": {"content": "<s>"}, "eos_token": "<s>", "chat_template": [{"name": "default", "template": "T"}]}"#;
    Tokenizer::from_json(&json.to_string(), Some(config))
}

#[test]
fn a_tokenizer_json_brings_its_template_and_its_special_tokens() {
    let tokenizer = from_json(&tokenizer_json(json!({"type": "ByteLevel", "add_prefix_space": false}))).unwrap();
    assert_eq!(tokenizer.encode("abba", true).unwrap(), [3, 2, 1, 0]);
    assert_eq!((tokenizer.bos(), tokenizer.adds_bos(), tokenizer.end_tokens()), (Some(3), true, &[3][..]));
    let chat = azulejo::text::Chat::of_texts(&[("user", "x")], true);
    assert_eq!(tokenizer.chat_template(false).unwrap().render(&chat, None).unwrap().text(), "T");
}

#[test]
fn long_texts_are_cut_as_the_files_say() {
    let mut file = tokenizer_json(json!({"type": "ByteLevel", "add_prefix_space": false}));
    file["truncation"] = json!({"direction": "Left", "max_length": 3, "strategy": "LongestFirst", "stride": 0});
    let read = |config: &str| Tokenizer::from_json(&file.to_string(), Some(config)).unwrap();
    let cut = |tokenizer: &Tokenizer| tokenizer.encode_pair("baba", None, tokenizer.max_tokens()).unwrap().0;
    let tokenizer = read("{}");
    assert_eq!((tokenizer.max_tokens(), cut(&tokenizer)), (Some(3), vec![3, 2, 0]));
    let tokenizer = read(r#"{"model_max_length": 2, "truncation_side": "right"}"#);
    assert_eq!((tokenizer.max_tokens(), cut(&tokenizer)), (Some(2), vec![3, 1]));
    assert_eq!(read(r#"{"model_max_length": 1e30}"#).max_tokens(), Some(3), "1e30 is no limit");
    assert_eq!(tokenizer.encode_pair("a", None, Some(0)).unwrap_err().code, Code::InvalidArgument);
}

#[test]
fn what_is_far_beyond_the_cut_is_not_looked_at() {
    let mut file = tokenizer_json(json!({"type": "ByteLevel", "add_prefix_space": false}));
    file["added_tokens"][0]["single_word"] = json!(true);
    let tokenizer = from_json(&file).unwrap();
    let text = format!("a{}", " b".repeat(1 << 20));
    assert_eq!(tokenizer.encode(&text, true).unwrap_err().code, Code::InvalidArgument);
    let short = tokenizer.encode_pair("a b b b", None, Some(4)).unwrap();
    assert_eq!(tokenizer.encode_pair(&text, None, Some(4)).unwrap(), short);
}

#[test]
fn texts_are_written_small_where_sentence_transformers_say_so() {
    let mut file = tokenizer_json(json!({"type": "ByteLevel", "add_prefix_space": false}));
    file["added_tokens"][0]["content"] = json!("<S>");
    let mut tokenizer = Tokenizer::from_json(&file.to_string(), None).unwrap();
    tokenizer.set_lowercase().unwrap();
    // But for what is a token as it is written.
    assert_eq!(tokenizer.encode("AB<S>", false).unwrap(), [2, 3]);
    file["added_tokens"][0]["normalized"] = json!(true);
    let mut tokenizer = Tokenizer::from_json(&file.to_string(), None).unwrap();
    tokenizer.set_lowercase().unwrap();
    assert_eq!(tokenizer.encode("AB<s>", false).unwrap(), [2, 3]);
}

#[test]
fn merges_that_are_left_to_chance_are_refused() {
    let mut file = tokenizer_json(json!({"type": "ByteLevel"}));
    for (dropout, is_read) in [(json!(null), true), (json!(0.0), true), (json!(0.1), false)] {
        file["model"]["dropout"] = dropout;
        match from_json(&file) {
            Ok(_) => assert!(is_read, "{}", file["model"]),
            Err(error) => assert!(!is_read && error.message.contains("dropout"), "{error}"),
        }
    }
}

#[test]
fn patterns_that_are_wrong_or_too_large_are_refused() {
    for pattern in
        [r"\Xa", r"(a)\k<x>", r"(?i)ss", "(((a{1,99}){1,99}){1,99}){1,99}", "(", &"a".repeat(9999), r"(b|\s+(?!\S)|\s+"]
    {
        let split = json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false});
        let error = from_json(&tokenizer_json(split)).err().unwrap();
        assert_eq!(error.code, Code::UnsupportedModel, "{pattern}");
    }
}

#[test]
fn a_text_may_cost_so_much_and_no_more() {
    let split = |pattern: &str| json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false});
    for pattern in ["[a-z]*x|.", r"(?:a*)*b|.", r"(?<=b.*)a|.", r"(a*)\1b|."] {
        let tokenizer = from_json(&tokenizer_json(split(pattern))).unwrap();
        assert_eq!(tokenizer.encode("ab", false).unwrap(), tokenizer.encode("ab", false).unwrap());
        let error = tokenizer.encode(&"a".repeat(1 << 17), false).unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument, "{pattern}");
        assert!(error.message.contains("too much work"), "{error}");
    }
    // What a rule makes of a short text is paid for as well.
    let mut file = tokenizer_json(split("[a-z]*x|."));
    let longer = json!({"type": "Replace", "pattern": {"String": "a"}, "content": "a".repeat(16)});
    file["normalizer"] = json!({"type": "Sequence", "normalizers": vec![longer; 5]});
    assert_eq!(from_json(&file).unwrap().encode("a", false).unwrap_err().code, Code::InvalidArgument);
    let bytes = json!({"type": "ByteLevel", "add_prefix_space": false, "use_regex": false});
    let file = tokenizer_json(json!({"type": "Sequence", "pretokenizers": vec![bytes; 60]}));
    assert_eq!(from_json(&file).unwrap().encode("é", false).unwrap_err().code, Code::InvalidArgument);
}

/// What a vocabulary makes of the words costs, too: each part of a long one is looked up, and long tokens begin anywhere.
#[test]
fn words_and_tokens_may_be_long_or_many_and_not_both() {
    let mut file = tokenizer_json(json!({"type": "Whitespace"}));
    for absent in ["post_processor", "decoder", "added_tokens"] {
        file.as_object_mut().unwrap().remove(absent);
    }
    let costs = |file: &serde_json::Value, few: &str, many: &str| {
        let tokenizer = from_json(file).unwrap();
        assert!(!tokenizer.encode(few, false).unwrap().is_empty());
        let error = tokenizer.encode(many, false).unwrap_err();
        assert_eq!((error.code, error.message.contains("too much work")), (Code::InvalidArgument, true), "{error}");
    };
    let word = "a".repeat(1000) + " ";
    file["model"] = json!({"type": "WordPiece", "vocab": {"[UNK]": 0, "b": 1}, "unk_token": "[UNK]",
        "continuing_subword_prefix": "##", "max_input_chars_per_word": 1000});
    costs(&file, &word[..100], &word.repeat(2000));
    let longer = (1..=1024).map(|length| json!(["a".repeat(length), -(length as f64)]));
    let vocabulary: Vec<_> = [json!(["<unk>", 0.0])].into_iter().chain(longer).collect();
    file["model"] = json!({"type": "Unigram", "unk_id": 0, "vocab": vocabulary});
    costs(&file, &word[..100], &"a".repeat(2 << 20));
}

#[test]
fn what_rules_make_at_load_is_bounded() {
    let longer = json!({"type": "Replace", "pattern": {"String": "a"}, "content": "a".repeat(16)});
    let plain = || tokenizer_json(json!({"type": "ByteLevel", "add_prefix_space": false}));
    let mut decoder = plain();
    decoder["decoder"] = json!({"type": "Sequence", "decoders": vec![longer.clone(); 8]});
    let mut added = plain();
    added["normalizer"] = json!({"type": "Sequence", "normalizers": vec![longer; 4]});
    added["added_tokens"][0] = json!({"id": 3, "content": "aaaa", "normalized": true});
    added["post_processor"] = json!(null);
    let mut long = plain();
    long["added_tokens"][0] = json!({"id": 3, "content": "a".repeat(1 << 20), "normalized": false});
    long["post_processor"] = json!(null);
    let mut patterns = plain();
    let split = |n: u32| {
        let classes: String = (0..250).map(|c| format!("[\\p{{L}}\\x{{{:x}}}]", 0xe000 + 250 * n + c)).collect();
        json!({"type": "Split", "pattern": {"Regex": classes}, "behavior": "Isolated", "invert": false})
    };
    patterns["pre_tokenizer"] = json!({"type": "Sequence", "pretokenizers": (0..16).map(split).collect::<Vec<_>>()});
    for (what, file) in [("decoder", decoder), ("added token", added), ("added token", long), ("patterns", patterns)] {
        let error = from_json(&file).err().unwrap_or_else(|| panic!("{what}"));
        assert_eq!(error.code, Code::UnsupportedModel, "{error}");
        assert!(error.message.contains(what), "{error}");
    }
}

/// A place in the file and what stands there instead.
#[test]
fn broken_files_are_refused_in_words() {
    let whole = tokenizer_json(json!({"type": "ByteLevel", "add_prefix_space": false}));
    for (place, value) in [
        ("/model/merges", json!(null)),
        ("/model/merges", json!(["ab"])),
        ("/model/merges", json!([["a", "b", "c"]])),
        ("/model/merges", json!([["ab", "ab"]])),
        ("/model/vocab", json!({})),
        ("/model/vocab", json!([["a", 0.5]])),
        ("/model/vocab/a", json!(-1)),
        ("/model/vocab/a", json!(4_000_000_000u32)),
        ("/model/type", json!("WordLevel")),
        ("/model/type", json!("Unigram")),
        ("/model/type", json!("WordPiece")),
        ("/added_tokens/0/id", json!(7)),
        ("/added_tokens/0", json!({"id": 3})),
        ("/normalizer", json!({"type": "Mystery"})),
        ("/normalizer", json!({"type": "Replace", "pattern": {"String": "a"}, "content": "a".repeat(99)})),
        ("/normalizer", json!({"type": "Precompiled", "precompiled_charsmap": "AAAA"})),
        ("/normalizer", json!({"type": "Precompiled", "precompiled_charsmap": "!"})),
        ("/normalizer", json!({"type": "Sequence", "normalizers": vec![json!({"type": "NFC"}); 99]})),
        ("/pre_tokenizer", json!({"type": "Mystery"})),
        ("/pre_tokenizer", json!({"type": "Split", "pattern": {}})),
        ("/post_processor", json!({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x"}}]})),
        ("/post_processor", json!({"type": "TemplateProcessing", "single": [], "pair": []})),
        ("/post_processor", json!({"type": "TemplateProcessing", "single": vec![json!({"Sequence": {"id": "A"}}); 2]})),
        ("/post_processor/pair", json!([{"Sequence": {"id": "A"}}])),
        ("/post_processor/special_tokens/<s>/ids", json!(vec![3; 1000])),
        ("/post_processor", json!({"type": "Sequence", "processors": vec![whole["post_processor"].clone(); 2]})),
        ("/post_processor", json!({"type": "BertProcessing", "sep": ["</s>", 77], "cls": ["<s>", 3]})),
    ] {
        let mut broken = whole.clone();
        *broken.pointer_mut(place).unwrap() = value.clone();
        let error = from_json(&broken).err().unwrap_or_else(|| panic!("{place}: {value} is taken"));
        assert!(matches!(error.code, Code::CorruptFile | Code::UnsupportedModel), "{place}: {error}");
    }
    let text = whole.to_string();
    for cut in 0..text.len() {
        assert_eq!(Tokenizer::from_json(&text[..cut], None).err().unwrap().code, Code::CorruptFile);
    }
    assert!(Tokenizer::from_json(&"[".repeat(100_000), None).is_err());
}

#[test]
fn rules_that_lengthen_text_over_and_over_are_stopped() {
    let double = json!({"type": "Replace", "pattern": {"String": "a"}, "content": "aa"});
    let mut file = tokenizer_json(json!(null));
    file["normalizer"] = json!({"type": "Sequence", "normalizers": vec![double; 40]});
    let error = from_json(&file).unwrap().encode("a", false).unwrap_err();
    assert_eq!(error.code, Code::InvalidArgument);
}

fn ids(value: &serde_json::Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

/// Two small tokenizers with what Python's `tokenizers` 0.23.3 made of some texts: a WordPiece one as
/// BERT's, and one as Llama 2's (its merges derived from scores).
#[test]
fn tokenizer_json_files_give_what_the_python_package_gives() {
    for file in [include_str!("../reference/tokenizers/bert.json"), include_str!("../reference/tokenizers/llama2.json")]
    {
        let file: serde_json::Value = serde_json::from_str(file).unwrap();
        let tokenizer = Tokenizer::from_json(file["json"].as_str().unwrap(), None).unwrap();
        for case in file["cases"].as_array().unwrap() {
            let text = case["text"].as_str().unwrap();
            let plain = tokenizer.encode(text, false).unwrap();
            assert_eq!(plain, ids(&case["plain"]), "{text:?}");
            // Python doubles a BOS that is already there.
            if !text.starts_with("<s>") {
                assert_eq!(tokenizer.encode(text, true).unwrap(), ids(&case["ids"]), "{text:?}");
            }
            assert_eq!(tokenizer.decode(&plain, false).unwrap(), case["decoded"].as_str().unwrap());
            assert_eq!(tokenizer.decode(&plain, true).unwrap(), case["skipped"].as_str().unwrap());
        }
    }
}

/// A small vocabulary with what SentencePiece itself made of some texts.
#[test]
fn a_gguf_vocabulary_gives_what_sentencepiece_gives() {
    let file: serde_json::Value =
        serde_json::from_str(include_str!("../reference/tokenizers/sentencepiece_bpe.json")).unwrap();
    let vocabulary = &file["gguf"];
    let list = |key: &str| vocabulary[key].as_array().unwrap().iter();
    let tokenizer = read(GgufVocabulary {
        model: "llama".into(),
        tokens: list("tokens").map(|token| token.as_str().unwrap().to_owned()).collect(),
        scores: list("scores").map(|score| score.as_f64().unwrap() as f32).collect(),
        token_types: list("types").map(|kind| kind.as_i64().unwrap() as i32).collect(),
        ..Default::default()
    })
    .unwrap();
    for case in file["cases"].as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        assert_eq!(tokenizer.encode(text, false).unwrap(), ids(&case["plain"]), "{text:?}");
        assert_eq!(tokenizer.decode(&ids(&case["plain"]), true).unwrap(), case["decoded"].as_str().unwrap());
    }
}
