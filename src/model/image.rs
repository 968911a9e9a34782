//! Models of images: patches in, classes, hidden states or attention maps out.

use super::dense::DenseChain;
use super::encoder::Encoder;
use super::heads::{Output, receive, spans};
use super::image_pass::ImagePass;
use super::maps::sending;
use super::patches::Patches;
use super::positions;
use super::rollout::Rollout;
use super::spec::{Head, Spec, StackInput};
use super::stack::{InputTensors, PatchTensors, Weights};
use super::weight_loader::WeightLoader;
use crate::device::{Device, Patching, Picture, Preparation, Progress, Span};
use crate::error::{Code, Error, Result, try_vec};
use crate::image::Processor;

/// A transformer of images on a device.
pub struct ImageModel<D: Device> {
    pub(super) device: D,
    pub encoder: Encoder<D>,
    /// Of the classes, by their numbers.
    pub labels: Vec<String>,
    /// What becomes of pictures; without it only pixels can be looked at.
    processor: Option<Processor>,
    /// What a pass begins with, for as many images of one size; made again for more or for another size.
    workspace: Option<ImagePass<D>>,
}

/// Normalised pixels, [count, channels, height, width].
pub struct Images {
    pub values: Vec<f32>,
    pub count: usize,
    pub channels: usize,
    pub height: usize,
    pub width: usize,
}

/// Pictures as decoded, which are fetched one by one: many are more than memory holds.
pub trait PictureSource {
    fn len(&self) -> usize;
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Width and height.
    fn size(&self, index: usize) -> (usize, usize);
    /// RGBA, [height, width, 4].
    fn rgba(&self, index: usize) -> Vec<u8>;
}

/// What a model is to look at.
pub enum ImageSource {
    Images(Images),
    Pictures(Box<dyn PictureSource>),
}

impl ImageSource {
    pub fn count(&self) -> usize {
        match self {
            ImageSource::Images(images) => images.count,
            ImageSource::Pictures(pictures) => pictures.len(),
        }
    }
}

/// What is asked of images, and the result of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageTask {
    /// What the first block reads, normalised: [channels, height, width].
    Pixels,
    /// [classes]
    Logits,
    /// One vector, [width].
    Embedding,
    /// After the last norm, [tokens, width].
    Features,
    /// The attention weights of all layers, [layers, heads, tokens, tokens].
    Attention,
    /// What the class token looks at, [rows, columns] of patches: see [`Rollout`].
    Rollout(Rollout),
}

/// Some images' results, [count, dims…].
pub struct ImageOutput {
    pub count: usize,
    pub dims: Vec<usize>,
    pub values: Vec<f32>,
}

impl<D: Device> ImageModel<D> {
    /// Errors: invalid-argument for a model of something else, and what loading may meet.
    pub async fn new(
        weight_loader: WeightLoader<D>,
        processor: Option<Processor>,
        progress: &Progress,
    ) -> Result<Self> {
        let (mut device, plan, loaded) = weight_loader.finish()?;
        let weights = loaded.weights(&mut device, plan.specs())?.remove(0);
        let (spec, labels) = (plan.spec().clone(), plan.labels);
        let mut model = Self::with(device, spec, labels, weights, processor);
        model.device.sync().await?;
        model.warm_up(progress).await?;
        Ok(model)
    }

    /// Of weights that are there.
    pub(super) fn with(
        device: D,
        spec: Spec,
        labels: Vec<String>,
        weights: Weights<D>,
        processor: Option<Processor>,
    ) -> Self {
        let encoder = Encoder::new(spec, weights, DenseChain::default());
        Self { device, encoder, labels, processor, workspace: None }
    }

    fn patches(&self) -> Result<(&Patches, &PatchTensors<D>)> {
        let Encoder { spec, weights, .. } = &self.encoder;
        match (&spec.input, &weights.input) {
            (StackInput::Patches(patches), InputTensors::Patches(weights)) => Ok((patches, weights)),
            _ => Err(Error::invalid(format!("{} is no model of images", spec.architecture))),
        }
    }

