//! What takes too long for every run: a sixth of the cases, another sixth at each commit, and with `AZULEJO_ALL=1` all
//! of them. scripts/sample.mjs sets `AZULEJO_PART`.

use std::env::{var, var_os};

/// Whether the case at this place of its list is tested this time.
pub fn due(at: usize) -> bool {
    let part: usize = var("AZULEJO_PART").map_or(0, |part| part.parse().expect("AZULEJO_PART is 0 to 5"));
    var_os("AZULEJO_ALL").is_some() || at % 6 == part
}

/// A variant's share of the cases, and another for each of three variants.
pub fn share<T>(cases: impl IntoIterator<Item = T>, variant: usize) -> impl Iterator<Item = T> {
    cases.into_iter().enumerate().filter(move |(at, _)| due(at + variant)).map(|(_, case)| case)
}
