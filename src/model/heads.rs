//! What is asked of sequences, from their hidden states: the one interpreter of heads and poolings.

use super::dense::DenseChain;
use super::encoder::Encoder;
use super::forward::Entering;
use super::pooling::{Extent, pooled};
use super::spec::{Head, Pooling, Spec};
use super::stack::Weights;
use crate::device::{Activation, Device, Input, Projection, Span};
use crate::error::{Error, Result, try_vec};
use std::ops::Range;

/// What is asked of sequences, and the result of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// After the last norm, [tokens, width].
    Hidden,
    /// [width]
    Vector(Pooling),
    /// tanh of a product of the first token: BERT's pooler, [width].
    Pooler,
    /// [classes]
    Logits,
    /// [tokens, classes]
    TokenLogits,
    /// What is compared with another stack's, [width of embeddings].
    Embedding,
}

/// What heads need and give, [rows, …]: a row is a sequence, or a token where each is classified.
pub struct Heads<D: Device> {
    rows: usize,
    pooled: D::Buffer,
    dense: D::Buffer,
    normed: D::Buffer,
    /// Of classes, or values of an embedding.
    logits: D::Buffer,
    /// What vectors go through behind the pooling.
    chain: DenseChain<D>,
}

impl Output {
    /// Whether each token has a result.
    pub fn is_of_tokens(self) -> bool {
        matches!(self, Output::Hidden | Output::TokenLogits)
    }

    /// Which rows it reads; none: all as they are.
    fn pooling(self, spec: &Spec) -> Option<Pooling> {
        match (self, &spec.head) {
            (Output::Hidden | Output::TokenLogits, _) => None,
            (Output::Vector(pooling), _) => Some(pooling),
            (Output::Logits, Head::Classes(head)) => Some(head.pooling),
            (Output::Embedding, Head::Embedding(head)) => Some(head.pooling),
            _ => Some(Pooling::ClassToken),
        }
    }

    /// Refuses what the model does not have. Error: invalid-argument.
    pub fn check(self, spec: &Spec) -> Result<()> {
        let of_tokens = matches!(spec.head, Head::Classes(head) if head.pooling == Pooling::Each);
        match (self, &spec.head) {
            (Output::Logits, _) if of_tokens => Err(Error::invalid("this checkpoint classifies tokens")),
            (Output::TokenLogits, _) if !of_tokens => {
                Err(Error::invalid("this checkpoint has no classifier of tokens"))
            }
            (Output::Logits, Head::Classes(_)) => Ok(()),
            (Output::Logits, _) => Err(Error::invalid("this checkpoint has no classifier")),
            (Output::Pooler, Head::None { pooler: true }) => Ok(()),
            (Output::Pooler, Head::Classes(head)) if head.dense.is_some_and(|dense| dense.pooler) => Ok(()),
            (Output::Pooler, _) => Err(Error::invalid("this checkpoint has no pooler")),
            (Output::Embedding, Head::Embedding(_)) => Ok(()),
            (Output::Embedding, _) => Err(Error::invalid(format!("{} makes no vectors to compare", spec.architecture))),
            _ => Ok(()),
        }
    }
}

impl<D: Device> Heads<D> {
    /// For so many rows. Error: out-of-memory.
    pub fn new(device: &mut D, spec: &Spec, rows: usize, chain: DenseChain<D>) -> Result<Self> {
        let mut heads = Self {
            rows,
            pooled: device.buffer(0)?,
            dense: device.buffer(0)?,
            normed: device.buffer(0)?,
            logits: device.buffer(0)?,
            chain,
        };
        heads.make(device, spec, rows)?;
        Ok(heads)
    }

    fn make(&mut self, device: &mut D, spec: &Spec, rows: usize) -> Result<()> {
        let (parts, values) = match &spec.head {
            Head::Classes(head) => (if head.pooling == Pooling::ClassTokenAndMean { 2 } else { 1 }, head.classes),
            Head::Embedding(head) => (1, head.width),
            _ => (1, 0),
        };
        let width = rows.saturating_mul(spec.width);
        self.pooled = device.buffer(parts * width)?;
        self.dense = device.buffer(width)?;
        self.normed = device.buffer(width)?;
        self.logits = device.buffer(rows.saturating_mul(values))?;
        Ok(())
    }

    /// Makes room for so many rows, which counts once it is known to be there. Error: out-of-memory.
    pub fn reserve(&mut self, device: &mut D, spec: &Spec, rows: usize) -> Result<()> {
        if self.rows < rows {
            self.rows = 0;
            self.make(device, spec, rows)?;
        }
        self.chain.reserve(device, rows)
    }

    /// The room for so many rows is there.
    fn is_there(&mut self, rows: usize) {
        self.rows = self.rows.max(rows);
        self.chain.is_there(rows);
    }

    /// Values of one sequence's result; of one token's where each has its own.
    pub fn width(&self, spec: &Spec, output: Output) -> usize {
        match (output, &spec.head) {
            (Output::Vector(_) | Output::Pooler, _) => self.chain.width().unwrap_or(spec.width),
            (Output::Logits | Output::TokenLogits, Head::Classes(head)) => head.classes,
            (Output::Embedding, Head::Embedding(head)) => head.width,
            _ => spec.width,
        }
    }

