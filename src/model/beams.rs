//! Beam search: of several texts that grow side by side, the likeliest for its length.
//!
//! As transformers does it without sampling: twice as many candidates as beams are looked at in each step, a text that
//! has ended waits with its score, sum of log-probabilities / tokens, and the search is over when no beam can beat the
//! worst of those that wait.

use super::across::Source;
use super::forward::{Across, Batch, forward};
use super::{HEAD_ROWS, Model};
use crate::device::{Device, Span, Tokens};
use crate::error::{Error, Result};

/// A search under way.
pub struct Beams<D: Device> {
    /// What the encoder reads first.
    source: Option<Vec<u32>>,
    across: Option<Source<D>>,
    /// What every text begins with.
    prompt: Vec<u32>,
    width: usize,
    max_tokens: usize,
    ends: Vec<u32>,
    /// Added to tokens' logits.
    bias: Vec<(u32, f32)>,
    beams: Vec<Beam>,
    /// The beams' keys and values, in their order, and those of no beam.
    caches: Vec<D::Cache>,
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

impl Beam {
    /// What texts of different lengths are compared by.
    fn normalised(&self) -> f32 {
        self.score / self.tokens.len().max(1) as f32
    }
}

/// A beam and the token that it may go on with.
struct Candidate {
    parent: usize,
    token: u32,
    score: f32,
}

impl<D: Device> Beams<D> {
    /// `prompt`: what the decoder begins with. Errors: invalid-argument, context-full, out-of-memory.
    pub fn new(
        model: &Model<D>,
        source: Vec<u32>,
        prompt: Vec<u32>,
        width: usize,
        max_tokens: Option<usize>,
        ends: &[u32],
        bias: Vec<(u32, f32)>,
    ) -> Result<Self> {
        if !(1..=HEAD_ROWS).contains(&width) {
            return Err(Error::invalid(format!("{width} beams, expected 1 to {HEAD_ROWS}")));
        }
        model.check_tokens(&prompt)?;
        model.check_source(&source)?;
        let room = model.room(prompt.len(), max_tokens);
        Ok(Self {
            source: Some(source),
            across: None,
            prompt,
            width,
            max_tokens: room,
            ends: ends.to_vec(),
            bias,
            beams: vec![Beam::default()],
            caches: (0..width).map(|_| model.new_cache()).collect(),
            finished: Vec::new(),
            logits: crate::error::try_vec(width * model.spec.vocabulary(), "logits")?,
            done: max_tokens == Some(0),
        })
    }

    /// Reads the source or makes one token of each beam. Returns whether there is more to do.
    pub async fn step(&mut self, model: &mut Model<D>) -> Result<bool> {
        if self.done {
            return Ok(false);
        }
        if let Some(source) = self.source.take() {
            self.across = Some(model.source(&source).await?);
            return Ok(true);
        }
        self.run(model).await?;
        let candidates = self.candidates(model.spec.vocabulary());
        let parents = self.choose(candidates);
        self.done |= self.beams.is_empty() || self.beams[0].tokens.len() >= self.max_tokens;
        if !self.done {
            self.move_caches(model, &parents).await?;
        }
        Ok(!self.done)
    }

    /// The tokens of the best text, and whether an end token ended it.
    pub fn best(&self) -> (Vec<u32>, bool) {
        let all = self.finished.iter().chain(&self.beams);
        let best = all.max_by(|a, b| a.normalised().total_cmp(&b.normalised()));
        best.map_or_else(Default::default, |beam| (beam.tokens.clone(), beam.ended))
    }

