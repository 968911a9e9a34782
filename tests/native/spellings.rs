//! Other spellings of a family's `config.json` are the same model: those of older checkpoints, and with fields that the
//! family ignores (tests/reference/spellings).

use azulejo::model::families::from_config;
use serde_json::{Map, Value};
use std::fs;

fn spellings(kind: &str) -> Map<String, Value> {
    let all: Value = serde_json::from_str(include_str!("../reference/spellings/spellings.json")).unwrap();
    all[kind].as_object().unwrap().clone()
}

/// A family's own configuration: of our set, whatever set other tests are run with.
fn config(family: &str) -> Value {
    let path = format!("{}/tests/conformance/{family}/config.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// All of the plan: the model, its tensors' names, its tokens and classes.
fn plan(config: &Value, what: &str) -> String {
    format!("{:#?}", from_config(&config.to_string()).unwrap_or_else(|error| panic!("{what}: {error}")))
}

fn assert_same(family: &str, spelling: &str, config: &Value) {
    let (found, expected) = (plan(config, &format!("{family}, {spelling}")), plan(&self::config(family), family));
    let difference = found.lines().zip(expected.lines()).find(|(found, expected)| found != expected);
    assert_eq!(difference, None, "{family}, {spelling}: found and expected");
    assert_eq!(found, expected, "{family}, {spelling}");
}

#[test]
fn the_spelling_that_most_published_checkpoints_have_is_the_same_model() {
    let mut count = 0;
    for (family, spellings) in spellings("older") {
        for (spelling, config) in spellings.as_object().unwrap() {
            assert_same(&family, spelling, config);
            count += 1;
        }
    }
    assert!(count >= 39, "{count} spellings");
}

#[test]
fn fields_that_a_family_ignores_change_nothing() {
    let ignored = spellings("ignored");
    assert!(ignored.len() >= 30, "{} families", ignored.len());
    for (family, fields) in ignored {
        let mut config = config(&family);
        config.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        assert_same(&family, "ignored fields", &config);
    }
}
