//! Text generation: a prompt goes in by chunks, then tokens come out one by one.
//!
//! A device that chooses tokens itself gets several steps at once: each feeds on the one before without
//! the token leaving the device, and what comes back, late, is its id. Steps that were begun when the
//! end came are for nothing, and what they have put into the cache is written over.

use super::{Model, Session};
use crate::device::{Choosing, Device, Tokens};
use crate::error::Result;
use crate::text::{Alternative, Sample, Sampler, Sampling, TextStream, scale};
use serde::Serialize;
use std::collections::VecDeque;

/// Steps under way on a device that chooses tokens itself: enough to hide the way back of an id.
const AHEAD: usize = 3;
/// The same where ids come late, and several at a time: Firefox looks for them every 100 ms.
const MOST_AHEAD: usize = 16;

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
    /// All of them at once: a search is over.
    Tokens(Vec<Token>),
    /// Nothing: the generation was over.
    Over,
}

/// What a generation goes on from.
pub struct Asked {
    /// An encoder's text.
    pub source: Option<Vec<u32>>,
    pub prompt: Vec<u32>,
}

/// A generation under way. The model and the session are handed to each step, so that the caller may
/// do something else in between.
pub struct Generation<D: Device> {
    /// What an encoder has to read first.
    source: Option<Vec<u32>>,
    prompt: Vec<u32>,
    /// Of what was asked: the source where there is one.
    prompt_tokens: usize,
    /// Tokens of the prompt that the session's cache already had.
    cached: usize,
    sampler: Sampler,
    /// None where tokens are chosen here, from their logits.
    chooser: Option<D::Chooser>,
    /// After so many tokens this one comes: the text ends by its length.
    forced: Option<(usize, u32)>,
    /// Tokens chosen on the device, on their way here.
    coming: VecDeque<D::Reading>,
    /// How many there should be.
    ahead: usize,
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

impl<D: Device> Generation<D> {
    /// Errors: invalid-argument for ids outside the vocabulary or an empty prompt, context-full.
    pub fn new(
        model: &mut Model<D>,
        session: &mut Session<D>,
        Asked { source, prompt }: Asked,
        sampling: Sampling,
        stream: Option<TextStream>,
        ends: &[u32],
        seed: u64,
    ) -> Result<Self> {
        model.check_tokens(&prompt)?;
        if let Some(source) = &source {
            model.check_source(source)?;
        }
        let max_tokens = model.room(prompt.len(), sampling.max_tokens);
        let vocabulary = model.spec.vocabulary();
        // The device knows how much was said, and what, but not in which order.
        let here = sampling.logprobs.is_some() || sampling.rules.read_text();
        let chooser = match here {
            false => model.device.chooser(&choosing(&sampling, vocabulary, &prompt, seed))?,
            true => None,
        };
        Ok(Self {
            prompt_tokens: source.as_ref().map_or(prompt.len(), Vec::len),
            cached: session.rewind_to(&prompt),
            max_tokens,
            ends: if sampling.ignore_end { Vec::new() } else { ends.to_vec() },
            forced: sampling.rules.forced,
            sampler: Sampler::new(sampling, vocabulary, &prompt, seed),
            chooser,
            coming: VecDeque::new(),
            ahead: AHEAD,
            stream,
            logits: model.logits_buffer()?,
            source,
            prompt,
            tokens: Vec::new(),
            text: String::new(),
            finish: None,
        })
    }

    /// Reads one chunk of the prompt or makes one token. After an error the session has only what was computed before
    /// beyond doubt.
    pub async fn step(&mut self, model: &mut Model<D>, session: &mut Session<D>) -> Result<Step> {
        let step = self.try_step(model, session).await;
        if step.is_err() {
            session.forget_unsure();
        }
        step
    }

