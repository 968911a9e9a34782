//! Choosing tokens where their logits are.

use super::Gpu;
use super::buffer::Buffer;
use super::kernels::{Kernel, Shader};
use super::profile::Work;
use super::recorder::{Dispatch, Reading};
use crate::device::Choosing;
use crate::error::{Code, Error, Result};

/// What stays on the GPU between the steps of one generation.
pub struct Chooser {
    choosing: Choosing,
    /// [vocabulary]: how often each token was chosen; the top bit: it was seen at all.
    seen: Buffer,
    /// [vocabulary], or empty.
    bias: Option<Buffer>,
    /// The best of each run of tokens.
    partial: Buffer,
    /// The least logit that may be drawn, and the best one.
    truncation: Buffer,
    /// The token that was chosen last.
    pub token: Buffer,
}

/// In place of a token: a logit was no number.
const BAD: u32 = u32::MAX;
const SEEN: u32 = 1 << 31;
/// Less than any logit, as the shaders have it.
const LOWEST: f32 = -3.0e38;

impl Gpu {
    pub(super) fn new_chooser(&mut self, choosing: &Choosing) -> Result<Chooser> {
        let vocabulary = choosing.vocabulary;
        let runs = vocabulary.div_ceil(Shader::Penalise.constant("RUN") as usize);
        let memory = &mut self.memory;
        let seen = memory.storage("tokens seen", vocabulary)?;
        let mut flags = vec![0; vocabulary];
        choosing.prompt.iter().for_each(|token| flags[*token as usize] = SEEN);
        memory.write(&seen, &flags);
        let bias = match choosing.bias.is_empty() {
            true => None,
            false => {
                let mut values = vec![0.0; vocabulary];
                for (token, bias) in &choosing.bias {
                    values[*token as usize] = bias.max(LOWEST);
                }
                let bias = memory.storage("logit bias", vocabulary)?;
                memory.write(&bias, &values);
                Some(bias)
            }
        };
        let truncation = memory.storage("truncation", 4)?;
        memory.write(&truncation, &[LOWEST, 0.0]);
        Ok(Chooser {
            choosing: choosing.clone(),
            seen,
            bias,
            partial: memory.storage("partial choices", 2 * runs)?,
            truncation,
            token: memory.storage("a token", 4)?,
        })
    }

    pub(super) fn choose_token(&mut self, logits: &Buffer, chooser: &Chooser) -> Result<Reading> {
        let Chooser { choosing, seen, bias, partial, truncation, token } = chooser;
        let vocabulary = choosing.vocabulary as u32;
        let run = Shader::Penalise.constant("RUN");
        let runs = vocabulary.div_ceil(run);
        let mut step = |shader, storage: &[&Buffer], parameters: &[u32], groups: u32, values: u32| {
            let (kernel, grid) = (Kernel::new(shader), [groups as usize, 1, 1]);
            let work = Work::moving(4 * values as usize);
            // The span's position makes each step's noise another one.
            self.recorder.dispatch(&Dispatch { kernel, storage, parameters, batch: 1, grid, work });
        };
        let penalties = [choosing.repetition_penalty, choosing.presence_penalty, choosing.frequency_penalty];
        let [repetition, presence, frequency] = penalties.map(f32::to_bits);
        let bias = bias.as_ref().unwrap_or(&self.nothing[2]);
        let parameters = [vocabulary, repetition, presence, frequency];
        step(Shader::Penalise, &[logits, seen, bias, partial], &parameters, runs, 3 * vocabulary);
        if choosing.temperature > 0.0 {
            let top_k = if choosing.top_k < vocabulary as usize { choosing.top_k as u32 } else { 0 };
            if top_k > 0 || choosing.top_p < 1.0 || choosing.min_p > 0.0 {
                let min_p = choosing.min_p.ln().max(LOWEST);
                let parameters = [vocabulary, runs, top_k, choosing.top_p.to_bits(), min_p.to_bits()];
                step(Shader::Truncate, &[logits, partial, truncation], &parameters, 1, vocabulary);
            }
            let seed = [choosing.seed as u32, (choosing.seed >> 32) as u32];
            let parameters = [vocabulary, choosing.temperature.to_bits(), seed[0], seed[1]];
            step(Shader::Draw, &[logits, truncation, partial], &parameters, runs, vocabulary);
        }
        step(Shader::Choose, &[partial, seen, token], &[runs], 1, 2 * runs);
        self.recorder.send(token, 1)
    }

    pub(super) async fn chosen_token(&mut self, reading: Reading) -> Result<u32> {
        let mut id = BAD;
        let take = |bytes: &[u8]| id = u32::from_le_bytes(bytes.try_into().expect("one word"));
        let received = self.recorder.receive(reading, take).await;
        self.whole(received)?;
        if id == BAD {
            return Err(Error::new(Code::Internal, "the model's logits are not all numbers"));
        }
        Ok(id)
    }
}
