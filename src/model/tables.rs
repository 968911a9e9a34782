//! Tables of positions that are computed, not loaded.

use crate::error::{Result, try_vec};

/// The original Transformer's positions, [positions, width]: sines in the first half, cosines in the second
/// (<https://arxiv.org/abs/1706.03762>, in the order of transformers' `MarianSinusoidalPositionalEmbedding`).
pub fn sinusoids(positions: usize, width: usize) -> Result<Vec<f32>> {
    let mut table: Vec<f32> = try_vec(positions.saturating_mul(width), "positions")?;
    let half = width.div_ceil(2);
    for (position, row) in table.chunks_exact_mut(width).enumerate() {
        for i in 0..half {
            let angle = position as f64 / 10_000f64.powf(2.0 * i as f64 / width as f64);
            row[i] = angle.sin() as f32;
            if half + i < width {
                row[half + i] = angle.cos() as f32;
            }
        }
    }
    Ok(table)
}

/// T5's learned bias of each bucket, [buckets, heads], as one of each distance key − query from −`distance` to
/// `distance`, [heads, 2 · distance + 1]. Farther ones are in the last bucket.
pub fn bucket_table(learned: &[f32], buckets: usize, distance: usize, causal: bool) -> Result<Vec<f32>> {
    let (heads, line) = (learned.len() / buckets, 2 * distance + 1);
    let mut table: Vec<f32> = try_vec(heads * line, "a table of relative positions")?;
    for (head, row) in table.chunks_exact_mut(line).enumerate() {
        for (at, bias) in row.iter_mut().enumerate() {
            *bias = learned[bucket(at as isize - distance as isize, buckets, distance, causal) * heads + head];
        }
    }
    Ok(table)
}

/// The bucket of a distance: the first half of them is for one distance each, the others grow with its logarithm.
fn bucket(distance: isize, buckets: usize, most: usize, causal: bool) -> usize {
    let (first, buckets, distance) = match causal {
        // A decoder has no keys after the query.
        true => (0, buckets, (-distance).max(0) as usize),
        false if distance > 0 => (buckets / 2, buckets / 2, distance.unsigned_abs()),
        false => (0, buckets / 2, distance.unsigned_abs()),
    };
    let exact = buckets / 2;
    if distance < exact {
        return first + distance;
    }
    // In float32, as the reference computes it: at a bucket's edge the last bit decides.
    let grown = (distance as f32 / exact as f32).ln() / (most as f64 / exact as f64).ln() as f32;
    first + (exact + (grown * (buckets - exact) as f32) as usize).min(buckets - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From transformers: T5Attention._relative_position_bucket(torch.tensor(distances), bidirectional, 32, 128).
    #[test]
    fn buckets_are_those_of_the_reference() {
        let distances = [-200, -128, -91, -64, -17, -16, -12, -8, -7, -1, 0, 1, 7, 8, 11, 16, 33, 64, 127, 128, 500];
        let both = [15, 15, 15, 14, 10, 10, 9, 8, 7, 1, 0, 17, 23, 24, 24, 26, 28, 30, 31, 31, 31];
        let causal = [31, 31, 29, 26, 16, 16, 12, 8, 7, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        for ((distance, both), causal) in distances.into_iter().zip(both).zip(causal) {
            assert_eq!(bucket(distance, 32, 128, false), both, "{distance}");
            assert_eq!(bucket(distance, 32, 128, true), causal, "{distance}, causal");
        }
    }

    #[test]
    fn the_first_position_is_all_cosines() {
        let table = sinusoids(2, 4).unwrap();
        assert_eq!(table[..4], [0.0, 0.0, 1.0, 1.0]);
        assert!((table[4] - 1f32.sin()).abs() < 1e-7 && (table[5] - 0.01f32.sin()).abs() < 1e-7);
    }
}
