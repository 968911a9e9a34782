//! Logits of whole texts, for perplexity and comparison.

use super::decoder::{HEAD_ROWS, Model};
use super::decoder_rows::DecoderRows;
use super::encoder_states::EncoderStates;
use super::forward::forward;
use crate::device::{Device, Table, TokenIds};
use crate::error::{Error, Result, try_vec};

/// Rows of tokens of different lengths, scored a chunk at a time. Rows share chunks, so that many
/// short ones cost what their tokens cost; padding is never computed.
pub struct Scoring {
    rows: Vec<Vec<u32>>,
    /// What an encoder reads for each row; empty where there is none.
    sources: Vec<Vec<u32>>,
    /// Only the last position of each row.
    last: bool,
    /// The row and position to go on from, and where it is kept if that row is begun.
    row: usize,
    position: usize,
    open: Option<(Table, Option<EncoderStates>)>,
    logits: Vec<f32>,
}

impl Scoring {
    /// Errors: invalid-argument, context-full, out-of-memory.
    pub fn new<D: Device>(model: &Model<D>, rows: Vec<Vec<u32>>, sources: Vec<Vec<u32>>, last: bool) -> Result<Self> {
        if rows.is_empty() {
            return Err(Error::invalid("no rows of tokens"));
        }
        if model.encoder.is_some() && sources.len() != rows.len() {
            return Err(Error::invalid(format!("{} rows for {} sources", rows.len(), sources.len())));
        }
        sources.iter().try_for_each(|source| model.check_source(source))?;
        rows.iter().try_for_each(|row| model.check_tokens(row))?;
        let logits = try_vec(HEAD_ROWS * model.spec.vocabulary(), "logits")?;
        Ok(Self { rows, sources, last, row: 0, position: 0, open: None, logits })
    }

    /// Rows, positions of the longest (or 1), vocabulary.
    pub fn dims<D: Device>(&self, model: &Model<D>) -> [usize; 3] {
        let longest = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        [self.rows.len(), if self.last { 1 } else { longest }, model.spec.vocabulary()]
    }

    /// What the current row looks across at.
    async fn source<D: Device>(&self, model: &mut Model<D>) -> Result<Option<EncoderStates>> {
        match self.sources.get(self.row) {
            Some(source) => model.source(source).await.map(Some),
            None => Ok(None),
        }
    }

    /// Scores the next chunk; `take` gets the row, the position in the result and the logits.
    /// Returns whether there is more to do.
    pub async fn step<D: Device>(
        &mut self,
        model: &mut Model<D>,
        mut take: impl FnMut(usize, usize, &[f32]),
    ) -> Result<bool> {
        let (mut tokens, mut sequences) = (Vec::new(), Vec::new());
        // Row of the batch → row and position of the result.
        let (mut selected, mut places) = (Vec::new(), Vec::new());
        let chunk = model.chunk();
        while self.row < self.rows.len() && tokens.len() < chunk {
            let row = &self.rows[self.row];
            let positions = self.position..row.len().min(self.position + chunk - tokens.len());
            let (mut table, source) = match self.open.take() {
                Some(open) => open,
                None => (Table::default(), self.source(model).await?),
            };
            let Model { device, pool, context, .. } = &mut *model;
            pool.reserve(device, &mut table, positions.clone(), *context).await?;
            for position in positions.clone() {
                if !self.last || position + 1 == row.len() {
                    selected.push(tokens.len() + position - self.position);
                    places.push((self.row, if self.last { 0 } else { position }));
                }
            }
            tokens.extend_from_slice(&row[positions.clone()]);
            self.position = positions.end;
            sequences.push((positions, row.len(), table, source));
            if self.position == row.len() {
                (self.row, self.position) = (self.row + 1, 0);
            }
        }
        let mut rows = DecoderRows::default();
        for (positions, length, table, source) in &sequences {
            rows.push(positions.clone(), *length, table, source.as_ref());
        }
        let Model { device, spec, weights, scratch, pool, sources, lora, .. } = &mut *model;
        device.sync().await?;
        let mut batch = rows.batch(TokenIds::Known(&tokens), &mut pool.state, &sources.state, lora.as_deref());
        forward(device, spec, weights, scratch, &mut batch)?;
        if self.position > 0 {
            self.open = sequences.pop().map(|(_, _, table, source)| (table, source));
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
}
