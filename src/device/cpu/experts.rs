//! Mixtures of experts: rows are grouped by the experts that they go to. So a chosen expert's panels are read once for all
//! of its rows, and those of the others not at all.

use super::matrix::{Inputs, Matrix, Output};
use super::pool::{Pool, Shards};
use super::products::ROWS;
use super::quantised::{BLOCK, QuantisedBlock};
use super::{Cpu, PRODUCTS, elementwise};
use crate::device::{ExpertLinear, Gating, Routing};
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

    fn is_quantised(&self) -> bool {
        self.0[0].is_quantised()
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
    groups: Groups,
    gathered: Gathered,
    /// Two times [pairs, width]: of the gate and up, or down.
    products: [Vec<f32>; 2],
}

/// An expert's pairs.
#[derive(Clone, Copy)]
struct Run {
    expert: usize,
    /// Where they begin among the grouped ones.
    first: usize,
    len: usize,
}

/// A batch's pairs of a row and one of its experts, row · used + k, expert by expert.
#[derive(Default)]
struct Groups {
    pairs: Vec<usize>,
    /// Of each pair, where it is in `pairs`.
    places: Vec<usize>,
    /// Of the experts that have any.
    runs: Vec<Run>,
    /// Where each expert's next pair goes.
    next: Vec<usize>,
}

impl Groups {
    /// `routes`: [pairs, 2].
    fn set(&mut self, routes: &[f32], experts: usize) {
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
struct Gathered {
    floats: Vec<f32>,
    quantised: Vec<QuantisedBlock>,
}

impl Gathered {
    /// What the runs' products read. `sharing` pairs, one after the other, have the same of the `inputs`.
    fn gather<'a>(
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
        let inputs = Inputs { floats: &self.floats, quantised: &self.quantised, tokens };
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
    pool.ranges(rows, 8, |range, _| {
        for row in range {
            // SAFETY: each row is in one range.
            unsafe { out.part(row * width..(row + 1) * width) }.copy_from_slice(&x[from(row) * width..][..width]);
        }
    });
}

fn make_room<T: Clone + Default>(values: &mut Vec<T>, len: usize) {
    if values.len() < len {
        values.resize(len, T::default());
    }
}

/// The inputs of all runs.
struct RunInputs<'a> {
    inputs: Inputs<'a>,
    columns: usize,
    /// Where they were not gathered: the pairs, and how many share an input.
    apart: Option<(&'a [usize], usize)>,
}

impl RunInputs<'_> {
    fn of(&self, run: &Run) -> Inputs<'_> {
        let first = self.apart.map_or(run.first, |(pairs, sharing)| pairs[run.first] / sharing);
        fn rows<T>(all: &[T], first: usize, width: usize, rows: usize) -> &[T] {
            if all.is_empty() { all } else { &all[first * width..][..rows * width] }
        }
        let Inputs { floats, quantised, .. } = self.inputs;
        Inputs {
            floats: rows(floats, first, self.columns, run.len),
            quantised: rows(quantised, first, self.columns / BLOCK, run.len),
            tokens: run.len,
        }
    }
}

/// Where the products of a run go: a part of [pairs, width].
fn output<'a>(values: &'a Shards<f32>, run: &Run, linear: &'a ExpertLinear<Cpu>) -> Output<'a> {
    let width = linear.weight.rows();
    let bias = linear.bias.as_ref().map(|biases| &biases[run.expert * width..][..width]);
    Output { values: values.after(run.first * width), bias, scale: None, accumulate: false }
}

impl Cpu {
    /// The inputs [rows, columns] in the forms that the weights want.
    fn inputs_for<'a>(&'a mut self, x: &'a [f32], weights: &[&Experts]) -> Inputs<'a> {
        let columns = weights[0].columns();
        let mut inputs = Inputs { floats: &[], quantised: &[], tokens: x.len() / columns };
        if weights.iter().any(|weight| !weight.is_quantised()) {
            inputs.floats = x;
        }
        if weights.iter().any(|weight| weight.is_quantised()) {
            self.quantise(x, columns);
            inputs.quantised = &self.quantised[..x.len() / BLOCK];
        }
        inputs
    }

