//! The conformance families and what the reference implementation made of them.

#![allow(dead_code)] // Each test file takes what it needs.

use azulejo::checkpoint::{FileReader, Format};
use azulejo::device::Device;
use azulejo::model::families::from_config;
use azulejo::model::{Assembly, Plan};
use safetensors::SafeTensors;
use std::fs;

/// The families of a kind: causal, encoder, seq2seq, vision or dual. Those that the set's `index.json` has.
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
    ["causal", "encoder", "seq2seq", "vision", "dual"].into_iter().flat_map(families).collect()
}

pub fn folder(family: &str) -> String {
    // Another set may be tested: see tests/conformance/generate.py.
    let set = std::env::var("AZULEJO_CONFORMANCE");
    let set = set.unwrap_or_else(|_| format!("{}/tests/conformance", env!("CARGO_MANIFEST_DIR")));
    format!("{set}/{family}")
}

/// A family's configuration and weights, read.
pub fn assembled<D: Device>(family: &str, device: D) -> Assembly<D> {
    let folder = folder(family);
    let plan = from_config(&fs::read_to_string(format!("{folder}/config.json")).unwrap()).unwrap();
    planned(&folder, plan, device)
}

/// The weights of a folder, as a plan has them.
pub fn planned<D: Device>(folder: &str, plan: Plan, device: D) -> Assembly<D> {
    let bytes = fs::read(format!("{folder}/model.safetensors")).unwrap();
    let mut assembly = Assembly::new(device);
    assembly.set_plan(plan);
    let mut reader = FileReader::new(Format::Safetensors, "model.safetensors", Some(bytes.len() as u64));
    bytes.chunks(1009).for_each(|chunk| reader.push(chunk, &mut assembly).unwrap());
    reader.finish().unwrap();
    assembly
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

/// Within 1e-3 absolute + 1e-3 relative: what different orders of summation in f32 differ by, with room.
pub fn assert_close(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len());
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= 1e-3 + 1e-3 * expected.abs(), "{what}[{i}]: {found}, expected {expected}");
    }
}
