//! Replays the fuzz corpus: whatever the fuzzer has found worth keeping goes on holding.

#[path = "../fuzz/check.rs"]
mod check;

use azulejo::checkpoint::Format;

#[global_allocator]
static ALLOCATOR: check::Counting = check::Counting;

fn replay(folder: &str, format: Format) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 20, "{} has {} files", folder.display(), files.len());
    for file in files {
        eprintln!("{}", file.display());
        check::check(format, &std::fs::read(&file).unwrap());
    }
}

#[test]
fn the_gguf_corpus_holds() {
    replay("gguf", Format::Gguf);
}

#[test]
fn the_safetensors_corpus_holds() {
    replay("safetensors", Format::Safetensors);
}
