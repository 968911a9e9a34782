//! What a weights file says before its weights, and what reading that goes by in every format.

use super::{Metadata, TensorType};
use crate::error::{Error, Result};

/// A tensor as the header describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorInfo {
    pub name: String,
    pub ty: TensorType,
    /// Outermost first: `[rows, columns]`. A row is a whole number of blocks.
    pub shape: Vec<usize>,
    /// From the file's start.
    pub offset: u64,
    pub bytes: u64,
}

/// A tensor of a safetensors file whose type (integers, booleans) no kernel computes with. Checkpoints carry
/// such buffers beside their weights (masks, position ids), so they are passed over; but a packed weight of
/// a quantization that is not supported is among them too, and whoever misses a weight can say so.
#[derive(Clone, Debug, PartialEq)]
pub struct UnreadTensor {
    pub name: String,
    /// As the file calls it: `I64`, `BOOL`, …
    pub dtype: String,
}

/// What a file says before its weights.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Header {
    /// Empty for safetensors.
    pub metadata: Metadata,
    /// In file order.
    pub tensors: Vec<TensorInfo>,
    /// Empty for GGUF.
    pub unread: Vec<UnreadTensor>,
}

/// What a header parser did with the bytes at the front of what it was shown.
pub(super) enum HeaderStep {
    /// Took this many; show it what follows.
    Took(usize),
    /// Nothing can be taken before there are this many bytes, counted from the front. A parser that is shown exactly
    /// that many takes all of them, or asks for more.
    Need(usize),
    /// The header is complete; nothing was taken.
    Done,
}

/// How far a header may reach: to the end of the file where its size is known, and never beyond the cap.
#[derive(Clone, Copy)]
pub(super) struct Limit {
    pub size: Option<u64>,
    pub cap: u64,
}

impl Limit {
    /// Checks that `bytes` more bytes from `offset` can be there, before anything waits for them.
    pub fn check(self, offset: u64, bytes: u64, what: impl FnOnce() -> String) -> Result<()> {
        let end = offset.saturating_add(bytes);
        if let Some(size) = self.size.filter(|size| end > *size) {
            let left = size.saturating_sub(offset);
            let message = format!("{} needs {bytes} bytes, but the file ends after {left}", what());
            return Err(Error::corrupt(message).at(offset));
        }
        if end > self.cap {
            let (what, mib) = (what(), self.cap >> 20);
            let message = format!("{what} needs {bytes} bytes, which takes the header beyond {mib} MiB");
            return Err(Error::corrupt(message).at(offset));
        }
        Ok(())
    }
}
