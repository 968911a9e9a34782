//! The one error type: a code that callers can act on, a sentence for people, and the place.

use std::fmt;

/// What kind of thing went wrong. The names are those of `AzulejoError.code` in JavaScript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    UnsupportedModel,
    UnsupportedQuantization,
    CorruptFile,
    MissingFile,
    OutOfMemory,
    NoWebgpu,
    DeviceLost,
    InvalidArgument,
    ContextFull,
    Internal,
}

impl Code {
    pub fn name(self) -> &'static str {
        match self {
            Code::UnsupportedModel => "unsupported-model",
            Code::UnsupportedQuantization => "unsupported-quantization",
            Code::CorruptFile => "corrupt-file",
            Code::MissingFile => "missing-file",
            Code::OutOfMemory => "out-of-memory",
            Code::NoWebgpu => "no-webgpu",
            Code::DeviceLost => "device-lost",
            Code::InvalidArgument => "invalid-argument",
            Code::ContextFull => "context-full",
            Code::Internal => "internal",
        }
    }
}

/// Where in a checkpoint it went wrong, as far as is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub file: Option<String>,
    /// Bytes from the file's start.
    pub offset: Option<u64>,
    pub tensor: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Error {
    pub code: Code,
    /// Says what was found and what was expected, in words.
    pub message: String,
    /// Boxed: errors are rare, and every `Result` carries their size.
    pub place: Box<Place>,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: shortened(message.into()), place: Box::default() }
    }

    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(Code::CorruptFile, message)
    }

    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(Code::UnsupportedModel, message)
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message)
    }

    /// Says which file; an inner, more exact answer stays.
    pub fn in_file(mut self, file: &str) -> Self {
        self.place.file.get_or_insert_with(|| file.to_owned());
        self
    }

    pub fn at(mut self, offset: u64) -> Self {
        self.place.offset.get_or_insert(offset);
        self
    }

    pub fn in_tensor(mut self, tensor: &str) -> Self {
        self.place.tensor.get_or_insert_with(|| tensor.to_owned());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(tensor) = &self.place.tensor {
            write!(f, "tensor {tensor:?}: ")?;
        }
        f.write_str(&self.message)?;
        match (&self.place.file, self.place.offset) {
            (Some(file), Some(offset)) => write!(f, " ({file}, byte {offset})"),
            (Some(file), None) => write!(f, " ({file})"),
            (None, Some(offset)) => write!(f, " (byte {offset})"),
            (None, None) => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// Longest message. They quote what is wrong, and in a stranger's file that may be megabytes.
const MAX_MESSAGE: usize = 2000;

/// The message without the middle of what is too long.
fn shortened(message: String) -> String {
    if message.len() <= MAX_MESSAGE {
        return message;
    }
    let (start, end) = (MAX_MESSAGE / 2, message.len() - MAX_MESSAGE / 4);
    format!("{} … {}", &message[..message.floor_char_boundary(start)], &message[message.ceil_char_boundary(end)..])
}

/// Out of memory, of the allocator's: it had no room for so many bytes.
pub fn no_memory(what: &str, bytes: f64) -> Error {
    let size = match bytes / (1 << 20) as f64 {
        mib if mib >= 0.1 => format!("{mib:.1} MiB"),
        _ => format!("{bytes} bytes"),
    };
    Error::new(Code::OutOfMemory, format!("no memory for {what} ({size})"))
}

/// A vector of `len` default values, or `out-of-memory` where the allocator has no room:
/// a plain `vec!` would abort the whole WebAssembly instance.
pub fn try_vec<T: Clone + Default>(len: usize, what: &str) -> Result<Vec<T>> {
    let mut vec = Vec::new();
    vec.try_reserve_exact(len).map_err(|_| no_memory(what, len as f64 * size_of::<T>() as f64))?;
    vec.resize(len, T::default());
    Ok(vec)
}

#[cfg(test)]
mod tests {
    use super::{Error, MAX_MESSAGE};

    #[test]
    fn a_message_of_megabytes_keeps_its_two_ends() {
        let said = Error::corrupt(format!("config.json: {:?} is no number", "é".repeat(1 << 20))).message;
        assert!(said.starts_with("config.json: ") && said.ends_with(" is no number"), "{said}");
        assert!(said.len() < MAX_MESSAGE, "{} bytes", said.len());
        assert_eq!(Error::corrupt("é").message, "é");
    }
}
