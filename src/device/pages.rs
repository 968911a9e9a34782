//! Which pages of a pool each sequence has: host data alone, the same for every device.
//!
//! What a model keeps of a sequence's tokens (keys and values, inputs of short convolutions) lies in pages of [`PAGE`]
//! positions, as in vLLM (<https://arxiv.org/abs/2309.06180>). Layers that look equally far back form a *group*: a page
//! has one group's layers for its positions. A [`Table`] says where a sequence's positions are. Sequences may share
//! pages: who writes to a shared one gets a copy of it first. Where no later token will look, a windowed group lets its
//! pages go, so that it takes the memory of a ring.

use serde::{Deserialize, Serialize};
use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::rc::Rc;

/// Positions of a page.
pub const PAGE: usize = 64;

/// Positions that a sequence can be cut back by whatever its windows are: what is computed ahead of an end token, and the
/// few tokens that a text's continuation changes.
const BACK: usize = 64;

/// How keys and values are kept. `Q8`: 8-bit levels with a scale per 32 values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheType {
    F32,
    #[default]
    F16,
    Q8,
}

/// What a layer keeps of each position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateShape {
    /// Keys and values, [kv_heads, head_dim] each. `window`: a query sees only keys less than that many positions before.
    KeysValues { kv_heads: usize, head_dim: usize, window: Option<usize> },
    /// Floats whatever the cache's type, [width], of which a position needs those less than `window` before.
    Columns { width: usize, window: usize },
}

impl StateShape {
    /// Bytes that a position takes.
    pub fn bytes(&self, ty: CacheType) -> usize {
        match *self {
            StateShape::Columns { width, .. } => 4 * width,
            StateShape::KeysValues { kv_heads, head_dim, .. } => {
                let head = match ty {
                    CacheType::F32 => 4 * head_dim,
                    CacheType::F16 => 2 * head_dim,
                    CacheType::Q8 => head_dim + 4 * head_dim.div_ceil(32),
                };
                2 * kv_heads * head
            }
        }
    }

    /// Words of a position in a saved sequence, and how many such rows there are of it: keys and values, or columns. What
    /// does not fill its last word has zeros there.
    pub fn saved_words(&self, ty: CacheType) -> (usize, usize) {
        match *self {
            StateShape::Columns { width, .. } => (width, 1),
            StateShape::KeysValues { kv_heads, head_dim, .. } => {
                let head = match ty {
                    CacheType::F32 => head_dim,
                    CacheType::F16 => head_dim.div_ceil(2),
                    CacheType::Q8 => head_dim.div_ceil(4) + head_dim.div_ceil(32),
                };
                (kv_heads * head, 2)
            }
        }
    }

    fn window(&self) -> Option<usize> {
        match self {
            StateShape::KeysValues { window, .. } => *window,
            StateShape::Columns { window, .. } => Some(*window),
        }
    }
}

/// The groups' windows, and each layer's group.
pub fn groups(shapes: &[StateShape]) -> (Vec<Option<usize>>, Vec<usize>) {
    let mut windows: Vec<Option<usize>> = Vec::new();
    let group = |shape: &StateShape| {
        let window = shape.window();
        windows.iter().position(|other| *other == window).unwrap_or_else(|| {
            windows.push(window);
            windows.len() - 1
        })
    };
    let of_layers = shapes.iter().map(group).collect();
    (windows, of_layers)
}

/// A page whose content another one gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageCopy {
    pub group: usize,
    pub from: usize,
    pub to: usize,
}

/// The pages of one pool: which are taken, and by how many sequences.
#[derive(Clone)]
pub struct Pages(Rc<SharedPages>);

struct SharedPages {
    groups: RefCell<Vec<Group>>,
    /// Tables that there are.
    tables: Cell<usize>,
}

struct Group {
    window: Option<usize>,
    /// Of each page that there is: how many tables have it.
    references: Vec<u32>,
    /// The lowest first, so that the last ones can be given back.
    free: BinaryHeap<Reverse<usize>>,
}

impl Group {
    fn take(&mut self) -> usize {
        let Reverse(page) = self.free.pop().expect("room was made before");
        self.references[page] = 1;
        page
    }

    fn give_back(&mut self, page: usize) {
        self.references[page] -= 1;
        if self.references[page] == 0 {
            self.free.push(Reverse(page));
        }
    }

