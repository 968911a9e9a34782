//! The GPU, through WebGPU: in the browser its own, natively Vulkan.
//!
//! Verbs only record: kernels join the open compute pass, and a pass goes to the GPU when a result is sent
//! for, or the next batch begins. Kernels are in `shaders/`; `kernels.rs` puts their texts together.

mod attention;
mod bindings;
mod buffer;
mod choices;
mod choose;
mod chooser;
mod context;
mod dispatch;
#[cfg(not(target_arch = "wasm32"))]
mod edit;
mod experts;
mod kernels;
mod matrix;
#[cfg(not(target_arch = "wasm32"))]
pub mod native;
mod pace;
mod pipelines;
mod pixels;
mod places;
mod planes;
mod probe;
mod profile;
mod project;
mod project_experts;
mod recorder;
mod saved;
mod signal;
mod state;
mod texts;
mod timer;
mod trials;
mod tune;

pub use buffer::Buffer;
pub use choices::{Choices, ManyRows, OneRow};
pub use context::{Context, Features, Wishes};
pub use kernels::{Extras, Kernel, Shader};
pub use pipelines::Kernels;
pub use profile::{Counters, Runs};
pub use signal::Signal;
pub use tune::Tuning;

use super::{
    Activation, AttentionShape, CacheType, CachedAttention, CachedConv, Choosing, Device, ExpertLinear, Following,
    Gating, Input, KeyRows, Linear, PageCopy, Patching, Picture, Preparation, Progress, Projection, Qkv, Rotations,
    Routing, Seen, Span, StateShape, Table, TokenIds,
};
use crate::checkpoint::TensorType;
use crate::error::{Code, Error, Result};
use buffer::{Memory, Notes};
use chooser::Chooser;
use experts::{Experts, Routes};
use matrix::{Arenas, Matrix, MatrixBuilder};
use places::Places;
use profile::Work;
use recorder::{Dispatch, Reading, Recorder, all_of, span_words};
use state::State;
use std::ops::Range;
use std::rc::Rc;

/// Buffers that pictures go through: the picture or a strip of it, what is resampled along one axis, and tables.
type Pictures = [Option<Buffer>; 3];

/// One model's part of a device.
pub struct Gpu {
    kernels: Rc<Kernels>,
    memory: Memory,
    recorder: Recorder,
    arenas: Arenas,
    /// Tokens, and runs of rows.
    notes: Notes,
    /// The batch's: see [`Rotations`].
    rotations: Buffer,
    tables: Vec<Range<usize>>,
    turns: Vec<f32>,
    /// Normed inputs, inputs in bytes, and the splits of attention.
    normed: Buffer,
    quantised: Buffer,
    splits: Buffer,
    experts: experts::Scratch,
    pictures: Pictures,
    /// For bindings that a dispatch has no use for: two to write to, one to read.
    nothing: [Buffer; 3],
}

impl Gpu {
    pub fn new(kernels: Rc<Kernels>) -> Result<Self> {
        let mut memory = Memory::new(kernels.context.clone());
        let recorder = Recorder::new(kernels.clone(), &mut memory)?;
        let nothing = [memory.storage("nothing", 0)?, memory.storage("nothing", 0)?, memory.storage("nothing", 0)?];
        Ok(Self {
            kernels,
            recorder,
            arenas: Arenas::default(),
            notes: Notes::new(&mut memory, 8 * Self::CHUNK)?,
            rotations: memory.storage("rotations", 2)?,
            tables: Vec::new(),
            turns: Vec::new(),
            normed: memory.storage("normed inputs", 0)?,
            quantised: memory.storage("inputs in bytes", 0)?,
            splits: memory.storage("splits of attention", 0)?,
            experts: experts::Scratch::new(&mut memory)?,
            pictures: Pictures::default(),
            nothing,
            memory,
        })
    }

    pub fn context(&self) -> Rc<Context> {
        self.memory.context.clone()
    }

