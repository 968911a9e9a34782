//! A tensor on its way from the file's bytes to the device's layout: quantised, or its rows filled up, where need be.

use crate::checkpoint::TensorType;
use crate::device::Device;
use crate::error::{Result, try_vec};

/// How a matrix is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    pub ty: TensorType,
    /// Of a row, with the zeros that fill it up.
    pub columns: usize,
}

/// A matrix that arrives row by row.
pub struct ArrivingMatrix<D: Device> {
    builder: D::MatrixBuilder,
    from: TensorType,
    /// Of a row in the file.
    columns: usize,
    stored: Stored,
    /// The beginning of a row that is to be converted.
    pending: Vec<u8>,
    /// That row's values, and what becomes of them.
    values: Vec<f32>,
    bytes: Vec<u8>,
}

impl<D: Device> ArrivingMatrix<D> {
    /// Of `columns` in the file. Error: out-of-memory.
    pub fn new(builder: D::MatrixBuilder, from: TensorType, columns: usize, stored: Stored) -> Result<Self> {
        let mut arriving =
            Self { builder, from, columns, stored, pending: Vec::new(), values: Vec::new(), bytes: Vec::new() };
        if arriving.is_converted() {
            arriving.values = try_vec(stored.columns, "a row of weights")?;
            let bytes = stored.ty.row_bytes(stored.columns).unwrap_or(0);
            arriving.bytes.resize(bytes, 0);
        }
        Ok(arriving)
    }

    fn is_converted(&self) -> bool {
        self.from != self.stored.ty || self.columns != self.stored.columns
    }

    /// The next bytes, cut anywhere. Error: corrupt-file where a value cannot be quantised.
    pub fn push(&mut self, device: &mut D, mut bytes: &[u8]) -> Result<()> {
        if !self.is_converted() {
            device.push(&mut self.builder, bytes);
            return Ok(());
        }
        let row = self.columns / self.from.block_len() * self.from.block_bytes();
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(row - self.pending.len()));
            self.pending.extend_from_slice(now);
            bytes = later;
            if self.pending.len() == row {
                self.convert()?;
                device.push(&mut self.builder, &self.bytes);
                self.pending.clear();
            }
        }
        Ok(())
    }

    /// The pending row in the type that is kept. The values that fill it up are zeros and stay so.
    fn convert(&mut self) -> Result<()> {
        self.from.dequantize(&self.pending, &mut self.values[..self.columns]);
        match self.stored.ty {
            TensorType::F32 => {
                let values = self.values.iter().flat_map(|value| value.to_le_bytes());
                self.bytes.iter_mut().zip(values).for_each(|(byte, value)| *byte = value);
                Ok(())
            }
            ty => ty.quantize(&self.values, &mut self.bytes),
        }
    }

    pub fn finish(self, device: &mut D) -> D::Matrix {
        device.finish(self.builder)
    }
}
