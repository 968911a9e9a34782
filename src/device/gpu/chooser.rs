//! What the choice of one generation's tokens goes by.

use super::buffer::{Buffer, Memory};
use super::kernels::Shader;
use crate::device::{Choosing, MOST_CHOICES};
use crate::error::Result;

/// What stays on the GPU between the steps of one generation.
pub struct Chooser {
    pub choosing: Choosing,
    /// [vocabulary]: how often each token was chosen; the top bit: it was seen at all.
    pub seen: Buffer,
    /// [vocabulary] or nothing, each from so many chosen tokens on.
    pub biases: Vec<(usize, Option<Buffer>)>,
    /// A bit a token: whether it may be chosen next. None before anybody says so.
    pub allowed: Option<Buffer>,
    /// Tokens chosen so far.
    pub chosen: usize,
    /// The best of each run of tokens, by its logit.
    pub partial: Buffer,
    /// What a run's logits weigh.
    pub masses: Buffer,
    /// What `shaders/weights.wgsl` says, where top-k or top-p truncate: zeros between tokens.
    pub words: Buffer,
    /// The best of each run by its score, where tokens are drawn.
    pub drawn: Buffer,
    /// The least logit that may be drawn.
    pub truncation: Buffer,
    /// [MOST_CHOICES]: the tokens that were chosen last.
    pub token: Buffer,
}

const SEEN: u32 = 1 << 31;
/// Less than any logit, as the shaders have it.
pub const LOWEST: f32 = -3.0e38;

/// Words between the bins and what was put aside.
const HEADER: usize = 4;

/// How many of the best are left; 0: all.
pub fn top_k(choosing: &Choosing) -> usize {
    if choosing.top_k < choosing.vocabulary { choosing.top_k } else { 0 }
}

/// Whether the least logit that is left has to be looked for.
pub fn truncates(choosing: &Choosing) -> bool {
    choosing.scale > 0.0 && (top_k(choosing) > 0 || choosing.top_p < 1.0)
}

impl Chooser {
    pub fn new(memory: &mut Memory, choosing: &Choosing) -> Result<Self> {
        let vocabulary = choosing.vocabulary;
        let runs = vocabulary.div_ceil(Shader::Penalise.constant("RUN") as usize);
        let seen = memory.storage("tokens seen", vocabulary)?;
        let mut flags = vec![0; vocabulary];
        choosing.prompt.iter().for_each(|token| flags[*token as usize] = SEEN);
        memory.write(&seen, &flags);
        let mut biases = Vec::new();
        for (from, bias) in &choosing.biases {
            biases.push((*from, (!bias.is_empty()).then(|| bias_of(memory, vocabulary, bias)).transpose()?));
        }
        let words = if truncates(choosing) { Shader::Weigh.constant("BINS") as usize + HEADER + vocabulary } else { 0 };
        let truncation = memory.storage("truncation", 4)?;
        memory.write(&truncation, &[LOWEST]);
        Ok(Self {
            choosing: choosing.clone(),
            seen,
            biases,
            allowed: None,
            chosen: 0,
            partial: memory.storage("partial choices", 2 * runs)?,
            masses: memory.storage("masses of runs", runs)?,
            words: memory.storage("weights of logits", words)?,
            drawn: memory.storage("partial draws", 2 * runs)?,
            truncation,
            token: memory.storage("tokens chosen", MOST_CHOICES)?,
        })
    }

    /// Only these may be chosen next. The last token has been chosen: what it was chosen by is written over.
    pub fn restrict(&mut self, memory: &mut Memory, allowed: &[u32]) -> Result<()> {
        let words = self.choosing.vocabulary.div_ceil(32);
        let buffer = match self.allowed.take() {
            Some(buffer) => buffer,
            None => memory.storage("tokens allowed", words)?,
        };
        memory.write(&buffer, &allowed[..words]);
        self.allowed = Some(buffer);
        Ok(())
    }
}

/// [vocabulary]: what is added to each token's logit.
fn bias_of(memory: &mut Memory, vocabulary: usize, bias: &[(u32, f32)]) -> Result<Buffer> {
    let mut values = vec![0.0f32; vocabulary];
    for (token, bias) in bias {
        let value = &mut values[*token as usize];
        *value = (*value + bias).max(LOWEST);
    }
    let buffer = memory.storage("logit bias", vocabulary)?;
    memory.write(&buffer, &values);
    Ok(buffer)
}
