//! Encoders of texts: vectors, classes or hidden states out.

use super::assembly::Assembly;
use super::dense::{DenseChain, DenseFile};
use super::maps::attention_maps;
use super::pooling::{Vector, by_root_of_length, pooled, runs};
use super::spec::{Head, Pooling, Spec};
use super::stack::Weights;
use super::tower::{Sequence, Tower};
use crate::device::{Activation, Device, Input, Progress};
use crate::error::{Error, Result, try_vec};

/// An encoder of texts on a device.
pub struct TextModel<D: Device> {
    device: D,
    pub tower: Tower<D>,
    /// Of the classes, by their numbers.
    pub labels: Vec<String>,
    heads: Heads<D>,
    /// What vectors go through behind the pooling.
    dense: DenseChain<D>,
}

/// What the head reads and gives, [rows, …]: a row is a sequence, or a token where each is classified.
struct Heads<D: Device> {
    rows: usize,
    pooled: D::Buffer,
    dense: D::Buffer,
    normed: D::Buffer,
    logits: D::Buffer,
}

/// What is asked of texts, and the result of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// After the last norm, [tokens, width].
    Hidden,
    /// [width]
    Vector(Vector),
    /// [classes]
    Logits,
    /// [tokens, classes]
    TokenLogits,
}

impl<D: Device> Heads<D> {
    fn new(device: &mut D, spec: &Spec, rows: usize) -> Result<Self> {
        let classes = if let Head::Classes(head) = spec.head { head.classes } else { 0 };
        Ok(Self {
            rows,
            pooled: device.buffer(rows * spec.width)?,
            dense: device.buffer(rows * spec.width)?,
            normed: device.buffer(rows * spec.width)?,
            logits: device.buffer(rows * classes)?,
        })
    }

    /// Makes room for so many rows.
    fn reserve(&mut self, device: &mut D, spec: &Spec, rows: usize) -> Result<()> {
        if self.rows < rows {
            // It counts once it is known to be there.
            *self = Self { rows: 0, ..Self::new(device, spec, rows)? };
        }
        Ok(())
    }

    /// activation(x · weight + bias) of what is pooled, or of each token's `hidden`, in `dense`.
    fn activate(
        &mut self,
        device: &mut D,
        weights: &Weights<D>,
        activation: Activation,
        hidden: Option<&D::Buffer>,
        rows: usize,
    ) {
        let Some(dense) = &weights.head.dense else { return };
        let input = Input { x: hidden.unwrap_or(&self.pooled), rows, norm: None };
        device.project_activated(&input, None, dense, activation, &mut self.dense);
    }

    /// The classifier's logits of what is pooled, or of each token's `hidden`.
    fn classify(&mut self, device: &mut D, spec: &Spec, weights: &Weights<D>, hidden: Option<&D::Buffer>, rows: usize) {
        let (Head::Classes(head), Some(classifier)) = (&spec.head, &weights.head.output) else { return };
        let mut x = hidden.unwrap_or(&self.pooled);
        let mut norm = None;
        if let Some(dense) = head.dense {
            self.activate(device, weights, dense.activation, hidden, rows);
            x = &self.dense;
            norm = weights.head.dense_norm.as_ref().map(|norm| norm.of(spec));
        }
        if norm.is_some() {
            device.norm(&Input { x, rows, norm }, spec.width, false, &mut self.normed);
            x = &self.normed;
        }
        device.project(&Input { x, rows, norm: None }, &mut [classifier.to(&mut self.logits)]);
    }
}

impl<D: Device> TextModel<D> {
    /// Errors: what loading may meet.
    pub async fn new(assembly: Assembly<D>, progress: &Progress) -> Result<Self> {
        Self::with_dense(assembly, Vec::new(), progress).await
    }

    /// With what its vectors go through behind the pooling, which the caller has seen to fit. Errors: what loading may meet.
    pub async fn with_dense(assembly: Assembly<D>, dense: Vec<DenseFile>, progress: &Progress) -> Result<Self> {
        let quantize = assembly.quantize;
        let (mut device, plan, loaded) = assembly.finish()?;
        let weights = loaded.weights(&mut device, plan.specs())?.remove(0);
        let (spec, labels) = (plan.spec().clone(), plan.labels);
        let heads = Heads::new(&mut device, &spec, 1)?;
        let dense = DenseChain::new(&mut device, dense, quantize)?;
        let mut model = Self { device, tower: Tower::new(spec, weights), labels, heads, dense };
        model.prepare(progress).await?;
        Ok(model)
    }

    async fn prepare(&mut self, progress: &Progress) -> Result<()> {
        let Self { device, tower, heads, dense, .. } = self;
        tower.reserve_rehearsal(device).await?;
        let each = is_of_tokens(&tower.spec);
        if each {
            *heads = Heads::new(device, &tower.spec, tower.rehearsed_tokens())?;
        }
        let steps = |device: &mut D| {
            let spans = tower.rehearse(device, None)?;
            for few in 1..=spans.len() {
                let (Some(hidden), rows) = (tower.hidden(), few.min(heads.rows)) else { return Ok(()) };
                let runs: Vec<_> = spans[..rows].iter().map(|span| span.row..span.row + span.len).collect();
                device.pool(hidden, tower.spec.width, &runs, &mut heads.pooled);
                if each {
                    let tokens = runs.iter().map(|run| run.len()).sum();
                    heads.classify(device, &tower.spec, &tower.weights, Some(hidden), tokens);
                    continue;
                }
                dense.apply(device, &heads.pooled, rows);
                heads.activate(device, &tower.weights, Activation::Tanh, None, rows);
                heads.classify(device, &tower.spec, &tower.weights, None, rows);
            }
            Ok(())
        };
        device.prepare(progress, steps).await
    }

