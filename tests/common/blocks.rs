//! Random weights in every format that a file may have.

use crate::random::Random;
use azulejo::checkpoint::TensorType;

/// Where a block of a quantised format has its scales in halves.
pub fn scales_of(ty: TensorType) -> &'static [usize] {
    match ty {
        TensorType::Q4_1 | TensorType::Q5_1 | TensorType::Q4_K | TensorType::Q5_K => &[0, 2],
        TensorType::Q2_K => &[80, 82],
        TensorType::Q3_K => &[108],
        TensorType::Q6_K => &[208],
        TensorType::TQ1_0 => &[52],
        TensorType::TQ2_0 => &[64],
        TensorType::MXFP4 => &[],
        _ => &[0],
    }
}

/// A matrix in the file's format: any bits, under scales that are numbers of a sane size.
pub fn random_bytes(random: &mut Random, ty: TensorType, rows: usize, columns: usize) -> Vec<u8> {
    if !ty.is_quantised() {
        let encode = |value: f32| match ty {
            TensorType::F32 => value.to_le_bytes().to_vec(),
            TensorType::F16 => half::f16::from_f32(value).to_le_bytes().to_vec(),
            _ => half::bf16::from_f32(value).to_le_bytes().to_vec(),
        };
        return (0..rows * columns).flat_map(|_| encode(random.float())).collect();
    }
    let len = rows * ty.row_bytes(columns).expect("whole blocks");
    let mut bytes: Vec<u8> = (0..len).map(|_| random.next() as u8).collect();
    for block in bytes.chunks_mut(ty.block_bytes()) {
        for at in scales_of(ty) {
            let scale = half::f16::from_f32(0.02 * random.float());
            block[*at..at + 2].copy_from_slice(&scale.to_le_bytes());
        }
        if ty == TensorType::MXFP4 {
            block[0] = 118 + block[0] % 5;
        }
    }
    bytes
}
