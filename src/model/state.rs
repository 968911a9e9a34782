//! The pool of what a model's layers keep of all its sequences.

use super::spec::{Attention, Block, Mixer, Spec};
use crate::device::{CacheType, Device, PAGE, Pages, StateShape, Table};
use crate::error::Result;
use std::ops::Range;

/// Positions that there is room for at least: pools that are smaller would only grow again and again.
const SMALLEST: usize = 256;

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
    spec.blocks.iter().take(spec.cache_layers()).map(layer).collect()
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
    pages: Pages,
}

impl<D: Device> Pool<D> {
    pub fn new(shapes: &[StateShape], ty: CacheType) -> Self {
        Self { state: D::state(shapes, ty), pages: Pages::new(shapes) }
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
        let (counts, free) = (self.pages.counts(), self.pages.free());
        if wanted.iter().zip(&free).any(|(wanted, free)| wanted > free) {
            let most = self.pages.most(longest, D::CHUNK);
            let range = |group: usize| {
                let needed = counts[group] + wanted[group].saturating_sub(free[group]);
                // By doubling, but not for more than the sequences can need.
                let most = most[group] * self.pages.tables().max(1);
                needed..(2 * counts[group]).max(SMALLEST / PAGE).min(most).max(needed)
            };
            let pages: Vec<Range<usize>> = (0..counts.len()).map(range).collect();
            let grown = device.grow(&mut self.state, &pages).await?;
            device.settle().await?;
            self.pages.set_counts(&grown);
        }
        let mut copies = Vec::new();
        for (table, positions) in sequences.iter_mut() {
            copies.extend(table.extend(positions));
        }
        device.copy_pages(&mut self.state, &copies);
        Ok(())
    }

    /// Gives back memory that no sequence needs, as far as the device can at once.
    pub fn trim(&mut self, device: &mut D) {
        let pages = device.trim(&mut self.state, &self.pages.needed());
        self.pages.set_counts(&pages);
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
}
