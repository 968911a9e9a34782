//! A picture, and how it becomes the pixels of a model: plain numbers, in which both devices compute the same.
//!
//! The arithmetic is that of Pillow's `Resample.c` for 8-bit images, in integers: one axis, rounded to 8 bits, then the
//! other. So every browser, and every device, gives the numbers that transformers gives.

use crate::error::{Code, Error, Result};
use std::ops::Range;

/// An image as decoded: RGBA, 8 bits each, not premultiplied, [height, width, 4].
#[derive(Clone, Copy)]
pub struct Picture<'a> {
    pub rgba: &'a [u8],
    pub width: usize,
    pub height: usize,
}

/// Weights are whole numbers of 2⁻²²: products with 8 bits, and their sums, which may reach beyond both ends, fit an i32.
pub const PRECISION: u32 = 32 - 8 - 2;

/// How one axis is resampled: out[i] = (Σⱼ weights[i, j] · in[first[i] + j] + ½) >> PRECISION, within 0 … 255.
#[derive(Clone, Debug, PartialEq)]
pub struct Taps {
    /// [out]: where the inputs of each begin. All of them are inside the picture.
    pub first: Vec<u32>,
    /// Inputs of each.
    pub count: usize,
    /// [out, count]. All zeros where the output is beyond the picture.
    pub weights: Vec<i32>,
}

impl Taps {
    pub fn len(&self) -> usize {
        self.first.len()
    }

    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// The inputs that are needed at all.
    pub fn reach(&self) -> Range<usize> {
        self.reach_of(0..self.len())
    }

    /// The inputs that some outputs need: later ones begin no earlier.
    pub fn reach_of(&self, outputs: Range<usize>) -> Range<usize> {
        let first = &self.first[outputs];
        let (Some(start), Some(last)) = (first.first(), first.last()) else { return 0..0 };
        *start as usize..*last as usize + self.count
    }

    /// Of one output: where its inputs begin, and their weights.
    pub fn of(&self, index: usize) -> (usize, &[i32]) {
        (self.first[index] as usize, &self.weights[index * self.count..][..self.count])
    }
}

/// How pictures of one size become pixels, [channels, rows, columns].
#[derive(Clone, Debug, PartialEq)]
pub struct Preparation {
    /// Of the picture.
    pub width: usize,
    pub height: usize,
    pub columns: Taps,
    pub rows: Taps,
    /// Rows are resampled before columns: as both round, that is seen in the result.
    pub rows_first: bool,
    /// 3, or 1: luminance.
    pub channels: usize,
    /// What becomes of each of the 256 levels in the end: [channels, 256].
    pub levels: Vec<f32>,
}

impl Preparation {
    /// Values of the pixels.
    pub fn len(&self) -> usize {
        self.channels * self.rows.len() * self.columns.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Refuses another picture than it is made for, and one that lacks data.
    pub fn check(&self, picture: &Picture) -> Result<()> {
        let Picture { rgba, width, height } = *picture;
        if [width, height] != [self.width, self.height] {
            let message = format!("a picture of {width} × {height}, prepared for {} × {}", self.width, self.height);
            return Err(Error::new(Code::Internal, message));
        }
        if rgba.len() as u64 != 4 * width as u64 * height as u64 {
            let message = format!("an image of {width} × {height} has {} bytes, not RGBA's", rgba.len());
            return Err(Error::invalid(format!("{message} {}", 4 * width as u64 * height as u64)));
        }
        Ok(())
    }
}

/// A pixel in front of white, as Pillow's `alpha_composite` rounds it.
pub fn over_white([r, g, b, alpha]: [u8; 4]) -> [u8; 4] {
    // Photographs are not transparent.
    if alpha == 255 {
        return [r, g, b, alpha];
    }
    let alpha = u32::from(alpha);
    let mix = |value: u8| {
        let sum = u32::from(value) * alpha + 255 * (255 - alpha) + 128;
        ((sum + (sum >> 8)) >> 8) as u8
    };
    [mix(r), mix(g), mix(b), 255]
}

/// Luminance (ITU-R 601-2), as Pillow's `convert("L")` rounds it.
pub fn luminance([r, g, b, _]: [u8; 4]) -> u8 {
    ((19_595 * u32::from(r) + 38_470 * u32::from(g) + 7_471 * u32::from(b) + 0x8000) >> 16) as u8
}

/// A sum of products as one of 256 levels.
pub fn clip(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}