    async fn try_step(&mut self, model: &mut Model<D>, session: &mut Session<D>) -> Result<Step> {
        if self.finish.is_some() {
            return Ok(Step::Over);
        }
        if let Some(source) = self.source.take() {
            model.read_source(session, &source).await?;
            return Ok(Step::Read);
        }
        if self.tokens.is_empty() && self.coming.is_empty() {
            let done = session.len();
            let chunk = &self.prompt[done..self.prompt.len().min(done + D::CHUNK)];
            model.extend(session, chunk).await?;
            if session.len() < self.prompt.len() {
                return Ok(Step::Read);
            }
            if self.max_tokens == 0 {
                // Nothing comes back that would say how it went.
                let reading = model.device.send(&model.logits, 1)?;
                model.device.receive(reading, &mut self.logits[..1]).await?;
                session.settled();
                self.finish = Some(Finish::Length);
                return Ok(Step::Read);
            }
            model.head_of(chunk.len() - 1);
        }
        let forced = self.forced.filter(|(after, _)| *after == self.tokens.len());
        if let (Some((_, id)), Some(_)) = (forced, &self.chooser) {
            return Ok(Step::Token(self.take(Sample { id, logprob: None, alternatives: Vec::new() })));
        }
        if self.chooser.is_none() && !self.tokens.is_empty() {
            let last = self.tokens[self.tokens.len() - 1];
            model.extend(session, &[last]).await?;
            model.head_of(0);
        }
        let id = match self.chooser {
            Some(_) => self.next_chosen(model, session).await?,
            None => {
                let reading = model.device.send(&model.logits, self.logits.len())?;
                model.device.receive(reading, &mut self.logits).await?;
                session.settled();
                let sample = self.sampler.sample(&mut self.logits)?;
                self.sampler.accept(sample.id);
                return Ok(Step::Token(self.take(sample)));
            }
        };
        Ok(Step::Token(self.take(Sample { id, logprob: None, alternatives: Vec::new() })))
    }

    /// The next token that the device has chosen; meanwhile it goes on with those after it.
    async fn next_chosen(&mut self, model: &mut Model<D>, session: &mut Session<D>) -> Result<u32> {
        let chooser = self.chooser.as_mut().expect("the caller has looked");
        if self.tokens.is_empty() && self.coming.is_empty() {
            self.coming.push_back(model.device.choose(&mut model.logits, chooser)?);
        }
        let most = self.forced.map_or(self.max_tokens, |(after, _)| self.max_tokens.min(after));
        while self.coming.len() < self.ahead && self.tokens.len() + self.coming.len() < most {
            let position = self.prompt.len() + self.tokens.len() + self.coming.len() - 1;
            model.reserve(session, position..position + 1).await?;
            model.run(session, position, 1, Tokens::Chosen(chooser))?;
            model.head_of(0);
            self.coming.push_back(model.device.choose(&mut model.logits, chooser)?);
        }
        let reading = self.coming.pop_front().expect("one is always under way");
        let device = &mut model.device;
        let waited = !device.has_come(&reading);
        let id = device.chosen(reading).await?;
        // The device had nothing left to do, and nobody knew.
        if waited && self.coming.len() + 1 == self.ahead && self.coming.iter().all(|reading| device.has_come(reading)) {
            self.ahead = (2 * self.ahead).min(MOST_AHEAD);
        }
        session.begin(self.tokens.last().map_or(&[], std::slice::from_ref));
        session.settled();
        Ok(id)
    }

    fn take(&mut self, sample: Sample) -> Token {
        self.tokens.push(sample.id);
        let mut text = self.stream.as_mut().map_or(String::new(), |stream| stream.push(sample.id));
        if self.stream.as_ref().is_some_and(TextStream::stopped) {
            self.finish = Some(Finish::Stop);
        } else if self.ends.contains(&sample.id) && !self.is_forced() {
            self.finish = Some(Finish::End);
        } else if self.tokens.len() >= self.max_tokens {
            self.finish = Some(Finish::Length);
        }
        if self.finish.is_some_and(|finish| finish != Finish::Stop) {
            text += &self.held_back();
        }
        self.text += &text;
        Token { id: sample.id, text, logprob: sample.logprob, alternatives: sample.alternatives }
    }

    /// Whether the last token was not the model's choice.
    fn is_forced(&self) -> bool {
        self.forced.is_some_and(|(after, _)| after + 1 == self.tokens.len())
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
        self.prompt_tokens
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

/// What a device is told of how tokens are chosen. `seed`: where the caller gave none.
pub fn choosing(sampling: &Sampling, vocabulary: usize, prompt: &[u32], seed: u64) -> Choosing {
    let bias = |made: &usize| {
        let banned = sampling.rules.banned_after(*made).map(|token| (token, f32::NEG_INFINITY));
        (*made, sampling.logit_bias.iter().copied().chain(banned).collect())
    };
    Choosing {
        vocabulary,
        scale: if sampling.temperature > 0.0 { scale(sampling.temperature) } else { 0.0 },
        top_k: sampling.top_k,
        top_p: sampling.top_p,
        min_p: sampling.min_p,
        repetition_penalty: sampling.repetition_penalty,
        presence_penalty: sampling.presence_penalty,
        frequency_penalty: sampling.frequency_penalty,
        biases: sampling.rules.changes().iter().map(bias).collect(),
        seed: sampling.seed.unwrap_or(seed),
        prompt: prompt.to_vec(),
    }
}
