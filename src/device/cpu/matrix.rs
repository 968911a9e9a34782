//! Weight matrices: packed as they arrive, multiplied with any number of tokens.
//!
//! Memory traffic is the floor of decoding (each weight is read once a token), arithmetic that of
//! prompts. So one panel of eight rows stays in the L1 cache while all tokens of a chunk pass it, four
//! at a time: their sums fill the registers, and a weight unpacked once serves them all.

use super::blocks::{Block, Brain, Element, FLOATS, Floats, Half, Nibbles};
use super::bytes::{Bytes, SignedBytes};
use super::few_bits::FewBits;
use super::pool::Shards;
use super::products::{ByteProducts, Products, ROWS, Sums, split};
use super::quantised::{BLOCK, DigitBlock, QuantisedBlock};
use super::simd::{F32x4, byte_dots_are_fast};
use super::uneven::{E2m1, Iq4, Uneven};
use crate::checkpoint::Levels;
use crate::checkpoint::TensorType;
use crate::error::{Error, Result, no_memory};
use std::ops::Range;

/// A matrix [rows, columns], ready for multiplication.
pub struct Matrix {
    pub rows: usize,
    pub columns: usize,
    panels: Panels,
    /// Where there is a choice, products are of bytes.
    by_bytes: bool,
}

enum Panels {
    F32(Vec<Floats<f32>>),
    F16(Vec<Floats<Half>>),
    Bf16(Vec<Floats<Brain>>),
    Nibbles(Vec<Nibbles>),
    Iq4(Vec<Uneven<Iq4>>),
    E2m1(Vec<Uneven<E2m1>>),
    Bits(Vec<FewBits<1, 4>>),
    TwoBits(Vec<FewBits<2, 8>>),
    Bytes(Vec<SignedBytes>),
    BytesMin(Vec<Bytes<1, 1>>),
    HalfBytes(Vec<Bytes<2, 0>>),
    HalfBytesMin(Vec<Bytes<2, 2>>),
}

/// Does the same with the blocks of any type.
macro_rules! with_blocks {
    ($panels:expr, $blocks:ident => $body:expr) => {
        match $panels {
            Panels::F32($blocks) => $body,
            Panels::F16($blocks) => $body,
            Panels::Bf16($blocks) => $body,
            Panels::Nibbles($blocks) => $body,
            Panels::Iq4($blocks) => $body,
            Panels::E2m1($blocks) => $body,
            Panels::Bits($blocks) => $body,
            Panels::TwoBits($blocks) => $body,
            Panels::Bytes($blocks) => $body,
            Panels::BytesMin($blocks) => $body,
            Panels::HalfBytes($blocks) => $body,
            Panels::HalfBytesMin($blocks) => $body,
        }
    };
}

impl Panels {
    fn new(ty: TensorType) -> Self {
        use TensorType::*;
        match ty {
            F32 => Panels::F32(Vec::new()),
            F16 => Panels::F16(Vec::new()),
            BF16 => Panels::Bf16(Vec::new()),
            Q4_0 | Q4_1 | Q4_K => Panels::Nibbles(Vec::new()),
            IQ4_NL | IQ4_XS => Panels::Iq4(Vec::new()),
            MXFP4 => Panels::E2m1(Vec::new()),
            Q1_0 => Panels::Bits(Vec::new()),
            TQ1_0 | TQ2_0 => Panels::TwoBits(Vec::new()),
            Q5_0 | Q8_0 => Panels::Bytes(Vec::new()),
            Q5_1 | Q5_K => Panels::BytesMin(Vec::new()),
            Q3_K | Q6_K => Panels::HalfBytes(Vec::new()),
            Q2_K => Panels::HalfBytesMin(Vec::new()),
        }
    }

    /// Bytes of a block, and the columns of one.
    fn block(&self) -> (usize, usize) {
        fn of<B: Block>(_: &[B]) -> (usize, usize) {
            (size_of::<B>(), B::COLUMNS)
        }
        with_blocks!(self, blocks => of(blocks))
    }
}

