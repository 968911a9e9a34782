//! What takes too long for every run: a third of the cases, another third at each commit, and with `AZULEJO_ALL=1` all
//! of them. scripts/sample.mjs sets `AZULEJO_THIRD`.

use std::env::{var, var_os};

/// Whether the case at this place of its list is tested this time.
pub fn due(at: usize) -> bool {
    let third: usize = var("AZULEJO_THIRD").map_or(0, |third| third.parse().expect("AZULEJO_THIRD is 0, 1 or 2"));
    var_os("AZULEJO_ALL").is_some() || at % 3 == third
}

/// A variant's share of the cases, and another for each of three variants.
pub fn share<T>(cases: impl IntoIterator<Item = T>, variant: usize) -> impl Iterator<Item = T> {
    cases.into_iter().enumerate().filter(move |(at, _)| due(at + variant)).map(|(_, case)| case)
}
