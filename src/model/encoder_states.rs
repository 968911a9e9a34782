//! A source text, as what a decoder looks across at: its keys and values in all layers.

use super::encoder::Encoder;
use super::forward::store_across;
use super::spec::Spec;
use super::stack::Weights;
use super::state::Pool;
use crate::device::{Device, KeyRows, Span, Table};
use crate::error::Result;

pub struct EncoderStates {
    pub table: Table,
    /// Tokens of the source.
    pub keys: usize,
}

impl EncoderStates {
    /// The passes of an encoder, for [`Device::warm_up`].
    pub fn warm_up<D: Device>(
        &self,
        device: &mut D,
        spec: &Spec,
        weights: &Weights<D>,
        encoder: &mut Encoder<D>,
        sources: &mut Pool<D>,
    ) -> Result<()> {
        let texts = encoder.warm_up_sequences();
        for few in 1..=texts.len() {
            let packed = encoder.pack(&texts[..few]);
            encoder.run(device, packed.entering(weights.table()), &packed.spans, &[], None)?;
        }
        let places = device.places(&[Span::new(0, self.keys, 0, 0)], KeyRows::Kept(&[&self.table]));
        store_across(device, spec, weights, encoder.hidden()?, (&places, self.keys), &mut sources.state)
    }
}