/// What a matrix reads of activations.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Floats,
    /// Integers, for products of 16 bits.
    Levels,
    /// Their digits, for products of bytes.
    Digits,
}

/// The activations of some tokens, in the forms that their matrices want; empty in the others.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// [tokens, columns]
    pub floats: &'a [f32],
    /// [tokens, columns / 32]
    pub quantised: &'a [QuantisedBlock],
    /// [tokens, columns / 32]
    pub digits: &'a [DigitBlock],
    pub tokens: usize,
}

/// Where a product goes: [tokens, rows].
pub struct Output<'a> {
    pub values: Shards<'a, f32>,
    /// Per row.
    pub bias: Option<&'a [f32]>,
    /// Per row: multiplies the product and its bias.
    pub scale: Option<&'a [f32]>,
    /// Add to what is there, as a residual does.
    pub accumulate: bool,
}

impl Matrix {
    /// What it reads of activations.
    pub fn form(&self) -> Form {
        match self.panels {
            Panels::F32(_) | Panels::F16(_) | Panels::Bf16(_) => Form::Floats,
            Panels::Nibbles(_) | Panels::Bytes(_) if self.by_bytes => Form::Digits,
            _ => Form::Levels,
        }
    }

    pub fn panel_count(&self) -> usize {
        self.rows.div_ceil(ROWS)
    }

    /// Bytes in memory of a matrix of that type and shape.
    pub fn bytes(ty: TensorType, rows: usize, columns: usize) -> usize {
        let (bytes, block_columns) = Panels::new(ty).block();
        rows.div_ceil(ROWS) * (columns / block_columns) * bytes
    }

    /// One row as floats, [columns].
    pub fn row(&self, row: usize, out: &mut [f32]) {
        fn read<B: Block>(blocks: &[B], per_panel: usize, row: usize, out: &mut [f32]) {
            let panel = &blocks[row / ROWS * per_panel..][..per_panel];
            for (block, out) in panel.iter().zip(out.chunks_exact_mut(B::COLUMNS)) {
                block.row(row % ROWS, out);
            }
        }
        let per_panel = self.columns / self.panels.block().1;
        with_blocks!(&self.panels, blocks => read(blocks, per_panel, row, out));
    }

    /// output = inputs · selfᵀ, for the rows of one panel.
    ///
    /// # Safety
    /// Nobody else may be at that panel of the output meanwhile.
    pub unsafe fn multiply_panel(&self, panel: usize, inputs: Inputs, output: &Output) {
        // SAFETY: the caller's promise.
        let writer = unsafe { Writer::new(self, panel, output) };
        let floats = inputs.floats.as_chunks().0;
        let (fours, eights) = (inputs.quantised.as_chunks().0, inputs.quantised.as_chunks().0);
        if BYTE_DOTS && self.by_bytes {
            match &self.panels {
                Panels::Nibbles(blocks) => return self.digit_tiles(panel, blocks, inputs, &writer),
                Panels::Bytes(blocks) => return self.digit_tiles(panel, blocks, inputs, &writer),
                _ => {}
            }
        }
        match &self.panels {
            Panels::F32(blocks) => self.tiles(panel, blocks, floats, inputs.tokens, &writer),
            Panels::F16(blocks) => self.tiles(panel, blocks, floats, inputs.tokens, &writer),
            Panels::Bf16(blocks) => self.tiles(panel, blocks, floats, inputs.tokens, &writer),
            Panels::Nibbles(blocks) => self.tiles(panel, blocks, inputs.quantised, inputs.tokens, &writer),
            Panels::Iq4(blocks) => self.rare_tiles(panel, blocks, inputs.quantised, inputs.tokens, &writer),
            Panels::E2m1(blocks) => self.rare_tiles(panel, blocks, inputs.quantised, inputs.tokens, &writer),
            Panels::Bits(blocks) => self.rare_tiles(panel, blocks, fours, inputs.tokens, &writer),
            Panels::TwoBits(blocks) => self.rare_tiles(panel, blocks, eights, inputs.tokens, &writer),
            Panels::Bytes(blocks) => self.tiles(panel, blocks, inputs.quantised, inputs.tokens, &writer),
            Panels::BytesMin(blocks) => self.tiles(panel, blocks, inputs.quantised, inputs.tokens, &writer),
            Panels::HalfBytes(blocks) => self.tiles(panel, blocks, inputs.quantised, inputs.tokens, &writer),
            Panels::HalfBytesMin(blocks) => self.tiles(panel, blocks, inputs.quantised, inputs.tokens, &writer),
        }
    }

