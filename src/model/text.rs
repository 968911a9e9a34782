//! Encoders of texts: vectors, classes or hidden states out.

use super::dense::{DenseChain, DenseFile};
use super::encoder::Encoder;
use super::heads::Output;
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
        let (mut device, plan, mut loaded) = weight_loader.finish()?;
        let mut chain = DenseChain::of_tensors(&mut loaded, &plan.dense)?;
        let weights = loaded.weights(&mut device, plan.specs())?.remove(0);
        let (spec, labels) = (plan.spec().clone(), plan.labels);
        chain.extend(&mut device, dense, quantize)?;
        let mut encoder = Encoder::new(spec, weights, chain);
        let outputs = [Output::Vector(Pooling::Mean), Output::TokenLogits, Output::Pooler, Output::Logits];
        warm_up(&mut device, &mut encoder, &outputs, progress).await?;
        Ok(Self { device, encoder, labels })
    }

    /// Refuses what the model does not have. Error: invalid-argument.
    pub fn check(&self, output: Output) -> Result<()> {
        output.check(&self.encoder.spec)
    }

    /// Values of one text's result; of one token's where each has its own.
    pub fn width(&self, output: Output) -> usize {
        self.encoder.values(output)
    }

    /// The attention weights of a text, [layers, heads, positions, positions], or of one layer.
    /// Errors: invalid-argument, context-full, out-of-memory, device-lost.
    pub async fn attention_maps(&mut self, text: &Sequence, only: Option<usize>) -> Result<(Vec<f32>, [usize; 4])> {
        self.encoder.check(text)?;
        let Self { device, encoder, .. } = self;
        attention_maps(device, &encoder.spec, &encoder.weights, None, &text.ids, only).await
    }

    /// Reads texts in one pass: their results, one after the other. Errors: invalid-argument, context-full,
    /// out-of-memory, device-lost.
    pub async fn read(&mut self, rows: &[Sequence], output: Output) -> Result<Vec<f32>> {
        read_texts(&mut self.device, &mut self.encoder, rows, output).await
    }
}

/// Lets a device get ready for what an encoder has of `outputs`.
pub(super) async fn warm_up<D: Device>(
    device: &mut D,
    encoder: &mut Encoder<D>,
    outputs: &[Output],
    progress: &Progress,
) -> Result<()> {
    let rows = encoder.warm_up_sequences();
    encoder.reserve_texts(device, &rows).await?;
    let outputs: Vec<Output> = outputs.iter().copied().filter(|output| output.check(&encoder.spec).is_ok()).collect();
    let steps = |device: &mut D| {
        for few in 1..=rows.len() {
            let packed = encoder.pack(&rows[..few]);
            // One pass for all that read the same rows.
            let mut last = None;
            for output in &outputs {
                let extents = extents(&packed, &rows[..few], *output)?;
                let kept = output.kept(&encoder.spec, &extents);
                if last.as_ref() != Some(&kept) {
                    encoder.run(device, packed.entering(None), &packed.spans, &kept, None)?;
                }
                encoder.result(device, &extents, *output)?;
                last = Some(kept);
            }
        }
        Ok(())
    };
    device.warm_up(progress, steps).await
}

/// Reads texts in one pass: see [`TextModel::read`].
pub(super) async fn read_texts<D: Device>(
    device: &mut D,
    encoder: &mut Encoder<D>,
    rows: &[Sequence],
    output: Output,
) -> Result<Vec<f32>> {
    output.check(&encoder.spec)?;
    let packed = encoder.pack(rows);
    let extents = extents(&packed, rows, output)?;
    encoder.reserve_texts(device, rows).await?;
    encoder.read(device, packed.entering(None), &extents, output).await
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
