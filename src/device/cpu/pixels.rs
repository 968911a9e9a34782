//! Pixels on the CPU: one axis after the other, in integers.

use super::pool::{Pool, Shards};
use crate::device::picture::{PRECISION, Picture, Preparation, clip, luminance, over_white};
use crate::error::{Result, try_vec};
use std::ops::Range;

/// Sums begin here, so that they round.
const HALF: i32 = 1 << (PRECISION - 1);

/// What a pass reads: the picture's rows from the first that is needed, or what the first pass has made of them.
struct Source<'a> {
    pixels: &'a [[u8; 4]],
    width: usize,
    /// Those of a row that are needed.
    columns: Range<usize>,
    /// It is the picture: with transparency.
    raw: bool,
}

/// What a pass does with the sums of a row.
type Write<'a> = dyn Fn(usize, &[[i32; 4]]) + Sync + 'a;

/// Writes planes [channels, rows, columns] to `out`. Errors: invalid-argument, out-of-memory.
pub fn pixels(pool: &Pool, picture: &Picture, preparation: &Preparation, out: &mut [f32]) -> Result<()> {
    preparation.check(picture)?;
    let Preparation { columns, rows, rows_first, levels, .. } = preparation;
    let (needed, reach) = (rows.reach(), columns.reach());
    let [height, width] = match rows_first {
        true => [rows.len(), reach.len()],
        false => [needed.len(), columns.len()],
    };
    let mut middle: Vec<[u8; 4]> = try_vec(height * width, "a resized image")?;
    let resized = Shards::new(&mut middle);
    let from_needed = &picture.rgba.as_chunks().0[needed.start * picture.width..];
    let source = Source { pixels: from_needed, width: picture.width, columns: reach, raw: true };
    pass(pool, preparation, &source, *rows_first, height, &|row, sums| {
        // SAFETY: each row is written once.
        let out = unsafe { resized.part(row * width..(row + 1) * width) };
        out.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum.map(clip));
    });
    let source = Source { pixels: &middle, width, columns: 0..width, raw: false };
    let planes = Shards::new(out);
    pass(pool, preparation, &source, !rows_first, rows.len(), &|row, sums| {
        for (channel, levels) in levels.chunks_exact(256).enumerate() {
            let start = (channel * rows.len() + row) * sums.len();
            // SAFETY: each row of each plane is written once.
            let out = unsafe { planes.part(start..start + sums.len()) };
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = levels[usize::from(clip(sum[channel]))];
            }
        }
    });
    Ok(())
}

/// Resamples along rows, or else columns.
fn pass(pool: &Pool, preparation: &Preparation, source: &Source, along_rows: bool, rows: usize, write: &Write) {
    let taps = if along_rows { &preparation.rows } else { &preparation.columns };
    let width = if along_rows { source.columns.len() } else { taps.len() };
    let (grey, start) = (preparation.channels == 1, taps.reach().start);
    pool.ranges(rows, 4 * width * taps.count, |range, _| {
        let (mut room, mut sums) = (vec![[0; 4]; source.columns.len()], vec![[0; 4]; width]);
        for row in range {
            if along_rows {
                sums.fill([HALF; 4]);
                let (first, weights) = taps.of(row);
                for (at, weight) in weights.iter().enumerate() {
                    let pixels = source.row(first - start + at, grey, &mut room);
                    sums.iter_mut().zip(pixels).for_each(|(sum, pixel)| *sum = add(*sum, *pixel, *weight));
                }
            } else {
                let pixels = source.row(row, grey, &mut room);
                for (column, sum) in sums.iter_mut().enumerate() {
                    let (first, weights) = taps.of(column);
                    let inputs = pixels[first - start..].iter().zip(weights);
                    *sum = inputs.fold([HALF; 4], |sum, (pixel, weight)| add(sum, *pixel, *weight));
                }
            }
            write(row, &sums);
        }
    });
}

/// sum + weight · pixel. The fourth value is of no use, but four are a vector.
#[inline(always)]
fn add(sum: [i32; 4], pixel: [u8; 4], weight: i32) -> [i32; 4] {
    std::array::from_fn(|n| sum[n] + weight * i32::from(pixel[n]))
}

impl Source<'_> {
    /// What is needed of a row, without transparency, and in grey if it has to be.
    fn row<'a>(&'a self, row: usize, grey: bool, room: &'a mut [[u8; 4]]) -> &'a [[u8; 4]] {
        let pixels = &self.pixels[row * self.width..][self.columns.clone()];
        if !self.raw {
            return pixels;
        }
        for (out, pixel) in room.iter_mut().zip(pixels) {
            *out = over_white(*pixel);
            if grey {
                *out = [luminance(*out); 4];
            }
        }
        room
    }
}
