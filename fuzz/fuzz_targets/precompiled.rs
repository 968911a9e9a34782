#![no_main]

#[path = "../checks/mod.rs"]
mod checks;

#[path = "../reference.rs"]
mod reference;

use tokenizers::normalizers::Precompiled;
use tokenizers::{NormalizedString, Normalizer};

#[global_allocator]
static ALLOCATOR: checks::Counting = checks::Counting;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(ours) = checks::precompiled::check(bytes) else { return };
    let Some(case) = checks::precompiled::case(bytes) else { return };
    let theirs = reference::ask(|| {
        let mut text = NormalizedString::from(case.text);
        Precompiled::from(case.rules).map_err(drop)?.normalize(&mut text).map_err(drop)?;
        Ok::<_, ()>(text.get().to_owned())
    });
    if let Some(theirs) = theirs {
        assert_eq!(ours, theirs, "{:?}: ours, and the tokenizers crate's", case.text);
    }
});
