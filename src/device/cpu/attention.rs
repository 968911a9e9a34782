//! FlashAttention on the CPU (<https://arxiv.org/abs/2205.14135>).
//!
//! A piece of work is the queries of one KV head, at most [`MANY_QUERIES`] positions of each of its query
//! heads, against a run of keys. Keys and values pass through the L1 cache [`KEYS`] at a time, as
//! floats whatever the cache's type, with a running maximum and sum: the N × N scores never exist.
//! Tiles that the mask hides are not visited.
//!
//! A single query, as in decoding, waits for memory: a piece has all KV heads then, a page at a time, in the order in which
//! pages lie in memory. Where there are fewer pieces than threads, the keys are split, and the parts' sums are joined at the
//! end; where keys are few as well, heads are pieces of their own. A few queries of one sequence, as drafts bring them, are
//! cut and split as each would be alone: a row's sums are the same to the last bit whatever it came with.
//!
//! Tried on ViT-B/16 in Q8_0 (197 queries, 12 heads of 64, 12 layers), the whole model's milliseconds on one thread,
//! quickest of 9 rounds in turns: one row at a time 416, two that share what they load of keys and values 412, pieces of
//! 64 queries instead of 16 as well 405.

mod halves;
mod tiles;

use super::pool::{Pool, Shards};
use super::score;
use super::state::{Places, State};
use crate::device::{AttentionShape, CacheType, CachedAttention, Device, PAGE, Seen, Span};
use halves::Halves;
use std::ops::Range;
use std::sync::Mutex;
use tiles::{Floats, KEYS, Tiles};

/// Positions of a piece of work, and of one where there are so many that the pieces still keep all threads busy: keys and
/// values are read once a piece.
const QUERIES: usize = 16;
const MANY_QUERIES: usize = 64;
/// What it costs to read a value of a key and of its value, and to multiply it with a row's: see [`Pool::ranges`].
const KEY: usize = 4;
/// A split has at least that many keys.
const SPLIT: usize = 64;
/// Positions of a piece of work whose keys and values are not worth becoming floats, and rows that share one reading.
const FEW_QUERIES: usize = 2;
const MOST_ROWS: usize = 4;

/// What attention keeps between calls, so that a step allocates nothing.
pub struct FlashAttention {
    work: Vec<Work>,
    /// Per thread.
    tiles: Vec<Mutex<Tiles>>,
    /// Per split piece, per row: sums [head_dim], maximum, total.
    parts: Vec<f32>,
}

/// One piece of work.
#[derive(Clone)]
struct Work {
    span: Span,
    /// Its KV heads.
    heads: Range<usize>,
    /// Its queries, counted from the span's first.
    first: usize,
    count: usize,
    /// Its keys.
    from: usize,
    to: usize,
    /// Which of `splits` parts of the same queries it is.
    split: usize,
    splits: usize,
}

impl FlashAttention {
    pub fn new(threads: usize) -> Self {
        Self { work: Vec::new(), tiles: (0..threads).map(|_| Mutex::default()).collect(), parts: Vec::new() }
    }

    /// See [`Device::attend`].
    pub fn run<D: Device<Buffer = Vec<f32>, State = State>>(
        &mut self,
        pool: &Pool,
        attention: &CachedAttention<D>,
        query: &[f32],
        places: &Places,
        seen: Seen<D>,
        out: &mut [f32],
    ) {
        let shape = &attention.shape;
        self.plan(shape, &places.spans, pool.threads());
        let split = self.work.iter().any(|work| work.splits > 1);
        let part = self.work.iter().map(|work| work.rows(shape)).max().unwrap_or(0) * (shape.head_dim + 2);
        if split && self.parts.len() < self.work.len() * part {
            self.parts.resize(self.work.len() * part, 0.0);
        }
        let parts = Shards::new(&mut self.parts);
        let output = Shards::new(out);
        let cost = self.work.iter().map(|work| work.cost(shape)).sum::<usize>() / self.work.len().max(1);
        pool.ranges(self.work.len(), cost, |tasks, thread| {
            let mut tiles = self.tiles[thread].lock().expect("no panics under the lock");
            for task in tasks {
                let work = &self.work[task];
                tiles.attend(attention, work, query, places, &seen);
                if work.splits == 1 {
                    // SAFETY: each piece of work has its own rows and heads of the output.
                    work.each_row(shape, |row, at| tiles.finish(row, unsafe { output.part(at..at + shape.head_dim) }));
                } else {
                    // SAFETY: each piece of work has its own part.
                    tiles.save(shape.head_dim, unsafe { parts.part(task * part..(task + 1) * part) });
                }
            }
        });
        if split {
            self.join(shape, part, out);
        }
    }

