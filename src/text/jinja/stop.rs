//! Why a template was not rendered.

/// What went wrong, and where.
#[derive(Debug)]
pub(crate) struct Stop(Box<Reason>);

#[derive(Debug)]
struct Reason {
    message: String,
    line: Option<u32>,
    raised: bool,
}

pub(crate) type RunResult<T> = Result<T, Stop>;

impl Stop {
    pub fn new(message: impl Into<String>) -> Self {
        Self(Box::new(Reason { message: message.into(), line: None, raised: false }))
    }

    /// Said by the template itself, with `raise_exception`.
    pub fn raised(message: String) -> Self {
        Self(Box::new(Reason { message, line: None, raised: true }))
    }

    /// The innermost place counts.
    pub fn at(mut self, line: u32) -> Self {
        self.0.line.get_or_insert(line);
        self
    }

    pub fn message(&self) -> &str {
        &self.0.message
    }

    pub fn line(&self) -> Option<u32> {
        self.0.line
    }

    pub fn is_raised(&self) -> bool {
        self.0.raised
    }
}
