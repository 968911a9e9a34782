//! The search for a pattern: each alternative in turn, and back where one fails, as Oniguruma does it. Every step is
//! paid for, so that no pattern takes for ever.

use super::parse::{Anchor, Greed};
use super::program::{How, Op, Program, Set};
use crate::text::work::{Spent, StepBudget};

/// Most places to come back to at a time.
const MAX_RETURNS: usize = 1 << 20;

/// What to do where the way so far has failed.
enum Return {
    Go {
        op: usize,
        at: usize,
    },
    /// One character less of a run, down to `low`.
    Less {
        op: usize,
        low: usize,
        at: usize,
    },
    /// One more.
    More {
        op: usize,
        at: usize,
        left: u32,
    },
    /// The slot as it was.
    Slot {
        slot: usize,
        value: Option<usize>,
    },
}

pub(super) struct Search<'a> {
    program: &'a Program,
    words: &'a Set,
    text: &'a str,
    /// Where the search began.
    from: usize,
    /// Where the innermost look behind looks from.
    looking_from: usize,
    slots: Vec<Option<usize>>,
    returns: Vec<Return>,
    left: u64,
}

impl<'a> Search<'a> {
    pub fn new(program: &'a Program, words: &'a Set, text: &'a str) -> Self {
        let slots = vec![None; program.slots];
        Self { program, words, text, from: 0, looking_from: 0, slots, returns: Vec::new(), left: 0 }
    }

    /// The first match from `from` on.
    pub fn find(&mut self, from: usize, work: &StepBudget) -> Result<Option<(usize, usize)>, Spent> {
        self.left = work.left();
        let found = self.find_paid(from);
        work.set_left(if found.is_err() { 0 } else { self.left });
        found
    }

    fn find_paid(&mut self, from: usize) -> Result<Option<(usize, usize)>, Spent> {
        self.from = from;
        let mut start = from;
        loop {
            self.pay(1)?;
            if self.may_begin(self.program.first, start) {
                self.slots.fill(None);
                self.returns.clear();
                if let Some(end) = self.run(0, start)? {
                    return Ok(Some((start, end)));
                }
            }
            match self.next(start) {
                Some(c) => start += c.len_utf8(),
                None => return Ok(None),
            }
        }
    }

    fn pay(&mut self, steps: u64) -> Result<(), Spent> {
        self.left = self.left.saturating_sub(steps);
        if self.left == 0 { Err(Spent) } else { Ok(()) }
    }

    fn next(&self, at: usize) -> Option<char> {
        self.text[at..].chars().next()
    }

    fn before(&self, at: usize) -> Option<char> {
        self.text[..at].chars().next_back()
    }

    /// Whether what begins with a character of the set may begin here; without a set anything may.
    fn may_begin(&self, first: Option<usize>, at: usize) -> bool {
        first.is_none_or(|set| self.next(at).is_some_and(|c| self.program.sets[set].contains(c)))
    }

    fn push(&mut self, back: Return) -> Result<(), Spent> {
        if self.returns.len() == MAX_RETURNS {
            return Err(Spent);
        }
        self.returns.push(back);
        Ok(())
    }

    fn save(&mut self, slot: usize, at: usize) -> Result<(), Spent> {
        let value = self.slots[slot].replace(at);
        self.push(Return::Slot { slot, value })
    }

    /// Does the operations from `op` on to the end of what they are in. What to come back to stays behind.
    fn run(&mut self, mut op: usize, mut at: usize) -> Result<Option<usize>, Spent> {
        let base = self.returns.len();
        loop {
            self.pay(1)?;
            let program = self.program;
            let next = match &program.ops[op] {
                Op::Accept => return Ok(Some(at)),
                Op::One(set) => {
                    let c = self.next(at).filter(|&c| program.sets[*set].contains(c));
                    c.map(|c| (op + 1, at + c.len_utf8()))
                }
                Op::Run { .. } => self.take(op, at)?.map(|at| (op + 1, at)),
                &Op::Try { other, first } => {
                    if self.may_begin(first, at) {
                        self.push(Return::Go { op: other, at })?;
                        Some((op + 1, at))
                    } else {
                        Some((other, at))
                    }
                }
                &Op::TryLater(other) => {
                    self.push(Return::Go { op: op + 1, at })?;
                    Some((other, at))
                }
                &Op::Jump(other) => Some((other, at)),
                &Op::Save(slot) => {
                    self.save(slot, at)?;
                    Some((op + 1, at))
                }
                &Op::Loop { slot, start } => {
                    let moved = self.slots[slot] != Some(at);
                    Some((if moved { start } else { op + 1 }, at))
                }
                &Op::Inside { end, how } => self.inside(op + 1, at, how)?.map(|at| (end, at)),
                Op::Arrived => (at == self.looking_from).then_some((op + 1, at)),
                &Op::Same(group) => self.same(group, at)?.map(|at| (op + 1, at)),
                Op::At(place) => self.is_at(*place, at).then_some((op + 1, at)),
            };
            match next {
                Some((next, place)) => (op, at) = (next, place),
                None => match self.come_back(base)? {
                    Some((next, place)) => (op, at) = (next, place),
                    None => return Ok(None),
                },
            }
        }
    }

