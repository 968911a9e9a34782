//! Products with weight matrices: which kernel, how many dispatches.

use super::Gpu;
use super::buffer::Buffer;
use super::kernels::{BYTES, Kernel, SHARED, Shader, WHOLE};
use super::matrix::{Matrix, Part, units};
use super::profile::Work;
use super::recorder::{Dispatch, all_of};
use crate::checkpoint::TensorType;
use crate::device::{Activation, Input, Linear, NormWeights, Projection};

/// Up to that many rows each goes through the weights by itself: a tile would be mostly empty.
pub(super) const FEW: usize = 4;

/// One part of one matrix of a projection.
struct Segment<'a> {
    ty: TensorType,
    columns: usize,
    part: &'a Part,
    bias: Option<&'a Buffer>,
    scale: Option<&'a Buffer>,
    out: &'a Buffer,
    /// Rows of the whole matrix.
    stride: usize,
}

impl<'a> Segment<'a> {
    fn all(projection: &'a Projection<Gpu>) -> impl Iterator<Item = Self> {
        let Projection { weight, bias, scale, out, .. } = projection;
        let (ty, columns, stride) = (weight.ty, weight.columns, weight.rows);
        weight.parts.iter().map(move |part| Self { ty, columns, part, bias: *bias, scale: *scale, out, stride })
    }

    /// Where the part of a vector for its first row lies, plus 1; 0: none.
    fn place(&self, vector: Option<&Buffer>) -> u32 {
        vector.map_or(0, |vector| (vector.offset + self.part.first + 1) as u32)
    }

    /// A dispatch can do both: same weights, another output.
    fn goes_with(&self, other: &Segment) -> bool {
        let arenas = [&self.part.arena, &other.part.arena].map(|arena| arena.handle.id);
        arenas[0] == arenas[1] && self.ty == other.ty && self.out.handle.id != other.out.handle.id
    }
}

/// The input of products of few rows.
pub(super) struct Few<'a> {
    rows: usize,
    pub x: Buffer,
    /// The weights and the epsilon of its RMSNorm.
    norm: Option<(&'a Buffer, f32)>,
}

impl<'a> Few<'a> {
    pub fn norm_weight(&self) -> Option<&'a Buffer> {
        self.norm.map(|(weight, _)| weight)
    }

    /// For kernels: where the norm's weights begin, plus 1, and its epsilon; 0: there is no norm.
    pub fn norm_words(&self) -> [u32; 2] {
        self.norm.map_or([0, 0], |(weight, epsilon)| [weight.offset as u32 + 1, epsilon.to_bits()])
    }
}

/// The input of products of many rows.
pub(super) struct Many {
    rows: usize,
    pub floats: Buffer,
    /// The same for quantised weights, where integers are multiplied.
    pub bytes: Option<Buffer>,
}

/// What becomes of a product that many rows share.
#[derive(Clone, Copy, PartialEq)]
enum How {
    Replace,
    Add,
    /// out = activation(out) · product
    Gate,
    /// out = activation(product)
    Activate,
}

/// Likewise, with the activation's number: 0 where there is none.
type Becoming = (How, u32);

impl Gpu {
    /// Rows of a table for `rows` ids, at the rows of what the dispatch is told.
    pub(super) fn look_up(
        &mut self,
        table: &Matrix,
        ids: &Buffer,
        (batch, rows): (usize, usize),
        scale: f32,
        accumulate: bool,
        out: &Buffer,
    ) {
        for part in &table.parts {
            let units = units(table.columns);
            let [start, first, part_rows, columns] = [part.start, part.first, part.rows, table.columns / 4];
            let words = [start, first, part_rows, units, columns, ids.offset].map(|word| word as u32);
            let [a, b, c, d, e, f] = words;
            self.recorder.dispatch(&Dispatch {
                kernel: Kernel::new(Shader::Embed).format(table.ty),
                storage: &[ids, &part.arena, out],
                parameters: &[a, b, c, d, e, f, scale.to_bits(), u32::from(accumulate)],
                batch,
                grid: [units.div_ceil(64), rows, 1],
                work: Work::moving(Matrix::bytes(table.ty, rows, table.columns) + 4 * rows * table.columns),
            });
        }
    }