    /// Reads sequences in one pass: their results, one after the other. There is room for the pass. Errors:
    /// invalid-argument, out-of-memory, device-lost.
    pub async fn read(
        &mut self,
        device: &mut D,
        encoder: &mut Encoder<D>,
        entering: Entering<'_, D>,
        extents: &[Extent<'_>],
        output: Output,
    ) -> Result<Vec<f32>> {
        output.check(&encoder.spec)?;
        let tokens = extents.iter().map(|extent| extent.span.len).sum();
        let rows = if output.is_of_tokens() { tokens } else { extents.len() };
        let width = self.width(&encoder.spec, output);
        if output != Output::Hidden {
            self.reserve(device, &encoder.spec, rows)?;
        }
        let result = match output.pooling(&encoder.spec).filter(|pooling| pooling.is_computed_here()) {
            Some(pooling) => {
                let inner = encoder.spec.width;
                encoder.run(device, entering, &spans(extents), &[], None)?;
                let hidden = receive(device, encoder.hidden()?, tokens * inner).await?;
                let vectors = pooled(&hidden, inner, extents, &pooling.runs(extents), pooling);
                device.write(&vectors, 0, &mut self.pooled);
                self.finish(device, &encoder.spec, &encoder.weights, None, rows, output)
            }
            None => self.compute(device, encoder, entering, extents, output)?,
        };
        let mut values = receive(device, result, rows * width).await?;
        if output != Output::Hidden {
            self.is_there(rows);
        }
        if output == Output::Logits && encoder.weights.head.distillation.is_some() {
            // Two classifiers' mean, from their sum.
            values.iter_mut().for_each(|value| *value /= 2.0);
        }
        Ok(values)
    }

    /// The same on the device alone, for poolings that it has a verb for, and where the result is. There is room.
    pub fn compute<'a>(
        &'a mut self,
        device: &mut D,
        encoder: &'a mut Encoder<D>,
        entering: Entering<D>,
        extents: &[Extent],
        output: Output,
    ) -> Result<&'a D::Buffer> {
        let pooling = output.pooling(&encoder.spec);
        let runs = pooling.map(|pooling| pooling.runs(extents)).unwrap_or_default();
        let single = pooling.is_some_and(Pooling::is_of_single_rows);
        let (spans, kept) = (spans(extents), if single { &*runs } else { &[] });
        encoder.run(device, entering, &spans, kept, None)?;
        let (width, tokens) = (encoder.spec.width, spans.iter().map(|span| span.len).sum());
        let rows = if output.is_of_tokens() { tokens } else { extents.len() };
        let hidden = match pooling {
            Some(Pooling::Attention) => {
                encoder.look_by_query(device, &spans)?;
                Some(encoder.found()?)
            }
            None => Some(encoder.hidden()?),
            Some(_) if single => Some(encoder.hidden()?),
            Some(_) => {
                device.gather_mean(encoder.hidden()?, width, &runs, &mut self.pooled);
                None
            }
        };
        Ok(self.finish(device, &encoder.spec, &encoder.weights, hidden, rows, output))
    }

    /// What is asked of the rows in `hidden`, or in `pooled`, and where it is.
    fn finish<'a>(
        &'a mut self,
        device: &mut D,
        spec: &Spec,
        weights: &Weights<D>,
        hidden: Option<&'a D::Buffer>,
        rows: usize,
        output: Output,
    ) -> &'a D::Buffer {
        let head = &weights.head;
        if let (Output::Logits, Some(hidden), Some(second)) = (output, hidden, &head.distillation) {
            let seconds: Vec<Range<usize>> = (rows..2 * rows).map(|row| row..row + 1).collect();
            device.gather_mean(hidden, spec.width, &seconds, &mut self.pooled);
            let input = Input { x: &self.pooled, rows, norm: None };
            device.project(&input, &mut [second.to(&mut self.logits)]);
        }
        let Self { pooled, dense, normed, logits, chain, .. } = self;
        let x = hidden.unwrap_or(pooled);
        let input = Input { x, rows, norm: None };
        match (output, &spec.head) {
            (Output::Vector(_), _) => chain.apply(device, x, rows),
            (Output::Pooler, _) => {
                if let Some(product) = &head.dense {
                    device.project_activated(&input, None, product, Activation::Tanh, dense);
                }
                chain.apply(device, dense, rows)
            }
            (Output::Logits | Output::TokenLogits, Head::Classes(classes)) => {
                let mut x = x;
                if let (Some(spec), Some(product)) = (classes.dense, &head.dense) {
                    device.project_activated(&input, None, product, spec.activation, dense);
                    x = dense;
                }
                if let Some(norm) = &head.dense_norm {
                    device.norm(&Input { x, rows, norm: Some(norm.of(spec)) }, spec.width, false, normed);
                    x = normed;
                }
                if let Some(classifier) = &head.output {
                    let accumulate = head.distillation.is_some();
                    let input = Input { x, rows, norm: None };
                    device.project(&input, &mut [Projection { accumulate, ..classifier.to(logits) }]);
                }
                logits
            }
            (Output::Embedding, _) => match &head.output {
                Some(projection) => {
                    device.project(&input, &mut [projection.to(logits)]);
                    logits
                }
                None => x,
            },
            _ => x,
        }
    }
}

fn spans(extents: &[Extent]) -> Vec<Span> {
    extents.iter().map(|extent| extent.span).collect()
}

/// The first values of a buffer.
pub(super) async fn receive<D: Device>(device: &mut D, x: &D::Buffer, len: usize) -> Result<Vec<f32>> {
    let mut values = try_vec(len, "a result")?;
    let reading = device.send(x, len)?;
    device.receive(reading, &mut values).await?;
    Ok(values)
}