    #[inline(always)]
    fn tiles<B: Block>(&self, panel: usize, blocks: &[B], inputs: &[B::Input], tokens: usize, writer: &Writer) {
        let per_row = self.columns / B::COLUMNS;
        let blocks = &blocks[panel * per_row..][..per_row];
        let mut token = 0;
        if tokens >= MANY {
            let blocks = B::widen(blocks);
            while token + 4 <= tokens {
                writer.write(token, &tile::<_, 4>(&blocks, &inputs[token * per_row..]));
                token += 4;
            }
        }
        while token + 4 <= tokens {
            writer.write(token, &tile::<_, 4>(blocks, &inputs[token * per_row..]));
            token += 4;
        }
        if token + 2 <= tokens {
            writer.write(token, &tile::<_, 2>(blocks, &inputs[token * per_row..]));
            token += 2;
        }
        if token < tokens {
            writer.write(token, &tile::<_, 1>(blocks, &inputs[token * per_row..]));
        }
    }

    /// Four tokens pass a panel that is widened, the others one by one: of types that few files have, less code.
    #[inline(always)]
    fn rare_tiles<B: Block>(&self, panel: usize, blocks: &[B], inputs: &[B::Input], tokens: usize, writer: &Writer) {
        let per_row = self.columns / B::COLUMNS;
        let blocks = &blocks[panel * per_row..][..per_row];
        let fours = tokens / 4 * 4;
        if fours > 0 {
            let blocks = B::widen(blocks);
            for token in (0..fours).step_by(4) {
                writer.write(token, &tile::<_, 4>(&blocks, &inputs[token * per_row..]));
            }
        }
        for token in fours..tokens {
            writer.write(token, &tile::<_, 1>(blocks, &inputs[token * per_row..]));
        }
    }

    /// Two tokens at a time: of four the sums of both digits would not fit the registers.
    #[inline(always)]
    fn digit_tiles<B: ByteProducts>(&self, panel: usize, blocks: &[B], inputs: Inputs, writer: &Writer) {
        let per_row = self.columns / B::COLUMNS;
        let blocks = &blocks[panel * per_row..][..per_row];
        let mut token = 0;
        while token + 2 <= inputs.tokens {
            writer.write(token, &digit_tile::<_, 2>(blocks, &inputs.digits[token * per_row..]));
            token += 2;
        }
        if token < inputs.tokens {
            writer.write(token, &digit_tile::<_, 1>(blocks, &inputs.digits[token * per_row..]));
        }
    }
}

/// The build has products of bytes; those without need no code for them.
const BYTE_DOTS: bool = cfg!(any(target_feature = "relaxed-simd", not(target_arch = "wasm32")));

/// Tokens from which on a panel's halves become floats before the tokens pass it. Tried with 576 columns, one thread under
/// Node 20 on an AMD EPYC of family 25, G products a second with and without: 4 tokens 8.3 and 9.1 (10.6 and 9.0 where
/// the panels come from the L2 cache), 8 tokens 10.9 and 8.7, 32 tokens 15.0 and 8.9.
const MANY: usize = 8;

/// Writes the sums of one panel's rows.
struct Writer<'a> {
    output: &'a Output<'a>,
    /// The panel's rows, and of how many.
    rows: Range<usize>,
    width: usize,
    bias: Sums,
    scale: Sums,
}

