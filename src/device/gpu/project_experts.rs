//! Mixtures of experts: only the weights that a row is routed to are read, and where that is, kernels find out themselves.

use super::Gpu;
use super::buffer::Buffer;
use super::experts::{Experts, Part, Routes};
use super::kernels::{BYTES, Kernel, Shader};
use super::matrix::{Matrix, MatrixBuilder, units};
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

    /// Where the weights of the first expert begin, as kernels are told.
    fn place(&self) -> [usize; 2] {
        let before = (self.experts.start - self.part.experts.start) * self.linear.weight.stride();
        let [first, second] = self.part.first.place();
        [first + before / 4, second + before]
    }

    /// Whether a dispatch can read both.
    fn lies_with(&self, other: &Self) -> bool {
        let [mine, others] = [self, other].map(|slice| (slice.linear.weight.ty, slice.part.first.arena.handle.id));
        mine == others
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
    /// Pairs that a thread has of each.
    each: usize,
}

/// What becomes of a product: it is written, gated by what is there, or made at once with its gate.
#[derive(Clone, Copy)]
enum Gates {
    Written,
    There(Gating),
    Both(Gating),
}

impl Gates {
    /// 1 where both are made at once, else 0.
    fn both(self) -> usize {
        usize::from(matches!(self, Self::Both(_)))
    }

    /// 1 where a gate is there, else 0.
    fn there(self) -> usize {
        usize::from(matches!(self, Self::There(_)))
    }

    /// What kernels know a gating by: see `shaders/gating.wgsl`.
    fn words(self) -> [u32; 2] {
        match self {
            Self::Written => [0, 0],
            Self::There(Gating::Plain(activation)) | Self::Both(Gating::Plain(activation)) => [activation as u32, 0],
            Self::There(Gating::Clamped { limit }) | Self::Both(Gating::Clamped { limit }) => [7, limit.to_bits()],
        }
    }
}

