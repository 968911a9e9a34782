//! `Processor`: what a model wants of pictures.

use super::resample::{Axis, Filter};
use crate::device::Preparation;
use crate::error::{Error, Result};

/// Sides that a picture may have: as long as browsers' canvases.
pub const LARGEST_PICTURE: usize = 16_384;
/// Sides that pictures may get for a model.
pub const LARGEST_SIDE: usize = 4096;

/// What size pictures are brought to, before they are cropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resize {
    /// Whatever their shape.
    Exact { height: usize, width: usize },
    /// The shorter side becomes that, and the other follows.
    Shortest(usize),
    /// Likewise, or less: the longer side becomes no more than that.
    Within { shortest: usize, longest: usize },
}

/// How pictures become what a model takes: resized, cropped in the middle, rescaled, normalised.
#[derive(Clone, Debug)]
pub struct Processor {
    /// 3, or 1: grey.
    pub channels: usize,
    resize: Option<Resize>,
    filter: Filter,
    /// Height and width of the middle that is kept.
    crop: Option<[usize; 2]>,
    /// What becomes of each of the 256 levels, [channels, 256].
    levels: Vec<f32>,
}

impl Processor {
    /// Where a model comes without the file: ViT's defaults, at that size. Error: unsupported-model.
    pub fn plain(channels: usize, height: usize, width: usize) -> Result<Self> {
        check_side("a model's images", height)?;
        check_side("a model's images", width)?;
        let half = vec![0.5; channels];
        let levels = Normalization { rescale: 1.0 / 255.0, mean: half.clone(), std: half };
        Self::new(channels, Some(Resize::Exact { height, width }), Filter::Bilinear, None, &levels)
    }

    pub(super) fn new(
        channels: usize,
        resize: Option<Resize>,
        filter: Filter,
        crop: Option<[usize; 2]>,
        levels: &Normalization,
    ) -> Result<Self> {
        if channels != 1 && channels != 3 {
            return Err(Error::unsupported(format!("images of {channels} channels (supported: 1, 3)")));
        }
        Ok(Self { channels, resize, filter, crop, levels: levels.of(channels)? })
    }

    /// Height and width of what comes out, where that does not depend on the picture.
    pub fn size(&self) -> Option<(usize, usize)> {
        match (self.crop, self.resize) {
            (Some([height, width]), _) | (None, Some(Resize::Exact { height, width })) => Some((height, width)),
            _ => None,
        }
    }

    /// How pictures of that size become pixels.
    ///
    /// Error: invalid-argument where a picture is empty or too large, or comes out too large.
    pub fn preparation(&self, width: usize, height: usize) -> Result<Preparation> {
        if width == 0 || height == 0 {
            return Err(Error::invalid(format!("an image of {width} × {height} has no pixels")));
        }
        if width.max(height) > LARGEST_PICTURE {
            let most = LARGEST_PICTURE;
            let message = format!("an image of {width} × {height}: {most} pixels a side are the most");
            return Err(Error::invalid(message));
        }
        let [to_height, to_width] = self.resized(width, height);
        let [kept_height, kept_width] = self.crop.unwrap_or([to_height, to_width]);
        if kept_width.max(kept_height) > LARGEST_SIDE {
            let message = format!("an image of {width} × {height} comes to {kept_width} × {kept_height} for the model");
            return Err(Error::invalid(format!("{message}: {LARGEST_SIDE} pixels a side are the most")));
        }
        // As Pillow does it since 13: where rows lose more than twice what columns lose.
        let lost = |from: usize, to: usize| from as isize - to as isize;
        let rows_first = lost(height, to_height) > 0.max(2 * lost(width, to_width));
        Ok(Preparation {
            width,
            height,
            columns: Axis::cropped(width, to_width, kept_width).taps(self.filter),
            rows: Axis::cropped(height, to_height, kept_height).taps(self.filter),
            rows_first,
            channels: self.channels,
            levels: self.levels.clone(),
        })
    }

    /// Height and width before the crop. Sides are cut off, not rounded, as in transformers.
    pub(super) fn resized(&self, width: usize, height: usize) -> [usize; 2] {
        let (short, long) = (width.min(height), width.max(height));
        let [to_short, to_long] = match self.resize {
            None => return [height, width],
            Some(Resize::Exact { height, width }) => return [height, width],
            Some(Resize::Within { shortest, longest }) if long * shortest > longest * short => {
                let exact = longest as f64 * short as f64 / long as f64;
                match (exact.round_ties_even() as usize).max(1) {
                    same if same == short => [short, long],
                    side => [side, (exact * long as f64 / short as f64) as usize],
                }
            }
            Some(Resize::Shortest(side) | Resize::Within { shortest: side, .. }) => [side, side * long / short],
        };
        match width <= height {
            true => [to_long, to_short],
            false => [to_short, to_long],
        }
    }
}

/// How levels become numbers: (level · rescale − mean) / std.
pub(super) struct Normalization {
    pub rescale: f64,
    /// One for each channel, or all the same.
    pub mean: Vec<f64>,
    pub std: Vec<f64>,
}

impl Normalization {
    /// [channels, 256], rounded as transformers does.
    fn of(&self, channels: usize) -> Result<Vec<f32>> {
        let each = |name: &str, values: &[f64]| match values.len() {
            _ if values.iter().all(|value| *value == values[0]) => Ok(vec![values[0] as f32; channels]),
            len if len == channels => Ok(values.iter().map(|value| *value as f32).collect()),
            len => Err(Error::corrupt(format!("{name:?} has {len} values for {channels} channels"))),
        };
        let (mean, std) = (each("image_mean", &self.mean)?, each("image_std", &self.std)?);
        let level = |level: u32, mean: f32, std: f32| ((f64::from(level) * self.rescale) as f32 - mean) / std;
        let levels: Vec<f32> =
            mean.iter().zip(&std).flat_map(|(mean, std)| (0..256).map(move |n| level(n, *mean, *std))).collect();
        match levels.iter().all(|level| level.is_finite()) {
            true => Ok(levels),
            false => Err(Error::corrupt("\"rescale_factor\", \"image_mean\" and \"image_std\" leave no numbers")),
        }
    }
}

/// Refuses a size that no model has.
pub(super) fn check_side(what: &str, side: usize) -> Result<()> {
    match side {
        0 => Err(Error::corrupt(format!("{what} of 0 pixels a side"))),
        1..=LARGEST_SIDE => Ok(()),
        _ => Err(Error::unsupported(format!("{what} of {side} pixels a side (supported: up to {LARGEST_SIDE})"))),
    }
}
