//! A pattern as a list of operations, which `search` takes one after the other.

use regex_syntax::hir::ClassUnicode;

use super::parse::{Anchor, Greed, Node};

/// Most operations of one pattern.
const MAX_OPS: usize = 1 << 14;

/// Characters, quick to look up.
#[derive(Debug, PartialEq)]
pub(super) struct Set {
    /// A bit for each of ASCII.
    ascii: u128,
    others: Box<[(char, char)]>,
}

impl Set {
    pub fn new(class: &ClassUnicode) -> Self {
        let mut ascii = 0;
        for range in class.ranges() {
            for c in u32::from(range.start())..=u32::from(range.end()).min(127) {
                ascii |= 1 << c;
            }
        }
        let others = class.ranges().iter().filter(|range| range.end() > '\x7f');
        Self { ascii, others: others.map(|range| (range.start(), range.end())).collect() }
    }

    pub fn contains(&self, c: char) -> bool {
        if c <= '\x7f' {
            return self.ascii >> (c as u32) & 1 == 1;
        }
        let at = self.others.partition_point(|&(_, last)| last < c);
        self.others.get(at).is_some_and(|&(first, _)| first <= c)
    }
}

#[derive(Debug)]
pub(super) enum Op {
    /// One character of a set.
    One(usize),
    /// Several, as many as the kind says.
    Run {
        set: usize,
        min: u32,
        max: u32,
        kind: Greed,
    },
    /// Goes on, if the next character is one that it may begin with; where that fails, from the other place.
    Try {
        other: usize,
        first: Option<usize>,
    },
    /// Goes on at the other place; where that fails, here.
    TryLater(usize),
    Jump(usize),
    /// Remembers the place in the text: where groups begin and end, and loops.
    Save(usize),
    /// Back to the start of a loop, if it has taken any text since its place was saved.
    Loop {
        slot: usize,
        start: usize,
    },
    /// What stands up to `end` is done by itself, and not come back to.
    Inside {
        end: usize,
        how: How,
    },
    /// The end of what a look behind does: has it come to where it looked from?
    Arrived,
    Same(usize),
    At(Anchor),
    Accept,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum How {
    Atomic,
    Ahead {
        negative: bool,
    },
    /// From so many characters before.
    Behind {
        negative: bool,
        min: usize,
        max: Option<usize>,
    },
}

#[derive(Debug, Default)]
pub(super) struct Program {
    pub ops: Vec<Op>,
    pub sets: Vec<Set>,
    pub slots: usize,
    /// The set of what a match begins with, where it begins with anything for sure.
    pub first: Option<usize>,
}

impl Program {
    pub fn new(node: &Node) -> Result<Self, String> {
        let mut program = Self { slots: 2 * groups(node), ..Self::default() };
        program.first = program.first_of(node);
        match node {
            Node::Either(list) => {
                // Here alone: to look through each group again for those around it would take long.
                let firsts = list.iter().map(|node| program.first_of(node)).collect();
                program.either(list, firsts)?;
            }
            _ => program.add(node)?,
        }
        program.push(Op::Accept)?;
        Ok(program)
    }

    /// Bytes of memory, about.
    pub fn size(&self) -> usize {
        let sets: usize = self.sets.iter().map(|set| size_of_val(&*set.others)).sum();
        self.ops.len() * size_of::<Op>() + sets
    }

    fn push(&mut self, op: Op) -> Result<usize, String> {
        if self.ops.len() == MAX_OPS {
            return Err(format!("more than {MAX_OPS} steps, repetitions written out"));
        }
        self.ops.push(op);
        Ok(self.ops.len() - 1)
    }

    fn set(&mut self, class: &ClassUnicode) -> usize {
        let set = Set::new(class);
        let known = self.sets.iter().position(|other| *other == set);
        known.unwrap_or_else(|| {
            self.sets.push(set);
            self.sets.len() - 1
        })
    }

    fn first_of(&mut self, node: &Node) -> Option<usize> {
        let mut first = ClassUnicode::empty();
        node.first(&mut first).then(|| self.set(&first))
    }

