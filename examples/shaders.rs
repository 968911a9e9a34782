//! Writes the text of every kernel in every variant, as a browser gets it, to standard output:
//!
//!     cargo run --example shaders
//!
//! JSON: a list of labels and texts. tests/shaders.test.mjs has Chrome compile them.

use azulejo::device::gpu::{Extras, Kernel, Shader};
use std::collections::BTreeMap;

fn main() {
    let variants = [
        ("", Extras::default()),
        (" with subgroups", Extras { subgroups: true, ..Extras::default() }),
        (" with halves", Extras { halves: true, ..Extras::default() }),
        (" with integer dots", Extras { integer_dot: true, ..Extras::default() }),
        (" with halves by their bits", Extras { inexact_halves: true, ..Extras::default() }),
    ];
    // What unpacks them is the same in all kernels of a format: once is enough.
    let is_asked = |kernel: &Kernel, extras: &Extras| {
        let one = matches!(kernel.shader, Shader::Embed | Shader::Heads | Shader::AttentionStep | Shader::ProbeHalves);
        kernel.runs_with(*extras) && (one || !extras.inexact_halves)
    };
    // By their texts: most kernels use no extra, and have one text whatever there is.
    let mut texts = BTreeMap::new();
    for kernel in Kernel::all() {
        for (name, extras) in variants.into_iter().filter(|(_, extras)| is_asked(&kernel, extras)) {
            texts.entry(kernel.source(extras, true)).or_insert_with(|| format!("{}{name}", kernel.label()));
        }
    }
    let list: Vec<_> = texts.iter().map(|(text, label)| serde_json::json!({ "label": label, "text": text })).collect();
    println!("{}", serde_json::Value::from(list));
}