    /// Cuts the batch into pieces, about twice as many as threads where there is enough to do.
    fn plan(&mut self, shape: &AttentionShape, spans: &[Span], threads: usize) {
        self.work.clear();
        let queries = if spans.iter().all(|span| span.len > 2 * MANY_QUERIES) { MANY_QUERIES } else { QUERIES };
        let wanted = if threads > 1 { 4 * threads } else { 1 };
        for span in spans {
            let seen = |query: usize| {
                let seen = shape.visible(span.position + query, span.keys);
                span.keys.min(seen.start)..span.keys.min(seen.end)
            };
            // Only decoding is split, so pieces are few.
            let alone = spans.len() == 1 && span.len <= queries;
            let cut = |keys: Range<usize>| {
                let splits = |wanted: usize, most: usize| if alone { wanted.min(most).max(1) } else { 1 };
                let by_pages = splits(wanted, keys.len() / PAGE);
                let together = (alone || span.len == 1) && spans.len() * by_pages >= wanted.div_ceil(2);
                let (heads, splits) = match together {
                    true => (shape.kv_heads, by_pages),
                    false => (1, splits(wanted.div_ceil(shape.kv_heads), keys.len().div_ceil(SPLIT))),
                };
                // Tiles begin where pages do, or in their midst: a row's sums are the same whatever it came with.
                let begin = keys.start / KEYS * KEYS;
                let step = (keys.end - begin).div_ceil(splits).next_multiple_of(if together { PAGE } else { KEYS });
                Cut { heads, splits, begin, step }
            };
            let mut first = 0;
            while first < span.len {
                let most = queries.min(span.len - first);
                let count = match alone {
                    true => (1..most).find(|more| cut(seen(first + more)) != cut(seen(first))).unwrap_or(most),
                    false => most,
                };
                let end = seen(first + count - 1).end;
                let Cut { heads, splits, begin, step } =
                    cut(seen(first).start..if alone { seen(first).end } else { end });
                for head in (0..shape.kv_heads).step_by(heads) {
                    for split in 0..splits {
                        let from = begin + split * step;
                        let (to, heads) = (end.min(from + step), head..head + heads);
                        self.work.push(Work { span: *span, heads, first, count, from, to, split, splits });
                    }
                }
                first += count;
            }
        }
    }

    /// Joins the parts of each query: softmax over all keys from the parts' maxima and totals.
    fn join(&self, shape: &AttentionShape, part: usize, out: &mut [f32]) {
        let width = shape.head_dim + 2;
        for (index, work) in self.work.iter().enumerate().filter(|(_, work)| work.splits > 1 && work.split == 0) {
            work.each_row(shape, |row, at| {
                let parts =
                    (index..index + work.splits).map(|index| &self.parts[index * part + row * width..][..width]);
                let maximum = parts.clone().fold(f32::NEG_INFINITY, |maximum, part| maximum.max(part[shape.head_dim]));
                let out = &mut out[at..at + shape.head_dim];
                out.fill(0.0);
                let mut total = 0.0;
                for part in parts {
                    let weight = (part[shape.head_dim] - maximum).exp();
                    total += weight * part[shape.head_dim + 1];
                    out.iter_mut().zip(part).for_each(|(out, sum)| *out += weight * sum);
                }
                out.iter_mut().for_each(|out| *out /= total);
            });
        }
    }
}

/// How the keys of some queries are cut.
#[derive(PartialEq, Eq)]
struct Cut {
    /// KV heads of a piece.
    heads: usize,
    splits: usize,
    /// Where the first split begins, and how many keys each has.
    begin: usize,
    step: usize,
}

impl Work {
    /// Of a KV head.
    fn rows_each(&self, shape: &AttentionShape) -> usize {
        self.count * shape.heads / shape.kv_heads
    }

    fn rows(&self, shape: &AttentionShape) -> usize {
        self.heads.len() * self.rows_each(shape)
    }

    /// About what it costs: see [`Pool::ranges`].
    fn cost(&self, shape: &AttentionShape) -> usize {
        (self.to.saturating_sub(self.from) + 1) * (self.rows(shape) + self.heads.len()) * shape.head_dim * KEY
    }

