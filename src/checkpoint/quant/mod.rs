//! The tensor types: how many elements and bytes a block has, and what its bytes mean.
//!
//! `levels` is the definition that every kernel is compared with: the arithmetic of ggml's reference
//! code, in f32, in ggml's order. A block's layout is written down above its function.

mod blocks;
mod few_bits;
mod k_blocks;
mod levels;
mod quantize;

use crate::error::{Code, Error, Result};
pub use blocks::{E2M1_VALUES, IQ4_VALUES, mxfp4_from_pairs};
pub use k_blocks::{iq4_xs_scales, q3_k_scales, scale_and_minimum};
pub use levels::Levels;

/// How the elements of a tensor are stored.
#[allow(non_camel_case_types)] // ggml's names, which is how people know these formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TensorType {
    F32,
    F16,
    BF16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2_K,
    Q3_K,
    Q4_K,
    Q5_K,
    Q6_K,
    IQ4_NL,
    IQ4_XS,
    MXFP4,
    Q1_0,
    TQ1_0,
    TQ2_0,
}

use TensorType::*;

/// Number in GGUF, name, elements and bytes of a block, for every type that is read.
const TABLE: [(TensorType, u32, &str, usize, usize); 19] = [
    (F32, 0, "F32", 1, 4),
    (F16, 1, "F16", 1, 2),
    (BF16, 30, "BF16", 1, 2),
    (Q4_0, 2, "Q4_0", 32, 18),
    (Q4_1, 3, "Q4_1", 32, 20),
    (Q5_0, 6, "Q5_0", 32, 22),
    (Q5_1, 7, "Q5_1", 32, 24),
    (Q8_0, 8, "Q8_0", 32, 34),
    (Q2_K, 10, "Q2_K", 256, 84),
    (Q3_K, 11, "Q3_K", 256, 110),
    (Q4_K, 12, "Q4_K", 256, 144),
    (Q5_K, 13, "Q5_K", 256, 176),
    (Q6_K, 14, "Q6_K", 256, 210),
    (IQ4_NL, 20, "IQ4_NL", 32, 18),
    (IQ4_XS, 23, "IQ4_XS", 256, 136),
    (MXFP4, 39, "MXFP4", 32, 17),
    (Q1_0, 41, "Q1_0", 128, 18),
    (TQ1_0, 34, "TQ1_0", 256, 54),
    (TQ2_0, 35, "TQ2_0", 256, 66),
];

/// The types of ggml that are not read, so that a refusal can name them. 4 and 5, 31 to 33 and 36 to 38
/// were given up by ggml itself.
const UNREAD: [(u32, &str); 24] = [
    (4, "Q4_2"),
    (5, "Q4_3"),
    (9, "Q8_1"),
    (15, "Q8_K"),
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (21, "IQ3_S"),
    (22, "IQ2_S"),
    (24, "I8"),
    (25, "I16"),
    (26, "I32"),
    (27, "I64"),
    (28, "F64"),
    (29, "IQ1_M"),
    (31, "Q4_0_4_4"),
    (32, "Q4_0_4_8"),
    (33, "Q4_0_8_8"),
    (36, "IQ4_NL_4_4"),
    (37, "IQ4_NL_4_8"),
    (38, "IQ4_NL_8_8"),
    (40, "NVFP4"),
    (42, "Q2_0"),
];

impl TensorType {
    /// Every type, in the order of the enum.
    pub const ALL: [TensorType; 19] = [
        F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS, MXFP4, Q1_0, TQ1_0,
        TQ2_0,
    ];

