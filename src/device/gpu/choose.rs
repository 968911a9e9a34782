//! Choosing tokens where their logits are.

use super::Gpu;
use super::buffer::Buffer;
use super::chooser::{Chooser, LOWEST, top_k, truncates};
use super::kernels::{Kernel, Shader};
use super::profile::Work;
use super::recorder::{Dispatch, Reading};
use crate::device::{Following, MOST_CHOICES};
use crate::error::Result;

/// In place of a token: a logit was no number.
const BAD: u32 = u32::MAX;

impl Gpu {
    /// From as many rows of the logits as tokens follow at the end of a span of the batch.
    pub(super) fn choose_tokens(
        &mut self,
        logits: &Buffer,
        Following { rows, span, gone }: Following,
        chooser: &mut Chooser,
    ) -> Result<Reading> {
        let count = rows.len();
        assert!((1..=MOST_CHOICES).contains(&count), "{count} tokens at a time");
        for (at, row) in rows.enumerate() {
            let told = self.recorder.told_before(1 + span, count - 1 - at);
            self.choose_token(logits, row, [told, at, gone], chooser);
        }
        self.recorder.send(&chooser.token, count)
    }

    /// From row `row` of the logits. `told`: where the token will stand, `at`: its place among those of one sequence, which has
    /// lost `gone` tokens.
    fn choose_token(&mut self, logits: &Buffer, row: usize, [told, at, gone]: [usize; 3], chooser: &mut Chooser) {
        let made = chooser.chosen;
        chooser.chosen += 1;
        let Chooser { choosing, seen, biases, allowed, partial, masses, words, drawn, truncation, token, .. } = chooser;
        let vocabulary = choosing.vocabulary as u32;
        let first = row as u32 * vocabulary;
        let runs = vocabulary.div_ceil(Shader::Penalise.constant("RUN"));
        let mut step = |shader, storage: &[&Buffer], parameters: &[u32], groups: u32, values: u32| {
            let (kernel, grid) = (Kernel::new(shader), [groups as usize, 1, 1]);
            let work = Work::moving(4 * values as usize);
            self.recorder.dispatch(&Dispatch { kernel, storage, parameters, batch: told, grid, work });
        };
        let (top_k, top_p) = (top_k(choosing) as u32, choosing.top_p.to_bits());
        let weighs = u32::from(truncates(choosing) && top_k == 0);
        let penalties = [choosing.repetition_penalty, choosing.presence_penalty, choosing.frequency_penalty];
        let [repetition, presence, frequency] = penalties.map(f32::to_bits);
        let bias = biases.iter().rev().find(|(from, _)| *from <= made).and_then(|(_, bias)| bias.as_ref());
        let bias = bias.unwrap_or(&self.nothing[2]);
        let restricts = u32::from(allowed.is_some());
        let allowed = allowed.as_ref().unwrap_or(&self.nothing[2]);
        let parameters = [vocabulary, first, repetition, presence, frequency, weighs, runs, restricts];
        step(Shader::Penalise, &[logits, seen, bias, partial, masses, allowed], &parameters, runs, 3 * vocabulary);
        let mut best = &*partial;
        if choosing.scale > 0.0 {
            if truncates(choosing) {
                let parameters = [vocabulary, first, runs, top_k, top_p];
                step(Shader::Weigh, &[logits, partial, masses, words], &parameters, runs, vocabulary);
                step(Shader::Gather, &[logits, partial, words], &parameters, runs, vocabulary);
                // What was put aside is mostly next to nothing.
                step(Shader::Truncate, &[partial, words, truncation], &parameters[2..], 1, 2 * runs);
            }
            let seed = [choosing.seed as u32, (choosing.seed >> 32) as u32];
            let min_p = choosing.min_p.ln().max(LOWEST).to_bits();
            let parameters = [vocabulary, runs, seed[0], seed[1], choosing.scale.to_bits(), first, min_p, gone as u32];
            step(Shader::Draw, &[logits, partial, truncation, drawn], &parameters, runs, vocabulary);
            best = drawn;
        }
        step(Shader::Choose, &[best, seen, token], &[runs, at as u32], 1, 2 * runs);
    }

    pub(super) async fn chosen_tokens(&mut self, reading: Reading) -> Result<Vec<Option<u32>>> {
        let mut ids = Vec::new();
        let take = |bytes: &[u8]| ids.extend(bytes.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)));
        let received = self.recorder.receive(reading, take).await;
        self.whole(received)?;
        Ok(ids.into_iter().map(|id| (id != BAD).then_some(id)).collect())
    }
}
