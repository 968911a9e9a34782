//! Mixtures of experts: what lies in memory of them, and which of them rows go to.

use super::buffer::{Buffer, Memory};
use super::matrix::{self, Matrix, matrix_words};
use crate::checkpoint::TensorType;
use crate::error::Result;
use std::ops::Range;

/// The same matrix of each expert.
pub struct Experts {
    pub ty: TensorType,
    /// Of one.
    pub rows: usize,
    pub columns: usize,
    pub parts: Vec<Part>,
}

/// Those of some experts, one after the other.
pub struct Part {
    /// The first's matrix: the others' follow it.
    pub first: matrix::Part,
    pub experts: Range<usize>,
}

impl Experts {
    /// Of matrices of one type and shape, each in one piece.
    pub fn join(matrices: Vec<Matrix>) -> Self {
        let Matrix { ty, rows, columns, .. } = matrices[0];
        let stride = matrix_words(ty, rows, columns);
        let mut parts: Vec<Part> = Vec::new();
        for (expert, matrix) in matrices.into_iter().enumerate() {
            let piece = matrix.parts.into_iter().next().expect("it has rows");
            let follows = |last: &&mut Part| {
                let end = last.first.planes[0] + last.experts.len() * stride;
                last.first.arena.handle.id == piece.arena.handle.id && end == piece.planes[0]
            };
            match parts.last_mut().filter(follows) {
                Some(last) => last.experts.end += 1,
                None => parts.push(Part { first: piece, experts: expert..expert + 1 }),
            }
        }
        Self { ty, rows, columns, parts }
    }

    /// Words of an expert.
    pub fn stride(&self) -> usize {
        matrix_words(self.ty, self.rows, self.columns)
    }

    pub fn count(&self) -> usize {
        self.parts.last().map_or(0, |part| part.experts.end)
    }
}

/// The experts of some rows and their weights.
pub struct Routes<'a> {
    /// [rows, used, 2]
    pub routes: &'a Buffer,
    pub rows: usize,
    pub used: usize,
}

/// For tables of tiles, and for products before they are joined.
pub struct Scratch {
    pub tiles: Buffer,
    pub products: Buffer,
}

impl Scratch {
    pub fn new(memory: &mut Memory) -> Result<Self> {
        Ok(Self { tiles: memory.storage("tiles of experts", 0)?, products: memory.storage("experts' products", 0)? })
    }

    /// The buffers may not be there.
    pub fn forget(&mut self) {
        (self.tiles.len, self.products.len) = (0, 0);
    }
}
