//! Sets of characters.

/// Surrogates are no characters.
const SURROGATES: (u32, u32) = (0xd800, 0xdfff);

/// Ranges of code points, both ends in them, in order and with gaps between.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct CharSet(Vec<(u32, u32)>);

impl CharSet {
    pub fn new(mut ranges: Vec<(u32, u32)>) -> Self {
        ranges.sort_unstable();
        let mut set = Self::default();
        for (start, end) in ranges {
            match set.0.last_mut() {
                Some((_, last)) if start <= last.saturating_add(1) => *last = end.max(*last),
                _ => set.0.push((start, end)),
            }
        }
        set
    }

    pub fn one(char: char) -> Self {
        Self(vec![(char as u32, char as u32)])
    }

    pub fn any() -> Self {
        Self::default().complement()
    }

    /// All other characters.
    pub fn complement(&self) -> Self {
        let mut taken = self.0.clone();
        taken.push(SURROGATES);
        let (mut others, mut next) = (Vec::new(), 0);
        for (start, end) in Self::new(taken).0 {
            if next < start {
                others.push((next, start - 1));
            }
            next = end + 1;
        }
        others.push((next, char::MAX as u32));
        others.retain(|(start, end)| start <= end);
        Self(others)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether that has made it larger.
    pub fn add(&mut self, other: &Self) -> bool {
        let whole = Self::new([&self.0[..], &other.0].concat());
        let grown = whole != *self;
        *self = whole;
        grown
    }

    pub fn meets(&self, other: &Self) -> bool {
        let (mut mine, mut theirs) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some(&&(start, end)), Some(&&(first, last))) = (mine.peek(), theirs.peek()) {
            if start <= last && first <= end {
                return true;
            }
            if end < first {
                mine.next()
            } else {
                theirs.next()
            };
        }
        false
    }

    /// As a regular expression.
    pub fn pattern(&self) -> String {
        let ranges: String = self.0.iter().map(|(start, end)| format!("\\x{{{start:x}}}-\\x{{{end:x}}}")).collect();
        format!("[{ranges}]")
    }
}
