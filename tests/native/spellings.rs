//! Other spellings of a family's `config.json` are the same model: those of older checkpoints, and with fields that the
//! family ignores (tests/reference/spellings).

use crate::case::{Case, planned};
use crate::devices::cpu;
use crate::outputs::outputs;
use azulejo::device::gpu::native::run;
use azulejo::model::ModelConfig;
use azulejo::model::families::from_config;
use serde_json::{Map, Value};
use std::fs;

fn spellings(kind: &str) -> Map<String, Value> {
    let all: Value = serde_json::from_str(include_str!("../reference/spellings/spellings.json")).unwrap();
    all[kind].as_object().unwrap().clone()
}

/// A file of a family: of our set, whatever set other tests are run with.
fn folder(family: &str) -> String {
    format!("{}/tests/conformance/{family}", env!("CARGO_MANIFEST_DIR"))
}

fn config(family: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(format!("{}/config.json", folder(family))).unwrap()).unwrap()
}

/// All that the model makes of its case.
fn made(family: &str, plan: &ModelConfig) -> Vec<f32> {
    let case = Case::at(&format!("{}/case.safetensors", folder(family)));
    run(None, outputs(&case, planned(&folder(family), plan.clone(), cpu(1)))).unwrap()
}

/// What is not as in the plan of the family's own configuration: the first line that differs. Or, where another way leads
/// to the same, whether the outputs differ.
fn difference(family: &str, spelling: &str, config: &Value) -> Option<String> {
    let what = format!("{family}, {spelling}");
    let plan = |config: &Value| from_config(&config.to_string()).unwrap_or_else(|error| panic!("{what}: {error}"));
    let (found, mut expected) = (plan(config), plan(&self::config(family)));
    // Newer ones have a file of its own for how texts are made: `generation_settings.rs` is about that.
    expected.generation = found.generation.clone();
    if (family, spelling) == ("clip", "older names") {
        // They are read at the largest token, newer ones at the one that they name.
        let (found, expected) = (made(family, &found), made(family, &expected));
        return (found != expected).then(|| format!("{what}: other outputs"));
    }
    let [found, expected] = [found, expected].map(|plan| format!("{plan:#?}"));
    let different = found.lines().zip(expected.lines()).find(|(found, expected)| found != expected);
    (found != expected).then(|| format!("{what}: found and expected {different:?}"))
}

#[test]
fn the_spelling_that_most_published_checkpoints_have_is_the_same_model() {
    let all = spellings("older");
    let all = all.iter().flat_map(|(family, spellings)| {
        spellings.as_object().unwrap().iter().map(move |(spelling, config)| difference(family, spelling, config))
    });
    let all: Vec<Option<String>> = all.collect();
    assert!(all.len() >= 39, "{} spellings", all.len());
    assert_eq!(all.into_iter().flatten().collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn fields_that_a_family_ignores_change_nothing() {
    let ignored = spellings("ignored");
    assert!(ignored.len() >= 30, "{} families", ignored.len());
    for (family, fields) in ignored {
        let mut config = config(&family);
        config.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        assert_eq!(difference(&family, "ignored fields", &config), None);
    }
}
