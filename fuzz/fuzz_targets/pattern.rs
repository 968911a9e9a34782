#![no_main]

#[path = "../checks/mod.rs"]
mod checks;

#[path = "../reference.rs"]
mod reference;

use tokenizers::pattern::Pattern;
use tokenizers::utils::SysRegex;

#[global_allocator]
static ALLOCATOR: checks::Counting = checks::Counting;

/// Longer ones may take the reference very long: it has no end to its steps.
const MAX_COMPARED: usize = 256;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(ours) = checks::pattern::check(bytes) else { return };
    let Some(case) = checks::pattern::case(bytes).filter(|case| case.text.len() <= MAX_COMPARED) else { return };
    let theirs = reference::ask(|| {
        SysRegex::new(case.pattern).map_err(drop).and_then(|regex| (&regex).find_matches(case.text).map_err(drop))
    });
    if let Some(theirs) = theirs {
        let ours: Vec<_> = ours.into_iter().map(|(piece, found)| ((piece.start, piece.end), found)).collect();
        assert_eq!(ours, theirs, "{:?} in {:?}: ours, and Oniguruma's", case.pattern, case.text);
    }
});
