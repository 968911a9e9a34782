//! Commands: one compute pass and one submit a step.

use super::bindings::{Bindings, SPANS};
use super::buffer::{Buffer, Graveyard, Memory};
use super::context::Context;
pub use super::dispatch::{BatchWords, Dispatch};
use super::kernels::Kernel;
use super::pace::Pace;
use super::pipelines::{Kernels, Pipeline};
use super::profile::Line;
use super::signal::Signal;
use super::timer::Timer;
use super::trials::Trials;
use crate::device::{MOST_CHOICES, Span};
use crate::error::{Code, Error, Result};
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use wgpu::BufferUsages;

/// Rows of a batch that is given in one piece.
const FEW_ROWS: u32 = 8;
/// Calls of `settle` whose work may be unfinished.
const UNFINISHED: usize = 2;

/// What a reading holds before it comes: no token, and no number.
pub const NOTHING: u32 = u32::MAX;

/// Told of `rows` rows from the first on.
pub fn all_of(rows: usize) -> BatchWords {
    [0, rows as u32, 0, 0]
}

pub fn span_words(span: &Span) -> BatchWords {
    [span.row, span.len, span.position, span.keys].map(|word| word as u32)
}

pub struct Recorder {
    context: Rc<Context>,
    graveyard: Rc<Graveyard>,
    trials: Rc<Trials>,
    /// One for each reading under way, and one more.
    readings: Rc<()>,
    encoder: Option<wgpu::CommandEncoder>,
    pass: Option<wgpu::ComputePass<'static>>,
    /// What the open pass runs.
    last: Option<Rc<Pipeline>>,
    bindings: Bindings,
    /// What dispatches can be told.
    told: Vec<BatchWords>,
    /// While kernels are only collected: those that are wanted.
    wanted: Option<BTreeSet<Kernel>>,
    /// What a verb that cannot fail has met; said at the next that can.
    failure: Option<Error>,
    unfinished: VecDeque<Signal>,
    pace: Pace,
    /// Buffers that wait for their next reading.
    staging: Vec<Staging>,
    /// For a profile.
    timer: Option<Timer>,
}

/// Values on their way to the CPU. Who no longer wants them drops it.
pub struct Reading {
    buffer: Staging,
    bytes: u64,
    mapped: Signal,
    _under_way: Rc<()>,
}

impl Reading {
    pub fn has_come(&self) -> bool {
        self.mapped.given().is_some()
    }
}

/// Memory that the CPU can read, given back with its owner: an aborted generation leaves readings behind.
struct Staging {
    raw: wgpu::Buffer,
    context: Rc<Context>,
}

impl Drop for Staging {
    fn drop(&mut self) {
        self.context.free(&self.raw);
    }
}

impl Recorder {
    pub fn new(kernels: Rc<Kernels>, memory: &mut Memory) -> Result<Self> {
        let context = memory.context.clone();
        let timer = Timer::new(&context);
        Ok(Self {
            context,
            bindings: Bindings::new(kernels, memory)?,
            graveyard: memory.graveyard.clone(),
            trials: memory.trials.clone(),
            readings: Rc::default(),
            encoder: None,
            pass: None,
            last: None,
            told: Vec::new(),
            wanted: None,
            failure: None,
            unfinished: VecDeque::new(),
            pace: Pace::default(),
            staging: Vec::new(),
            timer,
        })
    }

    /// Rows of a prompt's next chunk.
    pub fn chunk(&self) -> usize {
        self.pace.chunk()
    }

    /// From now on kernels are collected, not run.
    pub fn collect(&mut self) {
        self.wanted = Some(BTreeSet::new());
    }

    /// The collected kernels; from now on they are run again.
    pub fn collected(&mut self) -> Vec<Kernel> {
        self.wanted.take().unwrap_or_default().into_iter().collect()
    }

    pub fn collecting(&self) -> bool {
        self.wanted.is_some()
    }

    /// A batch begins; what was recorded for an earlier one goes to the GPU with what that one was told.
    pub fn begin(&mut self, batches: Vec<BatchWords>) {
        assert!(batches.len() <= SPANS, "a chunk has fewer rows");
        self.submit();
        self.trials.begin();
        if !self.collecting() {
            self.context.meter.count(|counters| counters.steps += 1);
            self.pace.begin(batches[0][1] as usize);
        }
        self.told = batches;
        self.bindings.tell(0, &self.told);
    }