    /// The first position that a token at `position` looks at.
    fn first_seen(&self, position: usize) -> usize {
        self.window.map_or(0, |window| (position + 1).saturating_sub(window))
    }
}

impl Pages {
    /// None yet, of those layers.
    pub fn new(shapes: &[StateShape]) -> Self {
        let group = |window| Group { window, references: Vec::new(), free: BinaryHeap::new() };
        let groups = RefCell::new(groups(shapes).0.into_iter().map(group).collect());
        Self(Rc::new(SharedPages { groups, tables: Cell::new(0) }))
    }

    /// Pages that there are of each group.
    pub fn counts(&self) -> Vec<usize> {
        self.0.groups.borrow().iter().map(|group| group.references.len()).collect()
    }

    /// Those of them that nobody has.
    pub fn free(&self) -> Vec<usize> {
        self.0.groups.borrow().iter().map(|group| group.free.len()).collect()
    }

    /// How many there have to be of each group: all behind are free.
    pub fn needed(&self) -> Vec<usize> {
        let last = |group: &Group| group.references.iter().rposition(|count| *count > 0);
        self.0.groups.borrow().iter().map(|group| last(group).map_or(0, |last| last + 1)).collect()
    }

    /// Pages of each group that a sequence of `positions` takes at most, where `chunk` come at a time.
    pub fn most(&self, positions: usize, chunk: usize) -> Vec<usize> {
        let of = |group: &Group| {
            let all = positions.div_ceil(PAGE);
            // One page more at either end, since windows end anywhere.
            group.window.map_or(all, |window| all.min((window + BACK + chunk).div_ceil(PAGE) + 1))
        };
        self.0.groups.borrow().iter().map(of).collect()
    }

    /// Sequences that have pages here, or had.
    pub fn tables(&self) -> usize {
        self.0.tables.get()
    }

    /// There are as many now.
    pub fn set_counts(&self, counts: &[usize]) {
        for (group, count) in self.0.groups.borrow_mut().iter_mut().zip(counts) {
            let there = group.references.len();
            group.free.extend((there..*count).map(Reverse));
            group.free.retain(|Reverse(page)| page < count);
            group.references.resize(*count, 0);
        }
    }
}

/// Where one sequence's positions are.
#[derive(Default)]
pub struct Table {
    /// The pool; none before there was something to keep.
    pages: Option<Pages>,
    /// Of each group.
    runs: Vec<PageRun>,
}

#[derive(Clone, Default)]
struct PageRun {
    /// The first page's number in the sequence: those before it were let go.
    first: usize,
    pages: Vec<usize>,
}

impl PageRun {
    fn end(&self) -> usize {
        self.first + self.pages.len()
    }
}

impl Table {
    /// Its pages are that pool's.
    pub fn bind(&mut self, pages: &Pages) {
        let bound = self.pages.get_or_insert_with(|| {
            pages.0.tables.set(pages.tables() + 1);
            pages.clone()
        });
        assert!(Rc::ptr_eq(&bound.0, &pages.0), "a sequence is kept in one pool");
        self.runs.resize_with(pages.0.groups.borrow().len(), PageRun::default);
    }

    fn each_run(&mut self, mut work: impl FnMut(usize, &mut Group, &mut PageRun)) {
        let Some(pages) = &self.pages else { return };
        for (number, (group, run)) in pages.0.groups.borrow_mut().iter_mut().zip(&mut self.runs).enumerate() {
            work(number, group, run);
        }
    }

    /// Lets pages go that no token from `position` on will look at, nor from a little before it.
    pub fn let_go(&mut self, position: usize) {
        self.each_run(|_, group, run| {
            let seen = group.first_seen(position.saturating_sub(BACK)) / PAGE;
            let before = seen.saturating_sub(run.first).min(run.pages.len());
            run.pages.drain(..before).for_each(|page| group.give_back(page));
            run.first += before;
        });
    }

    /// Pages of each group that [`Table::extend`] would take.
    pub fn wanted(&self, positions: &Range<usize>) -> Vec<usize> {
        let Some(pages) = &self.pages else { return Vec::new() };
        let of = |(group, run): (&Group, &PageRun)| {
            let [first, end] = [positions.start / PAGE, positions.end.div_ceil(PAGE)];
            let there = first.max(run.first)..end.min(run.end());
            let shared = there.filter(|page| group.references[run.pages[page - run.first]] > 1).count();
            end.saturating_sub(run.end()) + shared
        };
        pages.0.groups.borrow().iter().zip(&self.runs).map(of).collect()
    }

