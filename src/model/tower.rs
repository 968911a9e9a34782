//! Whole sequences at once: an encoder of texts, or the text tower beside one of images.

use super::forward::{Batch, Scratch, forward};
use super::spec::{Input as InputSpec, Spec};
use super::stack::Weights;
use super::state::{Pool, state_shapes};
use crate::device::{CacheType, Device, Input, Span, Table, Tokens};
use crate::error::{Code, Error, Result};

/// A stack that reads whole sequences, on its device.
pub struct Tower<D: Device> {
    pub spec: Spec,
    pub weights: Weights<D>,
    /// What a pass needs; made again where more is needed.
    room: Option<Room<D>>,
    /// The sequences' keys and values, as floats.
    pool: Pool<D>,
    tables: Vec<Table>,
}

struct Room<D: Device> {
    tokens: usize,
    scratch: Scratch<D>,
    /// [tokens, width]
    normed: D::Buffer,
}

/// A text's tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sequence {
    pub ids: Vec<u32>,
    /// Which of two texts each is of; empty: all of the first.
    pub types: Vec<u32>,
    /// Leading tokens that its vector is not made of: a prompt's.
    pub unpooled: usize,
}

impl Sequence {
    pub fn new(ids: Vec<u32>) -> Self {
        Self { ids, ..Self::default() }
    }
}

/// Tokens of one pass, where its sequences are not longer.
const TOKENS: usize = 512;
/// Most sequences of a pass.
const SEQUENCES: usize = 256;

/// How many sequences of these lengths go together.
pub fn together(lengths: impl Iterator<Item = usize>) -> usize {
    let mut tokens = 0;
    let fits = |length: &usize| {
        tokens += length;
        tokens <= TOKENS
    };
    lengths.take(SEQUENCES).take_while(fits).count().max(1)
}

impl<D: Device> Tower<D> {
    pub fn new(spec: Spec, weights: Weights<D>) -> Self {
        let pool = Pool::new(&state_shapes(&spec), CacheType::F32);
        Self { spec, weights, room: None, pool, tables: Vec::new() }
    }

    /// Errors: invalid-argument for no tokens, or ids outside the vocabulary; unsupported-model for types that it does not
    /// have; context-full.
    pub fn check(&self, sequence: &Sequence) -> Result<()> {
        let (ids, vocabulary, context) = (&sequence.ids, self.spec.vocabulary(), self.spec.longest());
        if ids.is_empty() {
            return Err(Error::invalid("a row without tokens: at least one is needed"));
        }
        if let Some(id) = ids.iter().find(|id| **id as usize >= vocabulary) {
            return Err(Error::invalid(format!("token id {id} is outside the vocabulary of {vocabulary}")));
        }
        let kinds = self.kinds();
        if let Some(kind) = sequence.types.iter().find(|kind| kinds > 1 && **kind as usize >= kinds) {
            return Err(Error::unsupported(format!("tokens of type {kind}, but the model tells {kinds} types apart")));
        }
        if ids.len() > context {
            let message = format!("a row of {} tokens, but the model takes {context}", ids.len());
            return Err(Error::new(Code::ContextFull, message));
        }
        Ok(())
    }

    /// Refuses types of tokens that a caller gave and the model does not have. Error: invalid-argument.
    pub fn check_types(&self, sequence: &Sequence) -> Result<()> {
        let (ids, types, kinds) = (&sequence.ids, &sequence.types, self.kinds().max(1));
        if ids.len() != types.len() {
            return Err(Error::invalid(format!("{} types for a row of {} tokens", types.len(), ids.len())));
        }
        match types.iter().find(|kind| **kind as usize >= kinds) {
            Some(kind) => Err(Error::invalid(format!("a token of type {kind}, and the model has {kinds}"))),
            None => Ok(()),
        }
    }

    /// Kinds of tokens that are told apart. Where that is one, as in RoBERTa, all are of it whatever the tokenizer says.
    fn kinds(&self) -> usize {
        if let InputSpec::Tokens(tokens) = &self.spec.input { tokens.types } else { 0 }
    }

