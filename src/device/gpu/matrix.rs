//! Weight matrices on the GPU: the file's own blocks, brought to whole words as they arrive.
//!
//! All matrices lie in a few large buffers, the arenas, so that one binding serves several of them. A matrix that
//! no arena can hold whole is cut between rows.

use super::buffer::{Buffer, Memory};
use super::trials::Trials;
use crate::checkpoint::TensorType;
use crate::error::{Error, Result};
use std::rc::Rc;

/// A matrix [rows, columns].
pub struct Matrix {
    pub ty: TensorType,
    pub rows: usize,
    pub columns: usize,
    pub parts: Vec<Part>,
}

/// Some of its rows.
#[derive(Clone)]
pub struct Part {
    /// The whole arena, as kernels see it.
    pub arena: Buffer,
    /// Where the rows begin, in words.
    pub start: usize,
    pub first: usize,
    pub rows: usize,
}

/// A row is a whole number of sixteens.
pub fn units(columns: usize) -> usize {
    columns.div_ceil(16)
}

/// Bytes that a format's block of the file has, and on the GPU: the next whole word.
fn block_bytes(ty: TensorType) -> (usize, usize) {
    (ty.block_bytes(), ty.block_bytes().next_multiple_of(4))
}

/// Words of a row.
pub fn row_words(ty: TensorType, columns: usize) -> usize {
    match ty {
        TensorType::F32 => 16 * units(columns),
        TensorType::F16 | TensorType::BF16 => 8 * units(columns),
        _ => columns / ty.block_len() * block_bytes(ty).1 / 4,
    }
}

impl Matrix {
    pub fn bytes(ty: TensorType, rows: usize, columns: usize) -> usize {
        4 * rows * row_words(ty, columns)
    }
}

/// The buffers that matrices lie in, and how many of their words are taken.
#[derive(Default)]
pub struct Arenas(Vec<(Buffer, usize)>);

impl Arenas {
    /// Makes room for that many bytes of matrices, so that a lack of memory shows before they are downloaded.
    pub fn expect(&mut self, memory: &mut Memory, bytes: usize) -> Result<()> {
        let mut words = bytes / 4;
        while words > 0 {
            let arena = words.min(most_words(memory));
            self.0.push((memory.storage("weights", arena)?, 0));
            words -= arena;
        }
        Ok(())
    }

    /// Room for a matrix. Error: out-of-memory.
    pub fn place(&mut self, memory: &mut Memory, ty: TensorType, rows: usize, columns: usize) -> Result<Vec<Part>> {
        let (row, most) = (row_words(ty, columns), most_words(memory));
        if row > most {
            return Err(Error::unsupported(format!("rows of {columns} weights are too long for this GPU")));
        }
        self.pieces(memory, row, rows, false)
    }

    /// Room for the same matrix of several experts: whole ones, in parts. Errors: out-of-memory, unsupported-model.
    pub fn place_experts(
        &mut self,
        memory: &mut Memory,
        ty: TensorType,
        experts: usize,
        [rows, columns]: [usize; 2],
    ) -> Result<Vec<Part>> {
        let (expert, most) = (rows * row_words(ty, columns), most_words(memory));
        if expert > most {
            let [mib, most] = [expert, most].map(|words| words >> 18);
            let message = format!("an expert's matrix of {mib} MiB: this GPU's buffers have {most} MiB at most");
            return Err(Error::unsupported(message));
        }
        // They are large: what they would leave at arenas' ends is worth a dispatch more.
        self.pieces(memory, expert, experts, true)
    }

