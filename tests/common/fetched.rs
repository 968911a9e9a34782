//! The checkpoints that scripts/fetch-model.mjs and scripts/fetch-minilm.mjs fetch. Tests that read them are ignored, and
//! scripts/cargo-test.mjs runs what is ignored.

use std::fs;

/// SmolLM2-135M-Instruct.Q4_1.gguf.
pub fn model() -> Vec<u8> {
    let path = "SmolLM2-135M-Instruct.Q4_1.gguf";
    fs::read(at(path)).unwrap_or_else(|error| panic!("{path}: {error}; node scripts/fetch-model.mjs fetches it"))
}

/// A file of all-MiniLM-L6-v2.
pub fn minilm(name: &str) -> String {
    let path = format!("all-MiniLM-L6-v2/{name}");
    fs::read_to_string(at(&path))
        .unwrap_or_else(|error| panic!("{path}: {error}; node scripts/fetch-minilm.mjs fetches it"))
}

fn at(path: &str) -> String {
    format!("{}/models/{path}", env!("CARGO_MANIFEST_DIR"))
}