    /// Calls with each row of the tile and where its head lies in [rows, heads, head_dim].
    fn each_row(&self, shape: &AttentionShape, mut f: impl FnMut(usize, usize)) {
        let group = shape.heads / shape.kv_heads;
        let kv_heads = self.heads.clone().flat_map(|kv_head| (0..self.count).map(move |query| (kv_head, query)));
        for (first, (kv_head, query)) in kv_heads.enumerate() {
            for head in 0..group {
                let at = (self.span.row + self.first + query) * shape.heads + kv_head * group + head;
                f(first * group + head, at * shape.head_dim);
            }
        }
    }
}

/// Copies a head of some of the batch's rows, [rows, kv_heads, head_dim].
fn copy_heads<'a>(
    all: &[f32],
    rows: Range<usize>,
    head: usize,
    shape: &AttentionShape,
    out: impl Iterator<Item = &'a mut [f32]>,
) {
    let heads = all[rows.start * shape.kv_heads * shape.head_dim..].chunks_exact(shape.head_dim);
    for (out, head) in out.take(rows.len()).zip(heads.skip(head).step_by(shape.kv_heads)) {
        out[..shape.head_dim].copy_from_slice(head);
    }
}

impl Tiles {
    /// Attends to the work's keys; afterwards `sums`, `maximum` and `total` hold the unscaled result.
    fn attend<D: Device<Buffer = Vec<f32>, State = State>>(
        &mut self,
        attention: &CachedAttention<D>,
        work: &Work,
        query: &[f32],
        places: &Places,
        keys_values: &Seen<D>,
    ) {
        let width = attention.shape.head_dim.next_multiple_of(4);
        self.begin(attention, work, query, width, keys_values);
        let mut from = work.from;
        while from < work.to {
            let to = work.to.min((from / PAGE + 1) * PAGE);
            for kv_head in work.heads.clone() {
                for start in (from..to).step_by(KEYS) {
                    let keys = start..to.min(start + KEYS);
                    self.attend_to(attention, work, kv_head, keys, places, keys_values);
                }
            }
            from = to;
        }
    }

    /// Attends to keys of a tile with the queries of one KV head.
    fn attend_to<D: Device<Buffer = Vec<f32>, State = State>>(
        &mut self,
        attention: &CachedAttention<D>,
        work: &Work,
        kv_head: usize,
        keys: Range<usize>,
        places: &Places,
        keys_values: &Seen<D>,
    ) {
        let (shape, width) = (&attention.shape, self.width());
        let (group, rows) = (shape.heads / shape.kv_heads, work.rows_each(shape));
        let (start, count) = (keys.start, keys.len());
        let halves = match keys_values {
            Seen::Kept(state) => self.load(attention.layer, work, kv_head, keys, places, state),
            Seen::Own { key, value } => {
                let first = places.own_row(&work.span);
                let rows = first + start..first + start + count;
                for (tile, all) in [(&mut self.keys, key), (&mut self.values, value)] {
                    copy_heads(all, rows.clone(), kv_head, shape, tile.chunks_exact_mut(width));
                }
                None
            }
        };
        let place = |row: usize| (kv_head * group + row % group, work.span.position + work.first + row / group);
        let seen = |row: usize| {
            let seen = shape.visible(place(row).1, work.span.keys);
            seen.start.clamp(start, start + count) - start..seen.end.clamp(start, start + count) - start
        };
        let first_row = (kv_head - work.heads.start) * rows;
        let mut row = 0;
        while row < rows {
            let range = seen(row);
            // Scores are made four at a time.
            let first = start + range.start / 4 * 4;
            let finish = |row: usize, scores: &mut [f32]| {
                let (head, position) = place(row - first_row);
                score::finish(attention, scores, head, position, first);
            };
            let most = if halves.is_some() { MOST_ROWS } else { 2 };
            let together = (row..rows).take(most).take_while(|row| seen(*row) == range).count();
            let at = first_row + row;
            match (together, &halves) {
                _ if range.is_empty() => {}
                (1, None) => self.attend_tile::<1>(&Floats, at, width, range, finish),
                (_, None) => self.attend_tile::<2>(&Floats, at, width, range, finish),
                (1, Some(tile)) => self.attend_tile::<1>(tile, at, width, range, finish),
                (2, Some(tile)) => self.attend_tile::<2>(tile, at, width, range, finish),
                (3, Some(tile)) => self.attend_tile::<3>(tile, at, width, range, finish),
                (_, Some(tile)) => self.attend_tile::<MOST_ROWS>(tile, at, width, range, finish),
            }
            row += together;
        }
    }

