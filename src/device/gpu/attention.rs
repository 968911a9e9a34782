//! What reads and writes the pool: heads, attention, short convolutions: which kernel, how many dispatches.

use super::Gpu;
use super::buffer::Buffer;
use super::kernels::{Kernel, Shader};
use super::places::Places;
use super::profile::Work;
use super::recorder::{Dispatch, all_of};
use super::state::State;
use crate::device::{AttentionShape, CacheType, CachedAttention, CachedConv, PositionBias, Qkv, RopePairs, Seen, Span};
use crate::error::Result;

/// What the kernels of attention are told and read, beside queries, keys and values: see `shaders/score.wgsl`.
struct Scores {
    /// HEAD_DIM and BIAS.
    constants: [u32; 3],
    parameters: [u32; 18],
    vectors: Buffer,
}

impl Scores {
    /// `places`: where those of the spans begin.
    fn new(gpu: &mut Gpu, attention: &CachedAttention<Gpu>, places: u32) -> Self {
        let CachedAttention { shape, bias, sinks, .. } = attention;
        let (kind, reach, biases) = match bias {
            PositionBias::None => (0, 0, None),
            PositionBias::Linear(slopes) => (1, 0, Some(*slopes)),
            PositionBias::Table { table, reach } => (2, *reach as u32, Some(*table)),
        };
        let parameters = [
            shape.heads as u32,
            shape.kv_heads as u32,
            shape.scale.to_bits(),
            shape.window.unwrap_or(0) as u32,
            u32::from(shape.causal),
            shape.soft_cap.unwrap_or(0.0).to_bits(),
            biases.map_or(0, |biases| biases.offset as u32),
            reach,
            sinks.map_or(0, |sinks| sinks.offset as u32 + 1),
            places,
        ];
        // What heads that come to be kept add: see `with_heads`.
        let parameters = std::array::from_fn(|n| parameters.get(n).copied().unwrap_or_default());
        let vectors = gpu.together(biases.into_iter().chain(*sinks));
        Self { constants: [shape.head_dim as u32, kind, 0], parameters, vectors }
    }

    /// The same for rows that are kept by the kernel: see `shaders/attention_step.wgsl`.
    fn with_heads(&self, gpu: &mut Gpu, attention: &CachedAttention<Gpu>, heads: &Qkv<Gpu>, rotations: usize) -> Self {
        let Self { constants, mut parameters, .. } = *self;
        let turn = heads.turn.map_or(0..0, |turn| gpu.tables[turn].clone());
        let norm = |n: usize| heads.norms.as_ref().map_or(0, |norms| norms[n].weight.offset + 1);
        let interleaved = usize::from(heads.pairs == RopePairs::Interleaved);
        let words = [rotations, gpu.angles(), turn.start, turn.len(), interleaved, norm(0), norm(1)];
        for (parameter, word) in parameters[10..].iter_mut().zip(words) {
            *parameter = word as u32;
        }
        parameters[17] = heads.norms.as_ref().map_or(0.0, |norms| norms[0].epsilon).to_bits();
        let biases = match attention.bias {
            PositionBias::None => None,
            PositionBias::Linear(biases) | PositionBias::Table { table: biases, .. } => Some(biases),
        };
        let norms = heads.norms.iter().flatten().map(|norm| norm.weight);
        let vectors = gpu.together(biases.into_iter().chain(attention.sinks).chain(norms));
        Self { constants, parameters, vectors }
    }
}

/// Keys and values as a kernel reads them.
struct SeenBuffers<'a> {
    ty: CacheType,
    keys: &'a Buffer,
    values: &'a Buffer,
    /// Whose places are theirs.
    group: usize,
    /// Of a position's keys and values.
    row_bytes: usize,
}

impl<'a> SeenBuffers<'a> {
    fn new(seen: Seen<'a, Gpu>, CachedAttention { shape, layer, .. }: &CachedAttention<Gpu>) -> Self {
        match seen {
            Seen::Kept(state) => {
                let [keys, values] = state.keys_values(*layer);
                Self { ty: state.ty, keys, values, group: state.group(*layer), row_bytes: state.bytes(*layer, 1) }
            }
            // A cache of floats has its rows as products leave them.
            Seen::Own { key: keys, value: values } => {
                let row_bytes = 2 * 4 * shape.kv_heads * shape.head_dim;
                Self { ty: CacheType::F32, keys, values, group: 0, row_bytes }
            }
        }
    }
}

impl Gpu {
    /// Room for attention's splits, [heads, splits, head_dim + 4].
    fn parts(&mut self, len: usize) -> Result<Buffer> {
        if self.splits.len < len {
            // Every few steps would bring a new buffer.
            self.splits = self.memory.storage("splits of attention", 2 * len)?;
        }
        Ok(self.splits.clone())
    }