    /// [`super::Device::project_experts`] of inputs after their norm.
    pub(super) fn gate_experts(
        &mut self,
        x: &[f32],
        [gate, up]: [&ExpertLinear<Self>; 2],
        gating: Gating,
        routes: &[f32],
        out: &mut [f32],
    ) {
        let mut scratch = std::mem::take(&mut self.experts);
        let Scratch { groups, gathered, products: [gates, ups] } = &mut scratch;
        let (width, columns) = (up.weight.rows(), up.weight.columns());
        groups.set(routes, up.weight.0.len());
        let pool = self.pool.clone();
        let inputs = self.inputs_for(x, &[&gate.weight, &up.weight]);
        let sharing = groups.pairs.len() / inputs.tokens;
        let inputs = gathered.gather(&pool, groups, inputs, (columns, sharing));
        for products in [&mut *gates, &mut *ups] {
            make_room(products, groups.pairs.len() * width);
        }
        let [gates, ups, out] = [gates, ups, out].map(|values| Shards::new(values));
        let panels = up.weight.0[0].panel_count();
        let units = groups.runs.len() * panels;
        let each = 2 * ROWS * columns * groups.pairs.len() / groups.runs.len();
        let grain = (PRODUCTS / each).clamp(1, units.div_ceil(4 * pool.threads()).max(1));
        pool.ranges(units, grain, |range, _| {
            for unit in range {
                let (run, panel) = (&groups.runs[unit / panels], unit % panels);
                let inputs = inputs.of(run);
                for (linear, products) in [(gate, &gates), (up, &ups)] {
                    // SAFETY: each run's panels are in one range each, and no two runs have the same rows.
                    unsafe {
                        linear.weight.0[run.expert].multiply_panel(panel, inputs, &output(products, run, linear))
                    };
                }
                let rows = panel * ROWS..width.min((panel + 1) * ROWS);
                for place in run.first..run.first + run.len {
                    let of = |row: usize| row * width + rows.start..row * width + rows.end;
                    // SAFETY: likewise; they have been multiplied above.
                    let [gates, ups] = [&gates, &ups].map(|products| unsafe { products.part(of(place)) });
                    elementwise::gate(gating, gates, ups);
                    // SAFETY: likewise, each place being one pair's.
                    unsafe { out.part(of(groups.pairs[place])) }.copy_from_slice(gates);
                }
            }
        });
        self.experts = scratch;
    }

    /// [`super::Device::project_experts_down`] of x [pairs, columns].
    pub(super) fn join_experts_down(
        &mut self,
        x: &[f32],
        down: &ExpertLinear<Self>,
        (routes, used): (&[f32], usize),
        accumulate: bool,
        out: &mut [f32],
    ) {
        let mut scratch = std::mem::take(&mut self.experts);
        let Scratch { groups, gathered, products: [products, _] } = &mut scratch;
        let (width, columns) = (down.weight.rows(), down.weight.columns());
        groups.set(routes, down.weight.0.len());
        let pool = self.pool.clone();
        let inputs = self.inputs_for(x, &[&down.weight]);
        let inputs = gathered.gather(&pool, groups, inputs, (columns, 1));
        make_room(products, groups.pairs.len() * width);
        let [products, out] = [products, out].map(|values| Shards::new(values));
        let panels = down.weight.0[0].panel_count();
        let grain =
            (PRODUCTS / (ROWS * columns * groups.pairs.len())).clamp(1, panels.div_ceil(4 * pool.threads()).max(1));
        // A task has its panels of all experts: the products of a row are joined as soon as they are there.
        pool.ranges(panels, grain, |range, _| {
            for run in &groups.runs {
                let (inputs, output) = (inputs.of(run), output(&products, run, down));
                // SAFETY: each panel is in one range.
                range
                    .clone()
                    .for_each(|panel| unsafe { down.weight.0[run.expert].multiply_panel(panel, inputs, &output) });
            }
            let rows = range.start * ROWS..width.min(range.end * ROWS);
            let of = |row: usize| row * width + rows.start..row * width + rows.end;
            for (row, (routes, places)) in routes.chunks(2 * used).zip(groups.places.chunks(used)).enumerate() {
                // SAFETY: likewise.
                let out = unsafe { out.part(of(row)) };
                if !accumulate {
                    out.fill(0.0);
                }
                for ([_, weight], place) in routes.as_chunks::<2>().0.iter().zip(places) {
                    // SAFETY: likewise; they have been multiplied above.
                    let products = unsafe { products.part(of(*place)) };
                    out.iter_mut().zip(products).for_each(|(out, product)| *out += weight * *product);
                }
            }
        });
        self.experts = scratch;
    }
}
