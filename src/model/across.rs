//! What a decoder looks across at: a source text's keys and values in all layers, computed once.

use super::forward::{Across, store_across};
use super::spec::Spec;
use super::stack::Weights;
use super::{Model, Sequence, Session, Tower};
use crate::device::{Device, Span};
use crate::error::{Code, Error, Result};

pub struct Source<D: Device> {
    /// One cache.
    cache: [D::Cache; 1],
    /// Tokens of the source.
    keys: usize,
}

impl<D: Device> Source<D> {
    pub fn new(cache: D::Cache, keys: usize) -> Self {
        Self { cache: [cache], keys }
    }

    /// The spans of a decoder's batch of one sequence.
    pub fn spans(&self, rows: usize) -> [Span; 1] {
        [Span::across(0, rows, self.keys, 0)]
    }

    pub fn across<'a>(&'a self, spans: &'a [Span]) -> Across<'a, D> {
        Across { spans, caches: &self.cache }
    }

    pub fn keys(&self) -> usize {
        self.keys
    }

    pub fn into_cache(self) -> D::Cache {
        let [cache] = self.cache;
        cache
    }

    /// The passes of an encoder, for [`Device::prepare`].
    pub fn rehearse(
        &mut self,
        device: &mut D,
        spec: &Spec,
        weights: &Weights<D>,
        encoder: &mut Tower<D>,
    ) -> Result<()> {
        let spans = encoder.rehearse(device, weights.table())?;
        if let (Some(hidden), Some(span)) = (encoder.hidden(), spans.first()) {
            store_across(device, spec, weights, hidden, &[*span], &mut self.cache)?;
        }
        Ok(())
    }
}

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
    pub(super) async fn source(&mut self, ids: &[u32]) -> Result<Source<D>> {
        let mut cache = [self.new_cache()];
        let Self { device, spec, weights, encoder, .. } = self;
        let Some(encoder) = encoder else {
            return Err(Error::invalid(format!("{} has no encoder", spec.architecture)));
        };
        device.reserve(&mut cache[0], ids.len().max(1)).await?;
        let spans = encoder.encode(device, &[Sequence::new(ids.to_vec())], weights.table()).await?;
        let hidden = encoder.hidden().ok_or_else(|| Error::new(Code::Internal, "an encoder without a result"))?;
        store_across(device, spec, weights, hidden, &spans, &mut cache)?;
        device.settle().await?;
        Ok(Source { cache, keys: ids.len() })
    }

    /// Gives a sequence its source text; what was said about another one is forgotten.
    /// Errors: invalid-argument, context-full, out-of-memory, device-lost.
    pub async fn read_source(&mut self, session: &mut Session<D>, ids: &[u32]) -> Result<()> {
        session.clear();
        session.source = Some(self.source(ids).await?);
        Ok(())
    }

    /// A source of one token, for [`Device::prepare`]; none where there is no encoder.
    pub(super) async fn rehearsed_source(&mut self) -> Result<Option<Source<D>>> {
        let mut cache = [self.new_cache()];
        let Self { device, encoder: Some(encoder), .. } = self else { return Ok(None) };
        device.reserve(&mut cache[0], 1).await?;
        encoder.reserve_rehearsal(device).await?;
        Ok(Some(Source { cache, keys: 1 }))
    }
}