    /// Makes room for a pass. Error: out-of-memory.
    async fn reserve(&mut self, device: &mut D, rows: &[Sequence]) -> Result<()> {
        let tokens: usize = rows.iter().map(|row| row.ids.len()).sum();
        // It is kept once it is known to be there.
        let mut room = self.room.take();
        if room.as_ref().is_none_or(|room| room.tokens < tokens) {
            drop(room);
            let tokens = tokens.max(TOKENS.min(self.spec.context()));
            room = Some(Room {
                tokens,
                scratch: Scratch::new(device, &self.spec, tokens)?,
                normed: device.buffer(tokens.saturating_mul(self.spec.width))?,
            });
        }
        // Those of the last pass are for nothing.
        self.tables.clear();
        self.tables.resize_with(rows.len(), Table::default);
        let mut sequences: Vec<_> =
            self.tables.iter_mut().zip(rows).map(|(table, row)| (table, 0..row.ids.len())).collect();
        self.pool.reserve_all(device, &mut sequences, self.spec.context()).await?;
        device.settle().await?;
        self.room = room;
        Ok(())
    }

    /// Runs sequences through all blocks and the last norm; where each one's hidden states are in [`Tower::hidden`].
    /// `table`: the embeddings, where they are the other stack's. Errors: those of `check`, out-of-memory.
    pub async fn encode(&mut self, device: &mut D, rows: &[Sequence], table: Option<&D::Matrix>) -> Result<Vec<Span>> {
        rows.iter().try_for_each(|row| self.check(row))?;
        self.reserve(device, rows).await?;
        self.run(device, rows, table)
    }

    /// The same without making room: what [`Device::prepare`] repeats.
    fn run(&mut self, device: &mut D, rows: &[Sequence], table: Option<&D::Matrix>) -> Result<Vec<Span>> {
        let (mut ids, mut types, mut spans) = (Vec::new(), Vec::new(), Vec::new());
        for (table, row) in rows.iter().enumerate() {
            spans.push(Span::new(ids.len(), row.ids.len(), 0, table));
            ids.extend_from_slice(&row.ids);
            types.extend_from_slice(if self.kinds() > 1 { &row.types } else { &[] });
            types.resize(ids.len(), 0);
        }
        let Self { spec, weights, room: Some(room), pool, tables } = self else { return Ok(spans) };
        let tables: Vec<&Table> = tables.iter().collect();
        let batch = Batch::new(Tokens::Known(&ids), &spans, &tables, &mut pool.state);
        let mut batch = Batch { types: &types, table, ..batch };
        forward(device, spec, weights, &mut room.scratch, &mut batch, &mut |_, _, _, _, _| Ok(()))?;
        let norm = weights.output_norm.as_ref().map(|norm| norm.of(spec));
        let input = Input { x: &room.scratch.hidden, rows: ids.len(), norm };
        device.norm(&input, spec.width, false, &mut room.normed);
        Ok(spans)
    }

    /// Makes room for the passes that [`Tower::rehearse`] runs.
    pub async fn reserve_rehearsal(&mut self, device: &mut D) -> Result<()> {
        let rows = self.rehearsal();
        self.reserve(device, &rows).await
    }

    /// A pass of every kind, for [`Device::prepare`].
    pub fn rehearse(&mut self, device: &mut D, table: Option<&D::Matrix>) -> Result<Vec<Span>> {
        let rows = self.rehearsal();
        for few in 1..rows.len() {
            self.run(device, &rows[..few], table)?;
        }
        self.run(device, &rows, table)
    }

    /// Sequences of the lengths that kernels differ for.
    fn rehearsal(&self) -> Vec<Sequence> {
        let lengths = [1, 4, 16, TOKENS / 2];
        let row = |length: usize| Sequence::new(vec![0; length.min(self.spec.context())]);
        lengths.map(row).to_vec()
    }

    /// Tokens of the largest of these passes.
    pub fn rehearsed_tokens(&self) -> usize {
        self.rehearsal().iter().map(|row| row.ids.len()).sum()
    }

    /// The last pass's result, [tokens, width].
    pub fn hidden(&self) -> Option<&D::Buffer> {
        self.room.as_ref().map(|room| &room.normed)
    }
}