    /// Channels, height and width that pictures get for it, or that it was made for where that depends on them.
    pub fn image_size(&self) -> [usize; 3] {
        let StackInput::Patches(patches) = &self.encoder.spec.input else { return [0; 3] };
        let size = self.processor.as_ref().and_then(Processor::size);
        let (height, width) = size.unwrap_or((patches.image[0], patches.image[1]));
        [patches.channels, height, width]
    }

    /// Lets the device get ready for images of the model's own size, one alone and as many as go together.
    pub(super) async fn warm_up(&mut self, progress: &Progress) -> Result<()> {
        let [height, width] = self.patches()?.0.image;
        let most = self.most_images(height, width)?;
        self.make_room(most, height, width).await?;
        let blank = Picture { rgba: &[0; 4], width: 1, height: 1 };
        let preparation = self.processor.as_ref().map(|processor| processor.preparation(1, 1)).transpose()?;
        let Self { device, encoder, workspace: Some(room), .. } = self else { return Ok(()) };
        let outputs = [Output::Hidden, Output::Logits, Output::Embedding];
        let outputs: Vec<Output> = outputs.into_iter().filter(|output| output.check(&encoder.spec).is_ok()).collect();
        device
            .warm_up(progress, |device| {
                if let Some(preparation) = &preparation {
                    device.pixels(&blank, preparation, 0, &mut room.pixels)?;
                }
                for images in [most, 1] {
                    for output in &outputs {
                        let extents = room.extents(images);
                        let (entering, kept) = (room.enter(device, images), output.kept(&encoder.spec, &extents));
                        encoder.run(device, entering, &spans(&extents), &kept, None)?;
                        encoder.result(device, &extents, *output)?;
                    }
                }
                Ok(())
            })
            .await
    }

    /// Images of a size that one pass takes: enough to keep the device busy, few enough to be left soon.
    pub fn most_images(&self, height: usize, width: usize) -> Result<usize> {
        let tokens = self.patches()?.0.patching(height, width).tokens();
        Ok((8 * D::CHUNK / tokens).clamp(1, MOST_IMAGES))
    }

    /// Checks the size of images. Error: invalid-argument.
    pub fn check_size(&self, channels: usize, height: usize, width: usize) -> Result<()> {
        let (patches, _) = self.patches()?;
        if channels != patches.channels {
            let message = format!("pixels of {channels} channels, but this model takes {}", patches.channels);
            return Err(Error::invalid(message));
        }
        let [least_height, least_width] = patches.patch;
        if height < least_height || width < least_width || height.max(width) > MOST_PIXELS {
            return Err(Error::invalid(format!(
                "images of {width} × {height} pixels, expected {least_width} × {least_height} (one patch) to {MOST_PIXELS} a side"
            )));
        }
        let patching = patches.patching(height, width);
        let widest = self.encoder.spec.widest().max(patching.columns);
        match fit(patching.tokens(), widest) {
            true => Ok(()),
            false => {
                let message =
                    format!("an image of {width} × {height} is {} tokens of {widest} values", patching.tokens());
                Err(Error::new(Code::OutOfMemory, message))
            }
        }
    }

    /// Makes a workspace for images of that size. Errors: invalid-argument, out-of-memory.
    async fn make_room(&mut self, images: usize, height: usize, width: usize) -> Result<()> {
        let (patches, _) = self.patches()?;
        let patching = patches.patching(height, width);
        if self.workspace.as_ref().is_some_and(|room| room.patching == patching && room.images >= images) {
            return Ok(());
        }
        self.workspace = None;
        let tokens = patching.tokens();
        let table = self.table(&patching)?;
        let Self { device, encoder, .. } = self;
        let workspace = ImagePass {
            images,
            pixels: device.buffer(images.saturating_mul(patching.pixels()))?,
            patches: device.buffer(images.saturating_mul(tokens).saturating_mul(patching.columns))?,
            table,
            patching,
        };
        // All of it is kept once it is known to be there.
        encoder.reserve(device, &vec![tokens; images], 0).await?;
        self.workspace = Some(workspace);
        Ok(())
    }

