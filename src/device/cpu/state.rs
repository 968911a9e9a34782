//! What layers keep: each page a block of its own, so that growing copies nothing.
//!
//! A page has, for each layer and head of its group, the keys of a tile, [TILE, head_dim], then its values, then those of the
//! next tile: attention reads a page of a layer from its beginning to its end, which is what processors fetch ahead.

use super::simd::{F32x4, f16_to_f32, f32_to_f16};
use crate::device::pages::groups;
use crate::device::{CacheType, KeyRows, PAGE, PageCopy, Span, StateShape, Table};
use crate::error::{Result, try_vec};
use std::ops::Range;

/// Positions whose keys lie side by side, and then their values.
pub const TILE: usize = 32;
const _: () = assert!(PAGE.is_multiple_of(TILE));

/// Values that share a scale in a `Q8` cache.
const GROUP: usize = 32;

/// A half that is no number.
const NAN: u16 = 0x7e00;

pub struct State {
    ty: CacheType,
    layers: Vec<Layer>,
    groups: Vec<Group>,
}

/// Where a layer's values are in a page.
struct Layer {
    group: usize,
    shape: StateShape,
    /// The first of them, and the first of their scales.
    values: usize,
    scales: usize,
}

/// Layers that have pages together.
#[derive(Default)]
struct Group {
    /// Of a page: of keys and values, and of columns.
    values: usize,
    scales: usize,
    columns: usize,
    pages: Vec<Page>,
}

#[derive(Clone)]
struct Page {
    values: Values,
    columns: Vec<f32>,
}

/// Of a page.
#[derive(Clone)]
pub enum Values {
    F32(Vec<f32>),
    F16 {
        halves: Vec<u16>,
        /// None of them has ever been no number.
        finite: bool,
    },
    Q8 {
        levels: Vec<i8>,
        scales: Vec<f32>,
    },
}

impl Group {
    fn page(&self, ty: CacheType) -> Result<Page> {
        let what = "a page of keys and values";
        let values = match ty {
            CacheType::F32 => Values::F32(try_vec(self.values, what)?),
            CacheType::F16 => Values::F16 { halves: try_vec(self.values, what)?, finite: true },
            CacheType::Q8 => Values::Q8 { levels: try_vec(self.values, what)?, scales: try_vec(self.scales, what)? },
        };
        Ok(Page { values, columns: try_vec(self.columns, "a page of columns")? })
    }
}

impl State {
    pub fn new(shapes: &[StateShape], ty: CacheType) -> Self {
        let (windows, of_layers) = groups(shapes);
        let mut groups: Vec<Group> = windows.iter().map(|_| Group::default()).collect();
        let layer = |(shape, group): (&StateShape, usize)| {
            let of = &mut groups[group];
            match *shape {
                StateShape::KeysValues { kv_heads, head_dim, .. } => {
                    let layer = Layer { group, shape: *shape, values: of.values, scales: of.scales };
                    of.values += 2 * kv_heads * PAGE * head_dim;
                    of.scales += 2 * kv_heads * PAGE * head_dim.div_ceil(GROUP);
                    layer
                }
                StateShape::Columns { width, .. } => {
                    let layer = Layer { group, shape: *shape, values: of.columns, scales: 0 };
                    of.columns += PAGE * width;
                    layer
                }
            }
        };
        let layers = shapes.iter().zip(of_layers).map(layer).collect();
        Self { ty, layers, groups }
    }

    fn counts(&self) -> Vec<usize> {
        self.groups.iter().map(|group| group.pages.len()).collect()
    }

    pub fn grow(&mut self, pages: &[Range<usize>]) -> Result<Vec<usize>> {
        let before = self.counts();
        for (group, wanted) in self.groups.iter_mut().zip(pages) {
            while group.pages.len() < wanted.start {
                match group.page(self.ty) {
                    Ok(page) => group.pages.push(page),
                    Err(error) => {
                        self.trim(&before);
                        return Err(error);
                    }
                }
            }
        }
        Ok(self.counts())
    }

    pub fn trim(&mut self, pages: &[usize]) -> Vec<usize> {
        self.groups.iter_mut().zip(pages).for_each(|(group, count)| group.pages.truncate(*count));
        self.counts()
    }

    pub fn copy(&mut self, copies: &[PageCopy]) {
        for PageCopy { group, from, to } in copies {
            let pages = &mut self.groups[*group].pages;
            let [from, to] = pages.get_disjoint_mut([*from, *to]).expect("two pages that there are");
            to.values.copy(&from.values);
            to.columns.copy_from_slice(&from.columns);
        }
    }

