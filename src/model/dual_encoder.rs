//! Two towers: images and texts as vectors of one space (CLIP: <https://arxiv.org/abs/2103.00020>, SigLIP:
//! <https://arxiv.org/abs/2303.15343>).

use super::dense::DenseChain;
use super::encoder::Encoder;
use super::heads::Output;
use super::image::{ImageModel, ImageOutput, ImageSource, ImageTask};
use super::sequence::Sequence;
use super::text::{read_texts, warm_up};
use super::weight_loader::WeightLoader;
use crate::device::{Device, Progress};
use crate::error::{Error, Result};
use crate::image::Processor;

pub struct DualEncoder<D: Device> {
    /// The image tower; the device is its.
    pub images: ImageModel<D>,
    pub texts: Encoder<D>,
    pub likeness: SimilarityHead,
}

/// What the model makes of the similarity of an image's vector and a text's.
#[derive(Clone, Copy, Debug)]
pub struct SimilarityHead {
    /// Multiplies it.
    pub scale: f32,
    /// Is added then, where each text is judged for itself.
    pub bias: Option<f32>,
}

impl SimilarityHead {
    pub fn logit(&self, image: &[f32], text: &[f32]) -> f32 {
        let similarity: f32 = image.iter().zip(text).map(|(image, text)| image * text).sum();
        self.scale * similarity + self.bias.unwrap_or(0.0)
    }
}

impl<D: Device> DualEncoder<D> {
    /// Errors: what loading may meet.
    pub async fn new(
        weight_loader: WeightLoader<D>,
        processor: Option<Processor>,
        progress: &Progress,
    ) -> Result<Self> {
        let (mut device, plan, loaded) = weight_loader.finish()?;
        let mut weights = loaded.weights(&mut device, plan.specs())?;
        let spec = plan.spec().clone();
        if weights.len() < 2 {
            return Err(Error::invalid(format!("{} has no image tower", spec.architecture)));
        }
        let (images, texts) = (weights.remove(1), weights.remove(0));
        let image_spec = plan.stacks[1].spec.clone();
        let (scale, bias) = texts.head.matching.unwrap_or((0.0, None));
        let likeness = SimilarityHead { scale: scale.exp(), bias };
        let mut texts = Encoder::new(spec, texts, DenseChain::default());
        let mut images = ImageModel::with(device, image_spec, Vec::new(), images, processor);
        images.warm_up(progress).await?;
        warm_up(&mut images.device, &mut texts, &[Output::Embedding], progress).await?;
        Ok(Self { images, texts, likeness })
    }

    /// Values of a vector.
    pub fn width(&self) -> usize {
        self.texts.values(Output::Embedding)
    }

    /// The vectors of texts, of unit length, [texts, width]. Errors: invalid-argument, context-full, out-of-memory,
    /// device-lost.
    pub async fn embed_texts(&mut self, rows: &[Sequence]) -> Result<Vec<f32>> {
        let width = self.width();
        let mut values = read_texts(&mut self.images.device, &mut self.texts, rows, Output::Embedding).await?;
        values.chunks_exact_mut(width).for_each(to_unit_length);
        Ok(values)
    }

    /// The vectors of images from number `first` on, of unit length: as [`ImageModel::look`].
    pub async fn embed_images(&mut self, source: &ImageSource, first: usize) -> Result<ImageOutput> {
        let mut seen = self.images.look(source, first, ImageTask::Embedding).await?;
        let width = seen.values.len() / seen.count;
        seen.values.chunks_exact_mut(width).for_each(to_unit_length);
        Ok(seen)
    }
}

/// x / |x|; zeros stay zeros.
pub fn to_unit_length(vector: &mut [f32]) {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt().max(1e-12);
    vector.iter_mut().for_each(|value| *value /= length);
}
