//! What a device's commands come to: their counts, and for a profile each kernel's time and work.
//!
//! For a profile every dispatch has a compute pass of its own, at whose begin and end the GPU writes down its clock:
//! times are the kernels' alone, but a step takes longer than without. A dispatch's work is the least that it could do,
//! each value moved once; over what the adapter can move and compute (`bench/ceilings.js`), that is its floor.

use super::context::{Context, Signal};
use super::kernels::Kernel;
use super::matrix::Matrix;
use crate::checkpoint::TensorType;
use crate::device::{AttentionShape, Span};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use wgpu::BufferUsages;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Batches that went through a model: chunks of prompts, and decoded tokens.
    pub steps: u64,
    pub dispatches: u64,
    pub passes: u64,
    pub submits: u64,
    pub read_bytes: u64,
}

/// The least that a dispatch could do. In floats: wasm's `usize` ends at 4 G.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Work {
    pub bytes: f64,
    pub operations: f64,
}

impl Work {
    /// Moves bytes, and computes little.
    pub fn moving(bytes: usize) -> Self {
        Self { bytes: bytes as f64, operations: 0.0 }
    }

    /// Multiplies `tokens` inputs by weights [rows, columns], and moves `outs` values of the output.
    pub fn product(ty: TensorType, tokens: usize, [rows, columns]: [usize; 2], outs: usize) -> Self {
        let bytes = Matrix::bytes(ty, rows, columns) + 4 * (tokens * columns + outs);
        Self { bytes: bytes as f64, operations: 2.0 * tokens as f64 * (rows * columns) as f64 }
    }

    /// Attends from each query of some spans to the keys that it sees, of `bytes` each.
    pub fn attention(shape: &AttentionShape, spans: &[Span], bytes: usize) -> Self {
        let width = shape.heads * shape.head_dim;
        let (mut moved, mut pairs) = (0, 0);
        for span in spans {
            let seen = |query: usize| shape.visible(span.position + query, span.keys);
            pairs += (0..span.len).map(|query| seen(query).len()).sum::<usize>();
            moved += 2 * bytes * (seen(span.len - 1).end - seen(0).start) + 2 * 4 * span.len * width;
        }
        Self { bytes: moved as f64, operations: 4.0 * width as f64 * pairs as f64 }
    }
}

/// What the runs of one kernel come to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Runs {
    pub count: u64,
    /// On the GPU. 0 without timestamps.
    pub ms: f64,
    pub work: Work,
}

/// Of one device, all models together.
pub struct Meter {
    counters: Cell<Counters>,
    /// Filled for a profile only.
    kernels: RefCell<Vec<(Kernel, Runs)>>,
    late: RefCell<Vec<Late>>,
    /// Milliseconds between two of the GPU's clock.
    tick: f64,
}

/// Times on their way.
struct Late {
    /// Begin and end of each run.
    ticks: wgpu::Buffer,
    runs: Vec<Kernel>,
    mapped: Signal,
}

impl Meter {
    pub fn new(queue: &wgpu::Queue) -> Self {
        let tick = f64::from(queue.get_timestamp_period()) / 1e6;
        Self { counters: Cell::default(), kernels: RefCell::default(), late: RefCell::default(), tick }
    }

    pub fn counters(&self) -> Counters {
        self.counters.get()
    }

    pub fn count(&self, add: impl FnOnce(&mut Counters)) {
        let mut counters = self.counters.get();
        add(&mut counters);
        self.counters.set(counters);
    }

    pub(super) fn ran(&self, kernel: &Kernel, work: &Work) {
        self.add(kernel, |runs| {
            runs.count += 1;
            runs.work.bytes += work.bytes;
            runs.work.operations += work.operations;
        });
    }

    /// A model has few kernels: they are looked for one by one.
    fn add(&self, kernel: &Kernel, add: impl FnOnce(&mut Runs)) {
        let mut kernels = self.kernels.borrow_mut();
        let at = kernels.iter().position(|(other, _)| other == kernel).unwrap_or_else(|| {
            kernels.push((*kernel, Runs::default()));
            kernels.len() - 1
        });
        add(&mut kernels[at].1);
    }

