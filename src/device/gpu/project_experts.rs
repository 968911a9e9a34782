//! Mixtures of experts: only the weights that a row is routed to are read, and where that is, kernels find out themselves.

use super::Gpu;
use super::buffer::Buffer;
use super::experts::{Experts, Part, Routes};
use super::kernels::{BYTES, Kernel, Shader};
use super::matrix::{Matrix, MatrixBuilder, row_words, units};
use super::profile::Work;
use super::project::{FEW, Many};
use super::recorder::{Dispatch, all_of};
use crate::checkpoint::TensorType;
use crate::device::{ExpertLinear, Gating, Input, Routing};
use crate::error::Result;
use std::ops::Range;

/// Some experts' weights that lie in one arena.
struct Slice<'a> {
    linear: &'a ExpertLinear<Gpu>,
    part: &'a Part,
    experts: Range<usize>,
}

impl<'a> Slice<'a> {
    /// All of a matrix, part by part.
    fn all(linear: &'a ExpertLinear<Gpu>) -> impl Iterator<Item = Self> {
        linear.weight.parts.iter().map(move |part| Self { linear, part, experts: part.experts.clone() })
    }

    /// Those experts of both that each has.
    fn shared(&self, other: &Self) -> Option<[Self; 2]> {
        let experts = self.experts.start.max(other.experts.start)..self.experts.end.min(other.experts.end);
        let some = |of: &Self| Self { linear: of.linear, part: of.part, experts: experts.clone() };
        (!experts.is_empty()).then(|| [some(self), some(other)])
    }

    /// Where the weights of the first expert begin.
    fn start(&self) -> usize {
        self.part.start + (self.experts.start - self.part.experts.start) * self.linear.weight.stride()
    }

    /// Where its bias does, plus 1; 0: none.
    fn bias(&self) -> usize {
        let before = self.experts.start * self.linear.weight.rows;
        self.linear.bias.as_ref().map_or(0, |bias| bias.offset + before + 1)
    }

    /// What `pairs` of rows and experts, spread over all of those, cost here.
    fn work(&self, pairs: usize, outs: usize) -> Work {
        let Experts { ty, rows, columns, .. } = self.linear.weight;
        // The product may be more than wasm's `usize` holds.
        let [mine, all] = [self.experts.len(), self.linear.weight.count()].map(|count| count as u64);
        let share = |of: usize| (of as u64 * mine).div_ceil(all) as usize;
        let bytes = Matrix::bytes(ty, rows, columns);
        Work::of_experts(bytes, share(pairs), self.experts.len(), [rows, columns], share(outs))
    }
}

impl Routes<'_> {
    fn pairs(&self) -> usize {
        self.rows * self.used
    }

    /// Whether each pair goes through the weights by itself: tiles would be mostly empty.
    fn are_few(&self, experts: usize) -> bool {
        self.rows <= FEW || self.pairs() <= 2 * experts
    }
}

/// Pairs sorted by experts: see `shaders/experts_group.wgsl`.
struct Tiles {
    table: Buffer,
    /// At most.
    count: usize,
    /// Eights of pairs in each.
    each: usize,
}

enum Room {
    Tiles,
    Products,
}

/// What kernels know a gating by: see `shaders/gating.wgsl`.
fn gating_words(gating: Gating) -> [u32; 2] {
    match gating {
        Gating::Plain(activation) => [activation as u32, 0],
        Gating::Clamped { limit } => [7, limit.to_bits()],
    }
}

impl Gpu {
    /// See [`crate::device::Device::expert_matrices`].
    pub(super) fn place_experts(
        &mut self,
        ty: TensorType,
        experts: usize,
        [rows, columns]: [usize; 2],
    ) -> Result<Vec<MatrixBuilder>> {
        let parts = self.arenas.place_experts(&mut self.memory, ty, experts, [rows, columns])?;
        let stride = rows * row_words(ty, columns);
        let each = parts.into_iter().flat_map(|part| {
            (0..part.rows).map(move |expert| {
                let start = part.start + expert * stride;
                super::matrix::Part { arena: part.arena.clone(), start, first: 0, rows }
            })
        });
        let matrices = each.map(|part| Matrix { ty, rows, columns, parts: vec![part] });
        Ok(matrices.map(|matrix| MatrixBuilder::new(self.memory.trials.clone(), matrix)).collect())
    }

    pub(super) fn route_rows(&mut self, scores: &Buffer, rows: usize, routing: &Routing, routes: &Buffer) {
        let Routing { experts, used, renormalise } = *routing;
        let batch = self.recorder.told(all_of(rows), 0);
        self.recorder.dispatch(&Dispatch {
            kernel: Kernel::new(Shader::Route),
            storage: &[scores, routes],
            parameters: &[experts as u32, used as u32, u32::from(renormalise)],
            batch,
            grid: [1, rows, 1],
            work: Work::moving(4 * rows * (experts + 2 * used)),
        });
    }

