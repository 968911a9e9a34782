//! Two towers: images and texts as vectors of one space (CLIP: <https://arxiv.org/abs/2103.00020>, SigLIP:
//! <https://arxiv.org/abs/2303.15343>).

use super::assembly::Assembly;
use super::image::{ImageModel, Looking, Seen, Source};
use super::spec::{Head, Pooling};
use super::text::receive;
use super::tower::{Sequence, Tower};
use crate::device::{Device, Input, Progress};
use crate::error::{Error, Result};
use crate::image::Processor;
use std::ops::Range;

pub struct Matcher<D: Device> {
    /// The image tower; the device is its.
    pub images: ImageModel<D>,
    pub texts: Tower<D>,
    pub likeness: Likeness,
    vectors: Vectors<D>,
}

/// What the model makes of the similarity of an image's vector and a text's.
#[derive(Clone, Copy, Debug)]
pub struct Likeness {
    /// Multiplies it.
    pub scale: f32,
    /// Is added then, where each text is judged for itself.
    pub bias: Option<f32>,
}

impl Likeness {
    pub fn logit(&self, image: &[f32], text: &[f32]) -> f32 {
        let similarity: f32 = image.iter().zip(text).map(|(image, text)| image * text).sum();
        self.scale * similarity + self.bias.unwrap_or(0.0)
    }
}

/// [texts, …]
struct Vectors<D: Device> {
    texts: usize,
    pooled: D::Buffer,
    projected: D::Buffer,
}

impl<D: Device> Vectors<D> {
    fn new(device: &mut D, width: usize, projected: usize, texts: usize) -> Result<Self> {
        Ok(Self { texts, pooled: device.buffer(texts * width)?, projected: device.buffer(texts * projected)? })
    }
}

impl<D: Device> Matcher<D> {
    /// Errors: what loading may meet.
    pub async fn new(assembly: Assembly<D>, processor: Option<Processor>, progress: &Progress) -> Result<Self> {
        let (mut device, plan, loaded) = assembly.finish()?;
        let mut weights = loaded.weights(&mut device, plan.specs())?;
        let spec = plan.spec().clone();
        if weights.len() < 2 {
            return Err(Error::invalid(format!("{} has no image tower", spec.architecture)));
        }
        let (images, texts) = (weights.remove(1), weights.remove(0));
        let image_spec = plan.stacks[1].spec.clone();
        let (scale, bias) = texts.head.matching.unwrap_or((0.0, None));
        let likeness = Likeness { scale: scale.exp(), bias };
        let vectors = Vectors::new(&mut device, spec.width, width_of(&spec.head), 1)?;
        let images = ImageModel::with(device, image_spec, Vec::new(), images, processor);
        let mut matcher = Self { images, texts: Tower::new(spec, texts), likeness, vectors };
        matcher.images.prepare(progress).await?;
        matcher.prepare(progress).await?;
        Ok(matcher)
    }

    async fn prepare(&mut self, progress: &Progress) -> Result<()> {
        let Self { images: ImageModel { device, .. }, texts, vectors, .. } = self;
        texts.reserve_rehearsal(device).await?;
        let steps = |device: &mut D| {
            texts.rehearse(device, None)?;
            let Some(hidden) = texts.hidden() else { return Ok(()) };
            project(device, texts, hidden, vectors, std::slice::from_ref(&(0..1)));
            Ok(())
        };
        device.prepare(progress, steps).await
    }

    /// Values of a vector.
    pub fn width(&self) -> usize {
        width_of(&self.texts.spec.head)
    }

    /// The vectors of texts, of unit length, [texts, width]. Errors: invalid-argument, context-full, out-of-memory,
    /// device-lost.
    pub async fn embed_texts(&mut self, rows: &[Sequence]) -> Result<Vec<f32>> {
        let width = self.width();
        let Self { images: ImageModel { device, .. }, texts, vectors, .. } = self;
        let spans = texts.encode(device, rows, None).await?;
        if vectors.texts < rows.len() {
            *vectors = Vectors::new(device, texts.spec.width, width, rows.len())?;
        }
        let Some(hidden) = texts.hidden() else { return Ok(Vec::new()) };
        let Head::Embedding(head) = &texts.spec.head else { return Ok(Vec::new()) };
        let token = |ids: &[u32]| match head.pooling {
            Pooling::Token(end) => ids.iter().position(|id| *id == end).unwrap_or(0),
            // The first of the largest, as in the reference.
            Pooling::LargestToken => {
                ids.iter().enumerate().fold(0, |best, (at, id)| if *id > ids[best] { at } else { best })
            }
            Pooling::Last => ids.len() - 1,
            _ => 0,
        };
        let run = |(row, span): (&Sequence, &crate::device::Span)| {
            let at = span.row + token(&row.ids);
            at..at + 1
        };
        let runs: Vec<Range<usize>> = rows.iter().zip(&spans).map(run).collect();
        project(device, texts, hidden, vectors, &runs);
        let mut values = receive(device, &vectors.projected, rows.len() * width).await?;
        values.chunks_exact_mut(width).for_each(to_unit_length);
        Ok(values)
    }

    /// The vectors of images from number `first` on, of unit length: as [`ImageModel::look`].
    pub async fn embed_images(&mut self, source: &Source, first: usize) -> Result<Seen> {
        let mut seen = self.images.look(source, first, Looking::Embedding).await?;
        let width = seen.values.len() / seen.count;
        seen.values.chunks_exact_mut(width).for_each(to_unit_length);
        Ok(seen)
    }
}

/// The vectors of some tokens' hidden states, in `vectors.projected`.
fn project<D: Device>(
    device: &mut D,
    texts: &Tower<D>,
    hidden: &D::Buffer,
    vectors: &mut Vectors<D>,
    runs: &[Range<usize>],
) {
    device.pool(hidden, texts.spec.width, runs, &mut vectors.pooled);
    if let Some(head) = &texts.weights.head.output {
        let input = Input { x: &vectors.pooled, rows: runs.len(), norm: None };
        device.project(&input, &mut [head.to(&mut vectors.projected)]);
    }
}

fn width_of(head: &Head) -> usize {
    if let Head::Embedding(head) = head { head.width } else { 0 }
}

/// x / |x|; zeros stay zeros.
pub fn to_unit_length(vector: &mut [f32]) {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt().max(1e-12);
    vector.iter_mut().for_each(|value| *value /= length);
}
