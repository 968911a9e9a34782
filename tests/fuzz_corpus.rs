//! Replays the fuzz corpora: whatever the fuzzer has found worth keeping goes on holding.

#[path = "../fuzz/checks/mod.rs"]
mod checks;

use azulejo::checkpoint::Format;

#[global_allocator]
static ALLOCATOR: checks::Counting = checks::Counting;

fn replay(target: &str, check: impl Fn(&[u8])) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 20, "{} has {} files", folder.display(), files.len());
    for file in files {
        eprintln!("{}", file.display());
        check(&std::fs::read(&file).unwrap());
    }
}

#[test]
fn the_gguf_corpus_holds() {
    replay("gguf", |bytes| checks::checkpoint::check(Format::Gguf, bytes));
}

#[test]
fn the_safetensors_corpus_holds() {
    replay("safetensors", |bytes| checks::checkpoint::check(Format::Safetensors, bytes));
}

#[test]
fn the_tokenizer_corpus_holds() {
    replay("tokenizer", |bytes| drop(checks::tokenizer::check(bytes)));
}

#[test]
fn the_template_corpus_holds() {
    replay("template", |bytes| drop(checks::template::check(bytes)));
}

#[test]
fn the_config_corpus_holds() {
    replay("config", checks::config::check);
}

#[test]
fn the_metadata_corpus_holds() {
    replay("metadata", checks::metadata::check);
}

#[test]
fn the_pattern_corpus_holds() {
    replay("pattern", |bytes| drop(checks::pattern::check(bytes)));
}

#[test]
fn the_precompiled_corpus_holds() {
    replay("precompiled", |bytes| drop(checks::precompiled::check(bytes)));
}
