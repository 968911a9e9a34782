//! Floats to blocks, rounding as ggml's reference code does.

use half::f16;

use crate::error::{Error, Result};

/// q = round(x / d), d = max|x| / 127
pub(super) fn q8_0(values: &[f32; 32], out: &mut [u8; 34]) -> Result<()> {
    let largest = values.iter().fold(0f32, |largest, x| largest.max(x.abs()));
    let d = largest / 127.0;
    out[..2].copy_from_slice(&stored(d, values)?);
    let inverse = inverse(d);
    for (q, x) in out[2..].iter_mut().zip(values) {
        *q = (x * inverse).round() as i8 as u8;
    }
    Ok(())
}

/// q = round((x − m) / d), m = min x, d = (max x − min x) / 15
pub(super) fn q4_1(values: &[f32; 32], out: &mut [u8; 20]) -> Result<()> {
    let m = values.iter().copied().fold(f32::INFINITY, f32::min);
    let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let d = (largest - m) / 15.0;
    out[..2].copy_from_slice(&stored(d, values)?);
    out[2..4].copy_from_slice(&stored(m, values)?);
    let inverse = inverse(d);
    let code = |x: f32| (((x - m) * inverse + 0.5) as u8).min(15);
    for (i, q) in out[4..].iter_mut().enumerate() {
        *q = code(values[i]) | code(values[i + 16]) << 4;
    }
    Ok(())
}

fn inverse(d: f32) -> f32 {
    if d == 0.0 { 0.0 } else { 1.0 / d }
}

/// A scale as f16, or an error where it (or a value of the block) is beyond what f16 holds.
fn stored(scale: f32, values: &[f32; 32]) -> Result<[u8; 2]> {
    let stored = f16::from_f32(scale);
    if stored.is_finite() && values.iter().all(|x| x.is_finite()) {
        return Ok(stored.to_le_bytes());
    }
    let worst = values.iter().copied().find(|x| !x.is_finite()).unwrap_or(scale);
    Err(Error::corrupt(format!("cannot be quantized: {worst} is not finite or beyond the range of f16")))
}

#[cfg(test)]
mod tests {
    use crate::checkpoint::TensorType::{Q4_1, Q8_0};
    use crate::error::Code;

    #[test]
    fn what_the_format_can_hold_comes_back_unchanged() {
        let values: Vec<f32> = (0..32).map(|i| (i * 8 - 127).min(127) as f32 * 0.5).collect();
        let mut bytes = [0; 34];
        Q8_0.quantize(&values, &mut bytes).unwrap();
        let mut back = [0.0; 32];
        Q8_0.dequantize(&bytes, &mut back);
        assert_eq!(back[..], values);

        let values: Vec<f32> = (0..32).map(|i| (i % 16) as f32 * 0.25 - 3.0).collect();
        let mut bytes = [0; 20];
        Q4_1.quantize(&values, &mut bytes).unwrap();
        Q4_1.dequantize(&bytes, &mut back);
        assert_eq!(back[..], values);
    }

    #[test]
    fn a_block_of_one_value_has_scale_zero() {
        let mut bytes = [1; 34];
        Q8_0.quantize(&[0.0; 32], &mut bytes).unwrap();
        assert_eq!(bytes, [0; 34]);
        let mut bytes = [1; 20];
        Q4_1.quantize(&[-2.0; 32], &mut bytes).unwrap();
        assert_eq!(bytes[..5], [0, 0, 0, 0xc0, 0]);
    }

    #[test]
    fn what_f16_scales_cannot_hold_is_refused() {
        for bad in [f32::NAN, f32::INFINITY, f32::MIN] {
            let mut values = [1.0; 32];
            values[7] = bad;
            assert_eq!(Q8_0.quantize(&values, &mut [0; 34]).unwrap_err().code, Code::CorruptFile);
            assert_eq!(Q4_1.quantize(&values, &mut [0; 20]).unwrap_err().code, Code::CorruptFile);
        }
    }
}