    /// What an image's tokens are before its pixels come: class token and its like, positions, and the patches' bias.
    fn table(&mut self, patching: &Patching) -> Result<D::Buffer> {
        let (patches, weights) = self.patches()?;
        let width = self.encoder.spec.width;
        let learned = patches.patching(patches.image[0], patches.image[1]).grid();
        let mut table: Vec<f32> = try_vec(patching.tokens().saturating_mul(width), "positions")?;
        let (tokens, rows) = table.split_at_mut(patching.before * width);
        let (first, grid) = weights.positions.split_at((patching.before - patches.registers) * width);
        tokens.copy_from_slice(&weights.tokens);
        tokens.iter_mut().zip(first).for_each(|(token, position)| *token += position);
        let positions = match patching.grid() == learned {
            true => grid.to_vec(),
            false => positions::resize(grid, learned, patching.grid(), width, patches.antialiased_positions),
        };
        rows.copy_from_slice(&positions);
        for row in rows.chunks_exact_mut(width) {
            row.iter_mut().zip(&weights.bias).for_each(|(value, bias)| *value += bias);
        }
        let mut buffer = self.device.buffer(table.len())?;
        self.device.write(&table, 0, &mut buffer);
        Ok(buffer)
    }

    /// Height and width that the image of some number has for the model, and how a picture gets there.
    fn size_of(&self, source: &ImageSource, index: usize) -> Result<([usize; 2], Option<Preparation>)> {
        let (channels, size, preparation) = match source {
            ImageSource::Images(images) => (images.channels, [images.height, images.width], None),
            ImageSource::Pictures(pictures) => {
                let processor = self.processor.as_ref().ok_or_else(|| {
                    let message = "this checkpoint came without it: only pixels can be used, no pictures";
                    Error::new(Code::MissingFile, message).in_file("preprocessor_config.json")
                })?;
                let (width, height) = pictures.size(index);
                let preparation = processor.preparation(width, height)?;
                (preparation.channels, [preparation.rows.len(), preparation.columns.len()], Some(preparation))
            }
        };
        self.check_size(channels, size[0], size[1])?;
        Ok((size, preparation))
    }

    /// Looks at images from number `first` on, as many as go together. Errors: invalid-argument, missing-file,
    /// out-of-memory, device-lost.
    pub async fn look(&mut self, source: &ImageSource, first: usize, task: ImageTask) -> Result<ImageOutput> {
        let ([height, width], mut preparation) = self.size_of(source, first)?;
        let alone = matches!(task, ImageTask::Attention | ImageTask::Rollout(_));
        let most = if alone { 1 } else { self.most_images(height, width)?.min(source.count() - first) };
        self.make_room(most, height, width).await?;
        let mut count = 0;
        while count < most {
            if count > 0 {
                let (size, next) = self.size_of(source, first + count)?;
                if size != [height, width] {
                    break;
                }
                preparation = next;
            }
            self.put(source, first + count, preparation.as_ref(), count)?;
            count += 1;
        }
        let dims = self.result_dims(task)?;
        let len = dims.iter().try_fold(count, |len, n| len.checked_mul(*n)).unwrap_or(usize::MAX / 8);
        let values = self.finish(count, task, len).await?;
        Ok(ImageOutput { count, dims, values })
    }

