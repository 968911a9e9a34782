#![no_main]

#[path = "../checks/mod.rs"]
mod checks;

use azulejo::checkpoint::Format;

#[global_allocator]
static ALLOCATOR: checks::Counting = checks::Counting;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::checkpoint::check(Format::Gguf, bytes));
