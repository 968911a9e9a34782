//! Pixels on the CPU: one axis after the other, in integers.

use super::pool::{Pool, Shards};
use crate::device::picture::{PRECISION, Picture, Preparation, Taps, clip, luminance, over_white};
use crate::error::{Result, try_vec};

/// Multiplications of a task: some microseconds of work.
const PRODUCTS: usize = 1 << 16;
/// Sums begin here, so that they round.
const HALF: i32 = 1 << (PRECISION - 1);

/// Writes planes [channels, rows, columns] to `out`. Errors: invalid-argument, out-of-memory.
pub fn pixels(pool: &Pool, picture: &Picture, preparation: &Preparation, out: &mut [f32]) -> Result<()> {
    preparation.check(picture)?;
    match preparation.channels {
        1 => run::<1>(pool, picture, preparation, out, |pixel| [luminance(over_white(pixel))]),
        _ => run::<4>(pool, picture, preparation, out, over_white),
    }
}

/// With `N` values a pixel, as `convert` makes them: colours keep the fourth, so that a pixel is a vector.
fn run<const N: usize>(
    pool: &Pool,
    picture: &Picture,
    preparation: &Preparation,
    out: &mut [f32],
    convert: impl Fn([u8; 4]) -> [u8; N] + Sync,
) -> Result<()> {
    let Preparation { columns, rows, .. } = preparation;
    let (needed, width, reach) = (rows.reach(), columns.len(), columns.reach());
    let mut narrow = try_vec(needed.len() * width * N, "a resized image")?;
    let narrowed = Shards::new(narrow.as_mut_slice());
    let (pixels, _) = picture.rgba.as_chunks::<4>();
    let grain = (PRODUCTS / (width * columns.count * N)).max(1);
    pool.ranges(needed.len(), grain, |range, _| {
        let mut converted = vec![[0; N]; reach.len()];
        for row in range {
            let source = &pixels[(needed.start + row) * picture.width..][reach.clone()];
            converted.iter_mut().zip(source).for_each(|(out, pixel)| *out = convert(*pixel));
            // SAFETY: the rows are disjoint.
            let out = unsafe { narrowed.part(row * width * N..(row + 1) * width * N) };
            resample_columns(&converted, reach.start, columns, out.as_chunks_mut::<N>().0);
        }
    });
    let (height, planes) = (rows.len(), Shards::new(out));
    let grain = (PRODUCTS / (width * rows.count * N)).max(1);
    pool.ranges(height, grain, |range, _| {
        let mut sums = vec![[0; N]; width];
        for row in range {
            resample_row(&narrow, needed.start, rows, row, &mut sums);
            for (channel, levels) in preparation.levels.chunks_exact(256).enumerate() {
                let start = (channel * height + row) * width;
                // SAFETY: rows of planes are disjoint.
                let out = unsafe { planes.part(start..start + width) };
                for (out, sum) in out.iter_mut().zip(&sums) {
                    *out = levels[usize::from(clip(sum[channel]))];
                }
            }
        }
    });
    Ok(())
}

/// One row of the picture, of which `row` is the part that begins at column `start`.
fn resample_columns<const N: usize>(row: &[[u8; N]], start: usize, columns: &Taps, out: &mut [[u8; N]]) {
    for (column, out) in out.iter_mut().enumerate() {
        let (first, weights) = columns.of(column);
        let mut sums = [HALF; N];
        for (pixel, weight) in row[first - start..].iter().zip(weights) {
            for (sum, value) in sums.iter_mut().zip(pixel) {
                *sum += weight * i32::from(*value);
            }
        }
        *out = sums.map(clip);
    }
}

/// The sums of one row of the result. `narrow`: [rows, width, N], from the picture's row `start` on.
fn resample_row<const N: usize>(narrow: &[u8], start: usize, rows: &Taps, row: usize, sums: &mut [[i32; N]]) {
    let sums = sums.as_flattened_mut();
    sums.fill(HALF);
    let (first, weights) = rows.of(row);
    for (source, weight) in narrow[(first - start) * sums.len()..].chunks_exact(sums.len()).zip(weights) {
        for (sum, value) in sums.iter_mut().zip(source) {
            *sum += weight * i32::from(*value);
        }
    }
}
