//! The conformance families and what the reference implementation made of them.

#![allow(dead_code)] // Each test file takes what it needs.

use azulejo::Result;
use azulejo::checkpoint::{FileReader, Format};
use azulejo::device::Device;
use azulejo::model::families::from_config;
use azulejo::model::{ModelConfig, WeightLoader};
use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::{cell::RefCell, fs};

/// The families of a kind: causal, encoder, seq2seq, vision, dual or tokens. Those that the set's `index.json` has.
pub fn families(kind: &str) -> Vec<String> {
    let index = fs::read_to_string(folder("index.json")).unwrap();
    let index: serde_json::Value = serde_json::from_str(&index).unwrap();
    let families = index["families"].as_object().unwrap().iter().filter(|(_, family)| family["kind"] == kind);
    let names: Vec<String> = families.map(|(name, _)| name.clone()).collect();
    assert!(!names.is_empty(), "no family is {kind:?}");
    names
}

/// All of them.
pub fn all_families() -> Vec<String> {
    ["causal", "encoder", "seq2seq", "vision", "dual", "tokens"].into_iter().flat_map(families).collect()
}

pub fn folder(family: &str) -> String {
    // Another set may be tested: see tests/conformance/generate.py.
    let set = std::env::var("AZULEJO_CONFORMANCE");
    let set = set.unwrap_or_else(|_| format!("{}/tests/conformance", env!("CARGO_MANIFEST_DIR")));
    format!("{set}/{family}")
}

/// A family's plan, as its configuration says.
pub fn plan(family: &str) -> ModelConfig {
    from_config(&fs::read_to_string(format!("{}/config.json", folder(family))).unwrap()).unwrap()
}

thread_local! {
    static INSTEAD: RefCell<Option<ModelConfig>> = const { RefCell::new(None) };
}

/// What this thread's models are from now on, whatever their configuration says: see native/teeth.
pub fn plan_instead(plan: Option<ModelConfig>) {
    INSTEAD.set(plan);
}

/// A family's configuration and weights, read.
pub fn assembled<D: Device>(family: &str, device: D) -> WeightLoader<D> {
    try_assembled(family, device).unwrap()
}

pub fn try_assembled<D: Device>(family: &str, device: D) -> Result<WeightLoader<D>> {
    pushed(&weights(&folder(family)), plan_of(family), device)
}

/// The plan that the family's models have now.
pub fn plan_of(family: &str) -> ModelConfig {
    INSTEAD.with_borrow(Clone::clone).unwrap_or_else(|| plan(family))
}

/// The weights of a folder, as a plan has them.
pub fn planned<D: Device>(folder: &str, plan: ModelConfig, device: D) -> WeightLoader<D> {
    pushed(&weights(folder), plan, device).unwrap()
}

/// The bytes of a folder's weights.
pub fn weights(folder: &str) -> Vec<u8> {
    fs::read(format!("{folder}/model.safetensors")).unwrap()
}

/// Weights as they may arrive, in pieces.
pub fn pushed<D: Device>(bytes: &[u8], plan: ModelConfig, device: D) -> Result<WeightLoader<D>> {
    let mut weight_loader = WeightLoader::new(device);
    weight_loader.set_plan(plan);
    let mut reader = FileReader::new(Format::Safetensors, "model.safetensors", Some(bytes.len() as u64));
    bytes.chunks(1009).try_for_each(|chunk| reader.push(chunk, &mut weight_loader))?;
    reader.finish()?;
    Ok(weight_loader)
}

/// A family's `case.safetensors`.
pub struct Case(Vec<u8>);

impl Case {
    pub fn read(family: &str) -> Self {
        Self::at(&format!("{}/case.safetensors", folder(family)))
    }

    pub fn at(path: &str) -> Self {
        Self(fs::read(path).unwrap())
    }

    pub fn floats(&self, name: &str) -> Vec<f32> {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        file.tensor(name).unwrap().data().chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    }

    pub fn has(&self, name: &str) -> bool {
        SafeTensors::deserialize(&self.0).unwrap().tensor(name).is_ok()
    }

    pub fn ids(&self, name: &str) -> Vec<u32> {
        self.floats(name).into_iter().map(f32::to_bits).collect()
    }
}

/// Of two computations of our own: what different orders of summation in f32 differ by, with room.
pub fn assert_close(found: &[f32], expected: &[f32], what: &str) {
    assert_within(found, expected, 2e-5, what);
}

pub fn assert_within(found: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let close = (found - expected).abs() <= tolerance * (1.0 + expected.abs());
        assert!(close, "{what}[{i}]: {found}, expected {expected} within {tolerance:e}");
    }
}

/// What is compared with the reference: each has its own table of errors.
#[derive(Clone, Copy)]
pub enum Compared {
    Outputs,
    /// Weights of attention, which are 1 at most.
    Attention,
}

/// What the reference implementation says, but for ten times the largest error that was measured of this family, absolute
/// and relative at once: a ratchet. The errors are in the set's `errors.json`, which `npm run conformance:errors` makes
/// anew; a set without one is held to 1e-3.
pub fn assert_reference(family: &str, compared: Compared, found: &[f32], expected: &[f32], what: &str) {
    let name = match compared {
        Compared::Outputs => "outputs",
        Compared::Attention => "attention",
    };
    if std::env::var_os("AZULEJO_MEASURE").is_some() {
        assert_eq!(found.len(), expected.len(), "{family}, {what}");
        measured(family, name, worst(found, expected));
        return assert_within(found, expected, 1e-3, &format!("{family}, {what}"));
    }
    let errors = errors();
    let tolerance = match &errors {
        Some(errors) => 10.0 * errors[family][name].as_f64().expect("the table has every family") as f32,
        None => 1e-3,
    };
    assert_within(found, expected, tolerance, &format!("{family}, {what}"));
}

fn errors() -> Option<serde_json::Value> {
    let table = fs::read_to_string(folder("errors.json")).ok()?;
    Some(serde_json::from_str(&table).unwrap())
}

/// The largest error, as a part of 1 + what was expected.
fn worst(found: &[f32], expected: &[f32]) -> f32 {
    found
        .iter()
        .zip(expected)
        .map(|(found, expected)| (found - expected).abs() / (1.0 + expected.abs()))
        .fold(0.0, f32::max)
}

/// Puts an error into the table, where it is larger than what is there.
fn measured(family: &str, name: &str, error: f32) {
    static WRITING: Mutex<()> = Mutex::new(());
    let _one = WRITING.lock();
    let mut table: BTreeMap<String, BTreeMap<String, f64>> =
        errors().map_or_else(BTreeMap::new, |errors| serde_json::from_value(errors).unwrap());
    let most = table.entry(family.to_owned()).or_default().entry(name.to_owned()).or_default();
    // No less than half a unit in the last place: a device that happens to err nowhere is no promise for the others.
    let error: f64 = format!("{:.1e}", error.max(f32::EPSILON / 2.0)).parse().unwrap();
    *most = most.max(error);
    fs::write(folder("errors.json"), serde_json::to_string_pretty(&table).unwrap() + "\n").unwrap();
}