    pub fn ty(&self) -> CacheType {
        self.ty
    }

    /// Of each layer.
    pub fn shapes(&self) -> impl Iterator<Item = StateShape> {
        self.layers.iter().map(|layer| layer.shape)
    }

    /// A head's keys and values in a page, to be written by [`Rows::restore`].
    pub fn head_mut(&mut self, layer: usize, head: usize, page: usize) -> (&mut Values, [Rows; 2]) {
        let (rows, group) = (self.rows(layer, head), self.group(layer));
        (&mut self.groups[group].pages[page].values, rows)
    }

    /// A layer's group.
    pub fn group(&self, layer: usize) -> usize {
        self.layers[layer].group
    }

    fn rows(&self, layer: usize, head: usize) -> [Rows; 2] {
        let Layer { shape: StateShape::KeysValues { head_dim, .. }, values, scales, .. } = self.layers[layer] else {
            unreachable!("a layer of attention keeps keys and values");
        };
        let scaled = head_dim.div_ceil(GROUP);
        [0, 1].map(|side| {
            let values = values + (2 * head * PAGE + side * TILE) * head_dim;
            Rows { head_dim, values, scales: scales + (2 * head + side) * PAGE * scaled }
        })
    }

    /// A head's keys and values in a page, to be read by [`Rows::read`].
    pub fn head(&self, layer: usize, head: usize, page: usize) -> (&Values, [Rows; 2]) {
        (&self.groups[self.group(layer)].pages[page].values, self.rows(layer, head))
    }

    /// What a layer of columns has at a place, [width].
    pub fn column(&self, layer: usize, width: usize, (page, at): (usize, usize)) -> &[f32] {
        let Layer { group, values, .. } = self.layers[layer];
        &self.groups[group].pages[page].columns[values + at * width..][..width]
    }

    pub fn column_mut(&mut self, layer: usize, width: usize, (page, at): (usize, usize)) -> &mut [f32] {
        let Layer { group, values, .. } = self.layers[layer];
        &mut self.groups[group].pages[page].columns[values + at * width..][..width]
    }

    /// Keeps a head's key and value, [head_dim] each.
    pub fn write(&mut self, layer: usize, head: usize, (page, at): (usize, usize), key: &[f32], value: &[f32]) {
        let (values, rows) = self.head_mut(layer, head, page);
        for (rows, vector) in rows.iter().zip([key, value]) {
            rows.write(values, at, vector);
        }
    }
}

impl Values {
    fn copy(&mut self, from: &Values) {
        match (self, from) {
            (Values::F32(to), Values::F32(from)) => to.copy_from_slice(from),
            (Values::F16 { halves, finite }, Values::F16 { halves: from, finite: from_finite }) => {
                halves.copy_from_slice(from);
                *finite = *from_finite;
            }
            (Values::Q8 { levels, scales }, Values::Q8 { levels: from, scales: from_scales }) => {
                levels.copy_from_slice(from);
                scales.copy_from_slice(from_scales);
            }
            _ => unreachable!("pages of one pool are of one type"),
        }
    }
}

/// Vectors of one head in a page, one a position: where those of the first tile begin, and the scales.
#[derive(Clone, Copy)]
pub struct Rows {
    head_dim: usize,
    values: usize,
    scales: usize,
}

impl Rows {
    /// Where the vector of a position begins.
    fn at(&self, position: usize) -> usize {
        self.values + (position / TILE * 2 * TILE + position % TILE) * self.head_dim
    }

    /// Where those of some positions of one tile are.
    fn of(&self, positions: &Range<usize>) -> Range<usize> {
        debug_assert!(positions.start / TILE == (positions.end - 1) / TILE, "of one tile");
        let start = self.at(positions.start);
        start..start + positions.len() * self.head_dim
    }