    /// Room for `len` values that nobody needs after the next product: normed inputs, or `quantised`.
    fn scratch(&mut self, len: usize, quantised: bool) -> Buffer {
        let (buffer, what) = match quantised {
            true => (&mut self.quantised, "inputs in bytes"),
            false => (&mut self.normed, "normed inputs"),
        };
        if buffer.len < len {
            match self.memory.storage(what, len) {
                Ok(made) => *buffer = made,
                Err(error) => self.recorder.fail(Err(error)),
            }
        }
        buffer.clone()
    }

    /// What is computed of each of a vector's values by itself: their number is the first of the parameters, and threads go on
    /// by whole grids. `moved`: bytes.
    fn each_value(&mut self, shader: Shader, storage: &[&Buffer], parameters: &[u32], moved: usize) {
        let most = self.memory.context.limits.max_compute_workgroups_per_dimension.min(4096);
        self.recorder.dispatch(&Dispatch {
            kernel: Kernel::new(shader),
            storage,
            parameters,
            batch: 0,
            grid: [parameters[0].div_ceil(64).min(most) as usize, 1, 1],
            work: Work::moving(moved),
        });
    }

    /// Of a row: those of all turns.
    fn angles(&self) -> usize {
        self.tables.last().map_or(0, |turn| turn.end)
    }

    /// The buffer of all the vectors that a kernel reads through one binding: they were expected together.
    fn together<'a>(&mut self, mut vectors: impl Iterator<Item = &'a Buffer>) -> Buffer {
        let Some(first) = vectors.next() else { return self.nothing[2].clone() };
        if vectors.any(|other| other.handle.id != first.handle.id) {
            let message = "vectors of weights that are read at once lie in several buffers";
            self.recorder.fail(Err(Error::new(Code::Internal, message)));
        }
        first.clone()
    }

    /// After a failure, buffers that are made when they are needed may not be there: they are made again.
    fn whole<T>(&mut self, result: Result<T>) -> Result<T> {
        if result.is_err() {
            for buffer in [&mut self.normed, &mut self.quantised, &mut self.splits, &mut self.rotations] {
                buffer.len = 0;
            }
            self.notes.forget();
            self.experts.forget();
            self.pictures = Pictures::default();
        }
        result
    }
}

/// Refuses what kernels that take four values at a time would get wrong.
fn fours(what: &str, len: usize) -> Result<()> {
    match len.is_multiple_of(4) {
        true => Ok(()),
        false => Err(Error::unsupported(format!("{what} {len}: on WebGPU it has to be a multiple of 4"))),
    }
}

/// Refuses heads that the kernels of attention have no room for.
fn check_head(head_dim: usize) -> Result<()> {
    fours("a head size of", head_dim)?;
    match head_dim <= 256 {
        true => Ok(()),
        false => Err(Error::unsupported(format!("a head size of {head_dim}: on WebGPU it is 256 at most"))),
    }
}

impl Device for Gpu {
    type Buffer = Buffer;
    type Matrix = Matrix;
    type MatrixBuilder = MatrixBuilder;
    type Experts = Experts;
    type State = State;
    type Places = Places;
    type Chooser = Chooser;
    type Reading = Reading;

    // Two tiles of tokens; a prompt can still be left within a few chunks.
    const CHUNK: usize = pace::SHORTEST_CHUNK;
    const MOST_CHUNK: usize = pace::LONGEST_CHUNK;

    fn chunk(&self) -> usize {
        self.recorder.chunk()
    }

    fn now(&self) -> f64 {
        (self.memory.context.clock)()
    }

    fn buffer(&mut self, len: usize) -> Result<Buffer> {
        self.memory.storage("activations", len)
    }

    fn expect_vectors(&mut self, lengths: &mut dyn Iterator<Item = usize>) -> Result<()> {
        self.memory.expect_vectors(lengths)
    }

    fn upload(&mut self, values: &[f32]) -> Result<Buffer> {
        self.memory.vector(values)
    }

    fn expect_weights(&mut self, bytes: usize) -> Result<()> {
        self.arenas.expect(&mut self.memory, bytes)
    }

