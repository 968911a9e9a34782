//! Beam search: of several texts that grow side by side, the likeliest for its length.
//!
//! As transformers does it without sampling: twice as many candidates as beams are looked at in each step (more where
//! there are several end tokens), a text that has ended waits with its score, sum of log-probabilities / tokens to the
//! power of the length penalty, and the search is over when no beam can beat the worst of those that wait. Bias, penalties
//! and rules change the log-probabilities, not the logits: beams are compared by them.

use super::decoder::{HEAD_ROWS, Model};
use super::decoder_rows::DecoderRows;
use super::encoder_states::EncoderStates;
use super::forward::forward;
use crate::device::{Device, Table, TokenIds};
use crate::error::{Error, Result};
use crate::text::{Counts, EarlyStopping, Sampling, check_logits};

/// A search under way.
pub struct Beams {
    /// What the encoder reads first.
    source: Option<Vec<u32>>,
    across: Option<EncoderStates>,
    /// What every text begins with.
    prompt: Vec<u32>,
    sampling: Sampling,
    max_tokens: usize,
    ends: Vec<u32>,
    beams: Vec<Beam>,
    /// Where the beams are kept, in their order. What they have in common they share.
    tables: Vec<Table>,
    finished: Vec<Beam>,
    logits: Vec<f32>,
    done: bool,
}

/// A text on its way.
#[derive(Clone, Debug, Default)]
struct Beam {
    tokens: Vec<u32>,
    /// The sum of its tokens' log-probabilities.
    score: f32,
    /// It ended by an end token.
    ended: bool,
}

/// log(softmax(logits)); where none is finite they stay as they are.
fn to_log_probabilities(logits: &mut [f32]) {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if largest > f32::NEG_INFINITY {
        let total = logits.iter().map(|logit| (logit - largest).exp()).sum::<f32>().ln() + largest;
        logits.iter_mut().for_each(|logit| *logit -= total);
    }
}

/// A beam and the token that it may go on with.
struct Candidate {
    parent: usize,
    token: u32,
    score: f32,
}

impl Beams {
    /// `prompt`: what the decoder begins with. Errors: invalid-argument, context-full, out-of-memory.
    pub fn new<D: Device>(
        model: &Model<D>,
        source: Vec<u32>,
        prompt: Vec<u32>,
        sampling: Sampling,
        ends: &[u32],
    ) -> Result<Self> {
        let width = sampling.beams;
        if !(1..=HEAD_ROWS).contains(&width) {
            return Err(Error::invalid(format!("{width} beams, expected 1 to {HEAD_ROWS}")));
        }
        model.check_tokens(&prompt)?;
        model.check_source(&source)?;
        Ok(Self {
            source: Some(source),
            across: None,
            max_tokens: model.room(prompt.len(), sampling.max_tokens),
            prompt,
            ends: if sampling.ignore_end { Vec::new() } else { ends.to_vec() },
            beams: vec![Beam::default()],
            tables: vec![Table::default()],
            finished: Vec::new(),
            logits: crate::error::try_vec(width * model.spec.vocabulary(), "logits")?,
            done: sampling.max_tokens == Some(0),
            sampling,
        })
    }

    /// Reads the source or makes one token of each beam. Returns whether there is more to do.
    pub async fn step<D: Device>(&mut self, model: &mut Model<D>) -> Result<bool> {
        if self.done {
            return Ok(false);
        }
        if let Some(source) = self.source.take() {
            self.across = Some(model.source(&source).await?);
            return Ok(true);
        }
        self.run(model).await?;
        let candidates = self.candidates(model.spec.vocabulary())?;
        let parents = self.choose(candidates);
        self.done |= self.beams.is_empty() || self.beams[0].tokens.len() >= self.max_tokens;
        if !self.done {
            self.tables = parents.iter().map(|parent| self.tables[*parent].clone()).collect();
        }
        Ok(!self.done)
    }

    /// The tokens of the best text, and whether an end token of its own choice ended it.
    pub fn best(&self) -> (Vec<u32>, bool) {
        let all = self.finished.iter().chain(&self.beams);
        let best = all.max_by(|a, b| self.normalised(a).total_cmp(&self.normalised(b)));
        best.map_or_else(Default::default, |beam| {
            let forced = self.sampling.rules.forced.is_some_and(|(after, _)| after + 1 == beam.tokens.len());
            (beam.tokens.clone(), beam.ended && !forced)
        })
    }

    /// What texts of different lengths are compared by.
    fn normalised(&self, beam: &Beam) -> f32 {
        self.normalised_at(beam.score, beam.tokens.len())
    }

    /// What has to be said first counts as said.
    fn normalised_at(&self, score: f32, tokens: usize) -> f32 {
        let length = (tokens + self.prompt.len() - 1).max(1) as f32;
        score / length.powf(self.sampling.length_penalty)
    }

