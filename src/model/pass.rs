//! One pass of several generations' rows through a model, and what comes back of them.

use super::decoder::Model;
use super::decoder_rows::DecoderRows;
use super::forward::{forward, head};
use super::generation::{Answer, Came, Generation, Want};
use super::home::Home;
use super::lora::Lora;
use super::session::Session;
use crate::device::{Device, Following, TokenIds};
use crate::error::{Code, Error, Result, try_vec};
use crate::text::SharedConstraint;
use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;

/// What a generation has on the device.
pub struct Held<D: Device> {
    pub session: Session,
    pub home: Home,
    /// None where tokens are chosen here, from their logits.
    pub chooser: Option<D::Chooser>,
    /// Tokens chosen on the device, on their way here, and the passes that they are of.
    pub coming: VecDeque<(u64, D::Reading)>,
    /// The token that came last.
    pub last: Option<u32>,
    /// What is added to the weights.
    pub lora: Option<Rc<Lora<D>>>,
    /// Drafts are on their way into the cache, behind so many tokens.
    pub drafted: Option<usize>,
}

impl<D: Device> Held<D> {
    /// Only these may be chosen next. Error: out-of-memory.
    fn restrict(&mut self, device: &mut D, allowed: &[u32]) -> Result<()> {
        self.chooser.as_mut().map_or(Ok(()), |chooser| device.restrict(chooser, allowed))
    }

    /// What has come of drafts has been taken: those that were not kept are forgotten.
    pub fn forget_drafts(&mut self, generation: &Generation) {
        if self.coming.is_empty() && self.drafted.take().is_some() {
            self.session.truncate(generation.settled());
        }
    }

    /// It is over: the sequence goes home.
    pub fn leave(mut self, failed: bool) {
        if failed {
            self.session.forget_unsure();
        }
        if let Some(known) = self.drafted {
            self.session.truncate(known);
        }
        self.home.put(self.session);
    }
}

/// A generation's part of a pass.
pub struct Entry<D: Device> {
    pub id: u64,
    pub held: Held<D>,
    pub wanted: Option<PassRequest>,
    pub came: Vec<Arrived>,
    pub failure: Option<Error>,
}

/// What a pass is to compute for a generation.
pub enum PassRequest {
    Source(Vec<u32>),
    Rows {
        /// Any where the device has chosen it.
        tokens: Vec<u32>,
        chosen: bool,
        position: usize,
        /// Tokens that the sequence is known to have.
        length: usize,
        /// Tokens that it has lost: a draw counts them still.
        gone: usize,
        answer: Option<Answer>,
        /// Rows that the answer is to: the last ones.
        answered: usize,
        /// What the token that the device is to choose has to be allowed by.
        constraint: Option<SharedConstraint>,
    },
}

impl PassRequest {
    /// What a generation wants, as far as `rows` go; it is begun.
    pub fn of(generation: &mut Generation, rows: usize) -> Self {
        let (constraint, gone) = (generation.constraint().cloned(), generation.gone());
        let wanted = match generation.wants() {
            Want::Source(source) => Self::Source(source.to_vec()),
            Want::Prompt { tokens, position, answer } => {
                let (answer, length) = ((rows == tokens.len()).then_some(answer), position + tokens.len());
                let (tokens, chosen) = (tokens[..rows].to_vec(), false);
                Self::Rows { tokens, chosen, position, length, gone, answer, answered: 1, constraint }
            }
            Want::Step { token, drafts, position, answer } => {
                let (length, chosen, answer) = (position + rows, token.is_none(), Some(answer));
                let tokens = token.or(Some(0)).into_iter().chain(drafts[..rows - 1].iter().copied()).collect();
                Self::Rows { tokens, chosen, position, length, gone, answer, answered: rows, constraint }
            }
            Want::Waiting | Want::Nothing => unreachable!("a share is only of what is wanted"),
        };
        generation.begin(rows);
        wanted
    }
}

