//! Text generation: a prompt goes in by chunks, then tokens come out one by one.

use super::{CHUNK, Model, Session};
use crate::device::Device;
use crate::error::Result;
use crate::text::{Alternative, Sampler, Sampling, TextStream};
use serde::Serialize;

/// Why a generation is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Finish {
    /// The model chose an end token.
    End,
    /// A stop string came.
    Stop,
    /// As many tokens as were asked for, or the context is full.
    Length,
    Aborted,
}

/// One step's token, with the text that may be shown now.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    pub id: u32,
    pub text: String,
    /// Where log-probabilities were asked for.
    pub logprob: Option<f32>,
    pub alternatives: Vec<Alternative>,
}

/// What one step has done.
pub enum Step {
    /// A part of the prompt was read.
    Read,
    Token(Token),
    /// Nothing: the generation was over.
    Over,
}

/// A generation under way. The model and the session are handed to each step, so that the caller may
/// do something else in between.
pub struct Generation {
    prompt: Vec<u32>,
    /// Tokens of the prompt that the session's cache already had.
    cached: usize,
    sampler: Sampler,
    /// None where the checkpoint has no tokenizer: tokens then have no text.
    stream: Option<TextStream>,
    max_tokens: usize,
    /// Tokens that end the generation.
    ends: Vec<u32>,
    logits: Vec<f32>,
    tokens: Vec<u32>,
    text: String,
    finish: Option<Finish>,
}

impl Generation {
    /// Errors: invalid-argument for ids outside the vocabulary or an empty prompt, context-full.
    pub fn new<D: Device>(
        model: &Model<D>,
        session: &mut Session<D>,
        prompt: Vec<u32>,
        sampling: Sampling,
        stream: Option<TextStream>,
        ends: &[u32],
        seed: u64,
    ) -> Result<Self> {
        model.check_tokens(&prompt)?;
        // The last token's logits choose one more than the context holds.
        let room = model.context - prompt.len() + 1;
        Ok(Self {
            cached: session.rewind_to(&prompt),
            max_tokens: sampling.max_tokens.map_or(room, |max| max.min(room)),
            ends: if sampling.ignore_end { Vec::new() } else { ends.to_vec() },
            sampler: Sampler::new(sampling, model.spec.vocabulary, &prompt, seed),
            stream,
            logits: model.logits_buffer()?,
            prompt,
            tokens: Vec::new(),
            text: String::new(),
            finish: None,
        })
    }

    /// Reads one chunk of the prompt or makes one token.
    pub fn step<D: Device>(&mut self, model: &mut Model<D>, session: &mut Session<D>) -> Result<Step> {
        if self.finish.is_some() {
            return Ok(Step::Over);
        }
        let last = self.tokens.last().copied();
        let done = session.len().min(self.prompt.len());
        let new = match &last {
            Some(token) => std::slice::from_ref(token),
            None => &self.prompt[done..self.prompt.len().min(done + CHUNK)],
        };
        let rows = new.len();
        model.extend(session, new)?;
        if session.len() < self.prompt.len() {
            return Ok(Step::Read);
        }
        if self.max_tokens == 0 {
            self.finish = Some(Finish::Length);
            return Ok(Step::Read);
        }
        model.logits(rows - 1, &mut self.logits);
        self.choose().map(Step::Token)
    }

    fn choose(&mut self) -> Result<Token> {
        let sample = self.sampler.sample(&mut self.logits)?;
        self.sampler.accept(sample.id);
        self.tokens.push(sample.id);
        let mut text = self.stream.as_mut().map_or(String::new(), |stream| stream.push(sample.id));
        if self.stream.as_ref().is_some_and(TextStream::stopped) {
            self.finish = Some(Finish::Stop);
        } else if self.ends.contains(&sample.id) {
            self.finish = Some(Finish::End);
        } else if self.tokens.len() >= self.max_tokens {
            self.finish = Some(Finish::Length);
        }
        if self.finish.is_some_and(|finish| finish != Finish::Stop) {
            text += &self.held_back();
        }
        self.text += &text;
        Ok(Token { id: sample.id, text, logprob: sample.logprob, alternatives: sample.alternatives })
    }

    fn held_back(&mut self) -> String {
        self.stream.as_mut().map_or(String::new(), TextStream::finish)
    }

    /// Ends it before its time; what was made stays.
    pub fn abort(&mut self) {
        if self.finish.is_none() {
            self.finish = Some(Finish::Aborted);
            let held = self.held_back();
            self.text += &held;
        }
    }

    pub fn prompt_tokens(&self) -> usize {
        self.prompt.len()
    }

    pub fn cached_tokens(&self) -> usize {
        self.cached
    }

    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// None while it goes on.
    pub fn finish(&self) -> Option<Finish> {
        self.finish
    }
}