    fn matrix(&mut self, ty: TensorType, rows: usize, columns: usize) -> Result<MatrixBuilder> {
        fours("a width of", columns)?;
        let parts = self.arenas.place(&mut self.memory, ty, rows, columns)?;
        Ok(MatrixBuilder::new(self.memory.trials.clone(), Matrix { ty, rows, columns, parts }))
    }

    fn push(&mut self, builder: &mut MatrixBuilder, bytes: &[u8]) {
        builder.push(bytes);
    }

    fn finish(&mut self, builder: MatrixBuilder) -> Matrix {
        builder.finish()
    }

    fn matrix_bytes(ty: TensorType, rows: usize, columns: usize) -> usize {
        Matrix::bytes(ty, rows, columns)
    }

    fn expert_matrices(
        &mut self,
        ty: TensorType,
        experts: usize,
        rows: usize,
        columns: usize,
    ) -> Result<Vec<MatrixBuilder>> {
        fours("a width of", columns)?;
        self.place_experts(ty, experts, [rows, columns])
    }

    fn join_experts(&mut self, matrices: Vec<Matrix>) -> Experts {
        Experts::join(matrices)
    }

    fn state(layers: &[StateShape], ty: CacheType) -> State {
        State::new(layers, ty)
    }

    async fn grow(&mut self, state: &mut State, pages: &[Range<usize>]) -> Result<Vec<usize>> {
        let grown = state.grow(&mut self.memory, &mut self.recorder, pages).await;
        self.whole(grown)
    }

    fn trim(&mut self, state: &mut State, pages: &[usize]) -> Vec<usize> {
        state.trim(&mut self.recorder, pages)
    }

    fn copy_pages(&mut self, state: &mut State, copies: &[PageCopy]) {
        let copied = state.copy(&mut self.memory, &mut self.recorder, copies);
        self.recorder.fail(copied);
    }

    async fn save(&mut self, state: &State, table: &Table, positions: usize) -> Result<Vec<u8>> {
        self.save_sequence(state, table, positions).await
    }

    fn restore(&mut self, state: &mut State, table: &Table, positions: usize, bytes: &[u8]) -> Result<()> {
        self.restore_sequence(state, table, positions, bytes)
    }

    async fn sync(&mut self) -> Result<usize> {
        self.recorder.failed()?;
        let settled = self.recorder.sync().await;
        self.whole(settled)
    }

