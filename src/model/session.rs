//! One sequence of tokens and its KV cache.

use super::across::Source;
use crate::device::{CacheType, Device};
use crate::error::Result;
use std::collections::VecDeque;

/// Room that a cache keeps where nothing goes on from it.
const KEPT: usize = 1024;

/// Room that a cache gets at least: shorter ones would only grow again and again.
const SMALLEST: usize = 256;

pub struct Session<D: Device> {
    pub(super) cache: D::Cache,
    /// The tokens whose keys and values are in the cache, or on their way there.
    tokens: Vec<u32>,
    /// How many of them are there beyond doubt, and how many there will be after each call that is under way.
    sure: usize,
    under_way: VecDeque<usize>,
    capacity: usize,
    /// The encoder's output, of encoder-decoders.
    pub(super) source: Option<Source<D>>,
}

/// What it takes to begin a sequence: it can be done while the model is busy.
#[derive(Clone, Copy)]
pub struct SessionShape {
    pub(super) layers: usize,
    pub(super) kv_heads: usize,
    pub(super) head_dim: usize,
    pub(super) cache: CacheType,
}

impl SessionShape {
    pub(super) fn cache<D: Device>(&self) -> D::Cache {
        D::cache(self.layers, self.kv_heads, self.head_dim, self.cache)
    }

    /// An empty sequence.
    pub fn session<D: Device>(&self) -> Session<D> {
        let (tokens, under_way) = (Vec::new(), VecDeque::new());
        Session { cache: self.cache::<D>(), tokens, sure: 0, under_way, capacity: 0, source: None }
    }
}

impl<D: Device> Session<D> {
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Forgets everything, but keeps the memory.
    pub fn clear(&mut self) {
        self.tokens.clear();
        self.settled();
    }

    /// Its cache, to lie beside others' in a batch.
    pub(super) fn lend(&mut self) -> D::Cache {
        std::mem::replace(&mut self.cache, D::cache(0, 0, 0, CacheType::F32))
    }

    /// These are on their way.
    pub(super) fn begin(&mut self, tokens: &[u32]) {
        self.tokens.extend_from_slice(tokens);
        self.under_way.push_back(self.tokens.len());
    }

    /// All that began has come to pass, but for the last `unfinished` calls.
    pub(super) fn settled_but(&mut self, unfinished: usize) {
        while self.under_way.len() > unfinished {
            self.sure = self.under_way.pop_front().unwrap_or(self.sure);
        }
    }

    /// All of it has.
    pub(super) fn settled(&mut self) {
        self.under_way.clear();
        self.sure = self.tokens.len();
    }

    /// Something went wrong: what was on its way may never have come.
    pub(super) fn forget_unsure(&mut self) {
        self.tokens.truncate(self.sure);
        self.settled();
    }

    /// The same, and gives back the memory that a longer text took.
    pub fn release(&mut self, shape: &SessionShape) {
        self.clear();
        if self.capacity > KEPT {
            (self.cache, self.capacity) = (shape.cache::<D>(), 0);
        }
    }

    /// Keeps what the cache shares with the beginning of `prompt` and drops the rest. Returns how many
    /// tokens need not be computed again: all but the last, whose logits are wanted, at most.
    pub fn rewind_to(&mut self, prompt: &[u32]) -> usize {
        // Of what was left on its way nobody has heard since.
        self.forget_unsure();
        let common = self.tokens.iter().zip(prompt).take_while(|(a, b)| a == b).count();
        self.tokens.truncate(common.min(prompt.len().saturating_sub(1)));
        self.settled();
        self.tokens.len()
    }

    /// Makes room for `more` tokens, doubling up to the context's length.
    pub(super) async fn reserve(&mut self, device: &mut D, more: usize, context: usize) -> Result<()> {
        self.reserve_to(device, self.tokens.len() + more, context).await
    }

    /// Makes room for `needed` tokens in all.
    pub(super) async fn reserve_to(&mut self, device: &mut D, needed: usize, context: usize) -> Result<()> {
        if needed > self.capacity {
            let capacity = needed.max(2 * self.capacity).max(SMALLEST).min(context.max(needed));
            device.reserve(&mut self.cache, capacity).await?;
            device.settle().await?;
            self.capacity = capacity;
        }
        Ok(())
    }
}