    /// Room for `count` pieces of `words` each: together where that can be; else, if they may be `cut` apart or no arena
    /// could hold them all, as many as fit somewhere, and so on.
    fn pieces(&mut self, memory: &mut Memory, words: usize, count: usize, cut: bool) -> Result<Vec<Part>> {
        let most = most_words(memory);
        let room = |(arena, taken): &(Buffer, usize)| arena.len - taken;
        let (mut parts, mut first) = (Vec::new(), 0);
        while first < count {
            let needed = (count - first) * words;
            let whole = self.0.iter().position(|arena| room(arena) >= needed);
            let some = || self.0.iter().position(|arena| room(arena) >= words && (cut || needed > most));
            let Some(at) = whole.or_else(some) else {
                // What pieces leave at the ends of arenas has to be made up for.
                self.0.push((memory.storage("weights", needed.min(most))?, 0));
                continue;
            };
            let (arena, taken) = &mut self.0[at];
            let rows = ((arena.len - *taken) / words).min(count - first);
            parts.push(Part { arena: arena.clone(), start: *taken, first, rows });
            *taken += rows * words;
            first += rows;
        }
        Ok(parts)
    }
}

/// Bytes of an arena, at most: drivers that let one binding see more often cannot give that much in one piece.
const ARENA: u64 = 1 << 28;

fn most_words(memory: &Memory) -> usize {
    memory.context.most_bytes().min(ARENA) as usize / 4
}

/// Bytes that are gathered before they go to the GPU.
const STAGE: usize = 1 << 18;

/// Takes a matrix's bytes as they arrive.
pub struct MatrixBuilder {
    trials: Rc<Trials>,
    matrix: Matrix,
    /// The part that is being filled, and how many of its bytes have gone to the GPU.
    part: usize,
    written: usize,
    /// The beginning of a block or row whose rest has not come yet.
    rest: Vec<u8>,
    stage: Vec<u8>,
    /// Rows of the part that are complete, including those in `stage`.
    rows: usize,
}

impl MatrixBuilder {
    pub fn new(trials: Rc<Trials>, matrix: Matrix) -> Self {
        Self { trials, matrix, part: 0, written: 0, rest: Vec::new(), stage: Vec::new(), rows: 0 }
    }

    /// The next of its bytes, cut anywhere.
    pub fn push(&mut self, mut bytes: &[u8]) {
        let row = self.matrix.ty.row_bytes(self.matrix.columns).expect("the reader has checked the columns");
        if !self.rest.is_empty() {
            let (now, later) = bytes.split_at((row - self.rest.len()).min(bytes.len()));
            self.rest.extend_from_slice(now);
            bytes = later;
            if self.rest.len() == row {
                let whole = std::mem::take(&mut self.rest);
                self.row(&whole);
            }
        }
        let rows = bytes.chunks_exact(row);
        self.rest.extend_from_slice(rows.remainder());
        rows.for_each(|bytes| self.row(bytes));
    }

    fn row(&mut self, bytes: &[u8]) {
        let Matrix { ty, columns, .. } = self.matrix;
        let begin = self.stage.len();
        if ty.is_quantised() {
            let (block, whole) = block_bytes(ty);
            for block in bytes.chunks_exact(block) {
                self.stage.extend_from_slice(block);
                self.stage.resize(self.stage.len() + whole - block.len(), 0);
                // In these the scale comes first, and has a word to itself.
                let scale = match ty {
                    TensorType::Q4_0 | TensorType::Q5_0 | TensorType::Q8_0 | TensorType::IQ4_NL => 2,
                    TensorType::MXFP4 => 1,
                    _ => continue,
                };
                let end = self.stage.len();
                self.stage[end - whole + scale..end].rotate_right(whole - block.len());
            }
        } else {
            self.stage.extend_from_slice(bytes);
            self.stage.resize(begin + 4 * row_words(ty, columns), 0);
        }
        self.rows += 1;
        let complete = self.rows == self.matrix.parts[self.part].rows;
        if complete || self.stage.len() >= STAGE {
            self.flush();
        }
        if complete {
            (self.part, self.rows, self.written) = (self.part + 1, 0, 0);
        }
    }

    fn flush(&mut self) {
        let Part { arena, start, .. } = &self.matrix.parts[self.part];
        let at = (4 * start + self.written) as u64;
        self.trials.write(&arena.handle.raw, at, &self.stage);
        self.written += self.stage.len();
        // Of many experts' matrices, each has its own: what is complete needs none.
        match self.rows == self.matrix.parts[self.part].rows {
            true => self.stage = Vec::new(),
            false => self.stage.clear(),
        }
    }

    pub fn finish(self) -> Matrix {
        self.matrix
    }
}
