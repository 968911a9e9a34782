//! Products of a batch's rows with matrices, on all threads: what is before them, and what their results become.

use super::matrix::{Form, Inputs, Matrix, Output};
use super::pool::Shards;
use super::quantised::{self, BLOCK};
use super::{Cpu, elementwise, experts, products};
use crate::device::{Activation, Input, Linear, NormWeights, Projection};

impl Cpu {
    /// Runs `work` on the input's rows, normed if they are to be.
    pub(super) fn with_input(&mut self, input: &Input<Self>, width: usize, work: impl FnOnce(&mut Self, &[f32])) {
        let Some(norm) = &input.norm else { return work(self, &input.x[..input.rows * width]) };
        let mut normed = std::mem::take(&mut self.normed);
        if normed.len() < input.rows * width {
            normed.resize(input.rows * width, 0.0);
        }
        self.norm_rows(norm, input, width, &mut normed);
        work(self, &normed[..input.rows * width]);
        self.normed = normed;
    }

    pub(super) fn norm_rows(&self, norm: &NormWeights<Self>, input: &Input<Self>, width: usize, out: &mut [f32]) {
        let bias = norm.bias.map(Vec::as_slice);
        self.each_row(&mut out[..input.rows * width], width, |row, out| {
            let x = &input.x[row * width..][..width];
            match norm.centred {
                true => elementwise::layer_norm(x, norm.weight, bias, norm.epsilon, out),
                false => elementwise::rms_norm(x, norm.weight, norm.epsilon, out),
            }
        });
    }

    /// Floats [rows, columns] in the forms that are wanted.
    pub(super) fn inputs<'a>(&'a mut self, x: &'a [f32], columns: usize, wanted: impl Fn(Form) -> bool) -> Inputs<'a> {
        let blocks = x.len() / BLOCK;
        let mut inputs = Inputs { floats: &[], quantised: &[], digits: &[], tokens: x.len() / columns };
        if wanted(Form::Floats) {
            inputs.floats = x;
        }
        if wanted(Form::Levels) {
            experts::make_room(&mut self.quantised, blocks);
            quantised::quantise(&self.pool, x, columns, &mut self.quantised[..blocks]);
            inputs.quantised = &self.quantised[..blocks];
        }
        if wanted(Form::Digits) {
            experts::make_room(&mut self.digits, blocks);
            quantised::quantise(&self.pool, x, columns, &mut self.digits[..blocks]);
            inputs.digits = &self.digits[..blocks];
        }
        inputs
    }

    /// The products of some matrices with the same floats, [rows, columns].
    pub(super) fn multiply(&mut self, x: &[f32], rows: usize, projections: &mut [Projection<Self>]) {
        let columns = projections[0].weight.columns;
        let pool = self.pool.clone();
        let inputs = self.inputs(x, columns, |form| projections.iter().any(|each| each.weight.form() == form));
        // The panels of all matrices in one loop: one barrier for queries, keys and values.
        let panels: usize = projections.iter().map(|projection| projection.weight.panel_count()).sum();
        let outputs: Vec<(&Matrix, Output)> = projections
            .iter_mut()
            .map(|Projection { weight, bias, scale, out, accumulate }| {
                let [bias, scale] = [bias, scale].map(|vector| vector.map(Vec::as_slice));
                (*weight, Output { values: Shards::new(out), bias, scale, accumulate: *accumulate })
            })
            .collect();
        pool.ranges(panels, products::ROWS * columns * rows, |range, _| {
            for mut panel in range {
                for (matrix, output) in &outputs {
                    if panel < matrix.panel_count() {
                        // SAFETY: each panel of each matrix is in one range, and outputs are different buffers.
                        unsafe { matrix.multiply_panel(panel, inputs, output) };
                        break;
                    }
                    panel -= matrix.panel_count();
                }
            }
        });
    }

    /// activation(gate) · up, or activation(up): each panel's as soon as its products are there. `out`: [rows, up's rows].
    pub(super) fn multiply_activated(
        &mut self,
        x: &[f32],
        gate: Option<&Linear<Self>>,
        up: &Linear<Self>,
        activation: Activation,
        out: &mut [f32],
    ) {
        let (columns, width) = (up.weight.columns, up.weight.rows);
        let (rows, pool, mut room) = (x.len() / columns, self.pool.clone(), std::mem::take(&mut self.up));
        experts::make_room(&mut room, if gate.is_some() { rows * width } else { 0 });
        let linears = [Some(gate.unwrap_or(up)), gate.map(|_| up)];
        let inputs = self.inputs(x, columns, |form| linears.iter().flatten().any(|each| each.weight.form() == form));
        fn output<'a>(linear: Option<&'a Linear<Cpu>>, values: &'a mut [f32]) -> Output<'a> {
            let bias = linear.and_then(|linear| linear.bias.as_deref());
            Output { values: Shards::new(values), bias, scale: None, accumulate: false }
        }
        let outputs = [output(linears[0], out), output(linears[1], &mut room)];
        let cost = products::ROWS * columns * rows * linears.iter().flatten().count();
        pool.ranges(up.weight.panel_count(), cost, |range, _| {
            for (linear, output) in linears.iter().zip(&outputs) {
                let Some(linear) = linear else { continue };
                // SAFETY: each panel of each matrix is in one range, and the outputs are two buffers.
                range.clone().for_each(|panel| unsafe { linear.weight.multiply_panel(panel, inputs, output) });
            }
            for row in 0..rows {
                let of =
                    row * width + range.start * products::ROWS..row * width + width.min(range.end * products::ROWS);
                // SAFETY: these panels' parts, as above.
                let values = unsafe { outputs[0].values.part(of.clone()) };
                elementwise::activate(activation, values);
                if gate.is_some() {
                    // SAFETY: likewise.
                    elementwise::multiply(values, unsafe { outputs[1].values.part(of) });
                }
            }
        });
        self.up = room;
    }
}
