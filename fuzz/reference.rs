//! The tokenizers crate as the reference. It panics where files are not as it expects: what it does not live through it
//! has no answer to.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static ASKED: Cell<bool> = const { Cell::new(false) };
}

/// What the reference says, where it says anything.
pub fn ask<T, E>(question: impl FnOnce() -> Result<T, E>) -> Option<T> {
    static HOOK: Once = Once::new();
    // libFuzzer's own ends the process.
    HOOK.call_once(|| {
        let abort = take_hook();
        set_hook(Box::new(move |info| {
            if !ASKED.get() {
                abort(info);
            }
        }));
    });
    ASKED.set(true);
    let answer = catch_unwind(AssertUnwindSafe(question));
    ASKED.set(false);
    answer.ok()?.ok()
}
