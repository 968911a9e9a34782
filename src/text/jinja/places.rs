//! Places in a text or list, as Python counts them.

use std::ops::Range;

/// A place from the beginning or, below zero, from the end.
pub(crate) fn place(at: i64, length: usize) -> Option<usize> {
    let at = if at < 0 { at + length as i64 } else { at };
    usize::try_from(at).ok().filter(|at| *at < length)
}

/// What a slice of step 1 goes over.
pub(crate) fn span(start: Option<i64>, end: Option<i64>, length: usize) -> Range<usize> {
    let count = length as i64;
    let bound = |at: i64| (if at < 0 { at.saturating_add(count) } else { at }).clamp(0, count) as usize;
    let (start, end) = (start.map_or(0, bound), end.map_or(length, bound));
    start..end.max(start)
}

/// The places that a slice takes, as Python counts them.
pub(crate) fn chosen([start, end, _]: [Option<i64>; 3], step: i64, length: usize) -> Vec<usize> {
    let count = length as i64;
    let (low, high) = if step > 0 { (0, count) } else { (-1, count - 1) };
    let bound = |at: i64| (if at < 0 { at.saturating_add(count) } else { at }).clamp(low, high);
    let (first, last) = if step > 0 { (low, high) } else { (high, low) };
    let (mut at, end) = (start.map_or(first, bound), end.map_or(last, bound));
    let mut places = Vec::new();
    while (step > 0 && at < end) || (step < 0 && at > end) {
        places.push(at as usize);
        at = at.saturating_add(step);
    }
    places
}
