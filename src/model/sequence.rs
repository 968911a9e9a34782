//! Texts' tokens, and an encoder's passes over them.

use super::encoder::Encoder;
use super::forward::Entering;
use super::spec::StackInput;
use crate::device::{Device, Span, TokenIds};
use crate::error::{Code, Error, Result};

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

/// Sequences one after the other.
#[derive(Default)]
pub struct Packed {
    ids: Vec<u32>,
    types: Vec<u32>,
    pub spans: Vec<Span>,
}

impl Packed {
    /// What enters a pass over them. `table`: the embeddings, where they are the other stack's.
    pub fn entering<'a, D: Device>(&'a self, table: Option<&'a D::Matrix>) -> Entering<'a, D> {
        Entering::Tokens { tokens: TokenIds::Known(&self.ids), types: &self.types, table }
    }
}

impl<D: Device> Encoder<D> {
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
        if let StackInput::Tokens(tokens) = &self.spec.input { tokens.types } else { 0 }
    }

    /// Puts sequences side by side.
    pub fn pack(&self, rows: &[Sequence]) -> Packed {
        let mut packed = Packed::default();
        for (table, row) in rows.iter().enumerate() {
            packed.spans.push(Span::new(packed.ids.len(), row.ids.len(), 0, table));
            packed.ids.extend_from_slice(&row.ids);
            packed.types.extend_from_slice(if self.kinds() > 1 { &row.types } else { &[] });
            packed.types.resize(packed.ids.len(), 0);
        }
        packed
    }

    /// Makes room for a pass over texts. Errors: those of `check`, out-of-memory.
    pub async fn reserve_texts(&mut self, device: &mut D, rows: &[Sequence]) -> Result<()> {
        rows.iter().try_for_each(|row| self.check(row))?;
        let lengths: Vec<usize> = rows.iter().map(|row| row.ids.len()).collect();
        let least = TOKENS.min(self.spec.context());
        self.reserve(device, &lengths, least).await
    }

    /// Runs texts through all blocks and the last norm; where each one's hidden states are in [`Encoder::hidden`].
    /// `table`: see [`Packed::entering`]. Errors: those of `check`, out-of-memory.
    pub async fn encode(&mut self, device: &mut D, rows: &[Sequence], table: Option<&D::Matrix>) -> Result<Vec<Span>> {
        self.reserve_texts(device, rows).await?;
        let packed = self.pack(rows);
        self.run(device, packed.entering(table), &packed.spans, &[], None)?;
        Ok(packed.spans)
    }

    /// Sequences of the lengths that kernels differ for.
    pub fn warm_up_sequences(&self) -> Vec<Sequence> {
        let lengths = [1, 4, 16, TOKENS / 2];
        let row = |length: usize| Sequence::new(vec![0; length.min(self.spec.context())]);
        lengths.map(row).to_vec()
    }
}
