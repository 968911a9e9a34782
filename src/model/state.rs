//! The pool of what a model's layers keep of all its sequences.

use super::spec::{Attention, Block, Mixer, Spec};
use crate::device::{CacheType, Device, PAGE, Pages, StateShape, Table};
use crate::error::{Error, Result};
use std::ops::Range;

/// Positions that there is room for at least: pools that are smaller would only grow again and again.
const SMALLEST: usize = 256;

/// Positions that there stays room for though nobody needs them.
const KEPT: usize = 1024;

/// What the layers of a stack keep, by [`Spec::cache_layer`].
pub fn state_shapes(spec: &Spec) -> Vec<StateShape> {
    let layer = |block: &Block| {
        let Attention { kv_heads, head_dim, window, causal, .. } = match &block.mixer {
            Mixer::Attention(attention) => attention,
            Mixer::ShortConv(conv) => return StateShape::Columns { width: spec.width, window: conv.taps },
        };
        // Where nothing is kept for later, all layers have their keys in one place.
        StateShape::KeysValues { kv_heads: *kv_heads, head_dim: *head_dim, window: window.filter(|_| *causal) }
    };
    let layers = if spec.sees_own_rows() { 0 } else { spec.cache_layers() };
    spec.blocks.iter().take(layers).map(layer).collect()
}

/// What cross-attention looks at, in all layers of a decoder.
pub fn source_shapes(spec: &Spec) -> Vec<StateShape> {
    let layer = |block: &Block| {
        let Attention { kv_heads, head_dim, .. } = *block.cross.as_ref().unwrap_or(spec.attention());
        StateShape::KeysValues { kv_heads, head_dim, window: None }
    };
    spec.blocks.iter().filter(|_| spec.looks_across()).map(layer).collect()
}

/// Bytes of pages for one sequence of `positions`, where `chunk` come at a time.
pub fn bytes(shapes: &[StateShape], ty: CacheType, positions: usize, chunk: usize) -> f64 {
    let most = Pages::new(shapes).most(positions, chunk);
    let groups = crate::device::pages::groups(shapes).1;
    let layer =
        |(shape, group): (&StateShape, usize)| shape.bytes(ty) as f64 * (PAGE * most[group]).min(positions) as f64;
    shapes.iter().zip(groups).map(layer).sum()
}

pub struct Pool<D: Device> {
    pub state: D::State,
    pub ty: CacheType,
    pages: Pages,
}

impl<D: Device> Pool<D> {
    pub fn new(shapes: &[StateShape], ty: CacheType) -> Self {
        Self { state: D::state(shapes, ty), ty, pages: Pages::new(shapes) }
    }

    /// A sequence that begins with each group's page of that number: see [`Table::leave_out`]. Error: corrupt-file for
    /// another number of groups.
    pub fn leave_out(&self, table: &mut Table, first: &[usize]) -> Result<()> {
        table.bind(&self.pages);
        if table.groups() != first.len() {
            let message = format!("a sequence of {} groups of layers, expected {}", first.len(), table.groups());
            return Err(Error::corrupt(message));
        }
        table.leave_out(first);
        Ok(())
    }

    /// Makes room for the next positions of a sequence, which may have `longest` in all: see [`Pool::reserve_all`].
    pub async fn reserve(
        &mut self,
        device: &mut D,
        table: &mut Table,
        positions: Range<usize>,
        longest: usize,
    ) -> Result<()> {
        self.reserve_all(device, &mut [(table, positions)], longest).await
    }