/// What has come for a generation.
pub enum Arrived {
    Computed,
    /// Where they lie in the pass's logits.
    Logits(Range<usize>),
    Chosen {
        id: u32,
        starved: bool,
    },
    /// Of so many rows: see [`Came::ChosenEach`].
    ChosenEach(Vec<u32>, usize),
}

impl Arrived {
    pub fn of(self, logits: &mut [f32]) -> Came<'_> {
        match self {
            Self::Computed => Came::Computed,
            Self::Logits(range) => Came::Logits(&mut logits[range]),
            Self::Chosen { id, starved } => Came::Chosen { id, starved },
            Self::ChosenEach(ids, _) => Came::ChosenEach(ids),
        }
    }
}

/// Rows of several generations on their way through a model.
pub struct Pass<D: Device> {
    pub(super) number: u64,
    pub(super) entries: Vec<Entry<D>>,
    pub(super) logits: Vec<f32>,
    /// Rows that the next one may have: known when this one comes back.
    pub(super) chunk: usize,
    /// When it ran: see [`Device::now`].
    pub(super) times: Range<f64>,
}

impl<D: Device> Pass<D> {
    /// Computes what is wanted, or waits for the oldest answer where nothing is.
    pub async fn run(mut self, model: &mut Model<D>) -> Self {
        self.times.start = model.device.now();
        if let Err(error) = self.try_run(model).await {
            // The device says once what went wrong: whatever anybody of these has under way may never come.
            self.entries.iter_mut().for_each(|entry| entry.fail(error.clone()));
        }
        self.chunk = model.chunk();
        self.times.end = model.device.now();
        self
    }

    async fn try_run(&mut self, model: &mut Model<D>) -> Result<()> {
        let wanted = self.entries.iter().filter(|entry| entry.wanted.is_some()).count();
        // The device is given all steps that are wanted ahead before anybody listens: else it would have but one at a time.
        let is_ahead = wanted > 0 && wanted == self.entries.iter().filter(|entry| entry.is_chosen()).count();
        for entry in &mut self.entries {
            match entry.prepare(model).await {
                // No room for one is its own affair.
                Err(error) if error.code == Code::OutOfMemory => entry.fail(error),
                prepared => prepared?,
            }
        }
        self.compute(model).await?;
        if is_ahead { Ok(()) } else { self.hear(&mut model.device, wanted == 0).await }
    }

    /// Those whose rows go through the model.
    fn computing(&mut self) -> impl Iterator<Item = &mut Entry<D>> {
        let computes =
            |entry: &&mut Entry<D>| matches!(entry.wanted, Some(PassRequest::Rows { .. })) && entry.failure.is_none();
        self.entries.iter_mut().filter(computes)
    }

    /// All rows in one pass, and what is to be made of their logits.
    async fn compute(&mut self, model: &mut Model<D>) -> Result<()> {
        let number = self.number;
        let mut logits = std::mem::take(&mut self.logits);
        let mut batch: Vec<&mut Entry<D>> = self.computing().collect();
        if batch.is_empty() {
            self.logits = logits;
            return Ok(());
        }
        // All of a pass have the same: see [`Scheduler::plan`](super::Scheduler::plan).
        model.lora = batch[0].held.lora.clone();
        run_together(model, &batch)?;
        if batch.iter().any(|entry| !entry.is_chosen()) {
            for entry in batch.iter_mut().filter(|entry| !entry.is_chosen()) {
                entry.begin_tokens();
            }
            let unfinished = model.device.sync().await?;
            batch.iter_mut().for_each(|entry| entry.held.session.settled_but(unfinished));
        }
        answer(model, &mut batch, number, &mut logits).await?;
        self.logits = logits;
        Ok(())
    }

