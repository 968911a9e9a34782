//! A stack that reads whole sequences: texts, or the patches of images.

use super::dense::DenseChain;
use super::forward::{AttentionHook, Batch, Entering, Rows, forward};
use super::learned_query::look_by_query;
use super::scratch::{HeadBuffers, Scratch};
use super::spec::Spec;
use super::stack::Weights;
use super::state::{Pool, state_shapes};
use crate::device::{CacheType, Device, Input, Span, Table};
use crate::error::{Code, Error, Result};
use std::ops::Range;

/// A stack on a device, which each call borrows: two towers share one.
pub struct Encoder<D: Device> {
    pub spec: Spec,
    pub weights: Weights<D>,
    /// What vectors go through behind the pooling.
    pub(super) chain: DenseChain<D>,
    /// What a pass needs; made again where more is needed.
    pub(super) room: Option<Buffers<D>>,
    /// The sequences' keys and values, as floats, where attention does not read them from the batch's own rows.
    pool: Pool<D>,
    tables: Vec<Table>,
}

pub(super) struct Buffers<D: Device> {
    rows: usize,
    sequences: usize,
    pub scratch: Scratch<D>,
    /// The last pass's result, [rows, width].
    pub hidden: D::Buffer,
    pub heads: HeadBuffers<D>,
}

/// Rows of each sequence that a head may read by themselves: a class token and a distillation token.
const KEPT: usize = 2;

impl<D: Device> Encoder<D> {
    pub fn new(spec: Spec, weights: Weights<D>, chain: DenseChain<D>) -> Self {
        let pool = Pool::new(&state_shapes(&spec), CacheType::F32);
        Self { spec, weights, chain, room: None, pool, tables: Vec::new() }
    }

    /// Makes room for a pass of sequences of those lengths, and for `least` rows in any case. Error: out-of-memory.
    pub async fn reserve(&mut self, device: &mut D, lengths: &[usize], least: usize) -> Result<()> {
        let (rows, sequences) = (lengths.iter().sum(), lengths.len());
        // It is kept once it is known to be there.
        let mut room = self.room.take();
        if room.as_ref().is_none_or(|room| room.rows < rows || room.sequences < sequences) {
            let [more_rows, more_sequences] = room.as_ref().map_or([0; 2], |room| [room.rows, room.sequences]);
            drop(room);
            let (rows, sequences) = (rows.max(least).max(more_rows), sequences.max(more_sequences));
            let mut scratch = Scratch::new(device, &self.spec, rows)?;
            scratch.kept = device.buffer(KEPT * sequences * self.spec.width)?;
            let hidden = device.buffer(rows.saturating_mul(self.spec.width))?;
            let heads = HeadBuffers::new(device, &self.spec, &self.chain.widths(), rows, sequences)?;
            room = Some(Buffers { rows, sequences, scratch, hidden, heads });
        }
        // Those of the last pass are for nothing.
        self.tables.clear();
        self.tables.resize_with(sequences, Table::default);
        let mut wanted: Vec<_> =
            self.tables.iter_mut().zip(lengths).map(|(table, length)| (table, 0..*length)).collect();
        self.pool.reserve_all(device, &mut wanted, self.spec.context()).await?;
        device.sync().await?;
        self.room = room;
        Ok(())
    }

    /// Runs sequences through all blocks and the last norm: all their rows, or those that are to be kept, at most two of
    /// each sequence, are in [`Encoder::hidden`] then. Error: internal where no room was made.
    pub fn run(
        &mut self,
        device: &mut D,
        entering: Entering<D>,
        spans: &[Span],
        kept: &[Range<usize>],
        watch: Option<&mut AttentionHook<D>>,
    ) -> Result<()> {
        let Self { spec, weights, room, pool, tables, .. } = self;
        let Buffers { scratch, hidden, .. } = room.as_mut().ok_or_else(no_room)?;
        let tables: Vec<&Table> = tables.iter().collect();
        // Of a shorter life.
        let watch = watch.map(|watch| watch as &mut AttentionHook<D>);
        let rows = Rows { kept, watch, ..Rows::new(spans, &tables, &mut pool.state) };
        forward(device, spec, weights, scratch, &mut Batch { entering, lengths: &[], rows })?;
        let (x, rows) = match kept.len() {
            0 => (&scratch.hidden, spans.iter().map(|span| span.len).sum()),
            kept => (&scratch.kept, kept),
        };
        let input = Input { x, rows, norm: weights.output_norm.as_ref().map(|norm| norm.of(spec)) };
        device.norm(&input, spec.width, false, hidden);
        Ok(())
    }

