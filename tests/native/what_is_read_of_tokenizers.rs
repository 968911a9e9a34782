//! docs/what-is-read.md about tokenizer_config.json, against the fields that transformers' classes ask for and against what a
//! field's change does to texts.

use azulejo::Result;
use azulejo::text::{Chat, Tokenizer};
use serde_json::{Value, json};

use crate::folders::{files, folder};
use crate::tokenizer_families::family;
use crate::what_is_read::{assert_none, fields, judge, names, outcome, rows, said};

/// Every name that a template might know.
const TEMPLATE: &str = "<|im_start|>{{ messages[0].content }} tiles {{ bos_token }}|{{ eos_token }}|{{ unk_token }}|{{ sep_token }}|\
    {{ pad_token }}|{{ cls_token }}|{{ mask_token }}|{{ think_token }}";
const TEXT: &str = "The tiles of an Azulejo Wall: naïve <s>CAFÉ</s> 東京は <made> <extra> <extra_id_1>";

/// All that a tokenizer makes of a text and of a chat.
fn made(tokenizer: Tokenizer) -> Result<String> {
    let plain = tokenizer.encode(TEXT, false)?;
    let cut = tokenizer.encode_pair(TEXT, None, Some(5))?;
    let skipped = tokenizer.decode(&plain, true)?;
    let prompt = tokenizer.encode_prompt(TEXT)?;
    let covered = tokenizer.locate(TEXT)?;
    let template = tokenizer
        .chat_template(false)
        .and_then(|template| template.render(&Chat::of_texts(&[("user", "tiles <extra>")], false), None));
    let chat =
        outcome(template.as_ref().map_err(Clone::clone).map(|prompt| (prompt.text(), tokenizer.encode_chat(prompt))));
    let told =
        (tokenizer.bos(), tokenizer.end_tokens(), tokenizer.padding(), tokenizer.max_tokens(), tokenizer.adds_bos());
    Ok(format!("{plain:?} {cut:?} {skipped:?} {prompt:?} {covered:?} {chat} {told:?}"))
}

fn with(config: &Value, field: &str, value: &Value) -> String {
    let mut config = config.clone();
    config[field] = value.clone();
    config.to_string()
}

/// What becomes of a field that has a value, in one kind of folder.
type Kind = Box<dyn Fn(&str, &Value) -> String>;

/// A tokenizer of each kind, made with a field of its configuration changed.
fn kinds() -> Vec<Kind> {
    let mut kinds: Vec<Kind> = Vec::new();
    for (name, class) in [("bert_uncased", "BertTokenizer"), ("gpt2", "GPT2Tokenizer"), ("roberta", "RobertaTokenizer")]
    {
        let json = family(name)["tokenizer"].to_string();
        // Where tokenizer.json says otherwise, whose class it is makes a difference.
        let config = json!({ "tokenizer_class": class, "do_lower_case": false, "add_prefix_space": true, "chat_template": TEMPLATE });
        kinds.push(Box::new(move |field, value| {
            outcome(Tokenizer::from_json(&json, Some(&with(&config, field, value))).and_then(made))
        }));
    }
    for name in ["llama_legacy.json", "mt5.json", "distilbert.json"] {
        let folder = folder(name);
        let ((files, config), model_type) = (files(&folder), folder["model_type"].as_str().unwrap().to_owned());
        let config: Value = serde_json::from_str(&config.unwrap()).unwrap();
        kinds.push(Box::new(move |field, value| {
            let made = Tokenizer::from_folder(&files, Some(&with(&config, field, value)), &model_type)
                .and_then(|tokenizer| tokenizer.map(made).transpose());
            outcome(made)
        }));
    }
    kinds
}

#[test]
fn every_field_of_the_references_tokenizers_is_read_refused_or_without_effect_as_the_table_says() {
    let (rows, kinds) = (rows("tokenizer_config.json"), kinds());
    let token = json!({ "content": "<made>", "special": true });
    let values = [
        json!(true),
        json!(false),
        json!(null),
        json!(7),
        json!("left"),
        json!("tiles"),
        json!("PreTrainedTokenizerFast"),
        json!("{{ 1 }}"),
        json!(["<extra>"]),
        json!({}),
        json!({ "think_token": "tiles" }),
        json!({ "420": token }),
        token,
    ];
    let mut failures = Vec::new();
    for field in names(&fields("tokenizer_config.json")) {
        let Some(verdict) = said(&rows, "all", &field) else {
            failures.push(format!("{field} is not in the table"));
            continue;
        };
        // One of them is enough to show what is read.
        let mut changed: Vec<(String, String)> = Vec::new();
        for kind in &kinds {
            let plain = kind("", &Value::Null);
            let found = values.iter().map(|value| (value.to_string(), kind(&field, value)));
            changed.extend(found.map(|(value, found)| (value, if found == plain { String::new() } else { found })));
        }
        failures.extend(judge(&format!("tokenizer_config.json: {field}"), verdict, "", &changed));
    }
    assert_none(failures);
}