    /// Takes a token of everyone's for whom one has come; with `wait` the oldest is waited for.
    async fn hear(&mut self, device: &mut D, wait: bool) -> Result<()> {
        let first = |entry: &Entry<D>| entry.held.coming.front().map(|(pass, _)| *pass);
        let oldest = self.entries.iter().filter(|entry| entry.failure.is_none()).filter_map(first).min();
        // The one that is waited for comes first: meanwhile others come too.
        let waited = self.entries.iter().position(|entry| wait && entry.failure.is_none() && first(entry) == oldest);
        let waited = waited.filter(|_| oldest.is_some());
        let others = (0..self.entries.len()).filter(|at| Some(*at) != waited);
        for at in waited.into_iter().chain(others) {
            let entry = &mut self.entries[at];
            let Some((_, reading)) = entry.held.coming.front() else { continue };
            if entry.failure.is_some() || (Some(at) != waited && !device.has_come(reading)) {
                continue;
            }
            entry.hear(device).await?;
        }
        Ok(())
    }
}

impl<D: Device> Entry<D> {
    fn fail(&mut self, error: Error) {
        self.came.clear();
        self.failure = Some(error);
    }

    fn is_chosen(&self) -> bool {
        matches!(self.wanted, Some(PassRequest::Rows { chosen: true, .. }))
    }

    /// Reads a source, or makes room for the rows.
    async fn prepare(&mut self, model: &mut Model<D>) -> Result<()> {
        let Held { session, last, drafted, .. } = &mut self.held;
        match &self.wanted {
            Some(PassRequest::Source(source)) => {
                model.read_source(session, source).await?;
                self.came.push(Arrived::Computed);
                Ok(())
            }
            Some(PassRequest::Rows { tokens, position, chosen, length, answered, .. }) => {
                *drafted = (*answered > 1).then_some(position + 1);
                if !chosen {
                    // Whatever was chosen last is among them.
                    *last = None;
                }
                session.has(*length);
                model.reserve(session, *position..position + tokens.len()).await
            }
            None => Ok(()),
        }
    }

    /// Known tokens are on their way into the cache; those that the device chooses are once they are known.
    fn begin_tokens(&mut self) {
        if let Some(PassRequest::Rows { tokens, .. }) = &self.wanted {
            self.held.session.begin(tokens);
        }
    }

    /// The next token that the device has chosen.
    async fn hear(&mut self, device: &mut D) -> Result<()> {
        let Held { session, coming, last, .. } = &mut self.held;
        let Some((_, reading)) = coming.pop_front() else { return Ok(()) };
        let waited = !device.has_come(&reading);
        let ids = device.chosen(reading).await?;
        if let [_, _, ..] = ids[..] {
            session.settled();
            let count = ids.len();
            self.came.push(Arrived::ChosenEach(ids.into_iter().map_while(|id| id).collect(), count));
            return Ok(());
        }
        let Some(id) = ids.first().copied().flatten() else {
            self.fail(Error::new(Code::Internal, "the model's logits are not all numbers"));
            return Ok(());
        };
        // The device had nothing left to do, and nobody knew.
        let starved = waited && coming.iter().all(|(_, reading)| device.has_come(reading));
        session.begin(last.as_slice());
        session.settled();
        *last = Some(id);
        self.came.push(Arrived::Chosen { id, starved });
        Ok(())
    }
}

/// The rows of several sequences, one span each, through all blocks.
fn run_together<D: Device>(model: &mut Model<D>, batch: &[&mut Entry<D>]) -> Result<()> {
    let (mut known, mut rows) = (Vec::new(), DecoderRows::default());
    for entry in batch {
        let Some(PassRequest::Rows { tokens, position, length, .. }) = &entry.wanted else { continue };
        let Session { table, source, .. } = &entry.held.session;
        rows.push(*position..position + tokens.len(), *length, table, source.as_ref());
        known.extend_from_slice(tokens);
    }
    let chosen = batch.iter().enumerate().filter(|(_, entry)| entry.is_chosen());
    let choosers: Vec<(usize, &D::Chooser)> =
        chosen.filter_map(|(index, entry)| Some((index, entry.held.chooser.as_ref()?))).collect();
    let tokens = match choosers.is_empty() {
        true => TokenIds::Known(&known),
        false => TokenIds::Chosen { known: &known, spans: &choosers },
    };
    let Model { device, spec, weights, scratch, pool, sources, lora, .. } = model;
    forward(device, spec, weights, scratch, &mut rows.batch(tokens, &mut pool.state, &sources.state, lora.as_deref()))
}

