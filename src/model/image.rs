//! Models of images: patches in, classes, hidden states or attention maps out.

use super::forward::{Rows, Scratch, begin, blocks, norm_hidden};
use super::heat::Heat;
use super::positions;
use super::patches::Patches;
use super::spec::{Head, Input as SpecInput, Pooling, Spec};
use super::weights::{InputWeights, PatchWeights, Weights};
use super::{Assembly, Plan};
use crate::device::{CacheType, Device, Input, Patching, Picture, Preparation, Progress, Projection, Span};
use crate::error::{Code, Error, Result, try_vec};
use crate::image::Processor;
use std::ops::Range;

/// A transformer of images on a device.
pub struct ImageModel<D: Device> {
    device: D,
    pub spec: Spec,
    /// Of the classes, by their numbers.
    pub labels: Vec<String>,
    /// What becomes of pictures; without it only pixels can be looked at.
    processor: Option<Processor>,
    weights: Weights<D>,
    /// What a pass needs for as many images of one size; made again for more or for another size.
    workspace: Option<Workspace<D>>,
}

struct Workspace<D: Device> {
    patching: Patching,
    images: usize,
    /// [images, channels, height, width]
    pixels: D::Buffer,
    /// [images, tokens, columns of a patch]
    patches: D::Buffer,
    /// What every image's tokens begin with, [tokens, width].
    table: D::Buffer,
    scratch: Scratch<D>,
    /// [images, tokens, width]
    normed: D::Buffer,
    /// [images, what the head reads]
    pooled: D::Buffer,
    /// [images, classes] of both heads.
    logits: [D::Buffer; 2],
    /// Keys and values of one layer, [images, tokens].
    cache: [D::Cache; 1],
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
pub trait Album {
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
pub enum Source {
    Images(Images),
    Album(Box<dyn Album>),
}

impl Source {
    pub fn count(&self) -> usize {
        match self {
            Source::Images(images) => images.count,
            Source::Album(album) => album.len(),
        }
    }
}

/// What is asked of images, and the result of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looking {
    /// What the first block reads, normalised: [channels, height, width].
    Pixels,
    /// [classes]
    Logits,
    /// After the last norm, [tokens, width].
    Features,
    /// The attention weights of all layers, [layers, heads, tokens, tokens].
    Attention,
    /// What the class token looks at, [rows, columns] of patches: see [`super::heat`].
    Heat(Heat),
}

/// Some images' results, [count, dims…].
pub struct Seen {
    pub count: usize,
    pub dims: Vec<usize>,
    pub values: Vec<f32>,
}

impl<D: Device> ImageModel<D> {
    /// Errors: invalid-argument for a model of something else, and what loading may meet.
    pub async fn new(assembly: Assembly<D>, processor: Option<Processor>, progress: &Progress) -> Result<Self> {
        let (mut device, Plan { spec, labels, .. }, gathered) = assembly.finish()?;
        let (weights, _) = gathered.weights(&mut device, &spec)?;
        let mut model = Self { device, spec, labels, processor, weights, workspace: None };
        model.device.settle().await?;
        model.prepare(progress).await?;
        Ok(model)
    }

    fn patches(&self) -> Result<(&Patches, &PatchWeights<D>)> {
        match (&self.spec.input, &self.weights.input) {
            (SpecInput::Patches(patches), InputWeights::Patches(weights)) => Ok((patches, weights)),
            _ => Err(Error::invalid(format!("{} is no model of images", self.spec.architecture))),
        }
    }

    /// Channels, height and width that pictures get for it, or that it was made for where that depends on them.
    pub fn image_size(&self) -> [usize; 3] {
        let SpecInput::Patches(patches) = &self.spec.input else { return [0; 3] };
        let size = self.processor.as_ref().and_then(Processor::size);
        let (height, width) = size.unwrap_or((patches.image[0], patches.image[1]));
        [patches.channels, height, width]
    }

