//! Encoders of texts: vectors, classes or hidden states out.

use super::dense::{DenseChain, DenseFile};
use super::encoder::Encoder;
use super::heads::{Heads, Output};
use super::maps::attention_maps;
use super::pooling::Extent;
use super::sequence::{Packed, Sequence};
use super::spec::Pooling;
use super::weight_loader::WeightLoader;
use crate::device::{Device, Progress, Span};
use crate::error::{Error, Result};

/// An encoder of texts on a device.
pub struct TextModel<D: Device> {
    device: D,
    pub encoder: Encoder<D>,
    /// Of the classes, by their numbers.
    pub labels: Vec<String>,
    heads: Heads<D>,
}

impl<D: Device> TextModel<D> {
    /// Errors: what loading may meet.
    pub async fn new(weight_loader: WeightLoader<D>, progress: &Progress) -> Result<Self> {
        Self::with_dense(weight_loader, Vec::new(), progress).await
    }

    /// With what its vectors go through behind the pooling, which the caller has seen to fit. Errors: what loading may meet.
    pub async fn with_dense(
        weight_loader: WeightLoader<D>,
        dense: Vec<DenseFile>,
        progress: &Progress,
    ) -> Result<Self> {
        let quantize = weight_loader.quantize;
        let (mut device, plan, loaded) = weight_loader.finish()?;
        let weights = loaded.weights(&mut device, plan.specs())?.remove(0);
        let (spec, labels) = (plan.spec().clone(), plan.labels);
        let chain = DenseChain::new(&mut device, dense, quantize)?;
        let heads = Heads::new(&mut device, &spec, 1, chain)?;
        let mut model = Self { device, encoder: Encoder::new(spec, weights), labels, heads };
        model.prepare(progress).await?;
        Ok(model)
    }

    async fn prepare(&mut self, progress: &Progress) -> Result<()> {
        let Self { device, encoder, heads, .. } = self;
        let outputs = [Output::Vector(Pooling::Mean), Output::Pooler, Output::Logits, Output::TokenLogits];
        prepare(device, encoder, heads, &outputs, progress).await
    }

    /// Refuses what the model does not have. Error: invalid-argument.
    pub fn check(&self, output: Output) -> Result<()> {
        output.check(&self.encoder.spec)
    }

    /// Values of one text's result; of one token's where each has its own.
    pub fn width(&self, output: Output) -> usize {
        self.heads.width(&self.encoder.spec, output)
    }

    /// The attention weights of a text, [layers, heads, positions, positions], or of one layer.
    /// Errors: invalid-argument, context-full, out-of-memory, device-lost.
    pub async fn attention_maps(&mut self, text: &Sequence, only: Option<usize>) -> Result<(Vec<f32>, [usize; 4])> {
        self.encoder.check(text)?;
        let Self { device, encoder, .. } = self;
        attention_maps(device, &encoder.spec, &encoder.weights, &text.ids, only).await
    }

    /// Reads texts in one pass: their results, one after the other. Errors: invalid-argument, context-full,
    /// out-of-memory, device-lost.
    pub async fn read(&mut self, rows: &[Sequence], output: Output) -> Result<Vec<f32>> {
        read_texts(&mut self.device, &mut self.encoder, &mut self.heads, rows, output).await
    }
}

/// Lets a device get ready for what an encoder's heads have of `outputs`.
pub(super) async fn prepare<D: Device>(
    device: &mut D,
    encoder: &mut Encoder<D>,
    heads: &mut Heads<D>,
    outputs: &[Output],
    progress: &Progress,
) -> Result<()> {
    encoder.reserve_warm_up(device).await?;
    let rows = encoder.warm_up_sequences();
    let outputs: Vec<Output> = outputs.iter().copied().filter(|output| output.check(&encoder.spec).is_ok()).collect();
    let tokens = rows.iter().map(|row| row.ids.len()).sum();
    let most = if outputs.contains(&Output::TokenLogits) { tokens } else { rows.len() };
    heads.reserve(device, &encoder.spec, most)?;
    let steps = |device: &mut D| {
        encoder.warm_up(device, None)?;
        for few in [1, rows.len()] {
            for output in &outputs {
                let packed = encoder.pack(&rows[..few]);
                let extents = extents(&packed, &rows[..few], *output)?;
                heads.compute(device, encoder, packed.entering(None), &extents, *output)?;
            }
        }
        Ok(())
    };
    device.prepare(progress, steps).await
}

/// Reads texts in one pass: see [`TextModel::read`].
pub(super) async fn read_texts<D: Device>(
    device: &mut D,
    encoder: &mut Encoder<D>,
    heads: &mut Heads<D>,
    rows: &[Sequence],
    output: Output,
) -> Result<Vec<f32>> {
    output.check(&encoder.spec)?;
    let packed = encoder.pack(rows);
    let extents = extents(&packed, rows, output)?;
    encoder.reserve_texts(device, rows).await?;
    heads.read(device, encoder, packed.entering(None), &extents, output).await
}

/// Where each text's rows are, and which count. Error: invalid-argument where none does.
fn extents<'a>(packed: &Packed, rows: &'a [Sequence], output: Output) -> Result<Vec<Extent<'a>>> {
    let extent = |(span, row): (&Span, &'a Sequence)| {
        if matches!(output, Output::Vector(_) | Output::Pooler) && row.unpooled >= row.ids.len() {
            let message = format!("a prompt of {} tokens leaves none of the text's {}", row.unpooled, row.ids.len());
            return Err(Error::invalid(message));
        }
        // The pooler was trained on the first token, whatever it is.
        let first = span.row + if output == Output::Pooler { 0 } else { row.unpooled };
        Ok(Extent { span: *span, ids: &row.ids, first, content: span.row + row.unpooled })
    };
    packed.spans.iter().zip(rows).map(extent).collect()
}