    async fn warm_up(&mut self, progress: &Progress, mut steps: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        // Again where a driver refuses what it has promised: other kernels are needed then.
        'again: loop {
            let extras = self.kernels.extras();
            self.recorder.collect();
            let collected = steps(self);
            let mut wanted = self.recorder.collected();
            // What a verb has refused has no kernel.
            collected.and_then(|()| self.recorder.failed())?;
            wanted.extend(Kernel::of_choosing());
            progress.total.set(wanted.len());
            for (done, kernel) in wanted.iter().enumerate() {
                progress.done.set(done);
                self.kernels.compile(kernel).await?;
                if self.kernels.extras() != extras {
                    continue 'again;
                }
            }
            progress.done.set(wanted.len());
            return Ok(());
        }
    }

    fn begin(&mut self, spans: &[Span], rotations: Rotations) {
        let rows: usize = spans.iter().map(|span| span.len).sum();
        let mut batches = vec![all_of(rows)];
        batches.extend(spans.iter().map(span_words));
        self.recorder.begin(batches);
        self.notes.clear();
        self.tables.clear();
        self.tables.extend_from_slice(rotations.tables);
        let Rotations { values, .. } = rotations;
        self.turns.clear();
        self.turns.extend_from_slice(values);
        if self.rotations.len < values.len() {
            let len = values.len().max(2 * self.angles() * Self::CHUNK);
            match self.memory.storage("rotations", len) {
                Ok(made) => self.rotations = made,
                Err(error) => return self.recorder.fail(Err(error)),
            }
        }
        self.memory.write(&self.rotations, values);
    }

    fn places(&mut self, spans: &[Span], keys: KeyRows) -> Places {
        let rotations = (&self.turns[..], self.angles());
        match Places::put(&mut self.notes, &mut self.memory, spans, keys, rotations) {
            Ok(places) => places,
            Err(error) => {
                self.recorder.fail(Err(error));
                Places::none(self.nothing[2].clone())
            }
        }
    }

    fn embed(&mut self, table: &Matrix, tokens: &TokenIds<Self>, scale: f32, accumulate: bool, out: &mut Buffer) {
        let (known, spans) = match *tokens {
            TokenIds::Known(known) => (known, &[][..]),
            TokenIds::Chosen { known, spans } => (known, spans),
        };
        if spans.len() < known.len() {
            match self.notes.put(&mut self.memory, known) {
                Ok(ids) => {
                    let batch = self.recorder.told(all_of(known.len()), 0);
                    self.look_up(table, &ids, (batch, known.len()), scale, accumulate, out);
                }
                Err(error) => return self.recorder.fail(Err(error)),
            }
        }
        for (span, chooser) in spans {
            self.look_up(table, &chooser.token, (1 + span, 1), scale, accumulate, out);
        }
    }

    fn write(&mut self, values: &[f32], first: usize, out: &mut Buffer) {
        self.memory.write(&Buffer { offset: out.offset + first, ..out.clone() }, values);
    }

    fn patches(&mut self, images: &Buffer, count: usize, patching: &Patching, out: &mut Buffer) {
        let Patching { channels, height, width, patch, before, columns } = *patching;
        let (rows, [_, across]) = (count * patching.tokens(), patching.grid());
        let words = [channels, height, width, patch[0], patch[1], before, columns, patching.tokens(), across];
        let batch = self.recorder.told(all_of(rows), 0);
        self.recorder.dispatch(&Dispatch {
            kernel: Kernel::new(Shader::Patches),
            storage: &[images, out],
            parameters: &words.map(|word| word as u32),
            batch,
            grid: [columns.div_ceil(64), rows, 1],
            work: Work::moving(4 * (count * patching.pixels() + rows * columns)),
        });
    }

    fn norm(&mut self, input: &Input<Self>, width: usize, accumulate: bool, out: &mut Buffer) {
        match (&input.norm, accumulate) {
            (None, false) => self.recorder.copy(input.x, out, input.rows * width),
            _ => self.norm_rows(input, width, accumulate, out),
        }
    }

    fn soft_cap(&mut self, x: &mut Buffer, len: usize, cap: f32) {
        self.each_value(Shader::SoftCap, &[x], &[len as u32, cap.to_bits()], 8 * len);
    }

    fn activate(&mut self, x: &mut Buffer, up: Option<&Buffer>, len: usize, activation: Activation) {
        let gates = up.is_some();
        let up = up.unwrap_or(&self.nothing[0]).clone();
        let parameters = [len as u32, activation as u32, u32::from(gates)];
        self.each_value(Shader::Activate, &[x, &up], &parameters, if gates { 12 } else { 8 } * len);
    }

    fn project(&mut self, input: &Input<Self>, projections: &mut [Projection<Self>]) {
        self.project_all(input, projections);
    }

    fn project_activated(
        &mut self,
        input: &Input<Self>,
        gate: Option<&Linear<Self>>,
        up: &Linear<Self>,
        activation: Activation,
        out: &mut Buffer,
    ) {
        match gate {
            Some(gate) => self.project_gate(input, gate, up, activation, out),
            None => self.project_up(input, up, activation, out),
        }
    }

    fn route(&mut self, scores: &Buffer, rows: usize, routing: &Routing, routes: &mut Buffer) {
        self.route_rows(scores, rows, routing, routes);
    }

    fn project_experts(
        &mut self,
        input: &Input<Self>,
        gate: &ExpertLinear<Self>,
        up: &ExpertLinear<Self>,
        gating: Gating,
        routes: &Buffer,
        used: usize,
        out: &mut Buffer,
    ) {
        let routes = Routes { routes, rows: input.rows, used };
        self.gate_experts(input, [gate, up], gating, &routes, out);
    }

    fn project_experts_down(
        &mut self,
        x: &Buffer,
        rows: usize,
        down: &ExpertLinear<Self>,
        routes: &Buffer,
        used: usize,
        accumulate: bool,
        out: &mut Buffer,
    ) {
        self.join_experts_down(x, down, &Routes { routes, rows, used }, accumulate, out);
    }

    fn rope_and_cache(
        &mut self,
        layer: usize,
        shape: &AttentionShape,
        heads: &mut Qkv<Self>,
        places: &Places,
        state: &mut State,
    ) {
        let fits = check_head(shape.head_dim);
        self.recorder.fail(fits);
        self.store_heads(layer, shape, heads, places, state, false);
    }

    fn attend(
        &mut self,
        attention: &CachedAttention<Self>,
        query: &Buffer,
        places: &Places,
        seen: Seen<Self>,
        out: &mut Buffer,
    ) {
        let attended = self.attend_places(attention, query, places, seen, out);
        self.recorder.fail(attended);
    }

    fn keep_and_attend(
        &mut self,
        attention: &CachedAttention<Self>,
        heads: &mut Qkv<Self>,
        places: &Places,
        state: &mut State,
        out: &mut Buffer,
    ) {
        let attended = check_head(attention.shape.head_dim)
            .and_then(|()| self.keep_and_attend_places(attention, heads, places, state, out));
        self.recorder.fail(attended);
    }

    fn short_conv(
        &mut self,
        conv: &CachedConv<Self>,
        x: &Buffer,
        places: &Places,
        state: &mut State,
        out: &mut Buffer,
    ) {
        self.convolve(conv, x, places, state, out);
    }

    fn attention_weights(
        &mut self,
        attention: &CachedAttention<Self>,
        query: &Buffer,
        key: &Buffer,
        rows: usize,
    ) -> Result<Buffer> {
        self.weights(attention, query, key, rows)
    }

    fn gather_mean(&mut self, x: &Buffer, width: usize, runs: &[Range<usize>], out: &mut Buffer) {
        let words: Vec<u32> = runs.iter().flat_map(|run| [run.start as u32, run.len() as u32]).collect();
        let put = match self.notes.put(&mut self.memory, &words) {
            Ok(put) => put,
            Err(error) => return self.recorder.fail(Err(error)),
        };
        let rows: usize = runs.iter().map(Range::len).sum();
        let batch = self.recorder.told(all_of(runs.len()), 0);
        self.recorder.dispatch(&Dispatch {
            kernel: Kernel::new(Shader::Pool),
            storage: &[&put, x, out],
            parameters: &[width as u32 / 4, put.offset as u32 / 2],
            batch,
            grid: [(width / 4).div_ceil(64), runs.len(), 1],
            work: Work::moving(4 * width * (rows + runs.len())),
        });
    }

    fn pixels(&mut self, picture: &Picture, preparation: &Preparation, index: usize, out: &mut Buffer) -> Result<()> {
        self.make_pixels(picture, preparation, index, out)
    }

    fn send(&mut self, x: &Buffer, len: usize) -> Result<Reading> {
        self.recorder.failed()?;
        self.recorder.send(x, len)
    }

    fn has_come(&self, reading: &Reading) -> bool {
        reading.has_come()
    }

    async fn receive(&mut self, reading: Reading, out: &mut [f32]) -> Result<()> {
        let take = |bytes: &[u8]| {
            for (out, bytes) in out.iter_mut().zip(bytes.as_chunks().0) {
                *out = f32::from_le_bytes(*bytes);
            }
        };
        let received = self.recorder.receive(reading, take).await;
        self.whole(received)
    }

    fn chooser(&mut self, choosing: &Choosing) -> Result<Option<Chooser>> {
        Chooser::new(&mut self.memory, choosing).map(Some)
    }

    fn restrict(&mut self, chooser: &mut Chooser, allowed: &[u32]) -> Result<()> {
        chooser.restrict(&mut self.memory, allowed)
    }

    fn choose(&mut self, logits: &mut Buffer, following: Following, chooser: &mut Chooser) -> Result<Reading> {
        self.recorder.failed()?;
        self.choose_tokens(logits, following, chooser)
    }

    async fn chosen(&mut self, reading: Reading) -> Result<Vec<Option<u32>>> {
        self.chosen_tokens(reading).await
    }
}
