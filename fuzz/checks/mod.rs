//! What must hold for whatever strangers' files say. Run by the fuzz targets on what they invent, and by
//! `tests/fuzz_corpus.rs` on the corpora.

#![allow(dead_code, reason = "a target runs one of them")]

pub mod checkpoint;
pub mod config;
pub mod metadata;
pub mod pattern;
pub mod precompiled;
pub mod template;
pub mod tokenizer;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use azulejo::{Code, Error, Result};

/// Counts what each thread has allocated.
pub struct Counting;

thread_local! {
    static LIVE: Cell<i64> = const { Cell::new(0) };
    static PEAK: Cell<i64> = const { Cell::new(0) };
}

fn count(bytes: i64) {
    LIVE.set(LIVE.get() + bytes);
    PEAK.set(PEAK.get().max(LIVE.get()));
}

// Safety: everything is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Runs what may hold so many bytes at a time.
pub fn bounded<T>(most: usize, run: impl FnOnce() -> T) -> T {
    let before = LIVE.get();
    PEAK.set(before);
    let made = run();
    let held = PEAK.get() - before;
    assert!(held <= most as i64, "{held} bytes allocated at a time, at most {most}");
    made
}

/// What was made, unless it was refused: with a code that blames the file or the text, and in words of which one says
/// where to look.
pub fn made_or_refused<T>(made: Result<T>, words: &[&str]) -> Option<T> {
    made.map_err(|error| assert_helpful(&error, words)).ok()
}

fn assert_helpful(error: &Error, words: &[&str]) {
    let known = [
        Code::CorruptFile,
        Code::UnsupportedModel,
        Code::UnsupportedQuantization,
        Code::MissingFile,
        Code::InvalidArgument,
    ];
    let said = error.to_string();
    assert!(known.contains(&error.code), "{:?}: {said}", error.code);
    assert!(words.iter().any(|word| said.contains(word)), "{said:?} says none of {words:?}");
    assert!(error.message.len() < 4096, "an error of {} bytes: {said:.200}", error.message.len());
}
