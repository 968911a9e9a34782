//! What a tokenizer may do for one text. Its rules and patterns come from a stranger, and some would take for ever.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::Error;

/// Steps that any text has, and more for each of its bytes. A step takes some nanoseconds; tokenizers in use take
/// some 50 a byte.
const BASE: u64 = 4 << 20;
const A_BYTE: u64 = 512;

/// The steps left. In an atomic, because the tokenizers crate's traits ask for threads.
#[derive(Debug)]
pub(crate) struct StepBudget(AtomicU64);

/// None are left.
#[derive(Debug)]
pub(crate) struct Spent;

impl std::fmt::Display for Spent {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("too much work for one text")
    }
}

impl std::error::Error for Spent {}

impl From<Spent> for Error {
    fn from(_: Spent) -> Self {
        Error::invalid(
            "this tokenizer's rules make too much work of this text: they are not meant for it, or not meant well",
        )
    }
}

impl StepBudget {
    /// For a text of so many bytes.
    pub fn of(bytes: usize) -> Self {
        Self(AtomicU64::new(BASE + A_BYTE * bytes as u64))
    }

    pub fn left(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// So many are left; none means that there were too few.
    pub fn set_left(&self, left: u64) {
        self.0.store(left, Ordering::Relaxed);
    }

    pub fn pay(&self, steps: u64) -> Result<(), Spent> {
        let left = self.left().saturating_sub(steps);
        self.set_left(left);
        if left == 0 { Err(Spent) } else { Ok(()) }
    }

    pub fn spent(&self) -> bool {
        self.left() == 0
    }
}