    /// The logits of every beam's next token, in `logits`.
    async fn run<D: Device>(&mut self, model: &mut Model<D>) -> Result<()> {
        let made = self.beams[0].tokens.len();
        let position = if made == 0 { 0 } else { self.prompt.len() + made - 1 };
        let last = |beam: &Beam| beam.tokens.last().map_or(self.prompt.clone(), |token| vec![*token]);
        let tokens: Vec<Vec<u32>> = self.beams.iter().map(last).collect();
        let end = position + tokens[0].len();
        let Model { device, spec, weights, scratch, pool, sources, context, .. } = model;
        let mut sequences: Vec<_> = self.tables.iter_mut().map(|table| (table, position..end)).collect();
        pool.reserve_all(device, &mut sequences, *context).await?;
        let mut rows = DecoderRows::default();
        self.tables.iter().for_each(|table| rows.push(position..end, end, table, self.across.as_ref()));
        let last: Vec<usize> = (1..=tokens.len()).map(|beams| beams * (end - position) - 1).collect();
        let tokens = tokens.concat();
        let mut batch = rows.batch(TokenIds::Known(&tokens), &mut pool.state, &sources.state, None);
        forward(device, spec, weights, scratch, &mut batch)?;
        let len = last.len() * model.spec.vocabulary();
        model.logits_of(&last, &mut self.logits[..len]).await
    }

    /// The likeliest ways to go on, the best first. Error: internal for logits that are no numbers.
    fn candidates(&mut self, vocabulary: usize) -> Result<Vec<Candidate>> {
        let most = self.sampling.beams * (1 + self.ends.len()).max(2);
        let mut all: Vec<Candidate> = Vec::new();
        let mut order: Vec<u32> = Vec::new();
        for (parent, beam) in self.beams.iter().enumerate() {
            let logits = &mut self.logits[parent * vocabulary..][..vocabulary];
            check_logits(logits)?;
            to_log_probabilities(logits);
            let (mut sequence, mut counts) = (self.prompt.clone(), Counts::new(&self.prompt));
            sequence.extend(&beam.tokens);
            beam.tokens.iter().for_each(|token| counts.add(*token));
            self.sampling.shape(&counts, &sequence, beam.tokens.len(), logits);
            if self.sampling.renormalise {
                to_log_probabilities(logits);
            }
            order.clear();
            order.extend((0..).zip(&*logits).filter(|(_, logit)| **logit > f32::NEG_INFINITY).map(|(token, _)| token));
            let better = |a: &u32, b: &u32| logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b));
            if most < order.len() {
                order.select_nth_unstable_by(most - 1, better);
                order.truncate(most);
            }
            let candidate = |&token: &u32| Candidate { parent, token, score: beam.score + logits[token as usize] };
            all.extend(order.iter().map(candidate));
        }
        all.sort_by(|a, b| b.score.total_cmp(&a.score).then((a.parent, a.token).cmp(&(b.parent, b.token))));
        all.truncate(most);
        Ok(all)
    }

    /// Goes on with the best candidates; those that end wait. Returns the beams that the new ones come from.
    fn choose(&mut self, candidates: Vec<Candidate>) -> Vec<usize> {
        let width = self.sampling.beams;
        let (mut next, mut parents): (Vec<Beam>, Vec<usize>) = (Vec::new(), Vec::new());
        for (rank, Candidate { parent, token, score }) in candidates.into_iter().enumerate() {
            let mut tokens = self.beams[parent].tokens.clone();
            tokens.push(token);
            if self.ends.contains(&token) {
                // One that only the wider look brought has worse ones of its kind before it.
                if rank < width {
                    self.finished.push(Beam { tokens, score, ended: true });
                }
            } else if next.len() < width {
                next.push(Beam { tokens, score, ended: false });
                parents.push(parent);
            }
        }
        let mut finished = std::mem::take(&mut self.finished);
        finished.sort_by(|a, b| self.normalised(b).total_cmp(&self.normalised(a)));
        finished.truncate(width);
        self.finished = finished;
        if next.is_empty() && self.finished.is_empty() {
            // Whatever could come is forbidden.
            self.done = true;
            return parents;
        }
        self.beams = next;
        self.done |= self.is_over();
        if self.done {
            self.beams.clear();
        }
        parents
    }

    /// Whether there are as many texts as beams, and nothing better is to come.
    fn is_over(&self) -> bool {
        let (Some(worst), Some(best)) = (self.finished.last(), self.beams.first()) else { return false };
        if self.finished.len() < self.sampling.beams {
            return false;
        }
        let longest = self.sampling.early_stopping == EarlyStopping::Never && self.sampling.length_penalty > 0.0;
        let length = if longest { self.max_tokens } else { best.tokens.len() };
        self.sampling.early_stopping == EarlyStopping::Full
            || self.normalised(worst) >= self.normalised_at(best.score, length)
    }
}