    /// What the kernels have done, by their labels. Empty unless there is a profile.
    pub fn kernels(&self) -> Vec<(String, Runs)> {
        self.kernels.borrow().iter().map(|(kernel, runs)| (kernel.label(), *runs)).collect()
    }

    /// Waits for the times of what has been submitted.
    pub async fn complete(&self) {
        loop {
            let next = self.late.borrow().first().map(|late| late.mapped.clone());
            let Some(next) = next else { return };
            next.await;
            self.gather();
        }
    }

    /// Adds up the times that have come.
    fn gather(&self) {
        self.late.borrow_mut().retain(|late| {
            let mapped = late.mapped.given();
            if mapped == Some(true)
                && let Ok(bytes) = late.ticks.get_mapped_range(..)
            {
                for (kernel, ticks) in late.runs.iter().zip(bytes.as_chunks::<16>().0) {
                    let [begin, end] =
                        [0, 8].map(|at| u64::from_le_bytes(ticks[at..at + 8].try_into().expect("8 bytes")));
                    self.add(kernel, |runs| runs.ms += end.saturating_sub(begin) as f64 * self.tick);
                }
            }
            if mapped.is_some() {
                late.ticks.destroy();
            }
            mapped.is_none()
        });
    }
}

/// Most runs that are timed between two submits: a query set has 4096 places.
const RUNS: usize = 2048;

/// Times the dispatches of one model.
pub struct Timer {
    context: Rc<Context>,
    queries: wgpu::QuerySet,
    ticks: wgpu::Buffer,
    /// Since the last submit.
    runs: Vec<Kernel>,
}

impl Timer {
    /// For a profile, where the device can.
    pub fn new(context: &Rc<Context>) -> Option<Self> {
        if !(context.profile && context.features.timestamps) {
            return None;
        }
        let (ty, count) = (wgpu::QueryType::Timestamp, 2 * RUNS as u32);
        let queries = context.device.create_query_set(&wgpu::QuerySetDescriptor { label: None, ty, count });
        let ticks = buffer(context, RUNS, BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC);
        Some(Self { context: context.clone(), queries, ticks, runs: Vec::new() })
    }

    pub fn is_full(&self) -> bool {
        self.runs.len() == RUNS
    }

    /// Where the pass of one more run writes its times.
    pub fn next(&mut self, kernel: &Kernel) -> wgpu::ComputePassTimestampWrites<'_> {
        let at = 2 * self.runs.len() as u32;
        self.runs.push(*kernel);
        wgpu::ComputePassTimestampWrites {
            query_set: &self.queries,
            beginning_of_pass_write_index: Some(at),
            end_of_pass_write_index: Some(at + 1),
        }
    }

    /// Sends for the times of the commands so far. What it returns is to be called after their submit.
    pub fn resolve(&mut self, encoder: &mut wgpu::CommandEncoder) -> impl FnOnce() + use<> {
        let runs = std::mem::take(&mut self.runs);
        let staging = (!runs.is_empty()).then(|| {
            let staging = buffer(&self.context, runs.len(), BufferUsages::MAP_READ | BufferUsages::COPY_DST);
            encoder.resolve_query_set(&self.queries, 0..2 * runs.len() as u32, &self.ticks, 0);
            encoder.copy_buffer_to_buffer(&self.ticks, 0, &staging, 0, staging.size());
            staging
        });
        let context = self.context.clone();
        move || {
            context.meter.gather();
            let Some(ticks) = staging else { return };
            let mapped = Signal::default();
            let signal = mapped.clone();
            ticks.map_async(wgpu::MapMode::Read, .., move |result| signal.give(result.is_ok()));
            context.meter.late.borrow_mut().push(Late { ticks, runs, mapped });
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.ticks.destroy();
        self.queries.destroy();
    }
}

fn buffer(context: &Context, runs: usize, usage: BufferUsages) -> wgpu::Buffer {
    let size = 2 * 8 * runs as u64;
    context.device.create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false })
}
