//! Other spellings of a family's `config.json` are the same model: those of older checkpoints, and with fields that the
//! family ignores (tests/reference/spellings).

use crate::case::{Case, planned};
use crate::devices::cpu;
use crate::outputs::outputs;
use azulejo::device::gpu::native::run;
use azulejo::model::Plan;
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
fn made(family: &str, plan: &Plan) -> Vec<f32> {
    let case = Case::at(&format!("{}/case.safetensors", folder(family)));
    run(None, outputs(&case, planned(&folder(family), plan.clone(), cpu(1)))).unwrap()
}

/// Families whose older spelling makes another plan, which comes to the same: older CLIPs are read at the largest token,
/// newer ones at the one that they name.
const OTHER_WAYS: [&str; 1] = ["clip"];

/// The plans say the same of the model, its tensors' names, its tokens and classes; or the outputs are the same.
fn assert_same(family: &str, spelling: &str, config: &Value) {
    let plan = |config: &Value| {
        from_config(&config.to_string()).unwrap_or_else(|error| panic!("{family}, {spelling}: {error}"))
    };
    let (found, expected) = (plan(config), plan(&self::config(family)));
    if OTHER_WAYS.contains(&family) {
        return assert_eq!(made(family, &found), made(family, &expected), "{family}, {spelling}");
    }
    let [found, expected] = [found, expected].map(|plan| format!("{plan:#?}"));
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
