//! What a device's commands come to: their counts, and for a profile each kernel's time and work.
//!
//! For a profile every dispatch has a compute pass of its own, at whose begin and end the GPU writes down its clock:
//! times are the kernels' alone, but a step takes longer than without. A dispatch's work is the least that it could do,
//! each value moved once; over what the adapter can move and compute (`www/gpu/ceilings.ts`), that is its floor.

use super::kernels::Kernel;
use super::signal::Signal;
use crate::device::{AttentionShape, Span};
use std::cell::{Cell, RefCell};

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
    /// Of a product: rows and columns of its weights. A profile tells kernels of different shapes apart.
    pub shape: Option<[usize; 2]>,
}

impl Work {
    /// Moves bytes, and computes little.
    pub fn moving(bytes: usize) -> Self {
        Self { bytes: bytes as f64, ..Self::default() }
    }

    /// Multiplies `tokens` inputs by weights [rows, columns], of so many bytes, and moves `outs` values of the output.
    pub fn product(weights: usize, tokens: usize, [rows, columns]: [usize; 2], outs: usize) -> Self {
        let bytes = weights + 4 * (tokens * columns + outs);
        let operations = 2.0 * tokens as f64 * (rows * columns) as f64;
        Self { bytes: bytes as f64, operations, shape: Some([rows, columns]) }
    }

    /// Multiplies `pairs` inputs by weights [rows, columns] of one of `experts` each, which have `bytes` each, and moves
    /// `outs` values of the output.
    pub fn of_experts(bytes: usize, pairs: usize, experts: usize, [rows, columns]: [usize; 2], outs: usize) -> Self {
        let bytes = pairs.min(experts) as f64 * bytes as f64;
        let moved = 4.0 * (pairs * columns + outs) as f64;
        let operations = 2.0 * pairs as f64 * (rows * columns) as f64;
        Self { bytes: bytes + moved, operations, shape: Some([rows, columns]) }
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
        Self { bytes: moved as f64, operations: 4.0 * width as f64 * pairs as f64, shape: None }
    }
}

/// A line of a profile: a kernel, and of a product its weights' shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    kernel: Kernel,
    shape: Option<[usize; 2]>,
}

impl Line {
    pub fn new(kernel: &Kernel, work: &Work) -> Self {
        Self { kernel: *kernel, shape: work.shape }
    }

    fn label(&self) -> String {
        let shape = self.shape.map_or(String::new(), |[rows, columns]| format!(" {rows} × {columns}"));
        self.kernel.label() + &shape
    }
}

/// What the runs of one line come to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Runs {
    pub count: u64,
    /// On the GPU. 0 without timestamps.
    pub ms: f64,
    pub work: Work,
    /// Workgroups.
    pub groups: u64,
}

/// Of one device, all models together.
pub struct Meter {
    counters: Cell<Counters>,
    /// Filled for a profile only.
    lines: RefCell<Vec<(Line, Runs)>>,
    late: RefCell<Vec<Late>>,
    /// Milliseconds between two of the GPU's clock.
    tick: f64,
}

/// Times on their way.
pub(super) struct Late {
    /// Begin and end of each run.
    pub ticks: wgpu::Buffer,
    pub runs: Vec<Line>,
    pub mapped: Signal,
}

impl Meter {
    pub fn new(queue: &wgpu::Queue) -> Self {
        let tick = f64::from(queue.get_timestamp_period()) / 1e6;
        Self { counters: Cell::default(), lines: RefCell::default(), late: RefCell::default(), tick }
    }

    pub fn counters(&self) -> Counters {
        self.counters.get()
    }

    pub fn count(&self, add: impl FnOnce(&mut Counters)) {
        let mut counters = self.counters.get();
        add(&mut counters);
        self.counters.set(counters);
    }

    pub(super) fn ran(&self, kernel: &Kernel, work: &Work, grid: [u32; 3]) {
        self.add(&Line::new(kernel, work), |runs| {
            runs.count += 1;
            runs.groups += grid.map(u64::from).into_iter().product::<u64>();
            runs.work.bytes += work.bytes;
            runs.work.operations += work.operations;
        });
    }

    /// A model has few kernels of few shapes: they are looked for one by one.
    fn add(&self, line: &Line, add: impl FnOnce(&mut Runs)) {
        let mut lines = self.lines.borrow_mut();
        let at = lines.iter().position(|(other, _)| other == line).unwrap_or_else(|| {
            lines.push((*line, Runs::default()));
            lines.len() - 1
        });
        add(&mut lines[at].1);
    }

    /// What the kernels have done, by their labels and shapes. Empty unless there is a profile.
    pub fn kernels(&self) -> Vec<(String, Runs)> {
        self.lines.borrow().iter().map(|(line, runs)| (line.label(), *runs)).collect()
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

    /// Times that will come.
    pub(super) fn expect(&self, late: Late) {
        self.late.borrow_mut().push(late);
    }

    /// Adds up the times that have come.
    pub(super) fn gather(&self) {
        self.late.borrow_mut().retain(|late| {
            let mapped = late.mapped.given();
            if mapped == Some(true)
                && let Ok(bytes) = late.ticks.get_mapped_range(..)
            {
                for (line, ticks) in late.runs.iter().zip(bytes.as_chunks::<16>().0) {
                    let [begin, end] =
                        [0, 8].map(|at| u64::from_le_bytes(ticks[at..at + 8].try_into().expect("8 bytes")));
                    self.add(line, |runs| runs.ms += end.saturating_sub(begin) as f64 * self.tick);
                }
            }
            if mapped.is_some() {
                late.ticks.destroy();
            }
            mapped.is_none()
        });
    }
}
