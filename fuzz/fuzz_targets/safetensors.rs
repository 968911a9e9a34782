#![no_main]

#[path = "../check.rs"]
mod check;

use azulejo::checkpoint::Format;

#[global_allocator]
static ALLOCATOR: check::Counting = check::Counting;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check::check(Format::Safetensors, bytes));
