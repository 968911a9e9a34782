//! Every checkpoint of the conformance set is read whole: each tensor has a place, and no place stays empty.

use azulejo::checkpoint::{FileReader, Format};
use azulejo::device::cpu::Cpu;
use azulejo::model::{Assembly, families};
use safetensors::SafeTensors;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "common/devices.rs"]
mod devices;
use devices::cpu;

/// The checkpoints of a folder; the set's own, or another of the same make.
fn checkpoints() -> Vec<PathBuf> {
    let set = std::env::var("AZULEJO_CONFORMANCE");
    let set = set.unwrap_or(format!("{}/tests/conformance", env!("CARGO_MANIFEST_DIR")));
    let entries = fs::read_dir(set).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.join("config.json").exists()).collect();
    folders.sort();
    folders
}

fn fills_its_model(folder: &Path) {
    let config = fs::read_to_string(folder.join("config.json")).unwrap();
    let plan = families::from_config(&config).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let bytes = fs::read(folder.join("model.safetensors")).unwrap();
    let slots: HashSet<_> = plan.spec.slots().into_iter().map(|(slot, _)| slot).collect();
    for name in SafeTensors::deserialize(&bytes).unwrap().names() {
        assert!(plan.slots(name).iter().any(|slot| slots.contains(slot)), "{}: {name} is left over", folder.display());
    }
    let mut assembly: Assembly<Cpu> = Assembly::new(cpu(1));
    assembly.set_plan(plan.clone());
    let mut reader = FileReader::new(Format::Safetensors, "model.safetensors", Some(bytes.len() as u64));
    bytes.chunks(1009).for_each(|chunk| reader.push(chunk, &mut assembly).unwrap());
    reader.finish().unwrap();
    let (mut device, found, gathered) =
        assembly.finish().unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    assert_eq!(found.spec.slots(), plan.spec.slots(), "{} lacks a part", folder.display());
    gathered.weights(&mut device, &plan.spec).unwrap();
}

#[test]
fn every_checkpoint_of_the_set_fills_its_model() {
    let folders = checkpoints();
    assert!(folders.len() >= 17, "{folders:?}");
    folders.iter().for_each(|folder| fills_its_model(folder));
}
