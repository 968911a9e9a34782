//! What a device is asked once, since nothing promises it.

use super::Gpu;
use super::kernels::{Kernel, Shader, Uses};
use super::pipelines::Kernels;
use super::profile::Work;
use super::recorder::{Dispatch, all_of};
use crate::error::Result;
use half::f16;
use std::rc::Rc;

/// Words that are asked about at a time, and come back.
type Word = [u32; 4];

/// Threads of both probes.
const MOST: usize = 64;

impl Kernels {
    /// Asks the device whether subgroups are runs of neighbours, and whether its way with halves is exact. What is not so is
    /// forgone.
    pub async fn probe(self: &Rc<Self>) -> Result<()> {
        if !self.halves_are_exact().await? {
            self.distrust_halves();
        }
        if self.extras().subgroups && self.subgroups_are_runs().await? == Some(false) {
            self.forgo(Uses::Subgroups);
        }
        Ok(())
    }

    /// `None`: the driver refuses subgroups.
    async fn subgroups_are_runs(self: &Rc<Self>) -> Result<Option<bool>> {
        let kernel = Kernel::new(Shader::Probe);
        self.compile(&kernel).await?;
        if !self.extras().subgroups {
            return Ok(None);
        }
        let found = self.ask(kernel, &[]).await?;
        let is_run = |(local, word): (usize, &Word)| {
            let [first, last, size, _] = *word;
            (first..=last).contains(&(local as u32)) && last - first + 1 == size && first % size == 0
        };
        Ok(Some(found.iter().enumerate().all(is_run)))
    }

    async fn halves_are_exact(self: &Rc<Self>) -> Result<bool> {
        let kernel = Kernel::new(Shader::ProbeHalves);
        self.compile(&kernel).await?;
        let asked = questions();
        let given: Vec<Word> = asked
            .iter()
            .map(|(halves, floats)| {
                let [low, high] = halves.map(u32::from);
                [low | high << 16, floats[0].to_bits(), floats[1].to_bits(), 0]
            })
            .collect();
        let found = self.ask(kernel, &given).await?;
        let is_exact = |((halves, floats), found): (&([u16; 2], [f32; 2]), &Word)| {
            let unpacked = halves.map(|half| f16::from_bits(half).to_f32().to_bits());
            let [low, high] = floats.map(|float| u32::from(f16::from_f32(float).to_bits()));
            *found == [unpacked[0], unpacked[1], low | high << 16, 0]
        };
        Ok(asked.iter().zip(&found).all(is_exact))
    }

    /// What a probe answers.
    async fn ask(self: &Rc<Self>, kernel: Kernel, given: &[Word]) -> Result<Vec<Word>> {
        let mut gpu = Gpu::new(self.clone())?;
        let asked = gpu.memory.storage("what is probed", 4 * MOST)?;
        let out = gpu.memory.storage("a probe", 4 * MOST)?;
        gpu.memory.write(&asked, given.as_flattened());
        gpu.recorder.begin(vec![all_of(0)]);
        let both = [&asked, &out];
        let storage = if given.is_empty() { &both[1..] } else { &both[..] };
        let (parameters, work) = (&[given.len() as u32], Work::default());
        gpu.recorder.dispatch(&Dispatch { kernel, storage, parameters, batch: 0, grid: [1, 1, 1], work });
        let reading = gpu.recorder.send(&out, 4 * MOST)?;
        let mut found = Vec::new();
        let word = |bytes: &[u8; 16]| -> Word {
            std::array::from_fn(|i| u32::from_le_bytes(bytes[4 * i..][..4].try_into().expect("4 bytes")))
        };
        let take = |bytes: &[u8]| found.extend(bytes.as_chunks::<16>().0.iter().map(word));
        gpu.recorder.receive(reading, take).await?;
        Ok(found)
    }
}

/// Halves to be unpacked, and floats to be packed.
fn questions() -> Vec<([u16; 2], [f32; 2])> {
    vec![
        // Subnormal ones, and the normal ones beside them.
        ([0x0001, 0x8001], [1.0, -2.0]),
        ([0x03ff, 0x83ff], [6.1035156e-5, -6.097555e-5]),
        ([0x0400, 0x8400], [1e-6, -3e-6]),
        ([0x0200, 0x0155], [9e-8, 2.5e-7]),
        // Between two halves: nearer to the upper, as near to both, and nearer to the lower.
        ([0x3c00, 0xbc01], [1.0 + 0.75 / 1024.0, -1.0 - 0.75 / 1024.0]),
        ([0x7bff, 0xfbff], [1.0 + 0.5 / 1024.0, 1.0 + 1.5 / 1024.0]),
        ([0x3555, 0xb555], [1.0 / 3.0, -0.1]),
        ([0x0000, 0x8000], [65504.0, -2049.0]),
    ]
}
