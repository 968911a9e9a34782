//! What layers keep: for each one keys and values, [pages, PAGE, kv_heads, head], packed as `shaders/caches/` say, or
//! columns, [pages, PAGE, width].
//!
//! A layer has one buffer for all pages (two: keys, values), so that a kernel has one binding whatever the number of
//! sequences. Growing makes new buffers and copies, a few layers at a time: what is there twice is [`AT_ONCE`] or one
//! layer's, not all; and growing by doubling, what is copied in all is what there is in the end. (Several buffers of a
//! layer bound side by side would copy nothing. But [`super::kernels`]'s kernels have 8 bindings at most, of which those
//! of heads need 6 for other things; and each read of a key would choose between buffers.)

use super::buffer::{Buffer, Memory};
use super::recorder::Recorder;
use crate::device::pages::groups;
use crate::device::{CacheType, PAGE, PageCopy, StateShape, Table};
use crate::error::Result;
use std::ops::Range;

/// Bytes of new buffers beside those that they replace.
const AT_ONCE: usize = 32 << 20;

pub struct State {
    pub ty: CacheType,
    layers: Vec<Layer>,
    /// Pages that there are of each group.
    counts: Vec<usize>,
    /// A page on its way: WebGPU copies from one buffer to another.
    between: Option<Buffer>,
}

struct Layer {
    group: usize,
    /// Of one position, in each buffer.
    words: usize,
    names: &'static [&'static str],
    /// None before there are pages.
    buffers: Vec<Buffer>,
    /// That they have room for.
    pages: usize,
}

impl Layer {
    fn new(shape: &StateShape, group: usize, ty: CacheType) -> Self {
        let (words, _) = shape.saved_words(ty);
        let names: &'static [&'static str] = match shape {
            StateShape::Columns { .. } => &["the columns' cache"],
            StateShape::KeysValues { .. } => &["the keys' cache", "the values' cache"],
        };
        Self { group, words, names, buffers: Vec::new(), pages: 0 }
    }

    /// Bytes of that many pages.
    fn bytes(&self, pages: usize) -> usize {
        (4 * PAGE * self.words * self.names.len()).saturating_mul(pages)
    }

    /// New ones, of that many pages.
    fn make(&self, memory: &mut Memory, pages: usize) -> Result<Vec<Buffer>> {
        if pages == 0 {
            return Ok(Vec::new());
        }
        let words = pages.saturating_mul(PAGE * self.words);
        self.names.iter().map(|name| memory.storage(name, words)).collect()
    }
}

impl State {
    pub fn new(shapes: &[StateShape], ty: CacheType) -> Self {
        let (windows, of_layers) = groups(shapes);
        let layers = shapes.iter().zip(of_layers).map(|(shape, group)| Layer::new(shape, group, ty)).collect();
        Self { ty, layers, counts: vec![0; windows.len()], between: None }
    }

    pub async fn grow(
        &mut self,
        memory: &mut Memory,
        recorder: &mut Recorder,
        pages: &[Range<usize>],
    ) -> Result<Vec<usize>> {
        let most = memory.context.most_bytes() as usize;
        let wanted = |layer: &Layer| {
            let Range { start, end } = pages[layer.group].clone();
            // Ahead of need only as far as a kernel can see.
            if layer.pages < start { end.min(most / (4 * PAGE * layer.words).max(1)).max(start) } else { layer.pages }
        };
        let before: Vec<usize> = self.layers.iter().map(|layer| layer.pages).collect();
        let after: Vec<usize> = self.layers.iter().map(wanted).collect();
        if let Err(error) = self.resize(memory, recorder, &after).await {
            // All or none, where there is memory to go back with: others want it.
            let _ = self.resize(memory, recorder, &before).await;
            return Err(error);
        }
        for (group, count) in self.counts.iter_mut().enumerate() {
            let of_group = self.layers.iter().filter(|layer| layer.group == group);
            *count = of_group.map(|layer| layer.pages).min().unwrap_or(0);
        }
        Ok(self.counts.clone())
    }

