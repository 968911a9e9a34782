//! Where the rows of a batch's spans are kept, as kernels read it: see `shaders/places.wgsl`.

use super::buffer::{Buffer, Memory, Notes};
use crate::device::{KeyRows, PAGE, Span};
use crate::error::Result;

/// Words before the rows' places, and of a span.
const HEADER: usize = 4;
const SPAN_WORDS: usize = 6;

pub struct Places {
    /// One binding for all groups.
    pub words: Buffer,
    /// Where each group's begin.
    groups: Vec<usize>,
    pub rows: usize,
    /// Each row of one continues a sequence of its own, which ends with it: where the angles of these rows begin.
    pub steps: Option<usize>,
    /// Spans of several rows, and of one.
    pub long: Vec<Span>,
    pub single: Vec<Span>,
}

impl Places {
    /// No rows.
    pub fn none(words: Buffer) -> Self {
        Self { words, groups: Vec::new(), rows: 0, steps: None, long: Vec::new(), single: Vec::new() }
    }

    /// Puts down where the spans' rows are, and the rotations of rows that are spans by themselves, `angles` a row. Error:
    /// out-of-memory.
    pub fn put(
        notes: &mut Notes,
        memory: &mut Memory,
        spans: &[Span],
        keys: KeyRows,
        (rotations, angles): (&[f32], usize),
    ) -> Result<Self> {
        let groups = match keys {
            KeyRows::Kept(tables) => tables.iter().map(|table| table.groups()).max().unwrap_or(0),
            KeyRows::Own(_) => 1,
        };
        let (mut long, mut single): (Vec<Span>, Vec<Span>) = spans.iter().copied().partition(|span| span.len > 1);
        single.retain(|span| span.len == 1);
        // Kernels look for a tile's span by the rows before it.
        long.sort_by_key(|span| span.row);
        let rows = spans.iter().map(|span| span.len).sum::<usize>();
        let pages = |group: usize| spans.iter().map(|span| SpanPages::new(span, keys, group).count).sum::<usize>();
        let len: usize = (0..groups).map(|group| HEADER + 2 * rows + SPAN_WORDS * spans.len() + pages(group)).sum();
        let steps = matches!(keys, KeyRows::Kept(_)) && are_steps(&single);
        let of_row =
            |span: &Span| rotations.get(2 * angles * span.row..2 * angles * (span.row + 1)).unwrap_or_default();
        let turns = single.iter().filter(|_| steps).flat_map(of_row).map(|value| value.to_bits());
        let turns: Vec<u32> = turns.collect();
        let start = notes.reserve(memory, turns.len() + len)?;
        let (groups, words) = write(start, turns, (&long, &single), spans, keys, groups);
        let words = notes.put(memory, &words)?;
        Ok(Self { steps: steps.then_some(words.offset), words, groups, rows, long, single })
    }

    /// Where a group's words begin, for kernels' parameters.
    pub fn of(&self, group: usize) -> u32 {
        (self.words.offset + self.groups.get(group).copied().unwrap_or_default()) as u32
    }

    /// The rows of the spans of several.
    pub fn long_rows(&self) -> usize {
        self.long.iter().map(|span| span.len).sum()
    }
}

/// Whether each is the last token of a sequence that no other of them has.
fn are_steps(single: &[Span]) -> bool {
    let mut tables: Vec<usize> = single.iter().map(|span| span.table).collect();
    tables.sort_unstable();
    let last = |span: &Span| span.keys == span.position + 1;
    tables.is_sorted_by(|a, b| a < b) && !single.is_empty() && single.iter().all(last)
}

/// Where the keys of a span are.
struct SpanPages<'a> {
    /// The first page's number in its sequence.
    first: usize,
    count: usize,
    at: PagesAt<'a>,
}

enum PagesAt<'a> {
    /// Their numbers in the pool.
    Pool(&'a [usize]),
    /// The batch's row that the first begins with.
    Rows(usize),
}

impl<'a> SpanPages<'a> {
    fn new(span: &Span, keys: KeyRows<'a>, group: usize) -> Self {
        match keys {
            KeyRows::Kept(tables) => {
                let (first, pages) = tables[span.table].pages(group);
                Self { first, count: pages.len(), at: PagesAt::Pool(pages) }
            }
            KeyRows::Own(rows) => {
                Self { first: 0, count: span.keys.div_ceil(PAGE), at: PagesAt::Rows(rows[span.table]) }
            }
        }
    }

    /// Where one of them begins.
    fn begin(&self, page: usize) -> usize {
        match self.at {
            PagesAt::Pool(pages) => pages[page] * PAGE,
            PagesAt::Rows(row) => row + page * PAGE,
        }
    }
}

/// Where the words of each group begin, and all of them, `words` before them, from place `start` of the buffer on: pages are found by their
/// places there.
fn write(
    start: usize,
    mut words: Vec<u32>,
    (long, single): (&[Span], &[Span]),
    spans: &[Span],
    keys: KeyRows,
    groups: usize,
) -> (Vec<usize>, Vec<u32>) {
    let ordered = || long.iter().chain(single);
    let rows = spans.iter().map(|span| span.len).sum::<usize>();
    let mut numbers = vec![0; rows];
    for (number, span) in ordered().enumerate() {
        // Spans that only look need not be all of a batch.
        numbers.iter_mut().skip(span.row).take(span.len).for_each(|of_row| *of_row = number as u32);
    }
    let mut begins = Vec::new();
    for group in 0..groups {
        begins.push(words.len());
        words.extend([rows, long.len(), single.len(), 0].map(|count| count as u32));
        for span in spans {
            let pages = SpanPages::new(span, keys, group);
            let place = |position: usize| {
                let page = (position / PAGE).checked_sub(pages.first).filter(|page| *page < pages.count);
                page.map_or(0, |page| pages.begin(page) + position % PAGE) as u32
            };
            words.extend((span.position..span.position + span.len).map(place));
        }
        words.extend(&numbers);
        let mut pages_at = start + words.len() + SPAN_WORDS * ordered().count();
        let mut before = 0;
        for span in ordered() {
            let pages = SpanPages::new(span, keys, group);
            let page_0 = (pages_at as u32).wrapping_sub(pages.first as u32);
            let [row, len, position, keys] = [span.row, span.len, span.position, span.keys].map(|n| n as u32);
            words.extend([row, len, position, keys, page_0, before]);
            pages_at += pages.count;
            before += len;
        }
        for span in ordered() {
            let pages = SpanPages::new(span, keys, group);
            words.extend((0..pages.count).map(|page| pages.begin(page) as u32));
        }
    }
    (begins, words)
}
