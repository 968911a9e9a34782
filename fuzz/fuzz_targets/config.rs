#![no_main]

#[path = "../checks/mod.rs"]
mod checks;

#[path = "../mutator.rs"]
#[macro_use]
mod mutator;

#[global_allocator]
static ALLOCATOR: checks::Counting = checks::Counting;

with_dictionary!("../dictionaries/config.json");

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::config::check(bytes));
