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
    /// Spans of several rows, and of one.
    pub long: Vec<Span>,
    pub single: Vec<Span>,
}

impl Places {
    /// No rows.
    pub fn none(words: Buffer) -> Self {
        Self { words, groups: Vec::new(), rows: 0, long: Vec::new(), single: Vec::new() }
    }

    /// Puts down where the spans' rows are. Error: out-of-memory.
    pub fn put(notes: &mut Notes, memory: &mut Memory, spans: &[Span], keys: KeyRows) -> Result<Self> {
        let groups = match keys {
            KeyRows::Kept(tables) => tables.iter().map(|table| table.groups()).max().unwrap_or(0),
            KeyRows::Own(_) => 1,
        };
        let (mut long, mut single): (Vec<Span>, Vec<Span>) = spans.iter().copied().partition(|span| span.len > 1);
        single.retain(|span| span.len == 1);
        // Kernels look for a tile's span by the rows before it.
        long.sort_by_key(|span| span.row);
        let rows = spans.iter().map(|span| span.len).sum::<usize>();
        let pages = |group: usize| spans.iter().map(|span| pages(span, keys, group).1.len()).sum::<usize>();
        let len = (0..groups).map(|group| HEADER + 2 * rows + SPAN_WORDS * spans.len() + pages(group)).sum();
        let start = notes.reserve(memory, len)?;
        let (groups, words) = write(start, (&long, &single), spans, keys, groups);
        Ok(Self { words: notes.put(memory, &words)?, groups, rows, long, single })
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

/// A span's pages: the first one's number in its sequence, and where each begins.
fn pages(span: &Span, keys: KeyRows, group: usize) -> (usize, Vec<usize>) {
    match keys {
        KeyRows::Kept(tables) => {
            let (first, pages) = tables[span.table].pages(group);
            (first, pages.iter().map(|page| page * PAGE).collect())
        }
        KeyRows::Own(rows) => (0, (0..span.keys).step_by(PAGE).map(|position| rows[span.table] + position).collect()),
    }
}

/// Where the words of each group begin, and all of them, from place `start` of the buffer on: pages are found by their
/// places there.
fn write(
    start: usize,
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
    let (mut begins, mut words) = (Vec::new(), Vec::new());
    for group in 0..groups {
        begins.push(words.len());
        words.extend([rows, long.len(), single.len(), 0].map(|count| count as u32));
        for span in spans {
            let (first, pages) = pages(span, keys, group);
            let place = |position: usize| {
                let page = (position / PAGE).checked_sub(first).and_then(|page| pages.get(page));
                page.map_or(0, |begin| begin + position % PAGE) as u32
            };
            words.extend((span.position..span.position + span.len).map(place));
        }
        words.extend(&numbers);
        let mut pages_at = start + words.len() + SPAN_WORDS * ordered().count();
        let mut before = 0;
        for span in ordered() {
            let (first, pages) = pages(span, keys, group);
            let page_0 = (pages_at as u32).wrapping_sub(first as u32);
            let [row, len, position, keys] = [span.row, span.len, span.position, span.keys].map(|n| n as u32);
            words.extend([row, len, position, keys, page_0, before]);
            pages_at += pages.len();
            before += len;
        }
        for span in ordered() {
            words.extend(pages(span, keys, group).1.iter().map(|begin| *begin as u32));
        }
    }
    (begins, words)
}