    /// Takes pages so that those positions can be written: those before them are kept. Returns what has to be copied
    /// before, of pages that others have too.
    pub fn extend(&mut self, positions: &Range<usize>) -> Vec<PageCopy> {
        let mut copies = Vec::new();
        self.each_run(|number, group, run| {
            let [first, end] = [positions.start / PAGE, positions.end.div_ceil(PAGE)];
            assert!(positions.is_empty() || first <= run.end(), "a sequence has no holes");
            for at in first.max(run.first)..end {
                match run.pages.get_mut(at - run.first) {
                    None => run.pages.push(group.take()),
                    Some(page) if group.references[*page] > 1 => {
                        let own = group.take();
                        group.give_back(*page);
                        if at * PAGE < positions.start {
                            copies.push(PageCopy { group: number, from: *page, to: own });
                        }
                        *page = own;
                    }
                    Some(_) => {}
                }
            }
        });
        copies
    }

    /// Whether all is there that a token at `position` looks at, and that many positions are kept.
    pub fn can_cut_to(&self, position: usize) -> bool {
        let Some(pages) = &self.pages else { return position == 0 };
        let whole = |(group, run): (&Group, &PageRun)| {
            run.first * PAGE <= group.first_seen(position) && position.div_ceil(PAGE) <= run.end()
        };
        position == 0 || pages.0.groups.borrow().iter().zip(&self.runs).all(whole)
    }

    /// Gives back what lies behind the first `position` positions.
    pub fn cut_to(&mut self, position: usize) {
        self.each_run(|_, group, run| {
            let kept = position.div_ceil(PAGE).saturating_sub(run.first).min(run.pages.len());
            run.pages.drain(kept..).for_each(|page| group.give_back(page));
            if position == 0 {
                run.first = 0;
            }
        });
    }

    /// Leaves out each group's first pages, as [`Table::pages`] says of a sequence whose windows have let them go. It has none
    /// yet, and belongs to a pool. Whether that leaves enough says [`Table::can_cut_to`], once it is extended.
    pub fn leave_out(&mut self, first: &[usize]) {
        self.each_run(|group, _, run| {
            assert!(run.pages.is_empty(), "the first pages come first");
            run.first = first[group];
        });
    }

    /// Groups that it has pages of.
    pub fn groups(&self) -> usize {
        self.runs.len()
    }

    /// A group's pages, and the number in the sequence of the first.
    pub fn pages(&self, group: usize) -> (usize, &[usize]) {
        self.runs.get(group).map_or((0, &[]), |run| (run.first, &run.pages))
    }
}