/// Gives everyone what was asked of its last rows.
async fn answer<D: Device>(
    model: &mut Model<D>,
    batch: &mut [&mut Entry<D>],
    number: u64,
    logits: &mut Vec<f32>,
) -> Result<()> {
    // Entries of each kind of answer, with their spans and the rows that it is to.
    let (mut read, mut chosen, mut computed) = (Vec::new(), Vec::new(), false);
    let mut after = 0;
    for (index, entry) in batch.iter_mut().enumerate() {
        let Some(PassRequest::Rows { tokens, answer, answered, constraint, gone, .. }) = &entry.wanted else {
            continue;
        };
        after += tokens.len();
        let rows = after - answered..after;
        if let (Some(Answer::Chosen), Some(constraint)) = (answer, constraint) {
            // Meanwhile the device computes the blocks.
            match constraint.clone().borrow_mut().allowed() {
                Ok(allowed) => entry.held.restrict(&mut model.device, &allowed)?,
                Err(error) => {
                    entry.fail(error);
                    continue;
                }
            }
        }
        match answer {
            Some(Answer::Logits) => read.push((index, rows)),
            Some(Answer::Chosen) => chosen.push((index, rows, *gone)),
            Some(Answer::Computed) => computed = true,
            None => entry.came.push(Arrived::Computed),
        }
    }
    let chosen_rows = chosen.iter().map(|(_, rows, _)| rows);
    let rows: Vec<usize> = read.iter().map(|(_, rows)| rows).chain(chosen_rows).flat_map(Clone::clone).collect();
    if !rows.is_empty() {
        model.heads_of(&rows);
    }
    let read_rows: usize = read.iter().map(|(_, rows)| rows.len()).sum();
    let mut first = read_rows;
    for (span, rows, gone) in chosen {
        let rows = first..first + rows.len();
        first = rows.end;
        let Held { chooser, coming, .. } = &mut batch[span].held;
        let chooser = chooser.as_mut().ok_or_else(|| Error::new(Code::Internal, "a choice without a chooser"))?;
        let following = Following { rows, span, gone };
        coming.push_back((number, model.device.choose(&mut model.logits, following, chooser)?));
    }
    if !read.is_empty() || computed {
        let vocabulary = model.spec.vocabulary();
        // One value will do to hear how it went.
        let len = (read_rows * vocabulary).max(1);
        if logits.len() < len {
            *logits = try_vec(len, "logits")?;
        }
        let reading = model.device.send(&model.logits, len)?;
        model.device.receive(reading, &mut logits[..len]).await?;
        let mut first = 0;
        for (index, rows) in &read {
            let range = first..first + rows.len() * vocabulary;
            first = range.end;
            batch[*index].came.push(Arrived::Logits(range));
        }
        let is_computed =
            |entry: &Entry<D>| matches!(entry.wanted, Some(PassRequest::Rows { answer: Some(Answer::Computed), .. }));
        for entry in batch.iter_mut() {
            entry.held.session.settled();
            if is_computed(entry) {
                entry.came.push(Arrived::Computed);
            }
        }
    }
    Ok(())
}

impl<D: Device> Model<D> {
    /// Computes the logits of some rows of the last pass, at most [`super::HEAD_ROWS`]: to be read or chosen from.
    fn heads_of(&mut self, rows: &[usize]) {
        let Self { device, spec, weights, scratch, selected, logits, .. } = self;
        let mut hidden = &scratch.hidden;
        if rows.iter().enumerate().any(|(index, row)| index != *row) {
            let runs: Vec<Range<usize>> = rows.iter().map(|row| *row..row + 1).collect();
            device.gather_mean(hidden, spec.width, &runs, selected);
            hidden = selected;
        }
        head(device, spec, weights, hidden, rows.len(), logits);
    }
}
