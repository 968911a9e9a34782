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
    let Preparation { columns, rows, rows_first, .. } = preparation;
    let (needed, reach) = (rows.reach(), columns.reach());
    let source = picture.rgba.as_chunks::<4>().0;
    // The needed part of one of the picture's rows.
    let read = |row: usize, out: &mut [[u8; N]]| {
        let row = &source[row * picture.width..][reach.clone()];
        out.iter_mut().zip(row).for_each(|(out, pixel)| *out = convert(*pixel));
    };
    let [middle_rows, middle_width] = match rows_first {
        true => [rows.len(), reach.len()],
        false => [needed.len(), columns.len()],
    };
    let mut middle = try_vec(middle_rows * middle_width * N, "a resized image")?;
    let middle_mut = middle.as_chunks_mut::<N>().0;
    if *rows_first {
        each_row(pool, middle_mut, middle_width, rows.count * N, |row, out| {
            let (mut sums, mut pixels) = (vec![[HALF; N]; middle_width], vec![[0; N]; middle_width]);
            let (first, weights) = rows.of(row);
            for (row, weight) in (first..).zip(weights) {
                read(row, &mut pixels);
                add(&mut sums, &pixels, *weight);
            }
            out.iter_mut().zip(&sums).for_each(|(out, sum)| *out = sum.map(clip));
        });
    } else {
        each_row(pool, middle_mut, middle_width, columns.count * N, |row, out| {
            let mut pixels = vec![[0; N]; reach.len()];
            read(needed.start + row, &mut pixels);
            resample_columns(&pixels, reach.start, columns, |column, sums| out[column] = sums.map(clip));
        });
    }
    let middle = middle.as_chunks::<N>().0;
    let width = columns.len();
    let count = if *rows_first { columns.count } else { rows.count };
    let planes = Planes { rows: rows.len(), width, levels: &preparation.levels, out: Shards::new(out) };
    pool.ranges(rows.len(), (PRODUCTS / (width * count * N)).max(1), |range, _| {
        let mut sums = vec![[0; N]; width];
        for row in range {
            if *rows_first {
                let pixels = &middle[row * middle_width..][..middle_width];
                resample_columns(pixels, reach.start, columns, |column, sum| sums[column] = sum);
            } else {
                let (first, weights) = rows.of(row);
                sums.fill([HALF; N]);
                let pixels = middle[(first - needed.start) * width..].chunks_exact(width);
                pixels.zip(weights).for_each(|(pixels, weight)| add(&mut sums, pixels, *weight));
            }
            planes.write(row, &sums);
        }
    });
    Ok(())
}

/// Runs `body` on each run of `width` pixels, which takes `products` multiplications a pixel.
fn each_row<T: Send>(pool: &Pool, out: &mut [T], width: usize, products: usize, body: impl Fn(usize, &mut [T]) + Sync) {
    let rows = out.len() / width;
    let out = Shards::new(out);
    pool.ranges(rows, (PRODUCTS / (width * products)).max(1), |range, _| {
        for row in range {
            // SAFETY: the rows are disjoint.
            body(row, unsafe { out.part(row * width..(row + 1) * width) });
        }
    });
}

/// sums = sums + weight · pixels
fn add<const N: usize>(sums: &mut [[i32; N]], pixels: &[[u8; N]], weight: i32) {
    for (sum, value) in sums.as_flattened_mut().iter_mut().zip(pixels.as_flattened()) {
        *sum += weight * i32::from(*value);
    }
}

/// The sums of one row, whose part from column `start` on is given.
fn resample_columns<const N: usize>(
    row: &[[u8; N]],
    start: usize,
    columns: &Taps,
    mut take: impl FnMut(usize, [i32; N]),
) {
    for column in 0..columns.len() {
        let (first, weights) = columns.of(column);
        let mut sums = [HALF; N];
        for (pixel, weight) in row[first - start..].iter().zip(weights) {
            for (sum, value) in sums.iter_mut().zip(pixel) {
                *sum += weight * i32::from(*value);
            }
        }
        take(column, sums);
    }
}

/// The result: [channels, rows, width].
struct Planes<'a> {
    rows: usize,
    width: usize,
    levels: &'a [f32],
    out: Shards<'a, f32>,
}

impl Planes<'_> {
    /// Each of the rows is written by one thread.
    fn write<const N: usize>(&self, row: usize, sums: &[[i32; N]]) {
        for (channel, levels) in self.levels.chunks_exact(256).enumerate() {
            let start = (channel * self.rows + row) * self.width;
            // SAFETY: rows of planes are disjoint.
            let out = unsafe { self.out.part(start..start + self.width) };
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = levels[usize::from(clip(sum[channel]))];
            }
        }
    }
}