impl<'a> Writer<'a> {
    /// # Safety
    /// It has to be the only one of that panel of the output.
    unsafe fn new(matrix: &Matrix, panel: usize, output: &'a Output) -> Self {
        let rows = panel * ROWS..matrix.rows.min((panel + 1) * ROWS);
        let of_rows = |vector: Option<&[f32]>, default: f32| match vector.map(|vector| &vector[rows.clone()]) {
            None => [F32x4::splat(default); 2],
            Some(values) => split(&std::array::from_fn(|row| values.get(row).copied().unwrap_or(default))),
        };
        let (bias, scale) = (of_rows(output.bias, 0.0), of_rows(output.scale, 1.0));
        Self { output, rows, width: matrix.rows, bias, scale }
    }

    /// Of the tokens from `first` on.
    #[inline(never)]
    fn write(&self, first: usize, sums: &[Sums]) {
        let Output { values, accumulate, .. } = self.output;
        for (token, sums) in (first..).zip(sums) {
            let at = token * self.width;
            // SAFETY: the panels' rows are disjoint, and this is the only writer of its panel, by whoever made it.
            let out = unsafe { values.part(at + self.rows.start..at + self.rows.end) };
            let mut sums: Sums = std::array::from_fn(|half| sums[half].add(self.bias[half]).mul(self.scale[half]));
            if let Ok(out) = <&mut [f32; ROWS]>::try_from(&mut *out) {
                if *accumulate {
                    let before = split(out);
                    sums = [sums[0].add(before[0]), sums[1].add(before[1])];
                }
                sums[0].to_slice(&mut out[..4]);
                sums[1].to_slice(&mut out[4..]);
            } else {
                for (out, sum) in out.iter_mut().zip(sums.into_iter().flat_map(F32x4::to_array)) {
                    *out = if *accumulate { *out + sum } else { sum };
                }
            }
        }
    }
}

/// The sums of `T` tokens, [tokens, blocks], with one panel. Not inlined: V8 allocates registers
/// per function, and these loops need all of them.
#[inline(never)]
fn tile<B: Products, const T: usize>(blocks: &[B], inputs: &[B::Input]) -> [Sums; T] {
    let mut sums = [[F32x4::ZERO; 2]; T];
    let rows: [&[B::Input]; T] = std::array::from_fn(|t| &inputs[t * blocks.len()..][..blocks.len()]);
    for (i, block) in blocks.iter().enumerate() {
        block.accumulate(rows.map(|row| &row[i]), &mut sums);
    }
    sums
}

/// The same by bytes.
#[inline(never)]
fn digit_tile<B: ByteProducts, const T: usize>(blocks: &[B], inputs: &[DigitBlock]) -> [Sums; T] {
    let mut sums = [[F32x4::ZERO; 2]; T];
    let rows: [&[DigitBlock]; T] = std::array::from_fn(|t| &inputs[t * blocks.len()..][..blocks.len()]);
    for (i, block) in blocks.iter().enumerate() {
        block.accumulate_digits(rows.map(|row| &row[i]), &mut sums);
    }
    sums
}

/// A matrix on its way from the file: rows are packed eight at a time as their bytes arrive.
pub struct MatrixBuilder {
    ty: TensorType,
    matrix: Matrix,
    /// Bytes of up to eight rows.
    pending: Vec<u8>,
    row_bytes: usize,
    /// No half has been infinite or no number so far.
    finite: bool,
}

impl MatrixBuilder {
    pub fn new(ty: TensorType, rows: usize, columns: usize) -> Result<Self> {
        let mut panels = Panels::new(ty);
        let (_, block_columns) = panels.block();
        let row_bytes = ty.row_bytes(columns).filter(|_| columns.is_multiple_of(block_columns)).ok_or_else(|| {
            Error::unsupported(format!("rows of {columns} {} values, not a multiple of {block_columns}", ty.name()))
        })?;
        let count = rows.div_ceil(ROWS) * (columns / block_columns);
        let refused = |bytes: usize| no_memory(&format!("a matrix [{rows}, {columns}]"), bytes as f64);
        with_blocks!(&mut panels, blocks => blocks.try_reserve_exact(count))
            .map_err(|_| refused(Matrix::bytes(ty, rows, columns)))?;
        let mut pending = Vec::new();
        pending.try_reserve_exact(row_bytes * ROWS).map_err(|_| refused(row_bytes * ROWS))?;
        Ok(Self {
            ty,
            matrix: Matrix { rows, columns, panels, by_bytes: byte_dots_are_fast() },
            pending,
            row_bytes,
            finite: true,
        })
    }