    /// Gives layers so many pages, with what is in the first of them; as far as there is memory.
    async fn resize(&mut self, memory: &mut Memory, recorder: &mut Recorder, pages: &[usize]) -> Result<()> {
        let mut first = 0;
        while first < self.layers.len() {
            let (mut made, mut bytes) = (Vec::new(), 0);
            for (layer, pages) in self.layers[first..].iter().zip(&pages[first..]) {
                let more = if *pages == layer.pages { 0 } else { layer.bytes(*pages) };
                if bytes > 0 && bytes + more > AT_ONCE {
                    break;
                }
                bytes += more;
                made.push(if *pages == layer.pages { None } else { Some(layer.make(memory, *pages)?) });
            }
            let last = first + made.len();
            if bytes > 0 {
                memory.trials.check(false).await?;
            }
            for ((layer, made), pages) in self.layers[first..last].iter_mut().zip(made).zip(&pages[first..]) {
                let Some(buffers) = made else { continue };
                let words = layer.pages.min(*pages) * PAGE * layer.words;
                layer.buffers.iter().zip(&buffers).for_each(|(old, new)| recorder.copy(old, new, words));
                (layer.buffers, layer.pages) = (buffers, *pages);
            }
            // Gives back the old ones.
            recorder.submit();
            first = last;
        }
        Ok(())
    }

    /// Groups that are not needed at all give their memory back; of others it would have to be copied.
    pub fn trim(&mut self, recorder: &mut Recorder, pages: &[usize]) -> Vec<usize> {
        for layer in self.layers.iter_mut().filter(|layer| pages[layer.group] == 0 && layer.pages > 0) {
            (layer.buffers, layer.pages) = (Vec::new(), 0);
            self.counts[layer.group] = 0;
        }
        recorder.submit();
        self.counts.clone()
    }

    pub fn copy(&mut self, memory: &mut Memory, recorder: &mut Recorder, copies: &[PageCopy]) -> Result<()> {
        let most = self.layers.iter().map(|layer| PAGE * layer.words).max().unwrap_or(0);
        let between = match &self.between {
            _ if copies.is_empty() => return Ok(()),
            Some(between) => between,
            None => self.between.insert(memory.storage("a page on its way", most)?),
        };
        for PageCopy { group, from, to } in copies {
            for layer in self.layers.iter().filter(|layer| layer.group == *group) {
                let words = PAGE * layer.words;
                let page = |buffer: &Buffer, page: usize| Buffer { offset: page * words, len: words, ..buffer.clone() };
                for buffer in &layer.buffers {
                    recorder.copy(&page(buffer, *from), between, words);
                    recorder.copy(between, &page(buffer, *to), words);
                }
            }
        }
        Ok(())
    }

    /// For each of the layers' buffers, in order: the pages that a table has there of the first `positions`, each as a part
    /// of the buffer.
    pub fn parts(&self, table: &Table, positions: usize) -> Vec<Vec<Buffer>> {
        let of = |layer: &Layer, buffer: &Buffer| {
            let (first, pages) = table.pages(layer.group);
            let part = |(n, page): (usize, &usize)| {
                let count = positions.saturating_sub(n * PAGE).min(PAGE);
                Buffer { offset: page * PAGE * layer.words, len: count * layer.words, ..buffer.clone() }
            };
            (first..).zip(pages).map(part).filter(|part| part.len > 0).collect()
        };
        self.layers.iter().flat_map(|layer| layer.buffers.iter().map(move |buffer| of(layer, buffer))).collect()
    }

    /// A layer's group.
    pub fn group(&self, layer: usize) -> usize {
        self.layers[layer].group
    }

    /// Bytes of one layer's keys, or values, of that many positions.
    pub fn bytes(&self, layer: usize, positions: usize) -> usize {
        4 * positions * self.layers[layer].words
    }

    /// A layer's columns.
    pub fn columns(&self, layer: usize) -> &Buffer {
        self.layers[layer].buffers.first().expect("room was made before anything is stored")
    }

    /// A layer's keys and values.
    pub fn keys_values(&self, layer: usize) -> [&Buffer; 2] {
        let [keys, values] = &self.layers[layer].buffers[..] else {
            unreachable!("room was made before anything is stored");
        };
        [keys, values]
    }
}
