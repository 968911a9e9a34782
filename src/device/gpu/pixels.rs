//! Pixels on the GPU: the picture goes there once, as it is, and one axis after the other is resampled.

use super::buffer::{Buffer, Memory};
use super::kernels::{Kernel, Shader};
use super::profile::Work;
use super::recorder::{Dispatch, all_of};
use super::{Gpu, Pictures};
use crate::device::{Picture, Preparation, Taps};
use crate::error::Result;
use std::ops::Range;

/// Most pixels of a picture that are on the GPU at a time (32 MiB): a larger picture goes there in strips, so that
/// neither its size nor what a kernel may see at once (128 MiB on many GPUs) is a limit.
const STRIP: usize = 1 << 23;
/// Most words of a buffer that is kept for the next picture: larger ones make room.
const KEPT: usize = 1 << 20;

/// One axis, and where its tables begin.
#[derive(Clone, Copy)]
struct Axis<'a> {
    rows: bool,
    taps: &'a Taps,
    at: usize,
}

/// What one dispatch resamples.
struct Pass<'a> {
    axis: Axis<'a>,
    /// [source, tables, out]
    storage: [&'a Buffer; 3],
    /// Pixels of a row of the source, and those that would be before its first.
    stride: usize,
    skip: usize,
    width: usize,
    /// Rows of the output.
    strip: Range<usize>,
    /// It writes planes.
    last: bool,
}

impl Gpu {
    pub(super) fn make_pixels(
        &mut self,
        picture: &Picture,
        preparation: &Preparation,
        index: usize,
        out: &Buffer,
    ) -> Result<()> {
        preparation.check(picture)?;
        let mut pictures = std::mem::take(&mut self.pictures);
        let out = Buffer { offset: out.offset + index * preparation.len(), ..out.clone() };
        let made = self.resample(&mut pictures, picture, preparation, &out);
        pictures.iter_mut().for_each(|buffer| _ = buffer.take_if(|buffer| buffer.len > KEPT));
        self.pictures = pictures;
        made
    }

    fn resample(
        &mut self,
        [source, middle, tables]: &mut Pictures,
        picture: &Picture,
        preparation: &Preparation,
        out: &Buffer,
    ) -> Result<()> {
        let Preparation { width, columns, rows, rows_first, .. } = preparation;
        let (words, [columns_at, rows_at]) = tables_of(preparation);
        let tables = &room(&mut self.memory, tables, "tables of a picture", words.len())?;
        // What is recorded may still read what the buffer holds.
        self.recorder.submit();
        self.memory.write(tables, &words);
        let axes = [Axis { rows: false, taps: columns, at: columns_at }, Axis { rows: true, taps: rows, at: rows_at }];
        let (needed, reach) = (rows.reach(), columns.reach());
        let [middle_rows, middle_width] = match rows_first {
            true => [rows.len(), reach.len()],
            false => [needed.len(), columns.len()],
        };
        let middle = &room(&mut self.memory, middle, "a resized image", middle_rows * middle_width)?;
        let mut rest = 0..middle_rows;
        while !rest.is_empty() {
            // The picture's rows that some of the middle's need.
            let reads = |strip: Range<usize>| match rows_first {
                true => rows.reach_of(strip),
                false => needed.start + strip.start..needed.start + strip.end,
            };
            let fits = |end: &usize| reads(rest.start..*end).len() * width <= STRIP;
            let end = (rest.start + 1..=rest.end).take_while(fits).last().unwrap_or(rest.start + 1);
            let (strip, read) = (rest.start..end, reads(rest.start..end));
            let source = &room(&mut self.memory, source, "a picture", read.len() * width)?;
            // As above, of the strip before this.
            self.recorder.submit();
            self.memory.trials.write(
                &source.handle.raw,
                0,
                &picture.rgba[4 * read.start * width..4 * read.end * width],
            );
            let (axis, storage) = (axes[usize::from(*rows_first)], [source, tables, middle]);
            // Where columns are left out, the first that is needed is the middle's first.
            let skip = if *rows_first { (read.start * width).wrapping_sub(reach.start) } else { 0 };
            self.pass(
                preparation,
                &Pass { axis, storage, stride: *width, skip, width: middle_width, strip, last: false },
            );
            rest.start = end;
        }
        let (axis, storage) = (axes[usize::from(!rows_first)], [middle, tables, out]);
        let skip = if *rows_first { reach.start } else { needed.start * middle_width };
        let (width, strip) = (columns.len(), 0..rows.len());
        self.pass(preparation, &Pass { axis, storage, stride: middle_width, skip, width, strip, last: true });
        Ok(())
    }

    fn pass(&mut self, preparation: &Preparation, pass: &Pass) {
        let Pass { axis: Axis { rows, taps, at }, storage, stride, skip, width, strip, last } = pass;
        let Preparation { channels, .. } = preparation;
        let (weights, plane) = (at + taps.len(), preparation.len() / channels);
        let words =
            [*width, strip.start, *stride, *skip, taps.count, *at, weights, storage[2].offset, plane, *channels];
        let batch = self.recorder.told(all_of(strip.len()), 0);
        self.recorder.dispatch(&Dispatch {
            kernel: Kernel::new(Shader::Resize).with([u32::from(*rows), u32::from(*last), 0]),
            storage,
            parameters: &words.map(|word| word as u32),
            batch,
            grid: [width.div_ceil(64), strip.len(), 1],
            work: Work::moving(4 * strip.len() * (stride + width)),
        });
    }
}

/// Levels, then `first` and weights of each axis, and where these begin.
fn tables_of(preparation: &Preparation) -> (Vec<u32>, [usize; 2]) {
    let mut words: Vec<u32> = preparation.levels.iter().map(|level| level.to_bits()).collect();
    let starts = [&preparation.columns, &preparation.rows].map(|taps| {
        let start = words.len();
        words.extend(&taps.first);
        words.extend(taps.weights.iter().map(|weight| *weight as u32));
        start
    });
    (words, starts)
}

/// Room for `len` words, in the buffer there is if it will do.
fn room(memory: &mut Memory, buffer: &mut Option<Buffer>, what: &str, len: usize) -> Result<Buffer> {
    match buffer {
        Some(buffer) if buffer.len >= len => Ok(buffer.clone()),
        _ => Ok(buffer.insert(memory.storage(what, len)?).clone()),
    }
}