    fn row(self) -> &'static (TensorType, u32, &'static str, usize, usize) {
        &TABLE[self as usize]
    }

    /// The type with this number in a GGUF file, or `unsupported-quantization` with its name.
    pub fn from_ggml(number: u32) -> Result<TensorType> {
        if let Some(row) = TABLE.iter().find(|row| row.1 == number) {
            return Ok(row.0);
        }
        let what = match UNREAD.iter().find(|(unread, _)| *unread == number) {
            Some((_, name)) => (*name).to_owned(),
            None => format!("an unknown type (number {number})"),
        };
        let read: Vec<&str> = Self::ALL.iter().map(|ty| ty.name()).collect();
        let message = format!("stored as {what}, which is not supported; supported are {}", read.join(", "));
        Err(Error::new(Code::UnsupportedQuantization, message))
    }

    /// Its number in a GGUF file.
    pub fn ggml(self) -> u32 {
        self.row().1
    }

    /// ggml's name.
    pub fn name(self) -> &'static str {
        self.row().2
    }

    /// Elements in a block; a row is a whole number of blocks.
    pub fn block_len(self) -> usize {
        self.row().3
    }

    /// Bytes of a block.
    pub fn block_bytes(self) -> usize {
        self.row().4
    }

    /// Bytes of a row, or `None` where `columns` is not a whole number of blocks (or overflows).
    pub fn row_bytes(self, columns: usize) -> Option<usize> {
        if !columns.is_multiple_of(self.block_len()) {
            return None;
        }
        (columns / self.block_len()).checked_mul(self.block_bytes())
    }

    /// Whether weights are small integers with a scale, not floats.
    pub fn is_quantised(self) -> bool {
        !matches!(self, F32 | F16 | BF16)
    }

    /// Decodes one block of a quantised format into [`Levels`], one for each 32 elements. This is the definition of each.
    ///
    /// Panics where the lengths are not a block's, or the type is a float.
    pub fn levels(self, block: &[u8], out: &mut [Levels]) {
        match self {
            F32 | F16 | BF16 => panic!("{self} has no levels"),
            Q4_0 => one(block, out, blocks::q4_0),
            Q4_1 => one(block, out, blocks::q4_1),
            Q5_0 => one(block, out, blocks::q5_0),
            Q5_1 => one(block, out, blocks::q5_1),
            Q8_0 => one(block, out, blocks::q8_0),
            Q2_K => one(block, out, k_blocks::q2_k),
            Q3_K => one(block, out, k_blocks::q3_k),
            Q4_K => one(block, out, k_blocks::q4_k),
            Q5_K => one(block, out, k_blocks::q5_k),
            Q6_K => one(block, out, k_blocks::q6_k),
            IQ4_NL => one(block, out, blocks::iq4_nl),
            IQ4_XS => one(block, out, k_blocks::iq4_xs),
            MXFP4 => one(block, out, blocks::mxfp4),
            Q1_0 => one(block, out, few_bits::q1_0),
            TQ1_0 => one(block, out, few_bits::tq1_0),
            TQ2_0 => one(block, out, few_bits::tq2_0),
        }
    }

    /// Turns whole blocks into floats.
    ///
    /// Panics where `bytes` and `out` are not the same whole number of blocks.
    pub fn dequantize(self, bytes: &[u8], out: &mut [f32]) {
        assert_eq!(
            self.row_bytes(out.len()),
            Some(bytes.len()),
            "{self}: {} bytes for {} elements",
            bytes.len(),
            out.len()
        );
        match self {
            F32 => each(bytes, out, blocks::f32),
            F16 => each(bytes, out, blocks::f16),
            BF16 => each(bytes, out, blocks::bf16),
            _ => {
                let mut levels = [Levels::default(); 8];
                let levels = &mut levels[..self.block_len() / Levels::LEN];
                let outs = out.chunks_exact_mut(self.block_len());
                for (block, out) in bytes.chunks_exact(self.block_bytes()).zip(outs) {
                    self.levels(block, levels);
                    levels.iter().zip(out.as_chunks_mut().0).for_each(|(levels, out)| levels.to_floats(out));
                }
            }
        }
    }

    /// Turns floats into whole blocks of `Q8_0` or `Q4_1`, as ggml's reference code does.
    ///
    /// Refuses values that the format cannot hold (not finite, or with a scale beyond f16), and other types.
    /// Panics where `values` and `out` are not the same whole number of blocks.
    pub fn quantize(&self, values: &[f32], out: &mut [u8]) -> Result<()> {
        assert_eq!(
            self.row_bytes(values.len()),
            Some(out.len()),
            "{} bytes for {} elements",
            self.name(),
            values.len()
        );
        match self {
            Q8_0 => each_try(values, out, quantize::q8_0),
            Q4_1 => each_try(values, out, quantize::q4_1),
            _ => Err(Error::invalid(format!("quantizing to {} is not supported; Q8_0 and Q4_1 are", self.name()))),
        }
    }
}

impl std::fmt::Display for TensorType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Decodes one block of `BYTES` bytes into `N` levels.
fn one<const BYTES: usize, const N: usize>(
    block: &[u8],
    out: &mut [Levels],
    decode: impl Fn(&[u8; BYTES], &mut [Levels; N]),
) {
    decode(block.try_into().expect("one block"), out.try_into().expect("its levels"));
}

/// Calls `block` for each block of `BYTES` bytes and `LEN` elements.
fn each<const BYTES: usize, const LEN: usize>(
    bytes: &[u8],
    out: &mut [f32],
    block: impl Fn(&[u8; BYTES], &mut [f32; LEN]),
) {
    for (bytes, out) in bytes.as_chunks().0.iter().zip(out.as_chunks_mut().0) {
        block(bytes, out);
    }
}

fn each_try<const BYTES: usize, const LEN: usize>(
    values: &[f32],
    out: &mut [u8],
    block: impl Fn(&[f32; LEN], &mut [u8; BYTES]) -> Result<()>,
) -> Result<()> {
    values.as_chunks().0.iter().zip(out.as_chunks_mut().0).try_for_each(|(values, out)| block(values, out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (row, ty) in TABLE.iter().zip(TensorType::ALL) {
            assert_eq!(row.0, ty);
            assert_eq!(ty.row(), row);
            assert_eq!(format!("{ty:?}"), ty.name());
            assert_eq!(TensorType::from_ggml(ty.ggml()).unwrap(), ty);
        }
    }

    #[test]
    fn every_other_type_of_ggml_is_refused_by_name() {
        for number in (0..=42).filter(|number| TABLE.iter().all(|row| row.1 != *number)) {
            let error = TensorType::from_ggml(number).unwrap_err();
            assert_eq!(error.code, Code::UnsupportedQuantization);
            assert!(!error.message.contains("unknown"), "type {number}: {error}");
        }
        assert!(TensorType::from_ggml(16).unwrap_err().message.starts_with("stored as IQ2_XXS, "));
        assert!(TensorType::from_ggml(40).unwrap_err().message.starts_with("stored as NVFP4, "));
        assert!(TensorType::from_ggml(77).unwrap_err().message.contains("number 77"));
    }

    #[test]
    fn a_row_is_a_whole_number_of_blocks() {
        assert_eq!(Q4_1.row_bytes(576), Some(360));
        assert_eq!(Q4_K.row_bytes(576), None);
        assert_eq!(F32.row_bytes(3), Some(12));
        assert_eq!(F32.row_bytes(usize::MAX), None);
        assert_eq!(Q8_0.row_bytes(0), Some(0));
    }
}
