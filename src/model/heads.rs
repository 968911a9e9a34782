//! What is asked of sequences, from their hidden states: the one interpreter of heads and poolings.

use super::encoder::{Buffers, Encoder, no_room};
use super::forward::Entering;
use super::pooling::{Extent, pooled};
use super::scratch::HeadBuffers;
use super::spec::{Head, Pooling, Spec};
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

    /// The rows that a pass has to keep for it; empty: all.
    pub fn kept(self, spec: &Spec, extents: &[Extent]) -> Vec<Range<usize>> {
        let single = self.pooling(spec).filter(|pooling| pooling.is_of_single_rows());
        single.map(|pooling| pooling.runs(extents)).unwrap_or_default()
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

impl<D: Device> Encoder<D> {
    /// Values of one sequence's result; of one token's where each has its own.
    pub fn values(&self, output: Output) -> usize {
        match (output, &self.spec.head) {
            (Output::Vector(_) | Output::Pooler, _) => self.chain.widths().last().copied().unwrap_or(self.spec.width),
            (Output::Logits | Output::TokenLogits, Head::Classes(head)) => head.classes,
            (Output::Embedding, Head::Embedding(head)) => head.width,
            _ => self.spec.width,
        }
    }

    /// Reads sequences in one pass: their results, one after the other. There is room for the pass. Errors:
    /// invalid-argument, out-of-memory, device-lost.
    pub async fn read(
        &mut self,
        device: &mut D,
        entering: Entering<'_, D>,
        extents: &[Extent<'_>],
        output: Output,
    ) -> Result<Vec<f32>> {
        output.check(&self.spec)?;
        self.run(device, entering, &spans(extents), &output.kept(&self.spec, extents), None)?;
        if let Some(pooling) = output.pooling(&self.spec).filter(|pooling| pooling.is_computed_here()) {
            let width = self.spec.width;
            let hidden = receive(device, self.hidden()?, tokens(extents) * width).await?;
            let vectors = pooled(&hidden, width, extents, &pooling.runs(extents), pooling);
            let room = self.room.as_mut().ok_or_else(no_room)?;
            device.write(&vectors, 0, &mut room.heads.pooled);
        }
        let rows = if output.is_of_tokens() { tokens(extents) } else { extents.len() };
        let len = rows * self.values(output);
        let result = self.result(device, extents, output)?;
        let mut values = receive(device, result, len).await?;
        if output == Output::Logits && self.weights.head.distillation.is_some() {
            // Two classifiers' mean, from their sum.
            values.iter_mut().for_each(|value| *value /= 2.0);
        }
        Ok(values)
    }

    /// What is asked of the last pass's sequences, and where it is. What devices have no verb for has been pooled.
    pub fn result(&mut self, device: &mut D, extents: &[Extent], output: Output) -> Result<&D::Buffer> {
        let rows = if output.is_of_tokens() { tokens(extents) } else { extents.len() };
        let pooling = output.pooling(&self.spec);
        if pooling == Some(Pooling::Attention) {
            self.look_by_query(device, &spans(extents))?;
        }
        let Self { spec, weights, chain, room, .. } = self;
        let Buffers { scratch, hidden, heads, .. } = room.as_mut().ok_or_else(no_room)?;
        let (head, HeadBuffers { pooled, dense, normed, logits, chained }) = (&weights.head, heads);
        if let (Output::Logits, Some(second)) = (output, &head.distillation) {
            let seconds: Vec<Range<usize>> = (rows..2 * rows).map(|row| row..row + 1).collect();
            device.gather_mean(hidden, spec.width, &seconds, pooled);
            let input = Input { x: pooled, rows, norm: None };
            device.project(&input, &mut [second.to(logits)]);
        }
        let x = match pooling {
            Some(Pooling::Attention) => &scratch.hidden,
            Some(pooling) if pooling.is_computed_here() => pooled,
            Some(pooling) if !pooling.is_of_single_rows() => {
                device.gather_mean(hidden, spec.width, &pooling.runs(extents), pooled);
                pooled
            }
            _ => hidden,
        };
        let input = Input { x, rows, norm: None };
        Ok(match (output, &spec.head) {
            (Output::Vector(_), _) => chain.apply(device, x, rows, chained),
            (Output::Pooler, _) => {
                if let Some(product) = &head.dense {
                    device.project_activated(&input, None, product, Activation::Tanh, dense);
                }
                chain.apply(device, dense, rows, chained)
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
        })
    }
}

fn tokens(extents: &[Extent]) -> usize {
    extents.iter().map(|extent| extent.span.len).sum()
}

pub(super) fn spans(extents: &[Extent]) -> Vec<Span> {
    extents.iter().map(|extent| extent.span).collect()
}

/// The first values of a buffer.
pub(super) async fn receive<D: Device>(device: &mut D, x: &D::Buffer, len: usize) -> Result<Vec<f32>> {
    let mut values = try_vec(len, "a result")?;
    let reading = device.send(x, len)?;
    device.receive(reading, &mut values).await?;
    Ok(values)
}