    /// out = gating(gate, up) of each pair, [rows, used, width].
    pub(super) fn gate_experts(
        &mut self,
        input: &Input<Self>,
        [gate, up]: [&ExpertLinear<Self>; 2],
        gating: Gating,
        routes: &Routes,
        out: &Buffer,
    ) {
        if !routes.are_few(up.weight.count()) {
            let quantised = [gate, up].iter().any(|linear| linear.weight.ty.is_quantised());
            let x = self.many(input, up.weight.columns, quantised);
            let tiles = self.group(routes, up.weight.count());
            self.multiply_tiles(&x, routes.used, gate, &tiles, None, (routes, out));
            return self.multiply_tiles(&x, routes.used, up, &tiles, Some(gating), (routes, out));
        }
        for gate in Slice::all(gate) {
            for up in Slice::all(up) {
                if let Some(slices) = gate.shared(&up) {
                    self.gate_slices(input, &slices, gating, routes, out);
                }
            }
        }
    }

    /// Sorts pairs by their experts.
    fn group(&mut self, routes: &Routes, experts: usize) -> Tiles {
        let pairs = routes.pairs();
        let each = [1, 2, 4, 8].into_iter().find(|each| pairs <= 8 * each * experts).unwrap_or(8);
        let count = pairs / (8 * each) + experts.min(pairs);
        let table = self.room_for(count * (1 + 8 * each), Room::Tiles);
        self.recorder.dispatch(&Dispatch {
            kernel: Kernel::new(Shader::ExpertsGroup),
            storage: &[routes.routes, &table],
            parameters: &[pairs, experts, 8 * each, count].map(|word| word as u32),
            batch: 0,
            grid: [1, 1, 1],
            work: Work::moving(4 * (2 * pairs + table.len)),
        });
        Tiles { table, count, each }
    }

    fn room_for(&mut self, len: usize, room: Room) -> Buffer {
        let (buffer, what) = match room {
            Room::Tiles => (&mut self.experts.tiles, "tiles of experts"),
            Room::Products => (&mut self.experts.products, "experts' products"),
        };
        if buffer.len < len {
            match self.memory.storage(what, len) {
                Ok(made) => *buffer = made,
                Err(error) => self.recorder.fail(Err(error)),
            }
        }
        Buffer { len, ..buffer.clone() }
    }

    /// out[pair] = x[pair / sharing] · weight[e]ᵀ + bias[e], or what is there gated with that.
    fn multiply_tiles(
        &mut self,
        x: &Many,
        sharing: usize,
        linear: &ExpertLinear<Self>,
        tiles: &Tiles,
        gating: Option<Gating>,
        (routes, out): (&Routes, &Buffer),
    ) {
        let Experts { ty, rows, columns, .. } = linear.weight;
        let vectors = self.together(linear.bias.iter());
        let bytes = x.bytes.as_ref().filter(|_| ty.is_quantised());
        let constants = [tiles.each as u32, bytes.map_or(0, |_| BYTES), 0];
        let pairs = routes.pairs();
        for slice in Slice::all(linear) {
            let words = [
                slice.start(),
                linear.weight.stride(),
                slice.experts.start,
                slice.experts.len(),
                rows,
                slice.bias(),
                units(columns),
                columns / 4,
                sharing,
                usize::from(gating.is_some()),
            ];
            let mut parameters = words.map(|word| word as u32).to_vec();
            parameters.extend(gating.map_or([0, 0], gating_words));
            parameters.push(tiles.count as u32);
            self.recorder.dispatch(&Dispatch {
                kernel: Kernel::new(Shader::ExpertsMatrix).format(ty).with(constants),
                storage: &[bytes.unwrap_or(&x.floats), &slice.part.arena, &vectors, out, &tiles.table],
                parameters: &parameters,
                batch: 0,
                grid: [rows.div_ceil(Shader::ExpertsMatrix.constant("ROWS") as usize), tiles.count, 1],
                work: slice.work(pairs, pairs * rows * (1 + usize::from(gating.is_some()))),
            });
        }
    }

    fn gate_slices(
        &mut self,
        input: &Input<Self>,
        [gate, up]: &[Slice; 2],
        gating: Gating,
        routes: &Routes,
        out: &Buffer,
    ) {
        let [of_gate, of_up] = [gate, up].map(|slice| (slice.linear.weight.ty, slice.part.arena.handle.id));
        if of_gate == of_up {
            return self.gate_few(input, [gate, up], (true, 0), gating, routes, out);
        }
        self.gate_few(input, [gate, gate], (false, 0), gating, routes, out);
        self.gate_few(input, [up, up], (false, 1), gating, routes, out);
    }

