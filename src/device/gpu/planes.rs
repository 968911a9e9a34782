//! How weights lie on the GPU: in two planes, brought there row by row from the blocks of the file.
//!
//! A row is cut into units. The first plane has each unit's levels, or floats, in words that a kernel fetches four at a
//! time; the second what else there is of them: scales, minima, further bits of levels, in records that some units
//! share. So neighbouring lanes read neighbouring words, and no word twice. What a record has is said where it is read,
//! in `shaders/formats/`.

use crate::checkpoint::{Levels, TensorType, iq4_xs_scales, q3_k_scales, scale_and_minimum};

/// How a format's units lie.
#[derive(Clone, Copy)]
pub struct Layout {
    /// Columns of a unit.
    columns: usize,
    /// Words of a unit in the first plane.
    words: usize,
    /// Units that share a record, and its words.
    sharing: usize,
    record: usize,
}

impl Layout {
    pub fn of(ty: TensorType) -> Self {
        use TensorType::*;
        let [columns, words, sharing, record] = match ty {
            F32 => [4, 4, 1, 0],
            F16 | BF16 => [8, 4, 1, 0],
            Q4_0 | IQ4_NL => [32, 4, 2, 1],
            Q4_1 => [32, 4, 1, 1],
            Q5_0 => [32, 4, 2, 3],
            Q5_1 => [32, 4, 1, 2],
            Q8_0 => [32, 8, 2, 1],
            IQ4_XS => [32, 4, 8, 3],
            MXFP4 => [32, 4, 4, 1],
            Q1_0 => [32, 0, 8, 9],
            TQ1_0 | TQ2_0 => [32, 0, 8, 17],
            Q2_K => [32, 0, 8, 21],
            Q3_K => [32, 0, 8, 29],
            Q4_K => [32, 4, 8, 5],
            Q5_K => [32, 4, 8, 13],
            Q6_K => [32, 4, 8, 21],
        };
        Self { columns, words, sharing, record }
    }

    /// Units of a row: whole records of them.
    pub fn units(&self, columns: usize) -> usize {
        columns.div_ceil(self.columns).next_multiple_of(self.sharing)
    }

    /// Words of some rows in each plane. A plane is whole fours of words.
    pub fn plane_words(&self, rows: usize, columns: usize) -> [usize; 2] {
        let units = rows * self.units(columns);
        [units * self.words, (units / self.sharing * self.record).next_multiple_of(4)]
    }
}

/// Appends a row of the file to both planes.
pub fn lay(ty: TensorType, row: &[u8], columns: usize, planes: &mut [Vec<u8>; 2]) {
    let layout = Layout::of(ty);
    let units = layout.units(columns);
    let ends = [4 * layout.words * units, 4 * layout.record * (units / layout.sharing)];
    let ends = [0, 1].map(|plane| planes[plane].len() + ends[plane]);
    if ty.is_quantised() {
        // A record may be of several blocks, or a block of several units.
        let blocks = (layout.columns * layout.sharing).max(ty.block_len()) / ty.block_len();
        row.chunks(blocks * ty.block_bytes()).for_each(|blocks| lay_record(ty, blocks, planes));
    } else {
        planes[0].extend_from_slice(row);
    }
    for (plane, end) in planes.iter_mut().zip(ends) {
        plane.resize(end, 0);
    }
}

/// The units that share a record, and that; where the row has fewer of them, the rest is left out.
fn lay_record(ty: TensorType, blocks: &[u8], [first, second]: &mut [Vec<u8>; 2]) {
    use TensorType::*;
    let each = || blocks.chunks_exact(ty.block_bytes());
    match ty {
        Q4_0 | IQ4_NL | Q8_0 => each().for_each(|block| {
            second.extend(&block[..2]);
            first.extend(&block[2..]);
        }),
        Q4_1 => {
            second.extend(&blocks[..4]);
            first.extend(&blocks[4..]);
        }
        MXFP4 => each().for_each(|block| {
            second.push(block[0]);
            first.extend(&block[1..]);
        }),
        IQ4_XS => {
            first.extend(&blocks[8..]);
            second.extend([blocks[0], blocks[1], 0, 0]);
            second.extend(iq4_xs_scales(&blocks[2..8]).map(i8::cast_unsigned));
        }
        Q1_0 => {
            second.extend(each().flat_map(|block| block[2..].chunks_exact(4).flat_map(single_bits)));
            second.resize(second.len() + 16 * (2 - each().count()), 0);
            second.extend(each().flat_map(|block| [block[0], block[1]]));
        }
        Q5_0 => {
            each().for_each(|block| first.extend(&block[6..]));
            second.extend(each().flat_map(|block| single_bits(&block[2..6])));
            second.resize(second.len() + 4 * (2 - each().count()), 0);
            second.extend(each().flat_map(|block| [block[0], block[1]]));
        }
        Q5_1 => {
            first.extend(&blocks[8..]);
            second.extend(&blocks[..4]);
            second.extend(single_bits(&blocks[4..8]));
        }
        Q4_K | Q5_K => {
            let nibbles = &blocks[blocks.len() - 128..];
            nibbles.chunks_exact(32).for_each(|groups| first.extend(two_groups(groups)));
            second.extend(&blocks[..4]);
            second.extend((0..8).flat_map(|group| <[u8; 2]>::from(scale_and_minimum(&blocks[4..16], group))));
            if ty == Q5_K {
                let bit = |group: usize| move |i: usize| blocks[16 + i] >> group & 1;
                second.extend((0..8).flat_map(|group| spread(1, bit(group))));
            }
        }
        _ => lay_levels(ty, blocks, first, second),
    }
}