    /// Stores the vector of a position, [head_dim].
    fn write(&self, page: &mut Values, position: usize, vector: &[f32]) {
        let at = self.at(position);
        match page {
            Values::F32(values) => values[at..at + vector.len()].copy_from_slice(vector),
            Values::F16 { halves, finite } => {
                let mut nothing = 0.0;
                for (out, value) in halves[at..at + vector.len()].iter_mut().zip(vector) {
                    // An infinite half would turn the whole attention into NaN.
                    let value = value.clamp(-65504.0, 65504.0);
                    nothing += value * 0.0;
                    *out = f32_to_f16(value);
                }
                if nothing != 0.0 {
                    *finite = false;
                    let halves = halves[at..].iter_mut().zip(vector);
                    halves.filter(|(_, value)| value.is_nan()).for_each(|(half, _)| *half = NAN);
                }
            }
            Values::Q8 { levels, scales } => {
                let scales = &mut scales[self.scales + position * vector.len().div_ceil(GROUP)..];
                let levels = levels[at..at + vector.len()].chunks_mut(GROUP);
                for ((levels, scale), vector) in levels.zip(scales).zip(vector.chunks(GROUP)) {
                    let largest = vector.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
                    // A level cannot say that a value is no number; the scale can.
                    *scale = if vector.iter().any(|value| value.is_nan()) { f32::NAN } else { largest / 127.0 };
                    let inverse = if *scale > 0.0 { scale.recip() } else { 0.0 };
                    for (level, value) in levels.iter_mut().zip(vector) {
                        *level = (value * inverse).round_ties_even() as i8;
                    }
                }
            }
        }
    }

    /// The vector of a position as it lies there, up to a whole word.
    pub fn save(&self, page: &Values, position: usize, out: &mut Vec<u8>) {
        let range = self.of(&(position..position + 1));
        match page {
            Values::F32(values) => out.extend(values[range].iter().flat_map(|value| value.to_le_bytes())),
            Values::F16 { halves, .. } => out.extend(halves[range].iter().flat_map(|half| half.to_le_bytes())),
            Values::Q8 { levels, .. } => out.extend(levels[range].iter().map(|level| *level as u8)),
        }
        out.resize(out.len().next_multiple_of(4), 0);
        if let Values::Q8 { scales, .. } = page {
            let scaled = self.head_dim.div_ceil(GROUP);
            let scales = &scales[self.scales + position * scaled..][..scaled];
            out.extend(scales.iter().flat_map(|scale| scale.to_le_bytes()));
        }
    }

    /// Puts back what [`Rows::save`] gave.
    pub fn restore(&self, page: &mut Values, position: usize, bytes: &[u8]) {
        let range = self.of(&(position..position + 1));
        match page {
            Values::F32(values) => {
                let bytes = bytes.as_chunks().0;
                values[range].iter_mut().zip(bytes).for_each(|(value, bytes)| *value = f32::from_le_bytes(*bytes));
            }
            Values::F16 { halves, finite } => {
                for (half, bytes) in halves[range].iter_mut().zip(bytes.as_chunks().0) {
                    *half = u16::from_le_bytes(*bytes);
                    *finite &= *half & 0x7c00 != 0x7c00;
                }
            }
            Values::Q8 { levels, scales } => {
                levels[range].iter_mut().zip(bytes).for_each(|(level, byte)| *level = *byte as i8);
                let bytes = bytes[self.head_dim.next_multiple_of(4)..].as_chunks().0;
                let scales = &mut scales[self.scales + position * bytes.len()..];
                scales.iter_mut().zip(bytes).for_each(|(scale, bytes)| *scale = f32::from_le_bytes(*bytes));
            }
        }
    }

    /// The vectors of some positions of a tile as floats, each to the front of `width` values of `out`.
    #[inline]
    pub fn read(&self, page: &Values, positions: Range<usize>, width: usize, out: &mut [f32]) {
        let range = self.of(&positions);
        let out = out.chunks_exact_mut(width).take(positions.len());
        match page {
            Values::F32(values) => {
                for (out, vector) in out.zip(values[range].chunks_exact(self.head_dim)) {
                    out[..self.head_dim].copy_from_slice(vector);
                }
            }
            Values::F16 { halves, .. } => {
                for (out, vector) in out.zip(halves[range].chunks_exact(self.head_dim)) {
                    let ((fours, rest), (out, last)) = (vector.as_chunks::<4>(), out.as_chunks_mut::<4>());
                    out.iter_mut().zip(fours).for_each(|(out, four)| *out = F32x4::from_any_f16(four).to_array());
                    let last = out[fours.len()..].as_flattened_mut().iter_mut().chain(last);
                    last.zip(rest).for_each(|(out, half)| *out = f16_to_f32(*half));
                }
            }
            Values::Q8 { levels, scales } => {
                let scaled = self.head_dim.div_ceil(GROUP);
                let scales = scales[self.scales + positions.start * scaled..].chunks_exact(scaled);
                for ((out, levels), scales) in out.zip(levels[range].chunks_exact(self.head_dim)).zip(scales) {
                    for ((out, levels), scale) in out.chunks_mut(GROUP).zip(levels.chunks(GROUP)).zip(scales) {
                        out.iter_mut().zip(levels).for_each(|(out, level)| *out = f32::from(*level) * scale);
                    }
                }
            }
        }
    }

