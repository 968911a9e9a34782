//! Weight matrices on the GPU: the file's own blocks, laid in planes as they arrive (`planes.rs`).
//!
//! All matrices lie in a few large buffers, the arenas, so that one binding serves several of them. A matrix that
//! no arena can hold whole is cut between rows.

use super::buffer::{Buffer, Memory};
use super::planes::{Layout, lay};
use super::trials::Trials;
use crate::checkpoint::TensorType;
use crate::error::{Error, Result};
use std::ops::Range;
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
    /// Where each plane of the rows begins, in words.
    pub planes: [usize; 2],
    pub first: usize,
    pub rows: usize,
}

impl Part {
    /// `rows` rows of a matrix from the `first` on, which lie from word `start` on.
    pub fn new(ty: TensorType, columns: usize, arena: Buffer, start: usize, [first, rows]: [usize; 2]) -> Self {
        let [words, _] = Layout::of(ty).plane_words(rows, columns);
        Self { arena, planes: [start, start + words], first, rows }
    }

    /// Where they begin, as kernels are told: `Place` of `shaders/prelude.wgsl`.
    pub fn place(&self) -> [usize; 2] {
        let [first, second] = self.planes;
        [first / 4, second]
    }
}

/// Units of a row: see `planes.rs`.
pub fn units(ty: TensorType, columns: usize) -> usize {
    Layout::of(ty).units(columns)
}

/// Words of a matrix, or of some of its rows.
pub fn matrix_words(ty: TensorType, rows: usize, columns: usize) -> usize {
    Layout::of(ty).plane_words(rows, columns).iter().sum()
}

impl Matrix {
    pub fn bytes(ty: TensorType, rows: usize, columns: usize) -> usize {
        4 * matrix_words(ty, rows, columns)
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
        let words = |rows| matrix_words(ty, rows, columns);
        if words(1) > most_words(memory) {
            return Err(Error::unsupported(format!("rows of {columns} weights are too long for this GPU")));
        }
        let pieces = self.pieces(memory, words, rows, false)?;
        let part =
            |Piece { arena, start, range }: Piece| Part::new(ty, columns, arena, start, [range.start, range.len()]);
        Ok(pieces.into_iter().map(part).collect())
    }

    /// Room for the same matrix of several experts, whole in one place each. Errors: out-of-memory, unsupported-model.
    pub fn place_experts(
        &mut self,
        memory: &mut Memory,
        ty: TensorType,
        experts: usize,
        [rows, columns]: [usize; 2],
    ) -> Result<Vec<Part>> {
        let (expert, most) = (matrix_words(ty, rows, columns), most_words(memory));
        if expert > most {
            let [mib, most] = [expert, most].map(|words| words >> 18);
            let message = format!("an expert's matrix of {mib} MiB: this GPU's buffers have {most} MiB at most");
            return Err(Error::unsupported(message));
        }
        // They are large: what they would leave at arenas' ends is worth a dispatch more.
        let pieces = self.pieces(memory, |experts| experts * expert, experts, true)?;
        let parts = pieces.into_iter().flat_map(|Piece { arena, start, range }| {
            (0..range.len()).map(move |n| Part::new(ty, columns, arena.clone(), start + n * expert, [0, rows]))
        });
        Ok(parts.collect())
    }

    /// Room for `count` rows or experts, of which so many take so many `words`: together where that can be; else, if they
    /// may be `cut` apart or no arena could hold them all, as many as fit somewhere, and so on.
    fn pieces(
        &mut self,
        memory: &mut Memory,
        words: impl Fn(usize) -> usize,
        count: usize,
        cut: bool,
    ) -> Result<Vec<Piece>> {
        let most = most_words(memory);
        let room = |(arena, taken): &(Buffer, usize)| arena.len - taken;
        let (mut pieces, mut first) = (Vec::new(), 0);
        while first < count {
            let needed = words(count - first);
            let whole = self.0.iter().position(|arena| room(arena) >= needed);
            let some = || self.0.iter().position(|arena| room(arena) >= words(1) && (cut || needed > most));
            let Some(at) = whole.or_else(some) else {
                // What pieces leave at the ends of arenas has to be made up for.
                self.0.push((memory.storage("weights", needed.min(most))?, 0));
                continue;
            };
            let room = room(&self.0[at]);
            let (arena, taken) = &mut self.0[at];
            // All of them are padded together: a few fit at least as well as they would one by one.
            let left = count - first;
            let fitting = ((room / words(1)).min(left)..=left).take_while(|some| words(*some) <= room).last();
            let end = first + fitting.expect("one fits");
            pieces.push(Piece { arena: arena.clone(), start: *taken, range: first..end });
            *taken += words(end - first);
            first = end;
        }
        Ok(pieces)
    }
}

/// Room for some rows or experts.
struct Piece {
    arena: Buffer,
    /// In words.
    start: usize,
    range: Range<usize>,
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
    /// The part that is being filled, and how many bytes of each plane have gone to the GPU.
    part: usize,
    written: [usize; 2],
    /// The beginning of a row whose rest has not come yet.
    rest: Vec<u8>,
    /// What waits to go there, of each plane.
    stages: [Vec<u8>; 2],
    /// Rows of the part that are complete, including those in `stages`.
    rows: usize,
}

impl MatrixBuilder {
    pub fn new(trials: Rc<Trials>, matrix: Matrix) -> Self {
        Self { trials, matrix, part: 0, written: [0; 2], rest: Vec::new(), stages: Default::default(), rows: 0 }
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
        lay(self.matrix.ty, bytes, self.matrix.columns, &mut self.stages);
        self.rows += 1;
        let complete = self.rows == self.matrix.parts[self.part].rows;
        if complete || self.stages.iter().any(|stage| stage.len() >= STAGE) {
            self.flush();
        }
        if complete {
            (self.part, self.rows, self.written) = (self.part + 1, 0, [0; 2]);
        }
    }

    fn flush(&mut self) {
        let Part { arena, planes, rows, .. } = &self.matrix.parts[self.part];
        for ((start, written), stage) in planes.iter().zip(&mut self.written).zip(&mut self.stages) {
            if !stage.is_empty() {
                self.trials.write(&arena.handle.raw, (4 * start + *written) as u64, stage);
            }
            *written += stage.len();
            // Of many experts' matrices, each has its own: what is complete needs none.
            match self.rows == *rows {
                true => *stage = Vec::new(),
                false => stage.clear(),
            }
        }
    }

    pub fn finish(self) -> Matrix {
        self.matrix
    }
}