    /// One dispatch: of both where it is `gated`, else of the first alone, which is then gated by what is there where
    /// `gates` is 1.
    fn gate_few(
        &mut self,
        input: &Input<Self>,
        [first, second]: [&Slice; 2],
        (gated, gates): (bool, usize),
        gating: Gating,
        routes: &Routes,
        out: &Buffer,
    ) {
        let Experts { ty, rows, columns, .. } = first.linear.weight;
        let few = self.few(input, columns);
        let [norm, epsilon] = few.norm_words();
        let pairs = routes.pairs();
        let [start, second_start] = [first, second].map(Slice::start);
        let [bias, second_bias] = [first, second].map(Slice::bias);
        let mut parameters = vec![units(columns) as u32, columns as u32 / 4, norm, epsilon];
        let (stride, experts) = (first.linear.weight.stride(), &first.experts);
        let words = [start, second_start, bias, second_bias, stride, experts.start, experts.len(), rows];
        parameters.extend(words.iter().chain(&[routes.used, gates]).map(|word| *word as u32));
        parameters.extend(gating_words(gating));
        let biases = [first, second].into_iter().filter_map(|slice| slice.linear.bias.as_ref());
        let vectors = self.together(few.norm_weight().into_iter().chain(biases));
        let (lanes, fold) = self.lanes();
        let batch = self.recorder.told(all_of(pairs), 0);
        let each = self.rows_of_lanes() as usize / (1 + usize::from(gated));
        let mut work = first.work(pairs, pairs * rows * (1 + gates));
        if gated {
            let more = second.work(pairs, 0);
            let (bytes, operations) = (work.bytes + more.bytes, work.operations + more.operations);
            work = Work { bytes, operations, ..work };
        }
        self.recorder.dispatch(&Dispatch {
            kernel: Kernel::new(Shader::Experts).format(ty).with([lanes, u32::from(gated), fold]),
            storage: &[&few.x, &first.part.arena, &vectors, routes.routes, out],
            parameters: &parameters,
            batch,
            grid: [rows.div_ceil(each), 1, pairs],
            work,
        });
    }

    /// out (+)= Σₖ weight · (x · downᵀ + bias), [rows, width] of x [rows, used, inner].
    pub(super) fn join_experts_down(
        &mut self,
        x: &Buffer,
        down: &ExpertLinear<Self>,
        routes: &Routes,
        accumulate: bool,
        out: &Buffer,
    ) {
        if routes.are_few(down.weight.count()) {
            return self.join_few(x, down, routes, accumulate, out);
        }
        let Experts { ty, rows: width, columns, .. } = down.weight;
        let x = self.many(&Input { x, rows: routes.pairs(), norm: None }, columns, ty.is_quantised());
        let tiles = self.group(routes, down.weight.count());
        let products = self.room_for(routes.pairs() * width, Room::Products);
        self.multiply_tiles(&x, 1, down, &tiles, None, (routes, &products));
        let batch = self.recorder.told(all_of(routes.rows), 0);
        self.recorder.dispatch(&Dispatch {
            kernel: Kernel::new(Shader::ExpertsJoin),
            storage: &[&products, routes.routes, out],
            parameters: &[width as u32, routes.used as u32, u32::from(accumulate)],
            batch,
            grid: [width.div_ceil(64), routes.rows, 1],
            work: Work::moving(4 * routes.rows * width * (1 + routes.used + usize::from(accumulate))),
        });
    }

    fn join_few(&mut self, x: &Buffer, down: &ExpertLinear<Self>, routes: &Routes, accumulate: bool, out: &Buffer) {
        let Experts { ty, rows, columns, .. } = down.weight;
        let (lanes, fold) = self.lanes();
        let each = self.rows_of_lanes() as usize;
        let vectors = self.together(down.bias.iter());
        let batch = self.recorder.told(all_of(routes.rows), 0);
        for (n, slice) in Slice::all(down).enumerate() {
            let accumulate = accumulate || n > 0;
            let words = [
                units(columns),
                columns / 4,
                0,
                slice.start(),
                slice.bias(),
                down.weight.stride(),
                slice.experts.start,
                slice.experts.len(),
                rows,
                routes.used,
                usize::from(accumulate),
            ];
            self.recorder.dispatch(&Dispatch {
                kernel: Kernel::new(Shader::ExpertsDown).format(ty).with([lanes, 0, fold]),
                storage: &[x, &slice.part.arena, &vectors, routes.routes, out],
                parameters: &words.map(|word| word as u32),
                batch,
                grid: [rows.div_ceil(each), 1, routes.rows],
                work: slice.work(routes.pairs(), routes.rows * rows * (1 + usize::from(accumulate))),
            });
        }
    }
}