    /// Puts an image's pixels at a place of the workspace.
    fn put(
        &mut self,
        source: &ImageSource,
        index: usize,
        preparation: Option<&Preparation>,
        place: usize,
    ) -> Result<()> {
        let Self { device, workspace: Some(room), .. } = self else { return Ok(()) };
        match (source, preparation) {
            (ImageSource::Pictures(pictures), Some(preparation)) => {
                let ((width, height), rgba) = (pictures.size(index), pictures.rgba(index));
                device.pixels(&Picture { rgba: &rgba, width, height }, preparation, place, &mut room.pixels)
            }
            (ImageSource::Images(images), _) => {
                let len = room.patching.pixels();
                device.write(&images.values[index * len..(index + 1) * len], place * len, &mut room.pixels);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Of one image's result. Error: invalid-argument.
    fn result_dims(&self, task: ImageTask) -> Result<Vec<usize>> {
        let spec = &self.encoder.spec;
        let (layers, heads) = (spec.layers(), spec.attention().heads);
        let Some(ImagePass { patching, .. }) = &self.workspace else { return Ok(Vec::new()) };
        match task {
            ImageTask::Pixels => Ok(vec![patching.channels, patching.height, patching.width]),
            ImageTask::Logits => match spec.head {
                Head::Classes(head) => Ok(vec![head.classes]),
                _ => Err(Error::invalid("this checkpoint has no classifier: only features and attention")),
            },
            ImageTask::Embedding => match &spec.head {
                Head::Embedding(head) => Ok(vec![head.width]),
                _ => Err(Error::invalid(format!("{} makes no vectors of images", spec.architecture))),
            },
            ImageTask::Features => Ok(vec![patching.tokens(), spec.width]),
            ImageTask::Attention => Ok(vec![layers, heads, patching.tokens(), patching.tokens()]),
            ImageTask::Rollout(rollout) => {
                rollout.check(layers, heads)?;
                Ok(patching.grid().to_vec())
            }
        }
    }

    /// What is asked of the images whose pixels are in the workspace, `len` values.
    async fn finish(&mut self, images: usize, task: ImageTask, len: usize) -> Result<Vec<f32>> {
        match task {
            ImageTask::Attention => {
                let (mut all, mut at) = (try_vec(len, "what the model sees")?, 0);
                self.maps(None, |map| {
                    all[at..][..map.len()].copy_from_slice(map);
                    at += map.len();
                })
                .await?;
                return Ok(all);
            }
            ImageTask::Rollout(rollout) => return self.rollout(rollout).await,
            _ => {}
        }
        let Self { device, encoder, workspace: Some(room), .. } = self else { return Ok(Vec::new()) };
        let output = match task {
            ImageTask::Pixels => return receive(device, &room.pixels, len).await,
            ImageTask::Logits => Output::Logits,
            ImageTask::Embedding => Output::Embedding,
            _ => Output::Hidden,
        };
        let extents = room.extents(images);
        let entering = room.enter(device, images);
        encoder.read(device, entering, &extents, output).await
    }

    async fn rollout(&mut self, rollout: Rollout) -> Result<Vec<f32>> {
        let Some(ImagePass { patching, .. }) = &self.workspace else { return Ok(Vec::new()) };
        let (patching, heads) = (*patching, self.encoder.spec.attention().heads);
        let mut maps = Vec::new();
        self.maps(rollout.layer, |map| maps.push(rollout.of_heads(map, heads))).await?;
        Ok(rollout.over_patches(&maps, patching.tokens(), patching.before))
    }

    /// The attention weights of the first image in all layers or one: `take` gets each layer's [heads, tokens, tokens].
    async fn maps(&mut self, only: Option<usize>, mut take: impl FnMut(&[f32])) -> Result<()> {
        let Self { device, encoder, workspace: Some(room), .. } = self else { return Ok(()) };
        let tokens = room.patching.tokens();
        let len = encoder.spec.attention().heads.saturating_mul(tokens).saturating_mul(tokens);
        let mut map: Vec<f32> = try_vec(len, "an attention map")?;
        let mut readings = Vec::new();
        let spans = [Span::new(0, tokens, 0, 0)];
        let entering = room.enter(device, 1);
        encoder.run(device, entering, &spans, &[], Some(&mut sending(only, tokens, &mut readings)))?;
        for reading in readings {
            device.receive(reading, &mut map).await?;
            take(&map);
        }
        Ok(())
    }
}

/// Most images of one pass.
const MOST_IMAGES: usize = 64;
/// Most pixels of an image's side that go through the model at once.
const MOST_PIXELS: usize = 4096;
/// Values of all an image's tokens: WebAssembly counts their bytes with 32 bits, and more do not fit into its memory.
const MOST_VALUES: usize = 1 << 29;

fn fit(tokens: usize, widest: usize) -> bool {
    tokens.checked_mul(widest).is_some_and(|values| values <= MOST_VALUES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_of_more_values_than_memory_holds_is_told_apart_before_they_are_counted_with_32_bits() {
        assert!(fit(256 * 256 + 1, 4096));
        assert!(!fit(4096 * 4096 + 1, 256), "patches of one pixel: 2³² values");
        assert!(!fit(usize::MAX, 2));
    }
}