    /// The next bytes of the tensor, cut anywhere.
    pub fn push(&mut self, mut bytes: &[u8]) {
        let panel = self.row_bytes * ROWS;
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(panel - self.pending.len()));
            self.pending.extend_from_slice(now);
            bytes = later;
            if self.pending.len() == panel {
                self.pack();
            }
        }
    }

    /// The matrix, once all its bytes have been pushed.
    pub fn finish(mut self) -> Matrix {
        if !self.pending.is_empty() {
            // Zero bytes are zero weights in every format; nobody reads these rows' products.
            self.pending.resize(self.row_bytes * ROWS, 0);
            self.pack();
        }
        if let (false, Panels::F16(blocks)) = (self.finite, &self.matrix.panels) {
            // The products of halves take them all for finite numbers.
            let floats = |block: &Floats<Half>| Floats(block.0.map(|column| column.map(|four| four.map(Half::to_f32))));
            self.matrix.panels = Panels::F32(blocks.iter().map(floats).collect());
        }
        self.matrix
    }

    fn pack(&mut self) {
        let rows: [&[u8]; ROWS] = std::array::from_fn(|row| &self.pending[row * self.row_bytes..][..self.row_bytes]);
        let ty = self.ty;
        if ty == TensorType::F16 {
            let special = |half: &[u8; 2]| u16::from_le_bytes(*half) & 0x7c00 == 0x7c00;
            self.finite &= !self.pending.as_chunks::<2>().0.iter().any(special);
        }
        match &mut self.matrix.panels {
            Panels::F32(blocks) => pack_floats(rows, |bytes| f32::from_le_bytes(*bytes), Floats::new, blocks),
            Panels::F16(blocks) => pack_floats(rows, |bytes| Half(u16::from_le_bytes(*bytes)), Floats::new, blocks),
            Panels::Bf16(blocks) => pack_floats(rows, |bytes| Brain(u16::from_le_bytes(*bytes)), Floats::new, blocks),
            Panels::Nibbles(blocks) => pack_levels(ty, rows, Nibbles::new, blocks),
            Panels::Iq4(blocks) => pack_levels(ty, rows, Uneven::new, blocks),
            Panels::E2m1(blocks) => pack_levels(ty, rows, Uneven::new, blocks),
            Panels::Bits(blocks) => FewBits::pack(ty, rows, blocks),
            Panels::TwoBits(blocks) => FewBits::pack(ty, rows, blocks),
            Panels::Bytes(blocks) => pack_levels(ty, rows, SignedBytes::new, blocks),
            Panels::BytesMin(blocks) => pack_levels(ty, rows, Bytes::new, blocks),
            Panels::HalfBytes(blocks) => pack_levels(ty, rows, Bytes::new, blocks),
            Panels::HalfBytesMin(blocks) => pack_levels(ty, rows, Bytes::new, blocks),
        }
        self.pending.clear();
    }
}

fn pack_floats<E: Copy, B, const BYTES: usize>(
    rows: [&[u8]; ROWS],
    element: impl Fn(&[u8; BYTES]) -> E,
    block: impl Fn([[E; FLOATS]; ROWS]) -> B,
    out: &mut Vec<B>,
) {
    let rows = rows.map(|row| row.as_chunks::<BYTES>().0);
    for column in (0..rows[0].len()).step_by(FLOATS) {
        out.push(block(rows.map(|row| std::array::from_fn(|i| element(&row[column + i])))));
    }
}

fn pack_levels<B>(ty: TensorType, rows: [&[u8]; ROWS], block: impl Fn(&[Levels; ROWS]) -> B, out: &mut Vec<B>) {
    each_block(ty, rows, &mut |levels| out.push(block(levels)));
}