    /// The last pass's result, [rows, width].
    pub fn hidden(&self) -> Result<&D::Buffer> {
        self.room.as_ref().map(|room| &room.hidden).ok_or_else(no_room)
    }

    /// What a learned query finds in each of the last pass's sequences, into `scratch.hidden`, [sequences, width].
    pub fn look_by_query(&mut self, device: &mut D, spans: &[Span]) -> Result<()> {
        let Self { spec, weights, room, .. } = self;
        let Buffers { scratch, hidden, .. } = room.as_mut().ok_or_else(no_room)?;
        let Some(query) = &weights.head.query else {
            return Err(Error::new(Code::Internal, "a head without a learned query"));
        };
        look_by_query(device, spec, query, scratch, hidden, spans);
        Ok(())
    }
}

pub(super) fn no_room() -> Error {
    Error::new(Code::Internal, "a pass that no room was made for")
}

#[cfg(test)]
mod tests {
    use super::super::heads::receive;
    use super::*;
    use crate::checkpoint::{FileReader, Format};
    use crate::device::cpu::Cpu;
    use crate::device::cpu::pool::Pool as Threads;
    use crate::device::gpu::native::run;
    use crate::model::{Sequence, WeightLoader, families};
    use std::fs;

    /// A family's encoder from the tests' checkpoints.
    fn encoder(family: &str) -> (Cpu, Encoder<Cpu>) {
        let read =
            |file| fs::read(format!("{}/tests/conformance/{family}/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let mut loader = WeightLoader::new(Cpu::new(Threads::native(1)));
        loader.set_plan(families::from_config(&String::from_utf8(read("config.json")).unwrap()).unwrap());
        let bytes = read("model.safetensors");
        let mut reader = FileReader::new(Format::Safetensors, "model.safetensors", Some(bytes.len() as u64));
        reader.push(&bytes, &mut loader).unwrap();
        reader.finish().unwrap();
        let (mut device, plan, loaded) = loader.finish().unwrap();
        let weights = loaded.weights(&mut device, plan.specs()).unwrap().remove(0);
        (device, Encoder::new(plan.spec().clone(), weights, DenseChain::default()))
    }

    #[test]
    fn rows_that_are_kept_are_what_they_are_among_all_and_nothing_runs_without_room() {
        // Norms before the branches, after them.
        for family in ["modernbert", "bert"] {
            let (mut device, mut encoder) = encoder(family);
            let rows = [Sequence::new(vec![3, 9, 4, 7, 5]), Sequence::new(vec![8, 6])];
            let packed = encoder.pack(&rows);
            let pass = |device: &mut Cpu, encoder: &mut Encoder<Cpu>, kept: &[Range<usize>]| {
                encoder.run(device, packed.entering(None), &packed.spans, kept, None)?;
                let count = if kept.is_empty() { 7 } else { kept.len() };
                run(None, receive(device, encoder.hidden()?, count * encoder.spec.width))
            };
            let error = pass(&mut device, &mut encoder, &[]).unwrap_err();
            assert_eq!(error.code, Code::Internal, "{family}");
            run(None, encoder.reserve_texts(&mut device, &rows)).unwrap();
            let all = pass(&mut device, &mut encoder, &[]).unwrap();
            let some = pass(&mut device, &mut encoder, &[4..5, 0..1, 5..6]).unwrap();
            let width = encoder.spec.width;
            for (row, found) in [4, 0, 5].into_iter().zip(some.chunks(width)) {
                let expected = &all[row * width..][..width];
                let apart = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(apart <= 1e-6, "{family}, row {row}: {apart}");
            }
        }
    }
}