    /// The place of what a dispatch is to be told, which most likely lies at `guess`; uploaded where the batch did not
    /// begin with it.
    pub fn told(&mut self, words: BatchWords, guess: usize) -> usize {
        if self.told.get(guess) == Some(&words) {
            return guess;
        }
        if let Some(place) = self.told.iter().position(|told| *told == words) {
            return place;
        }
        if self.told.len() == SPANS {
            // What is recorded already must still see the old ones.
            self.submit();
            self.told.truncate(1);
        }
        let place = self.told.len();
        self.told.push(words);
        self.bindings.tell(place, &self.told[place..]);
        place
    }

    /// The place of what says of a span's row so many before its last one what the span says of its last: told like a span of
    /// one row.
    pub fn told_before(&mut self, span: usize, rows: usize) -> usize {
        let [row, len, position, keys] = self.told[span];
        let before = rows as u32;
        match before {
            0 => span,
            _ => self.told([row + len - 1 - before, 1, position + len - 1 - before, keys - before], span),
        }
    }

    /// Keeps what could not be said at once.
    pub fn fail(&mut self, result: Result<()>) {
        if let Err(error) = result {
            self.failure.get_or_insert(error);
        }
    }

    /// What has been kept.
    pub fn failed(&mut self) -> Result<()> {
        self.failure.take().map_or(Ok(()), Err)
    }

    pub fn dispatch(&mut self, dispatch: &Dispatch) {
        let Dispatch { kernel, grid, work, .. } = dispatch;
        let most = self.context.limits.max_compute_workgroups_per_dimension;
        let [x, y, z] = match kernel.grid(*grid, most) {
            Ok(grid) => grid,
            Err(error) => return self.fail(Err(error)),
        };
        if let Some(wanted) = &mut self.wanted {
            wanted.insert(*kernel);
            return;
        }
        // A step of a token or a few is one submit, whatever it takes.
        if self.told.first().is_some_and(|[_, rows, ..]| *rows > FEW_ROWS) {
            if self.pace.is_due(work) {
                self.submit();
            }
            self.pace.record(work);
        }
        if let Some(timer) = &self.timer {
            // What is timed has a pass of its own.
            self.pass = None;
            if timer.is_full() {
                self.submit();
            }
        }
        let found = self.bindings.find(dispatch);
        let bound = found.unwrap_or_else(|| {
            if self.bindings.are_full() {
                // What is recorded already must still see the old parameters.
                self.submit();
                self.bindings.clear();
            }
            self.bindings.bind(dispatch)
        });
        let is_set = self.pass.is_some() && self.last.as_ref().is_some_and(|last| Rc::ptr_eq(last, &bound.pipeline));
        let pass = self.pass(Line::new(kernel, work));
        if !is_set {
            pass.set_pipeline(&bound.pipeline.raw);
        }
        pass.set_bind_group(0, &bound.group, &[]);
        pass.dispatch_workgroups(x, y, z);
        if !is_set {
            self.last = Some(bound.pipeline.clone());
        }
        self.context.meter.count(|counters| counters.dispatches += 1);
        if self.context.profile {
            self.context.meter.ran(kernel, work, [x, y, z]);
        }
    }

    fn encoder(&mut self) -> &mut wgpu::CommandEncoder {
        let device = &self.context.device;
        self.encoder.get_or_insert_with(|| device.create_command_encoder(&Default::default()))
    }

