//! Products with weight matrices: which kernel, how many dispatches.

use super::Gpu;
use super::buffer::Buffer;
use super::choices::ManyRows;
use super::kernels::{BYTES, HALVES, Kernel, SHARED, Shader, WHOLE, has_halves};
use super::matrix::{Matrix, Part, units};
use super::profile::Work;
use super::recorder::{Dispatch, all_of};
use crate::checkpoint::TensorType;
use crate::device::{Activation, Device, Input, Linear, NormWeights, Projection};

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

    /// A dispatch can read both.
    fn lies_with(&self, other: &Segment) -> bool {
        self.part.arena.handle.id == other.part.arena.handle.id && self.ty == other.ty
    }

    /// A dispatch can do both: another output, too.
    fn goes_with(&self, other: &Segment) -> bool {
        self.lies_with(other) && self.out.handle.id != other.out.handle.id
    }

    /// What kernels are told of it: see `struct Segment` of theirs. `groups`: workgroups before it.
    fn words(&self, groups: usize) -> [u32; 8] {
        let [first, second] = self.part.place();
        let [bias, scale] = [self.bias, self.scale].map(|vector| self.place(vector) as usize);
        [first, second, self.part.rows, bias, self.part.first, self.stride, groups, scale].map(|word| word as u32)
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

/// The input of products.
enum Rows<'a> {
    Few(Few<'a>),
    Many(Many),
}

/// The input of products of many rows.
pub(super) struct Many {
    rows: usize,
    pub floats: Buffer,
    /// The same for quantised weights, where integers are multiplied.
    pub bytes: Option<Buffer>,
    /// And for weights that are halves or can be, where those are multiplied.
    halves: Option<Buffer>,
}

/// What becomes of a product that many rows share.
#[derive(Clone, Copy)]
enum How {
    Replace,
    Add,
    /// out = activation(out) · product
    Gate,
    /// out = activation(product)
    Activate,
}

impl How {
    /// How often each value of the output is moved.
    fn moved(self) -> usize {
        match self {
            Self::Replace | Self::Activate => 1,
            Self::Add | Self::Gate => 2,
        }
    }
}

/// Likewise, with the activation's number: 0 where there is none.
type Becoming = (How, u32);

/// Lanes of a subgroup on processors that stand in for a GPU.
const QUAD: u32 = 4;
/// Lanes that a row may have.
const MOST_LANES: u32 = 128;
/// Threads that keep a large GPU busy, or so: an H200 holds 270,000, and half of a 4090's 196,000 are enough.
const MANY_THREADS: usize = 1 << 16;

/// Lanes that share a row of a matrix, and how they add up: WHOLE, SHARED, or 0 for either of two other ways.
#[derive(Clone, Copy)]
pub(super) struct Lanes {
    pub count: u32,
    pub fold: u32,
}

impl Lanes {
    fn new(count: u32, whole: Option<u32>, most: Option<u32>) -> Self {
        let fold = match (whole, most) {
            (Some(size), _) if count == size => WHOLE,
            (_, Some(most)) if count < most => SHARED,
            _ => 0,
        };
        Self { count, fold }
    }

    /// Whether a workgroup fetches its input together: on processors, which have the narrowest subgroups, a wait for the
    /// workgroup costs more than that spares.
    fn stage(&self) -> bool {
        self.count > 8
    }

    /// Rows of a workgroup: see `shaders/lanes.wgsl`.
    pub fn rows(&self, staged: bool) -> usize {
        let threads = (64 << u32::from(staged)).max(self.count);
        (threads / self.count * Shader::MatrixVector.constant("ROWS")) as usize
    }
}

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
            let (units, [start, second]) = (units(table.ty, table.columns), part.place());
            let words = [start, second, part.first, part.rows, units, table.columns / 4, ids.offset];
            let mut parameters = words.map(|word| word as u32).to_vec();
            parameters.extend([scale.to_bits(), u32::from(accumulate)]);
            self.recorder.dispatch(&Dispatch {
                kernel: Kernel::new(Shader::Embed).format(table.ty),
                storage: &[ids, &part.arena, &part.arena, out],
                parameters: &parameters,
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

    /// How the lanes of a workgroup share rows of so many units; of `rows` rows there are so many.
    pub(super) fn lanes(&self, rows: usize, units: usize) -> Lanes {
        let features = &self.memory.context.features;
        let most = features.subgroups.filter(|_| self.kernels.extras().subgroups).map(|[_, most]| most);
        let whole = self.subgroup_size();
        let mut lanes = match (features.lanes, whole, most) {
            (Some(lanes), ..) => return Lanes::new(lanes, whole, most),
            (None, Some(size), _) => size,
            // As many as the largest subgroup at least, or as there are of it in a workgroup.
            (None, None, Some(most)) if most > 32 => 64,
            _ => 32,
        };
        // Long rows of which there are few would leave most of a GPU idle.
        while (32..64).contains(&lanes) && units >= 2 * lanes as usize && rows * lanes as usize / 4 < MANY_THREADS {
            lanes *= 2;
        }
        if self.kernels.choices().one_row.is_wide() && lanes < MOST_LANES && units >= 2 * lanes as usize {
            lanes *= 2;
        }
        Lanes::new(lanes, whole, most)
    }

    pub(super) fn project_all(&mut self, input: &Input<Self>, projections: &[Projection<Self>]) {
        let accumulate = projections.iter().any(|projection| projection.accumulate);
        let segments: Vec<Segment> = projections.iter().flat_map(Segment::all).collect();
        let x = self.input_of(input, &segments);
        self.multiply_all(&x, &segments, (if accumulate { How::Add } else { How::Replace }, 0));
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
        let x = self.input_of(input, &segments);
        self.multiply_all(&x, &segments, (How::Activate, activation as u32));
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
        let segments: Vec<Segment> = Segment::all(&gate).chain(Segment::all(&up)).collect();
        let x = self.input_of(input, &segments);
        let gating = (How::Gate, activation as u32);
        match &segments[..] {
            [gate, up] if gate.lies_with(up) && self.gates_at_once(&x, gate.ty) => {
                self.multiply(&x, &segments, gating, true)
            }
            _ => {
                let gates = gate.weight.parts.len();
                self.multiply_all(&x, &segments[..gates], (How::Replace, 0));
                self.multiply_all(&x, &segments[gates..], gating);
            }
        }
    }

    /// Products of the same input, as many in a dispatch as go together.
    fn multiply_all(&mut self, x: &Rows, segments: &[Segment], becoming: Becoming) {
        let mut rest = segments;
        while !rest.is_empty() {
            let fits = |n: usize| (0..n).all(|i| (0..i).all(|j| rest[j].goes_with(&rest[i])));
            let count = (1..=rest.len().min(3)).rev().find(|n| fits(*n)).expect("one always fits");
            self.multiply(x, &rest[..count], becoming, false);
            rest = &rest[count..];
        }
    }

    /// One dispatch. `gated`: the first is the gate of the second.
    fn multiply(&mut self, x: &Rows, segments: &[Segment], becoming: Becoming, gated: bool) {
        match x {
            Rows::Few(few) => self.matrix_vector(few, segments, becoming, gated),
            Rows::Many(many) => self.matrix_matrix(many, segments, becoming, gated),
        }
    }

    /// The input of products with those weights.
    fn input_of<'a>(&mut self, input: &Input<'a, Self>, segments: &[Segment]) -> Rows<'a> {
        let (columns, scaled) = (segments[0].columns, segments.iter().any(|segment| segment.scale.is_some()));
        let quantised = segments.iter().any(|segment| segment.ty.is_quantised());
        match input.rows > FEW || scaled {
            true => {
                let mut many = self.many(input, columns, quantised);
                if self.multiplies_halves(&many) && segments.iter().any(|segment| has_halves(segment.ty)) {
                    many.halves = Some(self.in_halves(&many.floats, input.rows, columns));
                }
                Rows::Many(many)
            }
            false => Rows::Few(self.few(input, columns)),
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
        Many { rows: input.rows, floats, bytes, halves: None }
    }

    /// Whether halves are multiplied where weights can be.
    fn multiplies_halves(&self, x: &Many) -> bool {
        let wanted = self.kernels.choices().many_rows == ManyRows::Halves && self.kernels.extras().halves;
        wanted && x.bytes.is_none() && self.subgroup_size() != Some(QUAD)
    }

    /// Inputs [rows, width] as `shaders/halve.wgsl` leaves them.
    fn in_halves(&mut self, x: &Buffer, rows: usize, width: usize) -> Buffer {
        let columns = width / 4;
        let out = self.scratch(2 * rows * (columns + 1), true);
        let batch = self.recorder.told(all_of(rows), 0);
        self.recorder.dispatch(&Dispatch {
            kernel: Kernel::new(Shader::Halve),
            storage: &[x, &out],
            parameters: &[columns as u32],
            batch,
            grid: [1, rows, 1],
            work: Work::moving(6 * rows * width),
        });
        out
    }

    /// Inputs [rows, width] as `shaders/quantise.wgsl` leaves them.
    fn in_bytes(&mut self, x: &Buffer, rows: usize, width: usize) -> Buffer {
        let sixteens = width.div_ceil(16);
        let out = self.scratch(8 * rows * sixteens, true);
        let batch = self.recorder.told(all_of(rows), 0);
        self.recorder.dispatch(&Dispatch {
            kernel: Kernel::new(Shader::Quantise),
            storage: &[x, &out],
            parameters: &[sixteens as u32, width as u32 / 4],
            batch,
            grid: [sixteens.div_ceil(64), rows, 1],
            work: Work::moving(4 * rows * (width + 8 * sixteens)),
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
        let (lanes, whole) = match self.lanes(usize::MAX, 0) {
            Lanes { count, fold: WHOLE } => (count, WHOLE),
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

    fn matrix_vector(&mut self, input: &Few, segments: &[Segment], (how, activation): Becoming, gated: bool) {
        let first = &segments[0];
        let shape = [segments.iter().map(|segment| segment.part.rows).sum(), first.columns];
        let units = units(first.ty, first.columns);
        let lanes = self.lanes(shape[0], units);
        let tokens = input.rows.next_power_of_two().min(FEW);
        let staged = lanes.stage() && tokens == 1 && !self.kernels.choices().one_row.is_apart();
        let [norm, epsilon] = input.norm_words();
        let mut parameters = vec![units as u32, first.columns as u32 / 4, norm, epsilon, input.rows as u32, 0, 0, 0];
        let groups = put_segments(&mut parameters, segments, lanes.rows(staged) / (1 + usize::from(gated)), gated);
        let vectors =
            self.together(input.norm_weight().into_iter().chain(segments.iter().filter_map(|segment| segment.bias)));
        let [out, second, third] = self.outs(segments, gated);
        let weights = Matrix::bytes(first.ty, shape[0], shape[1]);
        let moved = input.rows * shape[0] * how.moved() / (1 + usize::from(gated));
        let [how, activation, outs] = becoming_words((how, activation), segments, gated);
        let (tokens_each, staged) = (tokens as u32, u32::from(staged));
        let constants = [lanes.count, u32::from(gated), lanes.fold, tokens_each, staged, how, activation, outs];
        self.recorder.dispatch(&Dispatch {
            kernel: Kernel::new(Shader::MatrixVector).format(first.ty).with(constants),
            storage: &[&input.x, &first.part.arena, &first.part.arena, &vectors, &out, &second, &third],
            parameters: &parameters,
            batch: 0,
            grid: [groups, 1, input.rows.div_ceil(tokens)],
            work: Work::product(weights, input.rows, shape, moved),
        });
    }

    fn matrix_matrix(&mut self, x: &Many, segments: &[Segment], (how, activation): Becoming, gated: bool) {
        let first = &segments[0];
        let vectors = self.together(segments.iter().flat_map(|segment| segment.bias.into_iter().chain(segment.scale)));
        let shape = [segments.iter().map(|segment| segment.part.rows).sum(), first.columns];
        let becoming = becoming_words((how, activation), segments, gated);
        let (kernel, input, [rows, tokens]) = self.tile_kernel(x, first.ty, shape[0], gated, becoming);
        let mut parameters = vec![units(first.ty, first.columns) as u32, first.columns as u32 / 4, 0, 0];
        let groups = put_segments(&mut parameters, segments, rows, gated);
        let batch = self.recorder.told(all_of(x.rows), 0);
        let [out, second, third] = self.outs(segments, gated);
        let weights = Matrix::bytes(first.ty, shape[0], shape[1]);
        let moved = x.rows * shape[0] * how.moved() / (1 + usize::from(gated));
        self.recorder.dispatch(&Dispatch {
            kernel: kernel.format(first.ty),
            storage: &[input, &first.part.arena, &first.part.arena, &vectors, &out, &second, &third],
            parameters: &parameters,
            batch,
            grid: [groups, x.rows.div_ceil(tokens), 1],
            work: Work::product(weights, x.rows, shape, moved),
        });
    }

    /// What the bindings of three outputs are.
    fn outs(&self, segments: &[Segment], gated: bool) -> [Buffer; 3] {
        let mut outs = segments.iter().map(|segment| segment.out.clone()).take(if gated { 1 } else { 3 });
        let mut spare = self.nothing.iter().cloned();
        std::array::from_fn(|_| outs.next().or_else(|| spare.next()).expect("there are two, and one output"))
    }

    /// Whether there is a kernel that makes a gate and what it gates at once.
    fn gates_at_once(&self, x: &Rows, ty: TensorType) -> bool {
        match x {
            Rows::Few(_) => true,
            Rows::Many(many) => !self.takes_quads(many, ty),
        }
    }

    fn takes_quads(&self, x: &Many, ty: TensorType) -> bool {
        (x.bytes.is_none() || !ty.is_quantised()) && self.subgroup_size() == Some(QUAD)
    }

    /// The kernel for products of such inputs and weights, what it reads, and the rows of the output and tokens of its
    /// tile.
    fn tile_kernel<'a>(
        &self,
        x: &'a Many,
        ty: TensorType,
        rows: usize,
        gated: bool,
        [how, activation, outs]: [u32; 3],
    ) -> (Kernel, &'a Buffer, [usize; 2]) {
        if self.takes_quads(x, ty) {
            let tile = ["ROWS", "TOKENS"].map(|name| Shader::MatrixMatrixQuads.constant(name) as usize);
            return (Kernel::new(Shader::MatrixMatrixQuads).with([how, activation, outs]), &x.floats, tile);
        }
        let bytes = x.bytes.as_ref().filter(|_| ty.is_quantised()).map(|bytes| (bytes, BYTES));
        let halves = x.halves.as_ref().filter(|_| has_halves(ty)).map(|halves| (halves, HALVES));
        let (input, tiles) = bytes.or(halves).unwrap_or((&x.floats, 0));
        let enough = self.kernels.choices().many_rows.groups();
        let [rows_each, tokens_each] = tile_of(rows, x.rows, gated, enough);
        let constants = [u32::from(gated), tiles, rows_each as u32, tokens_each as u32, how, activation, outs];
        let across = Shader::MatrixMatrix.constant("ACROSS") as usize;
        let tile = [across * rows_each / (1 + usize::from(gated)), across * tokens_each];
        (Kernel::new(Shader::MatrixMatrix).with(constants), input, tile)
    }
}

/// HOW, ACTIVATION and OUTS of a kernel: what is made with its gate at once has nothing else to become.
fn becoming_words((how, activation): Becoming, segments: &[Segment], gated: bool) -> [u32; 3] {
    match (gated, segments.len()) {
        (true, _) => [How::Replace as u32, activation, 1],
        (false, 1) => [how as u32, activation, 1],
        (false, _) => [how as u32, activation, 3],
    }
}

/// Puts down segments whose workgroups have so many rows each, as kernels are told of up to three. Returns how many
/// workgroups there are.
fn put_segments(parameters: &mut Vec<u32>, segments: &[Segment], rows: usize, gated: bool) -> usize {
    let mut groups = 0;
    for segment in segments {
        parameters.extend(segment.words(groups));
        if !gated || groups == 0 {
            groups += segment.part.rows.div_ceil(rows);
        }
    }
    // What is not there begins after everything.
    parameters.extend([0, 0, 0, 0, 0, 0, u32::MAX, 0].repeat(3 - segments.len()));
    groups
}

/// Rows and tokens of a thread, in products of `rows` rows of weights: as many as leave `enough` workgroups. It is the same
/// for all numbers of tokens up to the next power of two, so that a device can get ready.
fn tile_of(rows: usize, tokens: usize, gated: bool, enough: usize) -> [usize; 2] {
    let across = Shader::MatrixMatrix.constant("ACROSS") as usize;
    let tokens = tokens.next_power_of_two().min(Gpu::MOST_CHUNK);
    let least = 1 + usize::from(gated);
    let (mut rows_each, mut tokens_each) = (4, tokens.div_ceil(across).min(4));
    let groups = |rows_each: usize, tokens_each: usize| {
        rows.div_ceil(across * rows_each) * tokens.div_ceil(across * tokens_each)
    };
    while groups(rows_each, tokens_each) < enough {
        if tokens_each > 1 && (tokens_each >= rows_each || rows_each == least) {
            tokens_each /= 2;
        } else if rows_each > least {
            rows_each /= 2;
        } else {
            break;
        }
    }
    [rows_each, tokens_each]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of SmolLM2's, a 7B's, ViT-B's and MiniLM's products, those of one grid together.
    const ROWS: [(usize, bool); 12] = [
        (960, false),
        (576, false),
        (3072, true),
        (49_152, false),
        (12_288, false),
        (4096, false),
        (22_016, true),
        (2304, false),
        (768, false),
        (1152, false),
        (384, false),
        (192, false),
    ];

    #[test]
    fn a_prompt_of_128_tokens_gives_every_matrix_64_workgroups() {
        let across = Shader::MatrixMatrix.constant("ACROSS") as usize;
        for (rows, gated) in ROWS {
            let [rows_each, tokens_each] = tile_of(rows, 128, gated, 64);
            let groups = rows.div_ceil(across * rows_each) * 128usize.div_ceil(across * tokens_each);
            assert!(groups >= 64, "{rows} rows: {groups} of {rows_each} × {tokens_each}");
        }
    }

    #[test]
    fn tiles_are_no_smaller_than_they_have_to_be() {
        assert_eq!(tile_of(4096, 128, false, 64), [4, 4]);
        assert_eq!(tile_of(576, 128, false, 64), [2, 2]);
        assert_eq!(tile_of(22_016, 128, true, 64), [4, 4]);
        assert_eq!(tile_of(4096, 12, false, 64), [4, 1]);
        // Where fewer are enough, or more.
        assert_eq!(tile_of(576, 128, false, 16), [4, 4]);
        assert_eq!(tile_of(576, 128, false, 256), [1, 1]);
        // Too few rows for so many workgroups.
        assert_eq!(tile_of(3, 5, false, 64), [1, 1]);
        assert_eq!(tile_of(3, 5, true, 64), [2, 1]);
    }
}
