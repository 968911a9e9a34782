//! A place in a pattern that is read.

/// Most groups and classes that stand in each other.
const MAX_DEPTH: usize = 100;

pub(super) struct Cursor<'a> {
    text: &'a str,
    /// Bytes read.
    at: usize,
    depth: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    /// Bytes read.
    pub fn at(&self) -> usize {
        self.at
    }

    pub fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// What was read from byte `start` on.
    pub fn since(&self, start: usize) -> &'a str {
        &self.text[start..self.at]
    }

    pub fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// Goes on behind `text` where that comes next.
    pub fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        self.at += if found { text.len() } else { 0 };
        found
    }

    /// What comes before `end`, which is passed over.
    pub fn until(&mut self, end: char) -> Result<&'a str, String> {
        let rest = self.rest();
        let length = rest.find(end).ok_or_else(|| format!("no {end} to the end"))?;
        self.at += length + end.len_utf8();
        Ok(&rest[..length])
    }

    /// One group or class deeper, until `leave`.
    pub fn enter(&mut self) -> Result<(), String> {
        if self.depth == MAX_DEPTH {
            return Err(format!("more than {MAX_DEPTH} groups in each other"));
        }
        self.depth += 1;
        Ok(())
    }

    pub fn leave(&mut self) {
        self.depth -= 1;
    }
}
