//! A pool of pages as a model has one, for a few sequences.
#![allow(dead_code)] // Each test file takes what it needs.

use azulejo::Result;
use azulejo::device::gpu::Context;
use azulejo::device::gpu::native::run;
use azulejo::device::{AttentionShape, CacheType, Device, KeyRows, PAGE, Pages, Span, StateShape, Table};
use std::ops::Range;

pub struct Kept<D: Device> {
    pub state: D::State,
    pub pages: Pages,
    pub tables: Vec<Table>,
    /// Has pages between those of the others: a sequence's do not lie side by side.
    between: Option<Table>,
}

impl<D: Device> Kept<D> {
    /// Layers of keys and values for some sequences.
    pub fn new(layers: usize, shape: &AttentionShape, ty: CacheType, sequences: usize) -> Self {
        let AttentionShape { kv_heads, head_dim, .. } = *shape;
        let layer = StateShape::KeysValues { kv_heads, head_dim, window: None };
        Self::of(&vec![layer; layers], ty, sequences)
    }

    pub fn of(layers: &[StateShape], ty: CacheType, sequences: usize) -> Self {
        let tables = (0..sequences).map(|_| Table::default()).collect();
        Self { state: D::state(layers, ty), pages: Pages::new(layers), tables, between: Some(Table::default()) }
    }

    /// The same with pages side by side.
    pub fn dense(self) -> Self {
        Self { between: None, ..self }
    }

    /// Makes room for some positions of a sequence. `context`: the GPU's, whatever the device.
    pub fn reserve(
        &mut self,
        device: &mut D,
        context: &Context,
        sequence: usize,
        positions: Range<usize>,
    ) -> Result<()> {
        let Self { state, pages, tables, between } = self;
        let table = &mut tables[sequence];
        table.bind(pages);
        table.let_go(positions.start);
        let ends = positions.clone().filter(|position| (position + 1) % PAGE == 0).map(|position| position + 1);
        let step = if between.is_some() { ends.chain([positions.end]).collect() } else { vec![positions.end] };
        let mut start = positions.start;
        for end in step {
            let mut room = |table: &mut Table, positions: Range<usize>| -> Result<()> {
                let wanted = table.wanted(&positions);
                let counts = pages.counts().into_iter().zip(pages.free()).zip(wanted);
                let needed = counts.map(|((count, free), wanted)| count + wanted.saturating_sub(free));
                let needed: Vec<Range<usize>> = needed.map(|count| count..count).collect();
                pages.set_counts(&run(Some(context), device.grow(state, &needed))?);
                device.copy_pages(state, &table.extend(&positions));
                Ok(())
            };
            room(table, start..end)?;
            if let Some(between) = between {
                between.bind(pages);
                let taken = PAGE * between.pages(0).1.len();
                room(between, taken..taken + 1)?;
            }
            start = end;
        }
        Ok(())
    }

    /// Where spans of these sequences are, for the batch that has begun.
    pub fn places(&self, device: &mut D, spans: &[Span]) -> D::Places {
        device.places(spans, KeyRows::Kept(&self.tables.iter().collect::<Vec<_>>()))
    }
}