    /// Makes room for the next positions of some sequences, each of which may have `longest` in all. What no token from
    /// there on looks at is let go. Error: out-of-memory; what the sequences have stays.
    pub async fn reserve_all(
        &mut self,
        device: &mut D,
        sequences: &mut [(&mut Table, Range<usize>)],
        longest: usize,
    ) -> Result<()> {
        let mut wanted = vec![0; self.pages.counts().len()];
        for (table, positions) in sequences.iter_mut() {
            table.bind(&self.pages);
            table.let_go(positions.start);
            wanted.iter_mut().zip(table.wanted(positions)).for_each(|(all, more)| *all += more);
        }
        self.give_back(device, &wanted);
        let (counts, free) = (self.pages.counts(), self.pages.free());
        if wanted.iter().zip(&free).any(|(wanted, free)| wanted > free) {
            let most = self.pages.most(longest, D::MOST_CHUNK);
            let range = |group: usize| {
                let needed = counts[group] + wanted[group].saturating_sub(free[group]);
                // By doubling, but not for more than the sequences can need.
                let most = most[group] * self.pages.tables().max(1);
                needed..(2 * counts[group]).max(SMALLEST / PAGE).min(most).max(needed)
            };
            let pages: Vec<Range<usize>> = (0..counts.len()).map(range).collect();
            let grown = device.grow(&mut self.state, &pages).await?;
            device.sync().await?;
            self.pages.set_counts(&grown);
        }
        let mut copies = Vec::new();
        for (table, positions) in sequences.iter_mut() {
            copies.extend(table.extend(positions));
        }
        device.copy_pages(&mut self.state, &copies);
        Ok(())
    }

    /// Where a text that is gone took far more than what is needed, gives back its memory, as far as the device can at once.
    fn give_back(&mut self, device: &mut D, wanted: &[usize]) {
        let needed = self.pages.needed();
        let all = needed.iter().zip(wanted).map(|(needed, wanted)| (needed + wanted).max(KEPT / PAGE));
        if self.pages.counts().iter().zip(all).any(|(count, all)| *count > 4 * all) {
            self.pages.set_counts(&device.trim(&mut self.state, &needed));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_take_a_ring_s_memory() {
        // Gemma 3 1B: of 26 layers every sixth sees everything, the others 512 tokens.
        let layer = |windowed: bool| StateShape::KeysValues {
            kv_heads: 1,
            head_dim: 256,
            window: Some(512).filter(|_| windowed),
        };
        let shapes = |windowed: bool| (1..=26).map(|n| layer(windowed && n % 6 != 0)).collect::<Vec<_>>();
        let megabytes = |windowed, chunk| bytes(&shapes(windowed), CacheType::F16, 1 << 15, chunk) / 1e6;
        assert_eq!(megabytes(false, 128).round(), 872.0);
        // 146 where nothing but the window is kept; two pages more for a chunk, and as many to go back in.
        assert_eq!([64, 128].map(|chunk| megabytes(true, chunk).round()), [150.0, 152.0]);
        // Short texts take what they have.
        assert_eq!(bytes(&shapes(true), CacheType::F16, 100, 64), bytes(&shapes(false), CacheType::F16, 100, 64));
    }
    #[test]
    fn what_a_long_text_took_is_given_back_when_the_next_one_begins() {
        use crate::device::cpu::Cpu;
        let shape = StateShape::KeysValues { kv_heads: 1, head_dim: 4, window: None };
        let mut device = Cpu::new(crate::device::cpu::pool::Pool::native(1));
        let mut pool = Pool::<Cpu>::new(&[shape], CacheType::F16);
        let mut reserve = |table: &mut Table, positions: Range<usize>| {
            let reserved = pool.reserve(&mut device, table, positions, 1 << 14);
            let ready = std::pin::pin!(reserved).poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
            assert!(matches!(ready, std::task::Poll::Ready(Ok(()))));
            pool.pages.counts()[0]
        };
        let (mut long, mut short) = (Table::default(), Table::default());
        assert_eq!(reserve(&mut long, 0..10_000), 157);
        assert_eq!(reserve(&mut short, 0..65), 159);
        long.cut_to(0);
        // Those of the short one are the last.
        assert_eq!(reserve(&mut long, 0..1), 159);
        drop(short);
        assert_eq!(reserve(&mut long, 1..65), 2);
    }
}
