#![no_main]

#[path = "../checks/mod.rs"]
mod checks;

#[path = "../mutator.rs"]
mod mutator;

use std::sync::OnceLock;

use mutator::Dictionary;

#[global_allocator]
static ALLOCATOR: checks::Counting = checks::Counting;

fn dictionary() -> &'static Dictionary {
    static DICTIONARY: OnceLock<Dictionary> = OnceLock::new();
    DICTIONARY.get_or_init(|| Dictionary::read(include_str!("../dictionaries/metadata.json")))
}

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutator::mutate(data, size, max_size, seed, dictionary())
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::metadata::check(bytes));