enum Room {
    Tiles,
    Products,
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
        let matrices = parts.into_iter().map(|part| Matrix { ty, rows, columns, parts: vec![part] });
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
        let few = routes.are_few(up.weight.count());
        let many = (!few).then(|| {
            let quantised = [gate, up].iter().any(|linear| linear.weight.ty.is_quantised());
            (self.many(input, up.weight.columns, quantised), self.group(routes, up.weight.count()))
        });
        for gate in Slice::all(gate) {
            for up in Slice::all(up) {
                let Some([gate, up]) = gate.shared(&up) else { continue };
                let steps = match gate.lies_with(&up) {
                    true => vec![([&gate, &up], Gates::Both(gating))],
                    false => vec![([&gate, &gate], Gates::Written), ([&up, &up], Gates::There(gating))],
                };
                for (slices, gates) in steps {
                    match &many {
                        Some((x, tiles)) => self.multiply_tiles((x, routes.used), slices, tiles, gates, (routes, out)),
                        None => self.gate_few(input, slices, gates, routes, out),
                    }
                }
            }
        }
    }

    /// Sorts pairs by their experts.
    fn group(&mut self, routes: &Routes, experts: usize) -> Tiles {
        let pairs = routes.pairs();
        let across = Shader::ExpertsMatrix.constant("ACROSS") as usize;
        let each = [1, 2, 4].into_iter().find(|each| pairs <= across * each * experts).unwrap_or(4);
        let tokens = across * each;
        let count = pairs / tokens + experts.min(pairs);
        let table = self.room_for(count * (1 + tokens), Room::Tiles);
        self.recorder.dispatch(&Dispatch {
            kernel: Kernel::new(Shader::ExpertsGroup),
            storage: &[routes.routes, &table],
            parameters: &[pairs, experts, tokens, count].map(|word| word as u32),
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

    /// out[pair] = x[pair / sharing] · weight[e]ᵀ + bias[e] of some experts, or what their gate makes of that.
    fn multiply_tiles(
        &mut self,
        (x, sharing): (&Many, usize),
        [first, second]: [&Slice; 2],
        tiles: &Tiles,
        gates: Gates,
        (routes, out): (&Routes, &Buffer),
    ) {
        let Experts { ty, rows, columns, .. } = first.linear.weight;
        let vectors = self.together([first, second].into_iter().filter_map(|slice| slice.linear.bias.as_ref()));
        let bytes = x.bytes.as_ref().filter(|_| ty.is_quantised());
        let constants = [gates.both() as u32, bytes.map_or(0, |_| BYTES), 4, tiles.each as u32];
        let [start, second_start] = [first, second].map(Slice::place);
        let mut words = [start, second_start].concat();
        words.extend([first.linear.weight.stride(), first.experts.start, first.experts.len(), rows]);
        words.extend([first.bias(), second.bias(), units(ty, columns), columns / 4, sharing]);
        words.push(gates.there());
        let mut parameters: Vec<u32> = words.into_iter().map(|word| word as u32).collect();
        parameters.extend(gates.words());
        parameters.push(tiles.count as u32);
        let across = Shader::ExpertsMatrix.constant("ACROSS") as usize;
        let outputs = 4 * across / (1 + gates.both());
        let arena = &first.part.first.arena;
        self.recorder.dispatch(&Dispatch {
            kernel: Kernel::new(Shader::ExpertsMatrix).format(ty).with(constants),
            storage: &[bytes.unwrap_or(&x.floats), arena, arena, &vectors, out, &tiles.table],
            parameters: &parameters,
            batch: 0,
            grid: [rows.div_ceil(outputs), tiles.count, 1],
            work: self.work_of([first, second], gates, routes.pairs()),
        });
    }

    /// What the products of `pairs` cost.
    fn work_of(&self, [first, second]: [&Slice; 2], gates: Gates, pairs: usize) -> Work {
        let outs = pairs * first.linear.weight.rows * (1 + gates.there());
        let mut work = first.work(pairs, outs);
        if gates.both() == 1 {
            let more = second.work(pairs, 0);
            let (bytes, operations) = (work.bytes + more.bytes, work.operations + more.operations);
            work = Work { bytes, operations, ..work };
        }
        work
    }

    /// One dispatch.
    fn gate_few(
        &mut self,
        input: &Input<Self>,
        [first, second]: [&Slice; 2],
        gates: Gates,
        routes: &Routes,
        out: &Buffer,
    ) {
        let Experts { ty, rows, columns, .. } = first.linear.weight;
        let few = self.few(input, columns);
        let [norm, epsilon] = few.norm_words();
        let pairs = routes.pairs();
        let units = units(ty, columns);
        let mut parameters = vec![units as u32, columns as u32 / 4, norm, epsilon];
        let [start, second_start] = [first, second].map(Slice::place);
        let (stride, experts) = (first.linear.weight.stride(), &first.experts);
        let mut words = [start, second_start, [first.bias(), second.bias()]].concat();
        words.extend([stride, experts.start, experts.len(), rows, routes.used, gates.there()]);
        parameters.extend(words.into_iter().map(|word| word as u32));
        parameters.extend(gates.words());
        let biases = [first, second].into_iter().filter_map(|slice| slice.linear.bias.as_ref());
        let vectors = self.together(few.norm_weight().into_iter().chain(biases));
        let lanes = self.lanes(rows * pairs, units);
        let batch = self.recorder.told(all_of(pairs), 0);
        let arena = &first.part.first.arena;
        self.recorder.dispatch(&Dispatch {
            kernel: Kernel::new(Shader::Experts).format(ty).with([lanes.count, gates.both() as u32, lanes.fold, 1]),
            storage: &[&few.x, arena, arena, &vectors, routes.routes, out],
            parameters: &parameters,
            batch,
            grid: [rows.div_ceil(lanes.rows(false) / (1 + gates.both())), 1, pairs],
            work: self.work_of([first, second], gates, pairs),
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
        for slice in Slice::all(down) {
            self.multiply_tiles((&x, 1), [&slice, &slice], &tiles, Gates::Written, (routes, &products));
        }
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
        let units = units(ty, columns);
        let lanes = self.lanes(rows * routes.rows, units);
        let vectors = self.together(down.bias.iter());
        let batch = self.recorder.told(all_of(routes.rows), 0);
        for (n, slice) in Slice::all(down).enumerate() {
            let accumulate = accumulate || n > 0;
            let ([first, second], arena) = (slice.place(), &slice.part.first.arena);
            let words = [
                units,
                columns / 4,
                first,
                second,
                0,
                slice.bias(),
                down.weight.stride(),
                slice.experts.start,
                slice.experts.len(),
                rows,
                routes.used,
                usize::from(accumulate),
            ];
            self.recorder.dispatch(&Dispatch {
                kernel: Kernel::new(Shader::ExpertsDown).format(ty).with([lanes.count, 0, lanes.fold, 1]),
                storage: &[x, arena, arena, &vectors, routes.routes, out],
                parameters: &words.map(|word| word as u32),
                batch,
                grid: [rows.div_ceil(lanes.rows(false)), 1, routes.rows],
                work: slice.work(routes.pairs(), routes.rows * rows * (1 + usize::from(accumulate))),
            });
        }
    }
}
