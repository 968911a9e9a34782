//! Mixtures of experts: rows are grouped by the experts that they go to. So a chosen expert's panels are read once for all
//! of its rows, and those of the others not at all (`project_experts.rs`).

use super::matrix::{Form, Inputs, Matrix};
use super::pool::{Pool, Shards, VALUE};
use super::quantised::{BLOCK, DigitBlock, QuantisedBlock};
use crate::device::Routing;
use std::cmp::Reverse;

/// A matrix for each expert, [rows, columns] all of them.
pub struct Experts(pub Vec<Matrix>);

impl Experts {
    pub fn rows(&self) -> usize {
        self.0[0].rows
    }

    pub fn columns(&self) -> usize {
        self.0[0].columns
    }

    pub fn form(&self) -> Form {
        self.0[0].form()
    }
}

/// The experts of one row, [used, 2], by its scores: see [`Routing`].
pub fn route(scores: &[f32], routing: &Routing, routes: &mut [f32]) {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let share = |score: f32| (score - largest).exp();
    let total: f32 = scores.iter().map(|score| share(*score)).sum();
    let routes = routes.as_chunks_mut::<2>().0;
    let mut last = None;
    for route in &mut *routes {
        let places = scores.iter().enumerate().map(|(expert, score)| (rank(*score), Reverse(expert)));
        let next = places.filter(|place| last.is_none_or(|last| *place < last)).max();
        let (_, Reverse(expert)) = next.expect("there are as many experts as are used");
        *route = [expert as f32, share(scores[expert]) / total];
        last = next;
    }
    if routing.renormalise {
        let sum: f32 = routes.iter().map(|[_, weight]| weight).sum();
        routes.iter_mut().for_each(|[_, weight]| *weight /= sum);
    }
}

/// Larger for larger scores, the same for zeros of either sign, and largest for what is no number: there is always a next
/// one.
fn rank(score: f32) -> i32 {
    let size = (score.to_bits() << 1 >> 1) as i32;
    match score.is_sign_negative() {
        _ if score.is_nan() => i32::MAX,
        true => -size,
        false => size,
    }
}

/// What products with experts need of memory.
#[derive(Default)]
pub struct Scratch {
    pub groups: Groups,
    pub gathered: Gathered,
    /// Two times [pairs, width]: of the gate and up, or down.
    pub products: [Vec<f32>; 2],
}

/// An expert's pairs.
#[derive(Clone, Copy)]
pub struct Run {
    pub expert: usize,
    /// Where they begin among the grouped ones.
    pub first: usize,
    pub len: usize,
}

/// A batch's pairs of a row and one of its experts, row · used + k, expert by expert.
#[derive(Default)]
pub struct Groups {
    pub pairs: Vec<usize>,
    /// Of each pair, where it is in `pairs`.
    pub places: Vec<usize>,
    /// Of the experts that have any.
    pub runs: Vec<Run>,
    /// Where each expert's next pair goes.
    next: Vec<usize>,
}

impl Groups {
    /// `routes`: [pairs, 2].
    pub fn set(&mut self, routes: &[f32], experts: usize) {
        let routes = routes.as_chunks::<2>().0;
        let expert_of = |[expert, _]: &[f32; 2]| (*expert as usize).min(experts - 1);
        self.next.clear();
        self.next.resize(experts, 0);
        routes.iter().for_each(|route| self.next[expert_of(route)] += 1);
        self.runs.clear();
        let mut first = 0;
        for (expert, next) in self.next.iter_mut().enumerate() {
            let len = std::mem::replace(next, first);
            if len > 0 {
                self.runs.push(Run { expert, first, len });
            }
            first += len;
        }
        self.pairs.resize(routes.len(), 0);
        self.places.resize(routes.len(), 0);
        for (pair, route) in routes.iter().enumerate() {
            let next = &mut self.next[expert_of(route)];
            (self.pairs[*next], self.places[pair]) = (pair, *next);
            *next += 1;
        }
    }

    /// No expert has more than one pair.
    fn are_single(&self) -> bool {
        self.runs.len() == self.pairs.len()
    }
}

/// Inputs in the order of their pairs.
#[derive(Default)]
pub struct Gathered {
    floats: Vec<f32>,
    quantised: Vec<QuantisedBlock>,
    digits: Vec<DigitBlock>,
}

impl Gathered {
    /// What the runs' products read. `sharing` pairs, one after the other, have the same of the `inputs`.
    pub fn gather<'a>(
        &'a mut self,
        pool: &Pool,
        groups: &'a Groups,
        inputs: Inputs<'a>,
        (columns, sharing): (usize, usize),
    ) -> RunInputs<'a> {
        if groups.are_single() {
            return RunInputs { inputs, columns, apart: Some((&groups.pairs, sharing)) };
        }
        let from = |place: usize| groups.pairs[place] / sharing;
        let tokens = groups.pairs.len();
        copy_rows(pool, inputs.floats, columns, tokens, from, &mut self.floats);
        copy_rows(pool, inputs.quantised, columns / BLOCK, tokens, from, &mut self.quantised);
        copy_rows(pool, inputs.digits, columns / BLOCK, tokens, from, &mut self.digits);
        let inputs = Inputs { floats: &self.floats, quantised: &self.quantised, digits: &self.digits, tokens };
        RunInputs { inputs, columns, apart: None }
    }
}

/// Row `i` of the first `rows` of `out` becomes row `from(i)` of `x`, unless there is nothing in `x`.
fn copy_rows<T: Copy + Default + Send + Sync>(
    pool: &Pool,
    x: &[T],
    width: usize,
    rows: usize,
    from: impl Fn(usize) -> usize + Sync,
    out: &mut Vec<T>,
) {
    if x.is_empty() {
        return out.clear();
    }
    make_room(out, rows * width);
    let out = Shards::new(out);
    pool.ranges(rows, width * VALUE, |range, _| {
        for row in range {
            // SAFETY: each row is in one range.
            unsafe { out.part(row * width..(row + 1) * width) }.copy_from_slice(&x[from(row) * width..][..width]);
        }
    });
}

pub fn make_room<T: Clone + Default>(values: &mut Vec<T>, len: usize) {
    if values.len() < len {
        values.resize(len, T::default());
    }
}

/// The inputs of all runs.
pub struct RunInputs<'a> {
    inputs: Inputs<'a>,
    columns: usize,
    /// Where they were not gathered: the pairs, and how many share an input.
    apart: Option<(&'a [usize], usize)>,
}

impl RunInputs<'_> {
    pub fn of(&self, run: &Run) -> Inputs<'_> {
        let first = self.apart.map_or(run.first, |(pairs, sharing)| pairs[run.first] / sharing);
        fn rows<T>(all: &[T], first: usize, width: usize, rows: usize) -> &[T] {
            if all.is_empty() { all } else { &all[first * width..][..rows * width] }
        }
        let Inputs { floats, quantised, digits, .. } = self.inputs;
        Inputs {
            floats: rows(floats, first, self.columns, run.len),
            quantised: rows(quantised, first, self.columns / BLOCK, run.len),
            digits: rows(digits, first, self.columns / BLOCK, run.len),
            tokens: run.len,
        }
    }
}
