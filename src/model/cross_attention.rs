//! Encoder-decoders: reading a source text, once, for a decoder to look across at.

use super::decoder::Model;
use super::encoder_states::EncoderStates;
use super::forward::store_across;
use super::sequence::Sequence;
use super::session::Session;
use crate::device::{Device, KeyRows, Table};
use crate::error::{Error, Result};

impl<D: Device> Model<D> {
    /// Errors: invalid-argument for no tokens, or ids outside the vocabulary, or where there is no encoder; context-full.
    pub fn check_source(&self, ids: &[u32]) -> Result<()> {
        match &self.encoder {
            Some(encoder) => encoder.check(&Sequence::new(ids.to_vec())),
            None => Err(Error::invalid(format!("{} has no encoder", self.spec.architecture))),
        }
    }

    /// Reads a source text: what the decoder then looks at.
    /// Errors: invalid-argument, context-full, out-of-memory, device-lost.
    pub(super) async fn source(&mut self, ids: &[u32]) -> Result<EncoderStates> {
        let Self { device, spec, weights, encoder, sources, .. } = self;
        let Some(encoder) = encoder else {
            return Err(Error::invalid(format!("{} has no encoder", spec.architecture)));
        };
        let (mut table, keys) = (Table::default(), ids.len());
        sources.reserve(device, &mut table, 0..keys, encoder.spec.longest()).await?;
        let spans = encoder.encode(device, &[Sequence::new(ids.to_vec())], weights.table()).await?;
        let hidden = encoder.hidden()?;
        let places = device.places(&spans, KeyRows::Kept(&[&table]));
        store_across(device, spec, weights, hidden, (&places, keys), &mut sources.state)?;
        device.sync().await?;
        Ok(EncoderStates { table, keys })
    }

    /// Gives a sequence its source text; what was said about another one is forgotten.
    /// Errors: invalid-argument, context-full, out-of-memory, device-lost.
    pub async fn read_source(&mut self, session: &mut Session, ids: &[u32]) -> Result<()> {
        session.clear();
        session.source = Some(self.source(ids).await?);
        Ok(())
    }

    /// A source of one token, for [`Device::warm_up`]; none where there is no encoder.
    pub(super) async fn warm_up_source(&mut self) -> Result<Option<EncoderStates>> {
        let Self { device, encoder: Some(encoder), sources, .. } = self else { return Ok(None) };
        let mut table = Table::default();
        sources.reserve(device, &mut table, 0..1, 1).await?;
        encoder.reserve_texts(device, &encoder.warm_up_sequences()).await?;
        Ok(Some(EncoderStates { table, keys: 1 }))
    }
}
