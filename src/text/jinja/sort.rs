//! Sorting by comparisons that may fail, and need not agree with each other: a stable merge sort.

use std::cmp::Ordering;
use std::rc::Rc;

use super::budget::Budget;
use super::stop::RunResult;
use super::value::Value;

/// The places of the keys in their order; those that are alike stay as they are, also when it is reversed.
pub(crate) fn order(keys: &[Value], reverse: bool, budget: &Rc<Budget>) -> RunResult<Vec<usize>> {
    let mut places: Vec<usize> = (0..keys.len()).collect();
    let mut width = 1;
    while width < places.len() {
        let mut merged = Vec::with_capacity(places.len());
        for run in places.chunks(2 * width) {
            let (mut left, mut right) = run.split_at(width.min(run.len()));
            while let (Some(&a), Some(&b)) = (left.first(), right.first()) {
                let (small, large) = if reverse { (a, b) } else { (b, a) };
                if keys[small].compare(&keys[large], "<", budget)? == Some(Ordering::Less) {
                    merged.push(b);
                    right = &right[1..];
                } else {
                    merged.push(a);
                    left = &left[1..];
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        places = merged;
        width *= 2;
    }
    Ok(places)
}