/// Formats whose levels have bits in several places of the block.
fn lay_levels(ty: TensorType, block: &[u8], first: &mut Vec<u8>, second: &mut Vec<u8>) {
    let mut units = [Levels::default(); 8];
    ty.levels(block, &mut units);
    let (offset, scales, d) = match ty {
        TensorType::Q2_K => (0, block[..16].to_vec(), &block[80..84]),
        TensorType::TQ1_0 => (0, Vec::new(), &block[52..54]),
        TensorType::TQ2_0 => (0, Vec::new(), &block[64..66]),
        TensorType::Q3_K => (4, q3_k_scales(&block[96..108]).map(|scale| scale as u8).to_vec(), &block[108..110]),
        _ => (32, block[192..208].to_vec(), &block[208..210]),
    };
    let level = |unit: usize, i: usize| (units[unit].levels[i] + offset) as u8;
    let low = if ty == TensorType::Q6_K { 4 } else { 0 };
    for unit in 0..8 {
        if low > 0 {
            first.extend((0..16).map(|i| level(unit, i) & 15 | level(unit, i + 16) << 4));
        }
        second.extend(spread(2, |i| level(unit, i) >> low & 3));
    }
    if ty == TensorType::Q3_K {
        (0..8).for_each(|unit| second.extend(spread(1, |i| level(unit, i) >> 2)));
    }
    second.extend(scales);
    second.extend(d);
    second.resize(second.len().next_multiple_of(4), 0);
}

/// Nibbles of two groups of 32 columns that have their bytes in common, each brought to its own: byte i of a group has
/// columns i and i + 16.
fn two_groups(bytes: &[u8]) -> [u8; 32] {
    let (low, high) = bytes.split_at(16);
    std::array::from_fn(|i| match i / 16 {
        0 => low[i] & 15 | high[i] << 4,
        _ => low[i - 16] >> 4 | high[i - 16] & 0xf0,
    })
}

/// A bit of each of 32 columns, in the file's order.
fn single_bits(bits: &[u8]) -> Vec<u8> {
    spread(1, |i| bits[i / 8] >> (i % 8) & 1)
}

/// `bits` of each of 32 levels: byte b of a word has those of columns b, 4 + b, 8 + b, …, the first lowest.
fn spread(bits: usize, level: impl Fn(usize) -> u8) -> Vec<u8> {
    let fours = 8 / bits;
    (0..4 * bits)
        .map(|at| (0..fours).fold(0, |byte, n| byte | level(4 * (at / 4 * fours + n) + at % 4) << (bits * n)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::texts::format_text;
    use super::*;

    #[test]
    fn a_unit_s_words_are_fetched_four_at_a_time_and_once() {
        for ty in TensorType::ALL {
            let text = format_text(ty);
            let fetches = text.matches("weights[").count();
            assert_eq!(4 * fetches, Layout::of(ty).words, "{ty}");
            assert!(
                !text.contains("weights[") || !text.contains("for (") || text.contains("UNEVEN"),
                "{ty}: in a loop?"
            );
        }
    }

    #[test]
    fn planes_have_the_bytes_of_the_file_and_few_more() {
        for ty in TensorType::ALL {
            let (rows, columns) = (3, 2048);
            let [row, mut planes] = [vec![0; ty.row_bytes(columns).unwrap()], vec![]].map(|row| [row, vec![]]);
            (0..rows).for_each(|_| lay(ty, &row[0], columns, &mut planes));
            let words = Layout::of(ty).plane_words(rows, columns);
            assert_eq!(
                planes.each_ref().map(|plane| plane.len().next_multiple_of(16)),
                words.map(|words| 4 * words),
                "{ty}"
            );
            // Five to a byte are for the GPU two bits each.
            let kept = if ty == TensorType::TQ1_0 { TensorType::TQ2_0 } else { ty };
            let [file, here] = [rows * kept.row_bytes(columns).unwrap(), 4 * words.iter().sum::<usize>()];
            // Scales of 6 bits have a byte, and a lone one of a block a word: at most a sixteenth more.
            assert!(here >= file && here <= file + file / 16 + 16, "{ty}: {here} of {file} bytes");
        }
    }
}
