//! The KV cache: for each layer keys and values, [positions, kv_heads, head], packed as `shaders/caches/` say.

use super::buffer::{Buffer, Memory};
use super::recorder::Recorder;
use crate::device::CacheType;
use crate::error::Result;

pub struct Cache {
    pub ty: CacheType,
    layers: Vec<Option<[Buffer; 2]>>,
    /// Words of all heads' keys, or values, of one position.
    words: usize,
    positions: usize,
}

impl Cache {
    pub fn new(layers: usize, kv_heads: usize, head_dim: usize, ty: CacheType) -> Self {
        let head = match ty {
            CacheType::F32 => head_dim,
            CacheType::F16 => head_dim.div_ceil(2),
            CacheType::Q8 => head_dim.div_ceil(4) + head_dim.div_ceil(32),
        };
        Self { ty, layers: vec![None; layers], words: kv_heads * head, positions: 0 }
    }

    /// Makes room for that many positions, and takes along what there is.
    pub async fn reserve(&mut self, memory: &mut Memory, recorder: &mut Recorder, positions: usize) -> Result<()> {
        if positions <= self.positions {
            return Ok(());
        }
        // All or none: what is half grown would not be a cache.
        let mut grown = Vec::with_capacity(self.layers.len());
        for _ in &self.layers {
            let words = positions.saturating_mul(self.words);
            grown.push([memory.storage("the keys' cache", words)?, memory.storage("the values' cache", words)?]);
        }
        memory.trials.check(false).await?;
        for (old, new) in self.layers.iter_mut().zip(grown) {
            if let Some(old) = &*old {
                for (old, new) in old.iter().zip(&new) {
                    recorder.copy(old, new, self.positions * self.words);
                }
            }
            *old = Some(new);
        }
        self.positions = positions;
        Ok(())
    }

    /// Takes the first `positions` tokens of another cache like it; room was made for them.
    pub fn copy(&mut self, recorder: &mut Recorder, from: &Cache, positions: usize) {
        for (to, from) in self.layers.iter().zip(&from.layers) {
            if let (Some(to), Some(from)) = (to, from) {
                to.iter().zip(from).for_each(|(to, from)| recorder.copy(from, to, positions * self.words));
            }
        }
    }

    /// Bytes of one layer's keys, or values, of that many positions.
    pub fn bytes(&self, positions: usize) -> usize {
        4 * positions * self.words
    }

    /// A layer's keys and values.
    pub fn layer(&self, layer: usize) -> &[Buffer; 2] {
        self.layers[layer].as_ref().expect("room was made before anything is stored")
    }
}