/// The levels of some rows, 32 columns at a time. It is code of its own, whatever is made of them: types are many.
#[inline(never)]
fn each_block(ty: TensorType, rows: [&[u8]; ROWS], pack: &mut dyn FnMut(&[Levels; ROWS])) {
    let parts = ty.block_len() / BLOCK;
    let mut levels = [[Levels::default(); 8]; ROWS];
    for start in (0..rows[0].len()).step_by(ty.block_bytes()) {
        for (levels, row) in levels.iter_mut().zip(rows) {
            ty.levels(&row[start..start + ty.block_bytes()], &mut levels[..parts]);
        }
        for part in 0..parts {
            pack(&levels.map(|row| row[part]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::quantised::{Activations, Rounded};
    use super::*;

    /// Numbers that look random and are the same each time.
    fn numbers(len: usize, seed: u32) -> impl Iterator<Item = u32> {
        let mut state = seed.wrapping_mul(2_654_435_761) | 1;
        (0..len).map(move |_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state
        })
    }

    /// A tensor's bytes: any bits, but scales (the first, and in K formats the last bytes) of sensible size.
    fn tensor(ty: TensorType, rows: usize, columns: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = numbers(rows * ty.row_bytes(columns).unwrap(), 7).map(|n| n as u8).collect();
        let scale = half::f16::from_f32(0.01).to_le_bytes();
        for block in bytes.chunks_mut(ty.block_bytes()) {
            let len = block.len();
            match ty {
                TensorType::F32 => block.copy_from_slice(&(f32::from(block[0]) / 256.0 - 0.5).to_le_bytes()),
                TensorType::F16 => {
                    block.copy_from_slice(&half::f16::from_f32(f32::from(block[0]) - 128.0).to_le_bytes())
                }
                TensorType::BF16 => {
                    block.copy_from_slice(&half::bf16::from_f32(f32::from(block[0]) - 128.0).to_le_bytes())
                }
                TensorType::Q3_K | TensorType::Q6_K | TensorType::TQ1_0 | TensorType::TQ2_0 => {
                    block[len - 2..].copy_from_slice(&scale)
                }
                TensorType::MXFP4 => block[0] = 120 + block[0] % 4,
                TensorType::Q2_K => block[len - 4..].copy_from_slice(&[scale, scale].concat()),
                TensorType::Q4_1 | TensorType::Q5_1 | TensorType::Q4_K | TensorType::Q5_K => {
                    block[..4].copy_from_slice(&[scale, scale].concat());
                }
                _ => block[..2].copy_from_slice(&scale),
            }
        }
        bytes
    }

    fn packed(ty: TensorType, rows: usize, columns: usize, bytes: &[u8]) -> Matrix {
        let mut builder = MatrixBuilder::new(ty, rows, columns).unwrap();
        bytes.chunks(77).for_each(|chunk| builder.push(chunk));
        builder.finish()
    }

    #[test]
    fn every_type_gives_back_its_rows() {
        for ty in TensorType::ALL {
            let (rows, columns) = (13, 512);
            let bytes = tensor(ty, rows, columns);
            let mut expected = vec![0.0; rows * columns];
            ty.dequantize(&bytes, &mut expected);
            let matrix = packed(ty, rows, columns, &bytes);
            let mut row = vec![0.0; columns];
            for (index, expected) in expected.chunks(columns).enumerate() {
                matrix.row(index, &mut row);
                assert_eq!(row, expected, "{ty}, row {index}");
            }
        }
    }

    /// The same levels in both forms: those of the digits, which both can hold, or of the others.
    fn levels(values: &[f32], most: f32) -> (Vec<QuantisedBlock>, Vec<DigitBlock>) {
        let rounded = |values| Rounded::of(values, most);
        let (blocks, _) = values.as_chunks();
        (
            blocks.iter().map(|values| rounded(values).into()).collect(),
            blocks.iter().map(|values| rounded(values).into()).collect(),
        )
    }

    /// Its products with some tokens, in one of the two ways, are those of the plain sums in f64.
    fn multiplies(ty: TensorType, (rows, columns): (usize, usize), by_bytes: bool) {
        let bytes = tensor(ty, rows, columns);
        let matrix = Matrix { by_bytes, ..packed(ty, rows, columns, &bytes) };
        let mut weights = vec![0.0; rows * columns];
        ty.dequantize(&bytes, &mut weights);
        for tokens in [1, 2, 3, 4, 9, MANY + 3] {
            let mut inputs: Vec<f32> = numbers(tokens * columns, 3).map(|n| (n % 2001) as f32 / 1000.0 - 1.0).collect();
            let most = if by_bytes { DigitBlock::LARGEST } else { QuantisedBlock::LARGEST };
            let (quantised, digits) = levels(&inputs, most);
            if matrix.form() != Form::Floats {
                // The product is of the quantised activations: with those it is exact but for rounding.
                for (inputs, block) in inputs.chunks_mut(BLOCK).zip(&quantised) {
                    inputs.iter_mut().zip(block.levels).for_each(|(x, level)| *x = f32::from(level) * block.scale);
                }
            }
            let (mut found, bias) = (vec![1.0; tokens * rows], vec![0.5; rows]);
            let output = Output { values: Shards::new(&mut found), bias: Some(&bias), scale: None, accumulate: true };
            let inputs_of = Inputs { floats: &inputs, quantised: &quantised, digits: &digits, tokens };
            for panel in 0..matrix.panel_count() {
                // SAFETY: one after the other.
                unsafe { matrix.multiply_panel(panel, inputs_of, &output) };
            }
            for (i, found) in found.iter().enumerate() {
                let (input, weight) =
                    (&inputs[i / rows * columns..][..columns], &weights[i % rows * columns..][..columns]);
                let products = || input.iter().zip(weight).map(|(x, w)| f64::from(*x) * f64::from(*w));
                let (expected, size) = (1.5 + products().sum::<f64>(), products().map(f64::abs).sum::<f64>());
                // Rounding of 256 additions and of each block's scale.
                assert!(
                    (f64::from(*found) - expected).abs() <= 1e-5 * (1.0 + size),
                    "{ty}, {tokens} tokens, by bytes: {by_bytes}: {found}, expected {expected}"
                );
            }
        }
    }

    #[test]
    fn every_type_multiplies_any_number_of_tokens() {
        for ty in TensorType::ALL {
            let columns = ty.block_len();
            for shape in [(21, columns), (8, 3 * columns.max(BLOCK)), (1, 256), (40, 512)] {
                for by_bytes in [false, true] {
                    multiplies(ty, shape, by_bytes);
                }
            }
        }
    }

    #[test]
    fn the_smallest_and_largest_levels_multiply_by_bytes_as_in_16_bits() {
        for (ty, byte) in [(TensorType::Q8_0, 0x80), (TensorType::Q8_0, 0x7f), (TensorType::Q4_1, 0xff)] {
            let mut bytes = vec![byte; 8 * ty.row_bytes(64).unwrap()];
            bytes.chunks_mut(ty.block_bytes()).for_each(|block| block[..2].copy_from_slice(&[0, 0x3c]));
            for value in [1.0, -1.0] {
                let (quantised, digits) = levels(&[value; 64], DigitBlock::LARGEST);
                let inputs = Inputs { floats: &[], quantised: &quantised, digits: &digits, tokens: 1 };
                let [by_bytes, in_16_bits] = [true, false].map(|by_bytes| {
                    let matrix = Matrix { by_bytes, ..packed(ty, 8, 64, &bytes) };
                    let mut found = [0.0f32; 8];
                    let output = Output { values: Shards::new(&mut found), bias: None, scale: None, accumulate: false };
                    // SAFETY: there is one panel.
                    unsafe { matrix.multiply_panel(0, inputs, &output) };
                    found.map(f32::to_bits)
                });
                assert_eq!(by_bytes, in_16_bits, "{ty}, {byte}, {value}");
            }
        }
    }
}