    /// The size of all subgroups, where they are used and it is known.
    pub(super) fn subgroup_size(&self) -> Option<u32> {
        let [least, most] = self.memory.context.features.subgroups?;
        (self.kernels.extras().subgroups && least == most).then_some(least)
    }

    /// Lanes that share a row of a matrix, and how they add up: WHOLE, SHARED, or 0 for either of two other ways.
    pub(super) fn lanes(&self) -> (u32, u32) {
        let features = &self.memory.context.features;
        let most = features.subgroups.filter(|_| self.kernels.extras().subgroups).map(|[_, most]| most);
        match (features.lanes, self.subgroup_size(), most) {
            (Some(lanes), Some(size), _) if lanes == size => (lanes, WHOLE),
            (Some(lanes), _, Some(most)) if lanes < most => (lanes, SHARED),
            (Some(lanes), ..) => (lanes, 0),
            (None, Some(size), _) => (size, WHOLE),
            // As many as the largest subgroup at least, or as there are of it in a workgroup.
            (None, None, Some(most)) if most > 32 => (64, 0),
            _ => (32, 0),
        }
    }

    pub(super) fn project_all(&mut self, input: &Input<Self>, projections: &[Projection<Self>]) {
        let accumulate = projections.iter().any(|projection| projection.accumulate);
        let scaled = projections.iter().any(|projection| projection.scale.is_some());
        let segments: Vec<Segment> = projections.iter().flat_map(Segment::all).collect();
        if input.rows > FEW || scaled {
            let how = if accumulate { How::Add } else { How::Replace };
            return self.matrix_matrices(input, &segments, (how, 0));
        }
        self.matrix_vectors(input, &segments, accumulate, 0);
    }

    pub(super) fn project_up(
        &mut self,
        input: &Input<Self>,
        up: &Linear<Self>,
        activation: Activation,
        out: &mut Buffer,
    ) {
        let projection = up.to(out);
        let segments: Vec<Segment> = Segment::all(&projection).collect();
        match input.rows > FEW {
            true => self.matrix_matrices(input, &segments, (How::Activate, activation as u32)),
            false => self.matrix_vectors(input, &segments, false, activation as u32),
        }
    }

    pub(super) fn project_gate(
        &mut self,
        input: &Input<Self>,
        gate: &Linear<Self>,
        up: &Linear<Self>,
        activation: Activation,
        out: &mut Buffer,
    ) {
        let mut same = out.clone();
        let (gate, up) = (gate.to(out), up.to(&mut same));
        let [gates, ups] = [&gate, &up].map(|projection| Segment::all(projection).collect::<Vec<_>>());
        if let ([gate], [up], true) = (&gates[..], &ups[..], input.rows <= FEW)
            && gate.ty == up.ty
            && gate.part.arena.handle.id == up.part.arena.handle.id
        {
            let pair: Vec<Segment> = gates.into_iter().chain(ups).collect();
            let rows = self.few(input, pair[0].columns);
            return self.matrix_vector(&rows, &pair, false, (true, activation as u32));
        }
        let quantised = gates.iter().chain(&ups).any(|segment| segment.ty.is_quantised());
        let x = self.many(input, gates[0].columns, quantised);
        gates.iter().for_each(|gate| self.matrix_matrix(&x, gate, (How::Replace, 0)));
        ups.iter().for_each(|up| self.matrix_matrix(&x, up, (How::Gate, activation as u32)));
    }

    fn matrix_matrices(&mut self, input: &Input<Self>, segments: &[Segment], becoming: Becoming) {
        let x = self.many(input, segments[0].columns, segments.iter().any(|segment| segment.ty.is_quantised()));
        segments.iter().for_each(|segment| self.matrix_matrix(&x, segment, becoming));
    }

    fn matrix_vectors(&mut self, input: &Input<Self>, segments: &[Segment], accumulate: bool, activation: u32) {
        let rows = self.few(input, segments[0].columns);
        let mut rest = segments;
        while !rest.is_empty() {
            let fits = |n: usize| (0..n).all(|i| (0..i).all(|j| rest[j].goes_with(&rest[i])));
            let count = (1..=rest.len().min(3)).rev().find(|n| fits(*n)).expect("one always fits");
            self.matrix_vector(&rows, &rest[..count], accumulate, (false, activation));
            rest = &rest[count..];
        }
    }