    fn add(&mut self, node: &Node) -> Result<(), String> {
        match node {
            Node::Empty => {}
            Node::One(class) => {
                let set = self.set(class);
                self.push(Op::One(set))?;
            }
            Node::Sequence(list) => list.iter().try_for_each(|node| self.add(node))?,
            Node::Either(list) => self.either(list, vec![None; list.len()])?,
            Node::Repeat { node, min, max, kind } => self.repeat(node, *min, *max, *kind)?,
            Node::Look { node, behind: false, negative } => self.inside(node, How::Ahead { negative: *negative })?,
            Node::Look { node, behind: true, negative } => {
                let (min, max) = node.length();
                self.inside(node, How::Behind { negative: *negative, min, max })?;
            }
            Node::Atomic(node) => self.inside(node, How::Atomic)?,
            Node::Group(index, node) => {
                self.push(Op::Save(2 * index))?;
                self.add(node)?;
                self.push(Op::Save(2 * index + 1))?;
            }
            Node::Same(index) => {
                self.push(Op::Same(*index))?;
            }
            Node::At(place) => {
                self.push(Op::At(*place))?;
            }
        }
        Ok(())
    }

    /// `firsts`: what each of the list may begin with, if that is known.
    fn either(&mut self, list: &[Node], firsts: Vec<Option<usize>>) -> Result<(), String> {
        let Some((last, others)) = list.split_last() else { return Ok(()) };
        let mut jumps = Vec::new();
        for (node, first) in others.iter().zip(firsts) {
            let split = self.push(Op::Accept)?;
            self.add(node)?;
            jumps.push(self.push(Op::Jump(0))?);
            self.ops[split] = Op::Try { other: self.ops.len(), first };
        }
        self.add(last)?;
        for jump in jumps {
            self.ops[jump] = Op::Jump(self.ops.len());
        }
        Ok(())
    }

    fn repeat(&mut self, node: &Node, min: u32, max: Option<u32>, kind: Greed) -> Result<(), String> {
        if let Node::One(class) = node {
            let set = self.set(class);
            self.push(Op::Run { set, min, max: max.unwrap_or(u32::MAX), kind })?;
            return Ok(());
        }
        if kind == Greed::Possessive {
            let start = self.push(Op::Accept)?;
            self.repeat(node, min, max, Greed::Greedy)?;
            return self.end_inside(start, How::Atomic);
        }
        (0..min).try_for_each(|_| self.add(node))?;
        let greedy = |other: usize| Op::Try { other, first: None };
        let split = |other: usize| if kind == Greed::Lazy { Op::TryLater(other) } else { greedy(other) };
        let Some(max) = max else {
            let start = self.push(Op::Accept)?;
            let slot = self.slots;
            self.slots += 1;
            self.push(Op::Save(slot))?;
            self.add(node)?;
            self.push(Op::Loop { slot, start })?;
            self.ops[start] = split(self.ops.len());
            return Ok(());
        };
        let mut splits = Vec::new();
        for _ in min..max {
            splits.push(self.push(Op::Accept)?);
            self.add(node)?;
        }
        for at in splits {
            self.ops[at] = split(self.ops.len());
        }
        Ok(())
    }

    fn inside(&mut self, node: &Node, how: How) -> Result<(), String> {
        let start = self.push(Op::Accept)?;
        self.add(node)?;
        if let How::Behind { .. } = how {
            self.push(Op::Arrived)?;
        }
        self.end_inside(start, how)
    }

    fn end_inside(&mut self, start: usize, how: How) -> Result<(), String> {
        self.push(Op::Accept)?;
        self.ops[start] = Op::Inside { end: self.ops.len(), how };
        Ok(())
    }
}

/// How many groups there are.
fn groups(node: &Node) -> usize {
    match node {
        Node::Empty | Node::One(_) | Node::Same(_) | Node::At(_) => 0,
        Node::Group(index, node) => groups(node).max(index + 1),
        Node::Atomic(node) | Node::Look { node, .. } | Node::Repeat { node, .. } => groups(node),
        Node::Sequence(list) | Node::Either(list) => list.iter().map(groups).max().unwrap_or(0),
    }
}
