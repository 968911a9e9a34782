//! Where the rows of a batch's spans are kept, as kernels read it: see `shaders/places.wgsl`.

use super::Gpu;
use super::buffer::Buffer;
use crate::device::{PAGE, Span, Table};

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
    /// Where a group's words begin, for kernels' parameters.
    pub fn of(&self, group: usize) -> u32 {
        (self.words.offset + self.groups[group]) as u32
    }

    /// Its words, from place `start` of the buffer on: pages are found by their places there.
    fn write(&mut self, start: usize, spans: &[Span], tables: &[&Table]) -> Vec<u32> {
        let Self { groups, rows, long, single, .. } = self;
        let mut words: Vec<u32> = Vec::new();
        for (group, begin) in groups.iter_mut().enumerate() {
            *begin = words.len();
            words.extend([*rows, long.len(), single.len(), 0].map(|count| count as u32));
            for span in spans {
                let (first, pages) = tables[span.table].pages(group);
                // Of spans that only look there may be fewer than they are rows.
                let place = |position: usize| {
                    let page = (position / PAGE).checked_sub(first).and_then(|page| pages.get(page));
                    page.map_or(0, |page| page * PAGE + position % PAGE) as u32
                };
                words.extend((span.position..span.position + span.len).map(place));
            }
            let ordered = || long.iter().chain(&*single);
            let mut pages_at = start + words.len() + SPAN_WORDS * ordered().count();
            let mut before = 0;
            for span in ordered() {
                let (first, pages) = tables[span.table].pages(group);
                let page_0 = (pages_at as u32).wrapping_sub(first as u32);
                let [row, len, position, keys] = [span.row, span.len, span.position, span.keys].map(|n| n as u32);
                words.extend([row, len, position, keys, page_0, before]);
                pages_at += pages.len();
                before += len;
            }
            for span in ordered() {
                words.extend(tables[span.table].pages(group).1.iter().map(|page| *page as u32));
            }
        }
        words
    }

    /// The rows of the spans of several.
    pub fn long_rows(&self) -> usize {
        self.long.iter().map(|span| span.len).sum()
    }
}

impl Gpu {
    /// Puts down where the spans' rows are. Where there is no room for that, the failure is kept and there are no spans.
    pub(super) fn put_places(&mut self, spans: &[Span], tables: &[&Table]) -> Places {
        let groups = tables.iter().map(|table| table.groups()).max().unwrap_or(0);
        let (mut long, mut single): (Vec<Span>, Vec<Span>) = spans.iter().copied().partition(|span| span.len > 1);
        single.retain(|span| span.len == 1);
        // Kernels look for a tile's span by the rows before it.
        long.sort_by_key(|span| span.row);
        let rows = spans.iter().map(|span| span.len).sum();
        let mut places = Places { words: self.nothing[2].clone(), groups: vec![0; groups], rows, long, single };
        let pages = |group: usize| spans.iter().map(|span| tables[span.table].pages(group).1.len()).sum::<usize>();
        let len = (0..groups).map(|group| HEADER + rows + SPAN_WORDS * spans.len() + pages(group)).sum();
        let put = self.notes.reserve(&mut self.memory, len).and_then(|start| {
            let words = places.write(start, spans, tables);
            self.notes.put(&mut self.memory, &words)
        });
        match put {
            Ok(words) => places.words = words,
            Err(error) => {
                self.recorder.fail(Err(error));
                places = Places { rows: 0, long: Vec::new(), single: Vec::new(), ..places };
            }
        }
        places
    }
}