    pub(super) fn store_heads(
        &mut self,
        layer: usize,
        shape: &AttentionShape,
        heads: &Qkv<Self>,
        places: &Places,
        state: &State,
        only_long: bool,
    ) {
        if places.rows == 0 || (only_long && places.long.is_empty()) {
            return;
        }
        let norms = heads.norms.as_ref();
        let turn = heads.turn.map_or(0..0, |turn| self.tables[turn].clone());
        // Queries that stay as they are need not be looked at.
        let query_heads = if turn.is_empty() && norms.is_none() { 0 } else { shape.heads };
        let at = |norm: usize| norms.map_or(0, |norms| norms[norm].weight.offset);
        let epsilon = norms.map_or(0.0, |norms| norms[0].epsilon);
        let angles = self.angles();
        let [a, b, c, d, e] = [query_heads, shape.kv_heads, turn.len(), at(0), at(1)].map(|n| n as u32);
        let places_at = places.of(state.group(layer));
        let [turn, angles] = [turn.start, angles].map(|n| n as u32);
        let parameters = [a, b, c, d, e, epsilon.to_bits(), turn, angles, places_at, u32::from(only_long)];
        let interleaved = u32::from(heads.pairs == RopePairs::Interleaved);
        let moved = shape.head_dim * (2 * query_heads + 3 * shape.kv_heads);
        let vectors = self.together(norms.into_iter().flatten().map(|norm| norm.weight));
        let [keys, values] = state.keys_values(layer);
        let constants = [shape.head_dim as u32, interleaved, u32::from(norms.is_some())];
        self.recorder.dispatch(&Dispatch {
            kernel: Kernel::new(Shader::Heads).cache(state.ty).with(constants),
            storage: &[heads.query, heads.key, heads.value, &self.rotations, &vectors, keys, values, &places.words],
            parameters: &parameters,
            batch: 0,
            grid: [query_heads + 2 * shape.kv_heads, places.rows, 1],
            work: Work::moving(4 * places.rows * moved + 2 * state.bytes(layer, places.rows)),
        });
    }

    /// One dispatch for all spans of several rows, one or two for those of one.
    pub(super) fn attend_places(
        &mut self,
        attention: &CachedAttention<Self>,
        query: &Buffer,
        places: &Places,
        seen: Seen<Self>,
        out: &Buffer,
    ) -> Result<()> {
        let seen = SeenBuffers::new(seen, attention);
        let scores = Scores::new(self, attention, places.of(seen.group));
        if !places.single.is_empty() {
            self.attend_single(attention, &scores, (query, None), places, &seen, out)?;
        }
        self.attend_long(&attention.shape, &scores, query, places, &seen, out);
        Ok(())
    }

    /// The same, with heads that are kept first: one dispatch for those of several rows, none for those of one.
    pub(super) fn keep_and_attend_places(
        &mut self,
        attention: &CachedAttention<Self>,
        heads: &Qkv<Self>,
        places: &Places,
        state: &State,
        out: &Buffer,
    ) -> Result<()> {
        let Some(rotations) = places.steps else {
            self.store_heads(attention.layer, &attention.shape, heads, places, state, false);
            return self.attend_places(attention, heads.query, places, Seen::Kept(state), out);
        };
        self.store_heads(attention.layer, &attention.shape, heads, places, state, true);
        let seen = SeenBuffers::new(Seen::Kept(state), attention);
        let scores = Scores::new(self, attention, places.of(seen.group));
        let stepping = scores.with_heads(self, attention, heads, rotations);
        self.attend_single(attention, &stepping, (heads.query, Some([heads.key, heads.value])), places, &seen, out)?;
        self.attend_long(&attention.shape, &scores, heads.query, places, &seen, out);
        Ok(())
    }

    fn attend_long(
        &mut self,
        shape: &AttentionShape,
        scores: &Scores,
        query: &Buffer,
        places: &Places,
        seen: &SeenBuffers,
        out: &Buffer,
    ) {
        if places.long.is_empty() {
            return;
        }
        let rows = places.long_rows() * shape.heads / shape.kv_heads;
        let tile = Shader::Attention.constant("QUERIES") as usize;
        self.recorder.dispatch(&Dispatch {
            kernel: Kernel::new(Shader::Attention).cache(seen.ty).with(scores.constants),
            storage: &[query, seen.keys, seen.values, out, &scores.vectors, &places.words],
            parameters: &scores.parameters,
            batch: 0,
            grid: [rows / tile + places.long.len(), shape.kv_heads, 1],
            work: Work::attention(shape, &places.long, seen.row_bytes),
        });
    }

    /// Query heads of a workgroup of attention of one row, and whether it is a processor's: see `shaders/attention_one.wgsl`.
    fn one_row_s_way(&self, shape: &AttentionShape) -> (usize, bool) {
        let most = if shape.head_dim > 128 { 2 } else { 4 };
        let heads = (shape.heads / shape.kv_heads).next_power_of_two().min(most);
        let lanes = self.memory.context.features.lanes;
        (heads, self.subgroup_size() == Some(4) || lanes == Some(4))
    }