    /// Copies a tile's keys and values, or says where they are to be read.
    fn load<'a>(
        &mut self,
        layer: usize,
        work: &Work,
        kv_head: usize,
        keys: Range<usize>,
        places: &Places,
        state: &'a State,
    ) -> Option<Halves<'a>> {
        let width = self.width();
        let (page, first) = places.of(&work.span, state.group(layer), keys.start);
        let (page, rows) = state.head(layer, kv_head, page);
        if self.parted
            && let [Some((keys, finite)), Some((values, _))] = rows.map(|rows| rows.halves(page, first..first + KEYS))
        {
            if finite && work.count <= FEW_QUERIES {
                return Some(Halves { keys, values });
            }
            halves::read(keys, finite, &mut self.keys);
            halves::read(values, finite, &mut self.values);
            return None;
        }
        rows[0].read(page, first..first + keys.len(), width, &mut self.keys);
        rows[1].read(page, first..first + keys.len(), width, &mut self.values);
        None
    }

    /// Of a vector in the scratch: head_dim, padded.
    fn width(&self) -> usize {
        self.keys.len() / KEYS
    }

    /// Sizes the scratch and copies the queries, scaled.
    fn begin<D: Device<Buffer = Vec<f32>, State = State>>(
        &mut self,
        attention: &CachedAttention<D>,
        work: &Work,
        query: &[f32],
        width: usize,
        keys_values: &Seen<D>,
    ) {
        let shape = &attention.shape;
        let rows = work.rows(shape);
        for (tile, len) in [(&mut self.keys, KEYS), (&mut self.values, KEYS), (&mut self.queries, rows)] {
            // The padding must be zero, and `read` writes head_dim values: so it stays once it is.
            if tile.len() != len * width {
                tile.clear();
                tile.resize(len * width, 0.0);
            }
        }
        self.sums.clear();
        self.sums.resize(rows * width, 0.0);
        self.maximum.clear();
        self.maximum.resize(rows, f32::NEG_INFINITY);
        self.total.clear();
        self.total.resize(rows, 0.0);
        // A sink is a key that was seen before all others, without a value: one split has it.
        if let Some(sinks) = attention.sinks.filter(|_| work.split == 0) {
            work.each_row(shape, |row, at| self.maximum[row] = sinks[at / shape.head_dim % shape.heads]);
            self.total.fill(1.0);
        }
        let is_half = matches!(keys_values, Seen::Kept(state) if state.ty() == CacheType::F16);
        self.parted = is_half && shape.head_dim.is_multiple_of(8);
        self.factors = if self.parted { [halves::SCORE, halves::WEIGHT] } else { [1.0; 2] };
        work.each_row(shape, |row, at| {
            let scaled = query[at..at + shape.head_dim].iter().map(|value| value * shape.scale);
            let out = &mut self.queries[row * width..];
            match self.parted {
                true => halves::part(scaled.map(|value| value * halves::QUERY), out),
                false => out.iter_mut().zip(scaled).for_each(|(out, value)| *out = value),
            }
        });
    }

    /// A row's result, [head_dim].
    fn finish(&self, row: usize, out: &mut [f32]) {
        let width = out.len().next_multiple_of(4);
        let inverse = if self.total[row] > 0.0 { self.total[row].recip() } else { 0.0 };
        let sums = &self.sums[row * width..][..width];
        match self.parted {
            true => halves::join(sums, inverse, out),
            false => out.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum * inverse),
        }
    }

    /// All rows' unfinished results, for `join`.
    fn save(&self, head_dim: usize, part: &mut [f32]) {
        let width = head_dim.next_multiple_of(4);
        for (row, part) in part.chunks_exact_mut(head_dim + 2).take(self.total.len()).enumerate() {
            let sums = &self.sums[row * width..][..width];
            match self.parted {
                true => halves::join(sums, 1.0, &mut part[..head_dim]),
                false => part[..head_dim].copy_from_slice(&sums[..head_dim]),
            }
            part[head_dim] = self.maximum[row];
            part[head_dim + 1] = self.total[row];
        }
    }
}

#[cfg(test)]
mod tests;