    /// The input of products of few rows: those norm it themselves, but for the mean.
    pub(super) fn few<'a>(&mut self, input: &Input<'a, Self>, width: usize) -> Few<'a> {
        match &input.norm {
            Some(norm) if norm.centred => Few { rows: input.rows, x: self.normed(input, width), norm: None },
            norm => {
                let norm = norm.as_ref().map(|norm| (norm.weight, norm.epsilon));
                Few { rows: input.rows, x: input.x.clone(), norm }
            }
        }
    }

    /// The input of products of many rows, after its norm. `quantised`: some of the weights are.
    pub(super) fn many(&mut self, input: &Input<Self>, width: usize, quantised: bool) -> Many {
        let floats = self.normed(input, width);
        let bytes = (quantised && self.kernels.extras().integer_dot).then(|| self.in_bytes(&floats, input.rows, width));
        Many { rows: input.rows, floats, bytes }
    }

    /// Inputs [rows, width] as `shaders/quantise.wgsl` leaves them.
    fn in_bytes(&mut self, x: &Buffer, rows: usize, width: usize) -> Buffer {
        let units = units(width);
        let out = self.scratch(8 * rows * units, true);
        let batch = self.recorder.told(all_of(rows), 0);
        self.recorder.dispatch(&Dispatch {
            kernel: Kernel::new(Shader::Quantise),
            storage: &[x, &out],
            parameters: &[units as u32, width as u32 / 4],
            batch,
            grid: [units.div_ceil(64), rows, 1],
            work: Work::moving(4 * rows * (width + 8 * units)),
        });
        out
    }

    /// The input after its norm.
    fn normed(&mut self, input: &Input<Self>, width: usize) -> Buffer {
        if input.norm.is_none() {
            return input.x.clone();
        }
        let out = self.scratch(input.rows * width, false);
        self.norm_rows(input, width, false, &out);
        out
    }

    pub(super) fn norm_rows(&mut self, input: &Input<Self>, width: usize, accumulate: bool, out: &Buffer) {
        let (columns, rows, accumulate) = (width as u32 / 4, input.rows as u32, u32::from(accumulate));
        let vectors = self.together(input.norm.iter().flat_map(|norm| [Some(norm.weight), norm.bias]).flatten());
        let words = match &input.norm {
            Some(NormWeights { weight, bias, centred, epsilon }) => {
                let [weight_at, bias_at] = [Some(*weight), *bias].map(|of| of.map_or(0, |of| of.offset as u32 + 1));
                [columns, weight_at, bias_at, epsilon.to_bits(), u32::from(*centred), rows, accumulate]
            }
            None => [columns, 0, 0, 0, 0, rows, accumulate],
        };
        let (lanes, whole) = match self.lanes() {
            (lanes, WHOLE) => (lanes, WHOLE),
            _ => (64, 0),
        };
        self.recorder.dispatch(&Dispatch {
            kernel: Kernel::new(Shader::Norm).with([lanes, 0, whole]),
            storage: &[input.x, &vectors, out],
            parameters: &words,
            batch: 0,
            grid: [1, input.rows.div_ceil(64 / lanes.min(64) as usize), 1],
            work: Work::moving(4 * (2 * input.rows * width + width)),
        });
    }

    /// Rows of a workgroup whose lanes share them.
    pub(super) fn rows_of_lanes(&self) -> u32 {
        // Runs of lanes in a workgroup of 64, or of as many as a run has.
        64 / self.lanes().0.min(64) * Shader::MatrixVector.constant("ROWS")
    }

    fn matrix_vector(&mut self, input: &Few, segments: &[Segment], accumulate: bool, (gated, activation): (bool, u32)) {
        let (lanes, fold) = self.lanes();
        let rows = self.rows_of_lanes() / (1 + u32::from(gated));
        let first = &segments[0];
        let [norm, epsilon] = input.norm_words();
        let (units, columns) = (units(first.columns) as u32, first.columns as u32 / 4);
        let mut parameters = vec![units, columns, norm, epsilon, u32::from(accumulate), activation, 0, 0];
        let mut groups = 0;
        for segment in segments {
            let (part, stride) = (segment.part, segment.stride);
            let words = [
                part.start,
                part.rows,
                segment.place(segment.bias) as usize,
                part.first,
                stride,
                groups as usize,
                0,
                0,
            ];
            parameters.extend(words.map(|word| word as u32));
            if !gated || groups == 0 {
                groups += (part.rows as u32).div_ceil(rows);
            }
        }
        // What is not there begins after everything.
        parameters.extend([0, 0, 0, 0, 0, u32::MAX, 0, 0].repeat(3 - segments.len()));
        let outs: Vec<&Buffer> = if gated { vec![first.out] } else { segments.iter().map(|s| s.out).collect() };
        let vectors =
            self.together(input.norm_weight().into_iter().chain(segments.iter().filter_map(|segment| segment.bias)));
        let storage = [
            &input.x,
            &first.part.arena,
            &vectors,
            outs[0],
            outs.get(1).copied().unwrap_or(&self.nothing[0]),
            outs.get(2).copied().unwrap_or(&self.nothing[1]),
        ];
        let shape = [segments.iter().map(|segment| segment.part.rows).sum(), first.columns];
        let weights = Matrix::bytes(first.ty, shape[0], shape[1]);
        let moved = input.rows * shape[0] * (1 + usize::from(accumulate)) / (1 + usize::from(gated));
        self.recorder.dispatch(&Dispatch {
            kernel: Kernel::new(Shader::MatrixVector).format(first.ty).with([lanes, u32::from(gated), fold]),
            storage: &storage,
            parameters: &parameters,
            batch: 0,
            grid: [groups as usize, 1, input.rows],
            work: Work::product(weights, input.rows, shape, moved),
        });
    }

    fn matrix_matrix(&mut self, x: &Many, segment: &Segment, (how, activation): Becoming) {
        let vectors = self.together(segment.bias.into_iter().chain(segment.scale));
        let Segment { part, columns, stride, .. } = *segment;
        let [bias, scale] = [segment.bias, segment.scale].map(|vector| segment.place(vector) as usize);
        let (start, units, activation) = (part.start, units(columns), activation as usize);
        let words =
            [start, part.rows, bias, part.first, stride, units, columns / 4, how as usize, activation, scale, 0, 0];
        let moved = if matches!(how, How::Replace | How::Activate) { 1 } else { 2 };
        let (kernel, input, [rows, tokens]) = self.tile_kernel(x, segment.ty);
        let batch = self.recorder.told(all_of(x.rows), 0);
        let weights = Matrix::bytes(segment.ty, part.rows, columns);
        self.recorder.dispatch(&Dispatch {
            kernel: kernel.format(segment.ty),
            storage: &[input, &part.arena, &vectors, segment.out],
            parameters: &words.map(|word| word as u32),
            batch,
            grid: [part.rows.div_ceil(rows), x.rows.div_ceil(tokens), 1],
            work: Work::product(weights, x.rows, [part.rows, columns], x.rows * part.rows * moved),
        });
    }

    /// The kernel for products of such inputs and weights, what it reads, and the rows and tokens of its tile.
    fn tile_kernel<'a>(&self, x: &'a Many, ty: TensorType) -> (Kernel, &'a Buffer, [usize; 2]) {
        let bytes = x.bytes.as_ref().filter(|_| ty.is_quantised());
        if bytes.is_none() && self.subgroup_size() == Some(4) {
            let tile = ["ROWS", "TOKENS"].map(|name| Shader::MatrixMatrixQuads.constant(name) as usize);
            return (Kernel::new(Shader::MatrixMatrixQuads), &x.floats, tile);
        }
        let each = [1, 2, 4, 8].into_iter().find(|each| x.rows <= 8 * each).unwrap_or(8);
        let constants = [each as u32, bytes.map_or(0, |_| BYTES), 0];
        let tile = [Shader::MatrixMatrix.constant("ROWS") as usize, 8 * each];
        (Kernel::new(Shader::MatrixMatrix).with(constants), bytes.unwrap_or(&x.floats), tile)
    }
}