    /// Lets the device get ready for images of the model's own size, one alone and as many as go together.
    async fn prepare(&mut self, progress: &Progress) -> Result<()> {
        let [height, width] = self.patches()?.0.image;
        let most = self.most_images(height, width)?;
        self.make_room(most, height, width).await?;
        let blank = Picture { rgba: &[0; 4], width: 1, height: 1 };
        let preparation = self.processor.as_ref().map(|processor| processor.preparation(1, 1)).transpose()?;
        let Self { device, spec, weights, workspace, .. } = self;
        let Some(workspace) = workspace else { return Ok(()) };
        device
            .prepare(progress, |device| {
                if let Some(preparation) = &preparation {
                    device.pixels(&blank, preparation, 0, &mut workspace.pixels)?;
                }
                for images in [most, 1] {
                    workspace.encode(device, spec, weights, images, &[], &mut |_, _, _, _, _| Ok(()))?;
                    workspace.classify(device, spec, weights, images)?;
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
        Ok(())
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
        let Self { device, spec, .. } = self;
        let mut cache = D::cache(1, spec.attention.kv_heads, spec.attention.head_dim, CacheType::F32);
        device.reserve(&mut cache, images * tokens).await?;
        let (classes, pools) = match spec.head {
            Head::Classes(head) => (head.classes, if head.pooling == Pooling::ClassToken { 1 } else { 2 }),
            _ => (0, 1),
        };
        let mut scratch = Scratch::new(device, spec, images * tokens)?;
        scratch.kept = device.buffer(2 * images * spec.width)?;
        self.workspace = Some(Workspace {
            images,
            pixels: device.buffer(images * patching.pixels())?,
            patches: device.buffer(images * tokens * patching.columns)?,
            table,
            scratch,
            normed: device.buffer(images * tokens * spec.width)?,
            pooled: device.buffer(images * pools * spec.width)?,
            logits: [device.buffer(images * classes)?, device.buffer(images * classes)?],
            cache: [cache],
            patching,
        });
        self.device.settle().await
    }

    /// What an image's tokens are before its pixels come: class token and its like, positions, and the patches' bias.
    fn table(&mut self, patching: &Patching) -> Result<D::Buffer> {
        let (patches, weights) = self.patches()?;
        let width = self.spec.width;
        let learned = patches.patching(patches.image[0], patches.image[1]).grid();
        let mut table: Vec<f32> = try_vec(patching.tokens() * width, "positions")?;
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
    fn size_of(&self, source: &Source, index: usize) -> Result<([usize; 2], Option<Preparation>)> {
        let (channels, size, preparation) = match source {
            Source::Images(images) => (images.channels, [images.height, images.width], None),
            Source::Album(album) => {
                let processor = self.processor.as_ref().ok_or_else(|| {
                    let message = "this checkpoint came without it: only pixels can be used, no pictures";
                    Error::new(Code::MissingFile, message).in_file("preprocessor_config.json")
                })?;
                let (width, height) = album.size(index);
                let preparation = processor.preparation(width, height)?;
                (preparation.channels, [preparation.rows.len(), preparation.columns.len()], Some(preparation))
            }
        };
        self.check_size(channels, size[0], size[1])?;
        Ok((size, preparation))
    }

    /// Looks at images from number `first` on, as many as go together. Errors: invalid-argument, missing-file,
    /// out-of-memory, device-lost.
    pub async fn look(&mut self, source: &Source, first: usize, looking: Looking) -> Result<Seen> {
        let ([height, width], mut preparation) = self.size_of(source, first)?;
        let alone = matches!(looking, Looking::Attention | Looking::Heat(_));
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
        let dims = self.result_dims(looking)?;
        let len = dims.iter().try_fold(count, |len, n| len.checked_mul(*n)).unwrap_or(usize::MAX / 8);
        let mut values = try_vec(len, "what the model sees")?;
        self.finish(count, looking, &mut values).await?;
        Ok(Seen { count, dims, values })
    }

    /// Puts an image's pixels at a place of the workspace.
    fn put(&mut self, source: &Source, index: usize, preparation: Option<&Preparation>, place: usize) -> Result<()> {
        let Self { device, workspace: Some(room), .. } = self else { return Ok(()) };
        match (source, preparation) {
            (Source::Album(album), Some(preparation)) => {
                let ((width, height), rgba) = (album.size(index), album.rgba(index));
                device.pixels(&Picture { rgba: &rgba, width, height }, preparation, place, &mut room.pixels)
            }
            (Source::Images(images), _) => {
                let len = room.patching.pixels();
                device.write(&images.values[index * len..(index + 1) * len], place * len, &mut room.pixels);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Of one image's result. Error: invalid-argument.
    fn result_dims(&self, looking: Looking) -> Result<Vec<usize>> {
        let (layers, heads) = (self.spec.layers, self.spec.attention.heads);
        let Some(Workspace { patching, .. }) = &self.workspace else { return Ok(Vec::new()) };
        match looking {
            Looking::Pixels => Ok(vec![patching.channels, patching.height, patching.width]),
            Looking::Logits => match self.spec.head {
                Head::Classes(head) => Ok(vec![head.classes]),
                _ => Err(Error::invalid("this checkpoint has no classifier: only features and attention")),
            },
            Looking::Features => Ok(vec![patching.tokens(), self.spec.width]),
            Looking::Attention => Ok(vec![layers, heads, patching.tokens(), patching.tokens()]),
            Looking::Heat(heat) => {
                heat.check(layers, heads)?;
                Ok(patching.grid().to_vec())
            }
        }
    }

    /// What is asked of the images whose pixels are in the workspace.
    async fn finish(&mut self, images: usize, looking: Looking, out: &mut [f32]) -> Result<()> {
        let Self { device, spec, weights, workspace: Some(room), .. } = self else { return Ok(()) };
        match looking {
            Looking::Pixels => {
                let reading = device.send(&room.pixels, out.len())?;
                device.receive(reading, out).await
            }
            Looking::Features => {
                room.encode(device, spec, weights, images, &[], &mut |_, _, _, _, _| Ok(()))?;
                let reading = device.send(&room.normed, out.len())?;
                device.receive(reading, out).await
            }
            Looking::Logits => {
                room.classify(device, spec, weights, images)?;
                room.logits(device, weights.distillation_head.is_some(), out).await
            }
            Looking::Attention => {
                let len = out.len() / spec.layers;
                room.maps(device, spec, weights, None, |layer, map| {
                    out[layer * len..][..len].copy_from_slice(map);
                })
                .await
            }
            Looking::Heat(heat) => {
                let (tokens, heads) = (room.patching.tokens(), spec.attention.heads);
                let mut maps = Vec::new();
                room.maps(device, spec, weights, heat.layer, |_, map| maps.push(heat.of_heads(map, heads))).await?;
                out.copy_from_slice(&heat.over_patches(&maps, tokens, room.patching.before));
                Ok(())
            }
        }
    }
}

/// Most images of one pass.
const MOST_IMAGES: usize = 64;
/// Most pixels of an image's side that go through the model at once.
const MOST_PIXELS: usize = 4096;

impl<D: Device> Workspace<D> {
    /// The logits that `classify` has made: those of two classifiers are averaged.
    async fn logits(&self, device: &mut D, both: bool, out: &mut [f32]) -> Result<()> {
        let first = device.send(&self.logits[0], out.len())?;
        if !both {
            return device.receive(first, out).await;
        }
        let (second, mut others) = (device.send(&self.logits[1], out.len())?, vec![0.0; out.len()]);
        device.receive(first, out).await?;
        device.receive(second, &mut others).await?;
        out.iter_mut().zip(others).for_each(|(out, other)| *out = (*out + other) / 2.0);
        Ok(())
    }

    /// The attention weights of the first image in all layers or one: `take` gets each layer's [heads, tokens, tokens].
    async fn maps(
        &mut self,
        device: &mut D,
        spec: &Spec,
        weights: &Weights<D>,
        only: Option<usize>,
        mut take: impl FnMut(usize, &[f32]),
    ) -> Result<()> {
        let tokens = self.patching.tokens();
        let len = spec.attention.heads * tokens * tokens;
        let mut map: Vec<f32> = try_vec(len, "an attention map")?;
        let mut readings = Vec::new();
        self.encode(device, spec, weights, 1, &[], &mut |device, layer, attention, query, key| {
            if only.is_none_or(|only| only == layer) {
                let weights = device.attention_weights(attention, query, key, tokens)?;
                readings.push((layer, device.send(&weights, len)?));
            }
            Ok(())
        })?;
        for (layer, reading) in readings {
            device.receive(reading, &mut map).await?;
            take(layer, &map);
        }
        Ok(())
    }

    /// Runs the images whose pixels are there through all blocks and the last norm, into `normed`: all rows, or those
    /// that are to be kept.
    fn encode(
        &mut self,
        device: &mut D,
        spec: &Spec,
        weights: &Weights<D>,
        images: usize,
        kept: &[Range<usize>],
        watch: &mut super::forward::Watch<D>,
    ) -> Result<()> {
        let InputWeights::Patches(input) = &weights.input else { return Ok(()) };
        let tokens = self.patching.tokens();
        let spans = [Span::new(0, images * tokens, 0, 0)];
        begin(device, spec, weights, &spans);
        device.patches(&self.pixels, images, &self.patching, &mut self.patches);
        let places: Vec<Range<usize>> = (0..images * tokens).map(|row| row % tokens..row % tokens + 1).collect();
        let hidden = &mut self.scratch.hidden;
        device.pool(&self.table, spec.width, &places, hidden);
        let rows = images * tokens;
        let x = Input { x: &self.patches, rows, norm: None };
        let weight = &input.projection;
        device.project(&x, &mut [Projection { weight, bias: None, scale: None, out: hidden, accumulate: true }]);
        if let Some(norm) = &weights.input_norm {
            norm_hidden(device, spec, norm, &mut self.scratch, rows);
        }
        let mut through = Rows { block: Some(tokens), kept, ..Rows::new(&spans, &mut self.cache) };
        blocks(device, spec, weights, &mut self.scratch, &mut through, watch)?;
        let (x, rows) = match kept.len() {
            0 => (&self.scratch.hidden, rows),
            kept => (&self.scratch.kept, kept),
        };
        let hidden = Input { x, rows, norm: weights.output_norm.as_ref().map(|norm| norm.of(spec)) };
        device.norm(&hidden, spec.width, false, &mut self.normed);
        Ok(())
    }

    /// The classifiers' logits of the images whose pixels are there.
    fn classify(&mut self, device: &mut D, spec: &Spec, weights: &Weights<D>, images: usize) -> Result<()> {
        let (Head::Classes(classes), Some(head)) = (&spec.head, &weights.head) else { return Ok(()) };
        let pooling = classes.pooling;
        let (tokens, before) = (self.patching.tokens(), self.patching.before);
        let token = |index: usize| move |image: usize| image * tokens + index..image * tokens + index + 1;
        let of_all = |index: usize| (0..images).map(token(index));
        // The rows that the heads read, where they are few.
        let kept: Vec<Range<usize>> = match pooling {
            Pooling::ClassToken => of_all(0).collect(),
            Pooling::BothTokens => of_all(0).chain(of_all(1)).collect(),
            _ => Vec::new(),
        };
        self.encode(device, spec, weights, images, &kept, &mut |_, _, _, _, _| Ok(()))?;
        let mut x = &self.normed;
        if pooling == Pooling::ClassTokenAndMean {
            let patches = |image: usize| image * tokens + before..(image + 1) * tokens;
            let runs: Vec<Range<usize>> = (0..images).flat_map(|image| [token(0)(image), patches(image)]).collect();
            device.pool(&self.normed, spec.width, &runs, &mut self.pooled);
            x = &self.pooled;
        }
        device.project(&Input { x, rows: images, norm: None }, &mut [head.to(&mut self.logits[0])]);
        if let Some(second) = &weights.distillation_head {
            let runs: Vec<Range<usize>> = (images..2 * images).map(|row| row..row + 1).collect();
            device.pool(&self.normed, spec.width, &runs, &mut self.pooled);
            let input = Input { x: &self.pooled, rows: images, norm: None };
            device.project(&input, &mut [second.to(&mut self.logits[1])]);
        }
        Ok(())
    }
}
