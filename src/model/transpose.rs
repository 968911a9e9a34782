//! A matrix that a checkpoint has as [in, out] (GPT-2's `Conv1D`), turned while it arrives.

use crate::checkpoint::TensorInfo;
use crate::error::{Error, Result, try_vec};

pub struct Transpose {
    /// Of a matrix; those of experts lie one after the other.
    rows: usize,
    columns: usize,
    /// Bytes of a value.
    size: usize,
    /// Bytes that have come.
    at: usize,
    /// [columns, rows]
    pub upright: Vec<u8>,
}

impl Transpose {
    /// Errors: out-of-memory; unsupported-model for blocks, which cannot be turned.
    pub fn new(tensor: &TensorInfo) -> Result<Self> {
        let (&[.., rows, columns], 1) = (tensor.shape.as_slice(), tensor.ty.block_len()) else {
            return Err(Error::unsupported(format!("{} in a layout of [in, out]", tensor.ty.name())));
        };
        let upright = try_vec(tensor.bytes as usize, "a matrix to be turned")?;
        Ok(Self { rows, columns, size: tensor.ty.block_bytes(), at: 0, upright })
    }

    /// The next bytes, cut anywhere.
    pub fn push(&mut self, bytes: &[u8]) {
        let Self { rows, columns, size, .. } = *self;
        for byte in bytes {
            let (value, part) = (self.at / size, self.at % size);
            let (matrix, value) = (value / (rows * columns), value % (rows * columns));
            let place = matrix * rows * columns + value % columns * rows + value / columns;
            self.upright[place * size + part] = *byte;
            self.at += 1;
        }
    }
}