    /// The vectors of some positions of a tile as they lie there, [positions, head_dim], where they are halves; and whether all are
    /// finite.
    pub fn halves<'a>(&self, page: &'a Values, positions: Range<usize>) -> Option<(&'a [u16], bool)> {
        let Values::F16 { halves, finite } = page else { return None };
        let range = self.of(&positions);
        Some((&halves[range], *finite))
    }
}

/// Where the keys of some spans are.
pub struct Places {
    pub spans: Vec<Span>,
    /// [tables, groups]: the first page's number in the sequence, and the pages.
    pages: Vec<(usize, Vec<usize>)>,
    groups: usize,
    /// Where they are rows of the batch: the first of each table's.
    own: Vec<usize>,
}

impl Places {
    pub fn new(spans: &[Span], keys: KeyRows) -> Self {
        let spans = spans.to_vec();
        let tables = match keys {
            KeyRows::Kept(tables) => tables,
            KeyRows::Own(rows) => return Self { spans, pages: Vec::new(), groups: 0, own: rows.to_vec() },
        };
        let groups = tables.iter().map(|table| table.groups()).max().unwrap_or(0);
        let of = |table: &&Table| {
            (0..groups)
                .map(|group| table.pages(group))
                .map(|(first, pages)| (first, pages.to_vec()))
                .collect::<Vec<_>>()
        };
        Self { spans, pages: tables.iter().flat_map(of).collect(), groups, own: Vec::new() }
    }

    /// The first of the batch's rows that are a span's keys.
    pub fn own_row(&self, span: &Span) -> usize {
        self.own[span.table]
    }

    /// The page of a span's position, and the place in it.
    pub fn of(&self, span: &Span, group: usize, position: usize) -> (usize, usize) {
        let (first, pages) = &self.pages[span.table * self.groups + group];
        (pages[position / PAGE - first], position % PAGE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_s_vectors_lie_where_no_other_does_and_tile_by_tile() {
        let shape = StateShape::KeysValues { kv_heads: 2, head_dim: 5, window: None };
        let state = State::new(&[shape, shape], CacheType::F32);
        let rows = |layer, head| state.rows(layer, head);
        let vectors = (0..2).flat_map(|layer| (0..2).flat_map(move |head| rows(layer, head).map(move |rows| rows)));
        let mut starts: Vec<usize> = vectors.flat_map(|rows| (0..PAGE).map(move |at| rows.at(at))).collect();
        assert_eq!(starts[..2 * PAGE].iter().max(), Some(&((2 * PAGE - 1) * 5)), "a head's lie together");
        assert_eq!(starts[PAGE], TILE * 5, "values behind the keys of a tile");
        starts.sort_unstable();
        assert!(starts.iter().enumerate().all(|(index, start)| *start == 5 * index));
    }

    #[test]
    fn each_type_gives_back_what_was_stored_within_its_precision() {
        let vector: Vec<f32> = (0..40).map(|i| (i as f32 - 20.0) * 0.37).collect();
        let negated: Vec<f32> = vector.iter().map(|value| -value).collect();
        for (ty, tolerance) in [(CacheType::F32, 0.0), (CacheType::F16, 4e-3), (CacheType::Q8, 7.4 / 254.0 + 1e-6)] {
            let shape = |window| StateShape::KeysValues { kv_heads: 3, head_dim: vector.len(), window };
            let mut state = State::new(&[shape(None), shape(Some(8)), shape(None)], ty);
            assert_eq!(state.grow(&[4..9, 0..0]).unwrap(), [4, 0]);
            state.write(2, 1, (3, 5), &vector, &negated);
            assert_eq!(state.grow(&[9..9, 2..2]).unwrap(), [9, 2]);
            state.copy(&[PageCopy { group: 0, from: 3, to: 8 }]);
            for page in [3, 8] {
                let (values, rows) = state.head(2, 1, page);
                for (rows, vector) in rows.iter().zip([&vector, &negated]) {
                    let mut out = vec![0.0; 3 * 44];
                    rows.read(values, 4..7, 44, &mut out);
                    for (a, b) in out[44..84].iter().zip(vector) {
                        assert!((a - b).abs() <= tolerance, "{ty:?}: {a} is not {b}");
                    }
                    assert!(out[..44].iter().chain(&out[84..]).all(|value| *value == 0.0), "nothing else was stored");
                }
            }
        }
    }
}
