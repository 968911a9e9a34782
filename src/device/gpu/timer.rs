//! When each dispatch of a profile begins and ends, by the GPU's clock.

use super::context::Context;
use super::profile::{Late, Line};
use super::signal::Signal;
use std::rc::Rc;
use wgpu::BufferUsages;

/// Most runs that are timed between two submits: a query set has 4096 places.
const RUNS: usize = 2048;

/// Times the dispatches of one model.
pub struct Timer {
    context: Rc<Context>,
    queries: wgpu::QuerySet,
    ticks: wgpu::Buffer,
    /// Since the last submit.
    runs: Vec<Line>,
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
    pub fn next(&mut self, line: Line) -> wgpu::ComputePassTimestampWrites<'_> {
        let at = 2 * self.runs.len() as u32;
        self.runs.push(line);
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
            context.meter.expect(Late { ticks, runs, mapped });
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
