//! Logits of whole texts, for perplexity and comparison.

use super::decoder::{HEAD_ROWS, Model};
use super::encoder_states::EncoderStates;
use super::forward::{Batch, CrossStates, forward};
use crate::device::{Device, Span, Table, TokenIds};
use crate::error::{Error, Result, try_vec};
use std::marker::PhantomData;

/// Rows of tokens of different lengths, scored a chunk at a time. Rows share chunks, so that many
/// short ones cost what their tokens cost; padding is never computed.
pub struct Scoring<D: Device> {
    rows: Vec<Vec<u32>>,
    /// What an encoder reads for each row; empty where there is none.
    sources: Vec<Vec<u32>>,
    /// Only the last position of each row.
    last: bool,
    /// The row and position to go on from, and where it is kept if that row is begun.
    row: usize,
    position: usize,
    open: Option<(Table, Option<EncoderStates>)>,
    device: PhantomData<D>,
    logits: Vec<f32>,
}

impl<D: Device> Scoring<D> {
    /// Errors: invalid-argument, context-full, out-of-memory.
    pub fn new(model: &Model<D>, rows: Vec<Vec<u32>>, sources: Vec<Vec<u32>>, last: bool) -> Result<Self> {
        if rows.is_empty() {
            return Err(Error::invalid("no rows of tokens"));
        }
        if model.encoder.is_some() && sources.len() != rows.len() {
            return Err(Error::invalid(format!("{} rows for {} sources", rows.len(), sources.len())));
        }
        sources.iter().try_for_each(|source| model.check_source(source))?;
        rows.iter().try_for_each(|row| model.check_tokens(row))?;
        let logits = try_vec(HEAD_ROWS * model.spec.vocabulary(), "logits")?;
        Ok(Self { rows, sources, last, row: 0, position: 0, open: None, device: PhantomData, logits })
    }

    /// Rows, positions of the longest (or 1), vocabulary.
    pub fn dims(&self, model: &Model<D>) -> [usize; 3] {
        let longest = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        [self.rows.len(), if self.last { 1 } else { longest }, model.spec.vocabulary()]
    }

    /// What the current row looks across at.
    async fn source(&self, model: &mut Model<D>) -> Result<Option<EncoderStates>> {
        match self.sources.get(self.row) {
            Some(source) => model.source(source).await.map(Some),
            None => Ok(None),
        }
    }

    /// Scores the next chunk; `take` gets the row, the position in the result and the logits.
    /// Returns whether there is more to do.
    pub async fn step(&mut self, model: &mut Model<D>, mut take: impl FnMut(usize, usize, &[f32])) -> Result<bool> {
        let (mut tokens, mut spans, mut tables) = (Vec::new(), Vec::new(), Vec::new());
        let (mut across, mut sources) = (Vec::new(), Vec::new());
        // Row of the batch → row and position of the result.
        let (mut selected, mut places) = (Vec::new(), Vec::new());
        let mut lengths = Vec::new();
        while self.row < self.rows.len() && tokens.len() < D::CHUNK {
            let row = &self.rows[self.row];
            let len = (row.len() - self.position).min(D::CHUNK - tokens.len());
            let (mut table, source) = match self.open.take() {
                Some(open) => open,
                None => (Table::default(), self.source(model).await?),
            };
            if let Some(source) = source {
                across.push(Span::across(tokens.len(), len, source.keys, sources.len()));
                sources.push(source);
            }
            let Model { device, pool, context, .. } = &mut *model;
            pool.reserve(device, &mut table, self.position..self.position + len, *context).await?;
            spans.push(Span::new(tokens.len(), len, self.position, tables.len()));
            tables.push(table);
            lengths.push(row.len());
            for position in self.position..self.position + len {
                if !self.last || position + 1 == row.len() {
                    selected.push(tokens.len() + position - self.position);
                    places.push((self.row, if self.last { 0 } else { position }));
                }
            }
            tokens.extend_from_slice(&row[self.position..self.position + len]);
            self.position += len;
            if self.position == row.len() {
                (self.row, self.position) = (self.row + 1, 0);
            }
        }
        self.run(model, &tokens, (&spans, &lengths, &tables), (&across, &sources)).await?;
        if self.position > 0 {
            self.open = tables.pop().map(|table| (table, sources.pop()));
        }
        let vocabulary = model.spec.vocabulary();
        for (rows, places) in selected.chunks(HEAD_ROWS).zip(places.chunks(HEAD_ROWS)) {
            let logits = &mut self.logits[..rows.len() * vocabulary];
            model.logits_of(rows, logits).await?;
            for (logits, (row, position)) in logits.chunks(vocabulary).zip(places) {
                take(*row, *position, logits);
            }
        }
        Ok(self.row < self.rows.len())
    }
    /// A batch, and what its rows look across at.
    async fn run(
        &self,
        model: &mut Model<D>,
        tokens: &[u32],
        (spans, lengths, tables): (&[Span], &[usize], &[Table]),
        (across, sources): (&[Span], &[EncoderStates]),
    ) -> Result<()> {
        let Model { device, spec, weights, scratch, pool, sources: kept, .. } = model;
        device.sync().await?;
        let tables: Vec<&Table> = tables.iter().collect();
        let source_tables: Vec<&Table> = sources.iter().map(|source| &source.table).collect();
        let mut batch = Batch::new(TokenIds::Known(tokens), spans, &tables, &mut pool.state);
        batch.lengths = lengths;
        let across = CrossStates { spans: across, tables: &source_tables, state: &kept.state };
        batch.rows.across = (!sources.is_empty()).then_some(across);
        forward(device, spec, weights, scratch, &mut batch, &mut |_, _, _, _, _| Ok(()))
    }
}
