//! docs/what-is-read.md's table of generation_config.json against the reference's fields
//! (tests/what-is-read/generation.json), and against what a change of a field does.

use azulejo::model::{ModelConfig, families};
use azulejo::text::{Before, GenerateOptions};
use serde_json::{Value, json};

use crate::case::folder;

const DOCUMENT: &str = include_str!("../../docs/what-is-read.md");
const FIELDS: &str = include_str!("../what-is-read/generation.json");

/// What stands in backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// What the table says of a task's field.
fn said(task: &str, field: &str) -> Option<&'static str> {
    let section = DOCUMENT.split("\n## ").find(|section| section.starts_with("generation_config.json\n"));
    let rows = section.expect("the section").lines().filter(|line| line.starts_with("| `"));
    let mut cells = rows.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect::<Vec<_>>());
    let row = cells.find(|row| {
        let tasks = quoted(row[1]);
        quoted(row[0]).contains(&field) && (tasks.is_empty() || tasks.contains(&task))
    });
    row.map(|row| row[2])
}

/// All that a file changes, as text; or what is refused of it.
fn outcome(task: &str, base: &Value, field: &str, value: Option<&Value>) -> Result<String, String> {
    let family = if task == "seq2seq" { "bart" } else { "llama" };
    let config = std::fs::read_to_string(format!("{}/config.json", folder(family))).unwrap();
    let mut settings = base.as_object().unwrap().clone();
    value.map(|value| settings.insert(field.to_owned(), value.clone()));
    let mut plan: ModelConfig = families::from_config(&config).unwrap();
    plan.set_generation(Some(&Value::Object(settings).to_string())).map_err(|error| error.to_string())?;
    let generation = &plan.generation;
    let prompt: Vec<u32> = generation.start.filter(|_| task == "seq2seq").into_iter().chain([1]).collect();
    let source: &[u32] = &[4, 5, 6];
    let source = (task == "seq2seq").then_some(source);
    let before = Before { prompt: &prompt, source, ends: &plan.end_tokens };
    let options = GenerateOptions { use_defaults: base.get("do_sample").map(|_| true), ..Default::default() };
    let sampling = generation.sampling(&options, 131, &before).map_err(|error| error.to_string())?;
    let first = generation.first.filter(|_| task == "seq2seq");
    Ok(format!("{sampling:?} {prompt:?} {first:?} {:?} {:?}", generation.stops(&options), plan.end_tokens))
}

fn values() -> Vec<Value> {
    vec![
        json!(true),
        json!(false),
        json!(2),
        json!(3),
        json!(0.5),
        json!([3]),
        json!([[3, 4]]),
        json!("a"),
        json!("never"),
        json!({ "a": 1 }),
    ]
}

/// Where the table is wrong about a field.
fn failure(task: &str, field: &str) -> Option<String> {
    let what = format!("{task}, {field}");
    let Some(said) = said(task, field) else { return Some(format!("{what}: the table has no line")) };
    let (mut changes, mut refusals) = (Vec::new(), Vec::new());
    let several = if task == "seq2seq" { 3 } else { 1 };
    for base in [json!({ "num_beams": several, "max_length": 9 }), json!({ "do_sample": true, "max_length": 9 })] {
        let plain = outcome(task, &base, field, None).unwrap();
        for value in values() {
            match outcome(task, &base, field, Some(&value)) {
                Ok(changed) if changed == plain => {}
                Ok(_) => changes.push(value),
                Err(error) => refusals.push(format!("{value}: {error}")),
            }
        }
    }
    let named = refusals.iter().all(|error| error.contains(field));
    // What is of searches is refused where it makes no sense, whoever asks.
    let of_searches = ["length_penalty", "early_stopping", "renormalize_logits", "encoder_no_repeat_ngram_size"];
    let right = match said {
        "read" => !changes.is_empty() && named,
        "refused" => changes.is_empty() && !refusals.is_empty() && named,
        "without effect" => changes.is_empty() && (refusals.is_empty() || of_searches.contains(&field)),
        _ => false,
    };
    (!right).then(|| format!("{what} is said to be {said}: changes {changes:?}, refusals {refusals:?}"))
}

#[test]
fn every_field_of_generation_config_is_read_refused_or_without_effect_as_the_table_says() {
    let fields: Vec<String> = serde_json::from_str(FIELDS).unwrap();
    assert!(fields.len() > 70);
    let failures: Vec<String> = ["seq2seq", "causal-lm"]
        .iter()
        .flat_map(|task| fields.iter().filter_map(|field| failure(task, field)))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
