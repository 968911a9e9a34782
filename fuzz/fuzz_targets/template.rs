#![no_main]

#[path = "../checks/mod.rs"]
mod checks;

#[global_allocator]
static ALLOCATOR: checks::Counting = checks::Counting;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    checks::template::check(bytes);
});