    /// Takes the characters of a run; where it stands then.
    fn take(&mut self, op: usize, at: usize) -> Result<Option<usize>, Spent> {
        let program = self.program;
        let &Op::Run { set, min, max, kind } = &program.ops[op] else { return Ok(None) };
        let (set, most) = (&program.sets[set], if kind == Greed::Lazy { min } else { max });
        let (mut end, mut low, mut count) = (at, at, 0);
        for c in self.text[at..].chars() {
            if count == most || !set.contains(c) {
                break;
            }
            end += c.len_utf8();
            count += 1;
            if count == min {
                low = end;
            }
        }
        self.pay(u64::from(count))?;
        if count < min {
            return Ok(None);
        }
        match kind {
            Greed::Greedy if low < end => self.push(Return::Less { op: op + 1, low, at: end })?,
            Greed::Lazy if min < max => self.push(Return::More { op, at: end, left: max - min })?,
            _ => {}
        }
        Ok(Some(end))
    }

    /// What is left to try since there were `base` of them.
    fn come_back(&mut self, base: usize) -> Result<Option<(usize, usize)>, Spent> {
        while self.returns.len() > base {
            self.pay(1)?;
            match self.returns.pop() {
                Some(Return::Go { op, at }) => return Ok(Some((op, at))),
                Some(Return::Less { op, low, at }) => {
                    let at = at - self.before(at).map_or(0, char::len_utf8);
                    if at > low {
                        self.returns.push(Return::Less { op, low, at });
                    }
                    return Ok(Some((op, at)));
                }
                Some(Return::More { op, at, left }) => {
                    let Op::Run { set, .. } = &self.program.ops[op] else { continue };
                    let Some(c) = self.next(at).filter(|&c| self.program.sets[*set].contains(c)) else { continue };
                    let at = at + c.len_utf8();
                    if left > 1 {
                        self.returns.push(Return::More { op, at, left: left - 1 });
                    }
                    return Ok(Some((op + 1, at)));
                }
                Some(Return::Slot { slot, value }) => self.slots[slot] = value,
                None => {}
            }
        }
        Ok(None)
    }

    /// Forgets what is to be tried since there were `base` of them, but not what was in the slots.
    fn keep(&mut self, base: usize) {
        let mut kept = base;
        for index in base..self.returns.len() {
            if matches!(self.returns[index], Return::Slot { .. }) {
                self.returns.swap(kept, index);
                kept += 1;
            }
        }
        self.returns.truncate(kept);
    }

    /// Undoes all since there were `base` of them.
    fn undo(&mut self, base: usize) {
        while self.returns.len() > base {
            if let Some(Return::Slot { slot, value }) = self.returns.pop() {
                self.slots[slot] = value;
            }
        }
    }

    fn inside(&mut self, op: usize, at: usize, how: How) -> Result<Option<usize>, Spent> {
        let base = self.returns.len();
        let (found, negative) = match how {
            How::Atomic => {
                let end = self.run(op, at)?;
                self.keep(base);
                return Ok(end);
            }
            How::Ahead { negative } => (self.run(op, at)?.is_some(), negative),
            How::Behind { negative, min, max } => (self.behind(op, at, min, max)?, negative),
        };
        if negative {
            self.undo(base)
        } else {
            self.keep(base)
        }
        Ok((found != negative).then_some(at))
    }

    fn behind(&mut self, op: usize, at: usize, min: usize, max: Option<usize>) -> Result<bool, Spent> {
        let outer = std::mem::replace(&mut self.looking_from, at);
        let (mut start, mut count, mut found) = (at, 0, false);
        loop {
            if count >= min && self.run(op, start)?.is_some() {
                found = true;
                break;
            }
            let before = self.before(start).filter(|_| max.is_none_or(|max| count < max));
            let Some(c) = before else { break };
            self.pay(1)?;
            (start, count) = (start - c.len_utf8(), count + 1);
        }
        self.looking_from = outer;
        Ok(found)
    }

    /// Past what the group has caught, where that stands here again.
    fn same(&mut self, group: usize, at: usize) -> Result<Option<usize>, Spent> {
        let (Some(start), Some(end)) = (self.slots[2 * group], self.slots[2 * group + 1]) else { return Ok(None) };
        let caught = self.text.get(start..end).unwrap_or_default();
        self.pay(caught.len() as u64)?;
        Ok(self.text[at..].starts_with(caught).then_some(at + caught.len()))
    }

    fn is_at(&self, place: Anchor, at: usize) -> bool {
        let end = self.text.len();
        let word = |c: Option<char>| c.is_some_and(|c| self.words.contains(c));
        match place {
            Anchor::TextStart => at == 0,
            Anchor::TextEnd => at == end,
            Anchor::LastLineEnd => at == end || &self.text[at..] == "\n",
            // The end of a text is no start of a line, whatever is before it.
            Anchor::LineStart => at == 0 || (at < end && self.before(at) == Some('\n')),
            Anchor::LineEnd => self.next(at).is_none_or(|c| c == '\n'),
            Anchor::WordEdge => word(self.before(at)) != word(self.next(at)),
            Anchor::NoWordEdge => word(self.before(at)) == word(self.next(at)),
            Anchor::SearchStart => at == self.from,
        }
    }
}
