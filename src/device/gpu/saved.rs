//! A sequence as bytes: see [`Device::save`](crate::device::Device::save).

use super::Gpu;
use super::buffer::Buffer;
use super::state::State;
use crate::device::{Table, check_saved};
use crate::error::{Result, no_memory};

impl Gpu {
    pub(super) async fn save_sequence(&mut self, state: &State, table: &Table, positions: usize) -> Result<Vec<u8>> {
        let mut saved = Vec::new();
        let parts = state.parts(table, positions);
        let bytes = 4 * parts.iter().flatten().map(|part| part.len).sum::<usize>();
        saved.try_reserve_exact(bytes).map_err(|_| no_memory("a saved sequence", bytes as f64))?;
        for parts in parts {
            let len = parts.iter().map(|part| part.len).sum();
            if len == 0 {
                continue;
            }
            let whole = self.memory.storage("a sequence on its way", len)?;
            let mut at = 0;
            for part in &parts {
                self.recorder.copy(part, &Buffer { offset: at, ..whole.clone() }, part.len);
                at += part.len;
            }
            let reading = self.recorder.send(&whole, len)?;
            let received = self.recorder.receive(reading, |bytes| saved.extend_from_slice(&bytes[..4 * len])).await;
            self.whole(received)?;
        }
        Ok(saved)
    }

    pub(super) fn restore_sequence(
        &mut self,
        state: &State,
        table: &Table,
        positions: usize,
        mut bytes: &[u8],
    ) -> Result<()> {
        let parts = state.parts(table, positions).concat();
        check_saved(bytes, parts.iter().map(|part| 4 * part.len).sum())?;
        // Whoever had those pages before has written to them.
        self.recorder.submit();
        for part in parts {
            let (own, rest) = bytes.split_at(4 * part.len);
            let words: Vec<u32> = own.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
            self.memory.write(&part, &words);
            bytes = rest;
        }
        Ok(())
    }
}