    /// The open pass; a new one is for `line` first.
    fn pass(&mut self, line: Line) -> &mut wgpu::ComputePass<'static> {
        if self.pass.is_none() {
            let device = &self.context.device;
            let encoder = self.encoder.get_or_insert_with(|| device.create_command_encoder(&Default::default()));
            let timestamp_writes = self.timer.as_mut().map(|timer| timer.next(line));
            let descriptor = wgpu::ComputePassDescriptor { label: None, timestamp_writes };
            self.pass = Some(encoder.begin_compute_pass(&descriptor).forget_lifetime());
            self.last = None;
            self.context.meter.count(|counters| counters.passes += 1);
        }
        self.pass.as_mut().expect("just made")
    }

    /// Copies `words` words.
    pub fn copy(&mut self, from: &Buffer, to: &Buffer, words: usize) {
        if words == 0 || self.collecting() {
            return;
        }
        self.pass = None;
        let (at, to_at, size) = (4 * from.offset as u64, 4 * to.offset as u64, 4 * words as u64);
        self.encoder().copy_buffer_to_buffer(&from.handle.raw, at, &to.handle.raw, to_at, size);
    }

    /// Sends for the first `words` words of a buffer, after what has been recorded.
    pub fn send(&mut self, from: &Buffer, words: usize) -> Result<Reading> {
        let bytes = 4 * words as u64;
        let at = self.staging.iter().position(|buffer| buffer.raw.size() == bytes);
        let buffer = match at {
            Some(at) => self.staging.swap_remove(at),
            None => {
                let usage = BufferUsages::MAP_READ | BufferUsages::COPY_DST;
                let raw = self.trials.buffer("a result", bytes, usage)?;
                Staging { raw, context: self.context.clone() }
            }
        };
        // Where nothing comes there should be nothing to be taken for it, no number and no token: least of all an
        // earlier one.
        self.trials.write(&buffer.raw, 0, &NOTHING.to_le_bytes());
        self.pass = None;
        self.encoder().copy_buffer_to_buffer(&from.handle.raw, 4 * from.offset as u64, &buffer.raw, 0, bytes);
        self.submit();
        let mapped = Signal::default();
        let signal = mapped.clone();
        let clock = self.context.clock;
        let come = move |result: Result<_, _>| signal.give_at(result.is_ok(), clock());
        self.trials.command(|| buffer.raw.map_async(wgpu::MapMode::Read, .., come));
        self.pace.mark(clock(), mapped.clone());
        Ok(Reading { buffer, bytes, mapped, _under_way: self.readings.clone() })
    }

    /// Its bytes have come, and nothing has gone wrong before. Errors: device-lost, out-of-memory, internal.
    pub async fn receive(&mut self, reading: Reading, take: impl FnOnce(&[u8])) -> Result<()> {
        let Reading { buffer, bytes, mapped, _under_way } = reading;
        let mapped = mapped.await;
        drop(_under_way);
        self.check().await?;
        if !mapped {
            return Err(Error::new(Code::DeviceLost, "the GPU's answer did not come"));
        }
        // A device that ends takes what it has mapped with it at once, and only later says so.
        let gone = |error| Error::new(Code::DeviceLost, format!("the GPU's answer is gone again: {error}"));
        let view = buffer.raw.get_mapped_range(..).map_err(gone)?;
        take(&view);
        drop(view);
        buffer.raw.unmap();
        self.context.meter.count(|counters| counters.read_bytes += bytes);
        // Only the small ones come again and again.
        if bytes <= 4 * MOST_CHOICES as u64 {
            self.staging.push(buffer);
        }
        Ok(())
    }

    /// Gives what has been recorded to the GPU.
    pub fn submit(&mut self) {
        self.pass = None;
        if let Some(mut encoder) = self.encoder.take() {
            let sent = self.timer.as_mut().map(|timer| timer.resolve(&mut encoder));
            self.trials.command(|| self.context.queue.submit([encoder.finish()]));
            self.context.meter.count(|counters| counters.submits += 1);
            self.pace.submit();
            sent.into_iter().for_each(|sent| sent());
        }
        self.bindings.drop_those_of(&self.graveyard.clear());
    }

    /// Waits until only a few of the earlier calls' work is unfinished: says how many.
    pub async fn sync(&mut self) -> Result<usize> {
        self.submit();
        let done = Signal::default();
        let (given, clock) = (done.clone(), self.context.clock);
        self.context.queue.on_submitted_work_done(move || given.give_at(true, clock()));
        self.pace.mark(clock(), done.clone());
        self.unfinished.push_back(done);
        while self.unfinished.len() > UNFINISHED {
            // It stays the oldest if nobody waits to the end.
            let oldest = self.unfinished[0].clone();
            oldest.await;
            self.unfinished.pop_front();
        }
        self.check().await?;
        Ok(self.unfinished.len())
    }

    /// Whether all is well: see [`Trials::check`]. Where it is not, what was recorded is not given to the GPU any more.
    pub async fn check(&mut self) -> Result<()> {
        let finished = self.unfinished.iter().all(|done| done.given().is_some());
        let checked = self.trials.check(finished && Rc::strong_count(&self.readings) == 1).await;
        if checked.is_err() {
            self.pass = None;
            self.encoder = None;
            self.failure = None;
            // They may be of what is not there, or have got lost.
            self.bindings.clear();
        }
        checked
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.pass = None;
        self.submit();
    }
}
