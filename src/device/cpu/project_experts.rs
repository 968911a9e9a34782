//! Products with the experts that rows go to.

use super::experts::{Experts, Run, Scratch, make_room};
use super::matrix::{Inputs, Output};
use super::pool::Shards;
use super::products::ROWS;
use super::{Cpu, elementwise};
use crate::device::{ExpertLinear, Gating};

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
        self.inputs(x, columns, |form| weights.iter().any(|weight| weight.form() == form))
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
        let [gates, ups, out] = [gates, ups, out].map(Shards::new);
        let panels = up.weight.0[0].panel_count();
        let units = groups.runs.len() * panels;
        let each = 2 * ROWS * columns * groups.pairs.len() / groups.runs.len();
        pool.ranges(units, each, |range, _| {
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
        let [products, out] = [products, out].map(Shards::new);
        let panels = down.weight.0[0].panel_count();
        // A task has its panels of all experts: the products of a row are joined as soon as they are there.
        pool.ranges(panels, ROWS * columns * groups.pairs.len(), |range, _| {
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