    /// `fresh`: keys and values that are to be kept.
    fn attend_single(
        &mut self,
        attention: &CachedAttention<Self>,
        scores: &Scores,
        (query, fresh): (&Buffer, Option<[&Buffer; 2]>),
        places: &Places,
        seen: &SeenBuffers,
        out: &Buffer,
    ) -> Result<()> {
        let (shape, spans) = (&attention.shape, &places.single);
        let (heads, serial) = self.one_row_s_way(shape);
        let groups = shape.kv_heads * (shape.heads / shape.kv_heads).div_ceil(heads);
        let seen_keys = |span: &Span| shape.visible(span.position, span.keys).len();
        let splits = spans.iter().map(|span| splits(seen_keys(span), groups, serial)).max().unwrap_or(1);
        let whole = if splits > 1 {
            self.parts(spans.len() * shape.heads * splits * (shape.head_dim + 4))?
        } else {
            out.clone()
        };
        let [head_dim, bias, _] = scores.constants;
        let constants = [head_dim, bias, heads as u32 + 8 * u32::from(serial)];
        let vectors = &scores.vectors;
        let (shader, storage) = match fresh {
            None => (Shader::AttentionOne, vec![query, seen.keys, seen.values, &whole, vectors, &places.words]),
            Some([key, value]) => {
                let storage = vec![query, key, value, seen.keys, seen.values, &whole, vectors, &places.words];
                (Shader::AttentionStep, storage)
            }
        };
        self.recorder.dispatch(&Dispatch {
            kernel: Kernel::new(shader).cache(seen.ty).with(constants),
            storage: &storage,
            parameters: &scores.parameters,
            batch: 0,
            grid: [splits, groups, spans.len()],
            work: Work::attention(shape, spans, seen.row_bytes),
        });
        if splits > 1 || self.recorder.collecting() {
            self.recorder.dispatch(&Dispatch {
                kernel: Kernel::new(Shader::AttentionJoin).with([shape.head_dim as u32, 0, 0]),
                storage: &[&whole, out, &places.words],
                parameters: &[shape.heads as u32, splits as u32, places.of(seen.group)],
                batch: 0,
                grid: [shape.heads, spans.len(), 1],
                work: Work::moving(4 * spans.len() * shape.heads * (splits + 1) * shape.head_dim),
            });
        }
        Ok(())
    }

    pub(super) fn convolve(
        &mut self,
        conv: &CachedConv<Self>,
        x: &Buffer,
        places: &Places,
        state: &State,
        out: &Buffer,
    ) {
        if places.rows == 0 {
            return;
        }
        let CachedConv { layer, width, taps, weight, bias } = *conv;
        let vectors = self.together([weight].into_iter().chain(bias));
        let bias = bias.map_or(0, |bias| bias.offset + 1);
        let [width_word, taps_word, weight, bias] = [width, taps, weight.offset, bias].map(|word| word as u32);
        self.recorder.dispatch(&Dispatch {
            kernel: Kernel::new(Shader::ShortConv),
            storage: &[x, &vectors, state.columns(layer), out, &places.words],
            parameters: &[width_word, taps_word, weight, bias, places.of(state.group(layer))],
            batch: 0,
            grid: [width.div_ceil(64), places.rows, 1],
            work: Work::moving(4 * places.rows * width * (taps + 4)),
        });
    }

    pub(super) fn weights(
        &mut self,
        attention: &CachedAttention<Self>,
        query: &Buffer,
        key: &Buffer,
        rows: usize,
    ) -> Result<Buffer> {
        let heads = attention.shape.heads;
        let out = self.memory.storage("an attention map", heads * rows * rows)?;
        let scores = Scores::new(self, attention, 0);
        let batch = self.recorder.told(all_of(rows), 0);
        self.recorder.dispatch(&Dispatch {
            kernel: Kernel::new(Shader::AttentionWeights).with(scores.constants),
            storage: &[query, key, &out, &scores.vectors],
            parameters: &scores.parameters,
            batch,
            grid: [rows, heads, 1],
            work: Work::moving(4 * heads * rows * rows),
        });
        Ok(out)
    }
}

/// Into how many parts so many keys are split, whose workgroups are `groups` each: as the kernel reckons.
fn splits(keys: usize, groups: usize, serial: bool) -> usize {
    let [wanted, few] = ["WANTED", "FEW"].map(|name| Shader::AttentionOne.constant(name) as usize);
    if keys <= few {
        return 1;
    }
    let tiles = keys.div_ceil(if serial { 256 } else { 64 });
    tiles.div_ceil((tiles * groups).div_ceil(wanted))
}
