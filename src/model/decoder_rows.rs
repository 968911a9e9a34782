//! A decoder's batch: the next tokens of some sequences, one after the other.

use super::encoder_states::EncoderStates;
use super::forward::{Batch, CrossStates, Entering, Rows};
use super::lora::Lora;
use crate::device::{Device, Span, Table, TokenIds};
use std::ops::Range;

/// Where the rows of each sequence are kept, and what they look across at.
#[derive(Default)]
pub struct DecoderRows<'a> {
    count: usize,
    spans: Vec<Span>,
    tables: Vec<&'a Table>,
    lengths: Vec<usize>,
    across: Vec<Span>,
    sources: Vec<&'a Table>,
}

impl<'a> DecoderRows<'a> {
    /// Adds a sequence's tokens at `positions`. `length`: how many it is known to have.
    pub fn push(
        &mut self,
        positions: Range<usize>,
        length: usize,
        table: &'a Table,
        source: Option<&'a EncoderStates>,
    ) {
        let (row, len) = (self.count, positions.len());
        self.count += len;
        self.spans.push(Span::new(row, len, positions.start, self.tables.len()));
        self.tables.push(table);
        self.lengths.push(length);
        if let Some(source) = source {
            self.across.push(Span::across(row, len, source.keys, self.sources.len()));
            self.sources.push(&source.table);
        }
    }

    /// The batch of them. `sources`: where what they look across at is kept; `lora`: what is added to the weights.
    pub fn batch<'b, D: Device>(
        &'b self,
        tokens: TokenIds<'b, D>,
        state: &'b mut D::State,
        sources: &'b D::State,
        lora: Option<&'b Lora<D>>,
    ) -> Batch<'b, D> {
        let across = CrossStates { spans: &self.across, tables: &self.sources, state: sources };
        let across = (!self.across.is_empty()).then_some(across);
        let entering = Entering::Tokens { tokens, types: &[], table: None };
        let rows = Rows { across, lora, ..Rows::new(&self.spans, &self.tables, state) };
        Batch { entering, lengths: &self.lengths, rows }
    }
}