    /// Refuses what the model does not have. Error: invalid-argument.
    pub fn check(&self, reading: Reading) -> Result<()> {
        let spec = &self.tower.spec;
        match (reading, &spec.head) {
            (Reading::Logits, _) if is_of_tokens(spec) => Err(Error::invalid("this checkpoint classifies tokens")),
            (Reading::TokenLogits, _) if !is_of_tokens(spec) => {
                Err(Error::invalid("this checkpoint has no classifier of tokens"))
            }
            (Reading::Logits, Head::Classes(_)) => Ok(()),
            (Reading::Logits, _) => Err(Error::invalid("this checkpoint has no classifier")),
            (Reading::Vector(Vector::Pooler), Head::None { pooler: true }) => Ok(()),
            (Reading::Vector(Vector::Pooler), Head::Classes(head)) if head.dense.is_some_and(|dense| dense.pooler) => {
                Ok(())
            }
            (Reading::Vector(Vector::Pooler), _) => Err(Error::invalid("this checkpoint has no pooler")),
            _ => Ok(()),
        }
    }

    /// Values of one text's result; of one token's where each has its own.
    pub fn width(&self, reading: Reading) -> usize {
        match (reading, &self.tower.spec.head) {
            (Reading::Vector(_), _) => self.dense.width().unwrap_or(self.tower.spec.width),
            (Reading::Logits | Reading::TokenLogits, Head::Classes(head)) => head.classes,
            _ => self.tower.spec.width,
        }
    }

    /// The attention weights of a text, [layers, heads, positions, positions], or of one layer.
    /// Errors: invalid-argument, context-full, out-of-memory, device-lost.
    pub async fn attention_maps(&mut self, text: &Sequence, only: Option<usize>) -> Result<(Vec<f32>, [usize; 4])> {
        self.tower.check(text)?;
        let Self { device, tower, .. } = self;
        attention_maps(device, &tower.spec, &tower.weights, &text.ids, only).await
    }

    /// Reads texts in one pass: their results, one after the other. Errors: invalid-argument, context-full,
    /// out-of-memory, device-lost.
    pub async fn read(&mut self, rows: &[Sequence], reading: Reading) -> Result<Vec<f32>> {
        self.check(reading)?;
        let width = self.width(reading);
        let Self { device, tower, heads, dense, .. } = self;
        let spans = tower.encode(device, rows, None).await?;
        let Some(hidden) = tower.hidden() else { return Ok(Vec::new()) };
        let tokens: usize = spans.iter().map(|span| span.len).sum();
        let pooling = match (reading, &tower.spec.head) {
            (Reading::Hidden, _) => return receive(device, hidden, tokens * width).await,
            (Reading::TokenLogits, _) => {
                heads.reserve(device, &tower.spec, tokens)?;
                heads.classify(device, &tower.spec, &tower.weights, Some(hidden), tokens);
                let logits = receive(device, &heads.logits, tokens * width).await?;
                heads.rows = heads.rows.max(tokens);
                return Ok(logits);
            }
            (Reading::Vector(vector), _) => vector,
            (_, Head::Classes(head)) if head.pooling == Pooling::Mean => Vector::Mean,
            _ => Vector::FirstToken,
        };
        let runs = runs(&spans, rows, pooling)?;
        let (inner, count) = (tower.spec.width, rows.len());
        heads.reserve(device, &tower.spec, count)?;
        dense.reserve(device, count)?;
        // What devices have no verb for is computed here and goes back.
        let made = match pooling {
            _ if !pooling.is_plain() => {
                let hidden = receive(device, hidden, tokens * inner).await?;
                Some(pooled(&hidden, inner, &spans, &runs, pooling))
            }
            Vector::MeanSqrtLength => {
                device.pool(hidden, inner, &runs, &mut heads.pooled);
                let mut means = receive(device, &heads.pooled, count * inner).await?;
                by_root_of_length(&mut means, inner, &runs);
                Some(means)
            }
            _ => None,
        };
        match made {
            Some(vectors) => device.write(&vectors, 0, &mut heads.pooled),
            None => device.pool(hidden, inner, &runs, &mut heads.pooled),
        }
        let result = match reading {
            Reading::Logits => {
                heads.classify(device, &tower.spec, &tower.weights, None, count);
                &heads.logits
            }
            Reading::Vector(Vector::Pooler) => {
                heads.activate(device, &tower.weights, Activation::Tanh, None, count);
                dense.apply(device, &heads.dense, count)
            }
            _ => dense.apply(device, &heads.pooled, count),
        };
        let vectors = receive(device, result, count * width).await?;
        heads.rows = heads.rows.max(count);
        dense.is_there(count);
        Ok(vectors)
    }
}

/// Whether the head has classes of each token.
fn is_of_tokens(spec: &Spec) -> bool {
    matches!(spec.head, Head::Classes(head) if head.pooling == Pooling::Each)
}

/// The first values of a buffer.
pub(super) async fn receive<D: Device>(device: &mut D, x: &D::Buffer, len: usize) -> Result<Vec<f32>> {
    let mut values = try_vec(len, "a result")?;
    let reading = device.send(x, len)?;
    device.receive(reading, &mut values).await?;
    Ok(values)
}
