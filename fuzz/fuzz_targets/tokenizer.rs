#![no_main]

#[path = "../checks/mod.rs"]
mod checks;

#[path = "../mutator.rs"]
#[macro_use]
mod mutator;
#[path = "../reference.rs"]
mod reference;

use std::str::FromStr;

use tokenizers::Tokenizer;

#[global_allocator]
static ALLOCATOR: checks::Counting = checks::Counting;

with_dictionary!("../dictionaries/tokenizer.json");

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let answers = checks::tokenizer::check(bytes);
    let Some(case) = checks::tokenizer::case(bytes).filter(|_| !answers.is_empty()) else { return };
    let Some(theirs) = reference::ask(|| Tokenizer::from_str(&case.tokenizer)) else { return };
    for ours in answers {
        let Some(ids) = reference::ask(|| theirs.encode_fast(ours.text.as_str(), false)) else { continue };
        assert_eq!(ours.ids, ids.get_ids(), "{:?}: ours, and the tokenizers crate's", ours.text);
        let decoded = reference::ask(|| theirs.decode(&ours.ids, false));
        let Some((ours, theirs)) = ours.decoded.zip(decoded) else { continue };
        // Of bytes that are no characters theirs tells fewer or more.
        if !ours.contains('\u{fffd}') && !theirs.contains('\u{fffd}') {
            assert_eq!(ours, theirs, "decoded: ours, and the tokenizers crate's");
        }
    }
});