    /// The logits of every beam's next token, in `logits`.
    async fn run(&mut self, model: &mut Model<D>) -> Result<()> {
        let made = self.beams[0].tokens.len();
        let position = if made == 0 { 0 } else { self.prompt.len() + made - 1 };
        let last = |beam: &Beam| beam.tokens.last().map_or(self.prompt.clone(), |token| vec![*token]);
        let tokens: Vec<Vec<u32>> = self.beams.iter().map(last).collect();
        let len = tokens[0].len();
        let spans: Vec<Span> = (0..tokens.len()).map(|beam| Span::new(beam * len, len, position, beam)).collect();
        for cache in &mut self.caches[..tokens.len()] {
            // By doubling: every token would bring new memory.
            let room = (position + len).next_power_of_two().min(model.context).max(position + len);
            model.device.reserve(cache, room).await?;
        }
        let keys = self.across.as_ref().map_or(0, Source::keys);
        let across: Vec<Span> = spans.iter().map(|span| Span::across(span.row, span.len, keys, 0)).collect();
        let (tokens, rows) = (tokens.concat(), spans.iter().map(|span| span.row + len - 1).collect::<Vec<_>>());
        let Model { device, spec, weights, scratch, .. } = model;
        let mut batch = Batch::new(Tokens::Known(&tokens), &spans, &mut self.caches);
        batch.rows.across = self.across.as_ref().map(|source| Across { spans: &across, ..source.across(&[]) });
        forward(device, spec, weights, scratch, &mut batch, &mut |_, _, _, _, _| Ok(()))?;
        let len = rows.len() * model.spec.vocabulary();
        model.logits_of(&rows, &mut self.logits[..len]).await
    }

    /// The likeliest ways to go on, the best first.
    fn candidates(&mut self, vocabulary: usize) -> Vec<Candidate> {
        let mut all: Vec<Candidate> = Vec::new();
        for (parent, beam) in self.beams.iter().enumerate() {
            let logits = &mut self.logits[parent * vocabulary..][..vocabulary];
            for (token, bias) in &self.bias {
                logits[*token as usize] += bias;
            }
            let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let total = logits.iter().map(|logit| (logit - largest).exp()).sum::<f32>().ln() + largest;
            let mut order: Vec<u32> = (0..vocabulary as u32).collect();
            let most = (2 * self.width).min(vocabulary);
            let better = |a: &u32, b: &u32| logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b));
            order.select_nth_unstable_by(most - 1, better);
            let candidate =
                |token: u32| Candidate { parent, token, score: beam.score + logits[token as usize] - total };
            all.extend(order[..most].iter().copied().map(candidate));
        }
        all.sort_by(|a, b| b.score.total_cmp(&a.score).then((a.parent, a.token).cmp(&(b.parent, b.token))));
        all.truncate(2 * self.width);
        all
    }

    /// Goes on with the best candidates; those that end wait. Returns the beams that the new ones come from.
    fn choose(&mut self, candidates: Vec<Candidate>) -> Vec<usize> {
        let (mut next, mut parents): (Vec<Beam>, Vec<usize>) = (Vec::new(), Vec::new());
        for (rank, Candidate { parent, token, score }) in candidates.into_iter().enumerate() {
            let mut tokens = self.beams[parent].tokens.clone();
            tokens.push(token);
            if self.ends.contains(&token) {
                // One that only the wider look brought has worse ones of its kind before it.
                if rank < self.width {
                    self.finished.push(Beam { tokens, score, ended: true });
                }
            } else if next.len() < self.width {
                next.push(Beam { tokens, score, ended: false });
                parents.push(parent);
            }
        }
        self.finished.sort_by(|a, b| b.normalised().total_cmp(&a.normalised()));
        self.finished.truncate(self.width);
        self.beams = next;
        if let (true, Some(worst), Some(best)) =
            (self.finished.len() == self.width, self.finished.last(), self.beams.first())
        {
            self.done = worst.normalised() >= best.normalised();
        }
        if self.done {
            self.beams.clear();
        }
        parents
    }

    /// Brings the caches into the order of the new beams: the first that goes on from one takes its cache, others copy it.
    async fn move_caches(&mut self, model: &mut Model<D>, parents: &[usize]) -> Result<()> {
        let positions = self.prompt.len() + self.beams[0].tokens.len() - 1;
        let mut old: Vec<Option<D::Cache>> = std::mem::take(&mut self.caches).into_iter().map(Some).collect();
        let mut places: Vec<Option<usize>> = vec![None; old.len()];
        for (place, parent) in parents.iter().enumerate() {
            let cache = match places[*parent] {
                None => {
                    places[*parent] = Some(place);
                    old[*parent].take()
                }
                Some(first) => {
                    let free = (0..old.len()).find(|at| old[*at].is_some() && !parents.contains(at));
                    let mut cache = free.and_then(|at| old[at].take()).unwrap_or_else(|| model.new_cache());
                    model.device.copy_cache(&self.caches[first], positions, &mut cache).await?;
                    Some(cache)
                }
            };
            self.caches.extend(cache);
        }
        self.caches.extend(old.into_iter().flatten());
        Ok(())
    }
}
