//! Pixels on the GPU.

use super::Gpu;
use super::buffer::Buffer;
use crate::device::cpu::{self, pool::Pool};
use crate::device::{Picture, Preparation};
use crate::error::{Result, try_vec};

impl Gpu {
    /// For now they are made on the CPU.
    pub(super) fn prepare_picture(
        &mut self,
        picture: &Picture,
        preparation: &Preparation,
        index: usize,
        out: &Buffer,
    ) -> Result<()> {
        let len = preparation.len();
        let mut pixels = try_vec(len, "pixels")?;
        cpu::pixels::pixels(&Pool::new(1), picture, preparation, &mut pixels)?;
        // What is recorded may still read what was there.
        self.recorder.submit();
        self.memory.write(&Buffer { offset: out.offset + index * len, ..out.clone() }, &pixels);
        Ok(())
    }
}
