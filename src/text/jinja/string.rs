//! Strings that know which of their bytes came from the caller, whatever a template does with them.

use std::ops::Range;
use std::rc::Rc;

use super::budget::{Budget, Held};
use super::stop::RunResult;

/// Bytes of a string's own, beside its characters.
const OVERHEAD: usize = 96;

/// Places in bytes, in order, that neither overlap nor touch.
pub(crate) type Spans = Vec<Range<usize>>;

/// A string of a template's.
pub(crate) struct Text {
    text: Box<str>,
    chars: usize,
    given: Spans,
    /// Marked by `safe` or `escape`: what is added to it is escaped, as Python's `Markup` does.
    pub markup: bool,
    _held: Held,
}

impl Text {
    /// A string of the template's own source.
    pub fn literal(text: &str) -> Rc<Self> {
        Rc::new(Self::whole(text.into(), Vec::new(), Held::nothing()))
    }

    fn whole(text: Box<str>, given: Spans, held: Held) -> Self {
        Self { chars: text.chars().count(), text, given, markup: false, _held: held }
    }

    /// A string that is made while the template runs.
    pub fn new(text: &str, given: bool, budget: &Rc<Budget>) -> RunResult<Rc<Self>> {
        let mut writer = Writer::new(budget);
        writer.push(text, given)?;
        Ok(Rc::new(writer.finish()))
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its length, as Python counts it.
    pub fn chars(&self) -> usize {
        self.chars
    }

    /// What of it came from the caller.
    pub fn given(&self) -> &Spans {
        &self.given
    }

    /// Where a character begins; those behind the end begin there.
    pub fn byte_of(&self, char: usize) -> usize {
        if self.chars == self.text.len() {
            return char.min(self.text.len());
        }
        self.text.char_indices().nth(char).map_or(self.text.len(), |(at, _)| at)
    }

    pub fn part(&self, range: Range<usize>, budget: &Rc<Budget>) -> RunResult<Rc<Self>> {
        let mut writer = Writer::new(budget);
        writer.push_part(self, range)?;
        let mut part = writer.finish();
        part.markup = self.markup;
        Ok(Rc::new(part))
    }

    /// Its characters, each with whether it was given.
    pub fn marked_chars(&self) -> impl Iterator<Item = (char, bool)> + '_ {
        let mut spans = self.given.iter().peekable();
        self.text.char_indices().map(move |(at, c)| {
            while spans.peek().is_some_and(|span| span.end <= at) {
                spans.next();
            }
            (c, spans.peek().is_some_and(|span| span.start <= at))
        })
    }

    /// Its stretches of one origin.
    pub fn stretches(&self) -> impl Iterator<Item = (&str, bool)> + '_ {
        let ends = self.given.iter().flat_map(|span| [(span.start, false), (span.end, true)]);
        let mut at = 0;
        ends.chain([(self.text.len(), false)])
            .map(move |(end, given)| {
                let stretch = (&self.text[at..end], given);
                at = end;
                stretch
            })
            .filter(|(stretch, _)| !stretch.is_empty())
    }

    /// Each stretch as `change` makes it.
    pub fn map(&self, budget: &Rc<Budget>, change: impl Fn(&str) -> String) -> RunResult<Rc<Self>> {
        let mut writer = Writer::new(budget);
        for (stretch, given) in self.stretches() {
            writer.push(&change(stretch), given)?;
        }
        Ok(Rc::new(writer.finish()))
    }
}

/// A string as it grows, paid for.
pub(crate) struct Writer {
    text: String,
    given: Spans,
    held: Held,
    budget: Rc<Budget>,
}

impl Writer {
    pub fn new(budget: &Rc<Budget>) -> Self {
        let held = Held::none_of(budget);
        Self { text: String::new(), given: Vec::new(), held, budget: budget.clone() }
    }

    pub fn budget(&self) -> &Rc<Budget> {
        &self.budget
    }

    pub fn push(&mut self, text: &str, given: bool) -> RunResult<()> {
        self.held.grow(text.len())?;
        let start = self.text.len();
        self.text.push_str(text);
        if given {
            self.mark(start..self.text.len())?;
        }
        Ok(())
    }

    pub fn push_char(&mut self, c: char, given: bool) -> RunResult<()> {
        self.push(c.encode_utf8(&mut [0; 4]), given)
    }

    pub fn push_text(&mut self, text: &Text) -> RunResult<()> {
        self.push_part(text, 0..text.text.len())
    }

    pub fn push_part(&mut self, text: &Text, range: Range<usize>) -> RunResult<()> {
        self.held.grow(range.len())?;
        let shift = self.text.len();
        self.text.push_str(&text.text[range.clone()]);
        let first = text.given.partition_point(|span| span.end <= range.start);
        for span in text.given[first..].iter().take_while(|span| span.start < range.end) {
            let (start, end) = (span.start.max(range.start), span.end.min(range.end));
            self.mark(start - range.start + shift..end - range.start + shift)?;
        }
        Ok(())
    }

    fn mark(&mut self, span: Range<usize>) -> RunResult<()> {
        match self.given.last_mut() {
            _ if span.is_empty() => {}
            Some(last) if last.end == span.start => last.end = span.end,
            _ => {
                self.held.grow(size_of::<Range<usize>>())?;
                self.given.push(span);
            }
        }
        Ok(())
    }

    pub fn finish(self) -> Text {
        let Self { text, given, mut held, .. } = self;
        held.take(OVERHEAD);
        Text::whole(text.into_boxed_str(), given, held)
    }
}