/// The same positions in the same pages.
impl Clone for Table {
    fn clone(&self) -> Self {
        if let Some(pages) = &self.pages {
            pages.0.tables.set(pages.tables() + 1);
            for (group, run) in pages.0.groups.borrow_mut().iter_mut().zip(&self.runs) {
                run.pages.iter().for_each(|page| group.references[*page] += 1);
            }
        }
        Self { pages: self.pages.clone(), runs: self.runs.clone() }
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        self.cut_to(0);
        if let Some(pages) = &self.pages {
            pages.0.tables.set(pages.tables() - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: usize = 100;

    fn shapes() -> [StateShape; 3] {
        let layer = |window| StateShape::KeysValues { kv_heads: 1, head_dim: 8, window };
        [layer(Some(WINDOW)), layer(None), StateShape::Columns { width: 8, window: WINDOW }]
    }

    /// Lets go, makes room, and takes what those positions need: as a model does before each batch.
    fn extend(pages: &Pages, table: &mut Table, positions: Range<usize>) -> Vec<PageCopy> {
        table.bind(pages);
        table.let_go(positions.start);
        let counts = pages.counts().into_iter().zip(pages.free()).zip(table.wanted(&positions));
        let counts: Vec<usize> = counts.map(|((count, free), wanted)| count + wanted.saturating_sub(free)).collect();
        pages.set_counts(&counts);
        table.extend(&positions)
    }

    fn taken(pages: &Pages) -> Vec<usize> {
        pages.counts().into_iter().zip(pages.free()).map(|(count, free)| count - free).collect()
    }

    #[test]
    fn layers_that_look_equally_far_back_are_a_group() {
        assert_eq!(groups(&shapes()), (vec![Some(WINDOW), None], vec![0, 1, 0]));
    }

    #[test]
    fn a_window_s_pages_are_as_many_as_a_ring_s_and_can_always_be_looked_at() {
        for chunk in [1, 3, 64, 128] {
            let (pages, mut table) = (Pages::new(&shapes()), Table::default());
            for start in (0..5000).step_by(chunk) {
                extend(&pages, &mut table, start..start + chunk);
                let (first, numbers) = table.pages(0);
                let seen = (start + 1).saturating_sub(WINDOW)..start + chunk;
                assert!(first * PAGE <= seen.start && seen.end <= (first + numbers.len()) * PAGE, "{chunk}, {start}");
                assert!(numbers.len() <= pages.most(5000, chunk)[0], "{} pages: {chunk}, {start}", numbers.len());
                assert!(table.can_cut_to(start) && table.can_cut_to(start.saturating_sub(BACK)));
            }
            let end = 5000usize.next_multiple_of(chunk);
            assert_eq!(taken(&pages)[1], end.div_ceil(PAGE));
            assert_eq!(pages.most(5000, chunk)[1], 5000usize.div_ceil(PAGE));
            // Hardly more than were ever taken at a time.
            assert!(pages.counts()[0] <= pages.most(5000, chunk)[0], "{:?}", pages.counts());
        }
    }

    #[test]
    fn what_a_window_has_let_go_cannot_be_gone_back_to() {
        let (pages, mut table) = (Pages::new(&shapes()), Table::default());
        assert!(table.can_cut_to(0) && !table.can_cut_to(1));
        extend(&pages, &mut table, 0..150);
        assert!((0..=150).all(|position| table.can_cut_to(position)));
        (150..1000).for_each(|position| drop(extend(&pages, &mut table, position..position + 1)));
        assert!(table.can_cut_to(0) && !table.can_cut_to(1) && !table.can_cut_to(800));
        assert!(table.can_cut_to(999 - BACK) && table.can_cut_to(1000) && !table.can_cut_to(1100));
        table.cut_to(950);
        assert!(table.can_cut_to(950) && !table.can_cut_to(1000));
        table.cut_to(0);
        assert_eq!((taken(&pages), pages.needed()), (vec![0, 0], vec![0, 0]));
        extend(&pages, &mut table, 0..1);
        assert_eq!((table.pages(0), table.pages(1)), ((0, &[0][..]), (0, &[0][..])));
    }

    #[test]
    fn shared_pages_are_copied_where_they_are_written_and_given_back_once() {
        let pages = Pages::new(&shapes()[1..2]);
        let mut table = Table::default();
        extend(&pages, &mut table, 0..100);
        let mut other = table.clone();
        assert_eq!(taken(&pages), [2]);
        // The first page is whole: both read it.
        assert_eq!(extend(&pages, &mut other, 100..101), [PageCopy { group: 0, from: 1, to: 2 }]);
        assert_eq!((table.pages(0).1, other.pages(0).1), (&[0, 1][..], &[0, 2][..]));
        assert_eq!(extend(&pages, &mut table, 100..130), [], "it is its own again");
        // From a page's beginning on there is nothing to copy.
        let mut third = table.clone();
        third.cut_to(64);
        assert_eq!(extend(&pages, &mut third, 64..65), []);
        assert_eq!(third.pages(0).1, [0, 4]);
        drop(table);
        assert_eq!(taken(&pages), [3]);
        drop((other, third));
        assert_eq!((taken(&pages), pages.free()), (vec![0], vec![5]));
    }

    #[test]
    fn the_lowest_pages_are_taken_first_and_the_last_ones_given_back() {
        let pages = Pages::new(&shapes()[1..2]);
        let mut tables = [Table::default(), Table::default()];
        tables.iter_mut().for_each(|table| drop(extend(&pages, table, 0..128)));
        tables[0].cut_to(0);
        assert_eq!((pages.needed(), pages.free()), (vec![4], vec![2]));
        extend(&pages, &mut tables[0], 0..1);
        assert_eq!(tables[0].pages(0).1, [0]);
        tables[1].cut_to(0);
        pages.set_counts(&pages.needed());
        assert_eq!((pages.counts(), pages.free()), (vec![1], vec![0]));
    }
}
