//! The KV cache: keys and values of one sequence, per layer and head [positions, head_dim].

use super::simd::f16_to_f32;
use crate::device::CacheType;
use crate::error::{Result, no_memory};

/// Values that share a scale in a `Q8` cache.
const GROUP: usize = 32;

pub struct Cache {
    kv_heads: usize,
    /// [layers, kv_heads]: keys and values.
    heads: Vec<(Rows, Rows)>,
    positions: usize,
}

impl Cache {
    pub fn new(layers: usize, kv_heads: usize, head_dim: usize, ty: CacheType) -> Self {
        let rows = || Rows { head_dim, values: Values::new(ty) };
        Self { kv_heads, heads: (0..layers * kv_heads).map(|_| (rows(), rows())).collect(), positions: 0 }
    }

    /// Makes room for that many tokens.
    pub fn reserve(&mut self, positions: usize) -> Result<()> {
        if positions > self.positions {
            for (keys, values) in &mut self.heads {
                keys.reserve(positions)?;
                values.reserve(positions)?;
            }
            self.positions = positions;
        }
        Ok(())
    }

    /// Takes the first `positions` tokens of another cache like it.
    pub fn copy(&mut self, from: &Cache, positions: usize) -> Result<()> {
        self.reserve(positions)?;
        for (to, from) in self.heads.iter_mut().zip(&from.heads) {
            to.0.copy(&from.0, positions);
            to.1.copy(&from.1, positions);
        }
        Ok(())
    }

    pub fn head(&self, layer: usize, head: usize) -> (&Rows, &Rows) {
        let (keys, values) = &self.heads[layer * self.kv_heads + head];
        (keys, values)
    }

    pub fn head_mut(&mut self, layer: usize, head: usize) -> (&mut Rows, &mut Rows) {
        let (keys, values) = &mut self.heads[layer * self.kv_heads + head];
        (keys, values)
    }
}

/// Vectors of one head, one a position.
pub struct Rows {
    head_dim: usize,
    values: Values,
}

enum Values {
    F32(Vec<f32>),
    F16(Vec<u16>),
    Q8 { levels: Vec<i8>, scales: Vec<f32> },
}

impl Values {
    fn new(ty: CacheType) -> Self {
        match ty {
            CacheType::F32 => Values::F32(Vec::new()),
            CacheType::F16 => Values::F16(Vec::new()),
            CacheType::Q8 => Values::Q8 { levels: Vec::new(), scales: Vec::new() },
        }
    }
}

impl Rows {
    fn reserve(&mut self, positions: usize) -> Result<()> {
        let len = positions.saturating_mul(self.head_dim);
        match &mut self.values {
            Values::F32(values) => grow(values, len),
            Values::F16(values) => grow(values, len),
            Values::Q8 { levels, scales } => {
                grow(levels, len)?;
                grow(scales, positions * self.head_dim.div_ceil(GROUP))
            }
        }
    }

    /// Takes the vectors of the first positions of others of the same type.
    fn copy(&mut self, from: &Rows, positions: usize) {
        fn front<T: Copy>(to: &mut [T], from: &[T], len: usize) {
            to[..len].copy_from_slice(&from[..len]);
        }
        let len = positions * self.head_dim;
        match (&mut self.values, &from.values) {
            (Values::F32(to), Values::F32(from)) => front(to, from, len),
            (Values::F16(to), Values::F16(from)) => front(to, from, len),
            (Values::Q8 { levels, scales }, Values::Q8 { levels: from, scales: from_scales }) => {
                front(levels, from, len);
                front(scales, from_scales, positions * self.head_dim.div_ceil(GROUP));
            }
            _ => unreachable!("caches of one model are of one type"),
        }
    }

    /// Stores the vector of a position, [head_dim].
    pub fn write(&mut self, position: usize, vector: &[f32]) {
        let at = position * self.head_dim;
        match &mut self.values {
            Values::F32(values) => values[at..at + vector.len()].copy_from_slice(vector),
            Values::F16(values) => {
                for (out, value) in values[at..].iter_mut().zip(vector) {
                    // An infinite half would turn the whole attention into NaN.
                    *out = half::f16::from_f32(value.clamp(-65504.0, 65504.0)).to_bits();
                }
            }
            Values::Q8 { levels, scales } => {
                let scales = &mut scales[position * vector.len().div_ceil(GROUP)..];
                let levels = levels[at..at + vector.len()].chunks_mut(GROUP);
                for ((levels, scale), vector) in levels.zip(scales).zip(vector.chunks(GROUP)) {
                    let largest = vector.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
                    // A level cannot say that a value is no number; the scale can.
                    *scale = if vector.iter().any(|value| value.is_nan()) { f32::NAN } else { largest / 127.0 };
                    let inverse = if *scale > 0.0 { scale.recip() } else { 0.0 };
                    for (level, value) in levels.iter_mut().zip(vector) {
                        *level = (value * inverse).round_ties_even() as i8;
                    }
                }
            }
        }
    }

    /// The vector of a position as floats, to the front of `out`.
    #[inline]
    pub fn read(&self, position: usize, out: &mut [f32]) {
        let range = position * self.head_dim..(position + 1) * self.head_dim;
        match &self.values {
            Values::F32(values) => out[..self.head_dim].copy_from_slice(&values[range]),
            Values::F16(values) => {
                for (out, half) in out.iter_mut().zip(&values[range]) {
                    *out = f16_to_f32(*half);
                }
            }
            Values::Q8 { levels, scales } => {
                let scales = &scales[position * self.head_dim.div_ceil(GROUP)..];
                for ((out, levels), scale) in out.chunks_mut(GROUP).zip(levels[range].chunks(GROUP)).zip(scales) {
                    for (out, level) in out.iter_mut().zip(levels) {
                        *out = f32::from(*level) * scale;
                    }
                }
            }
        }
    }
}

fn grow<T: Clone + Default>(values: &mut Vec<T>, len: usize) -> Result<()> {
    let bytes = len as f64 * size_of::<T>() as f64;
    values
        .try_reserve_exact(len.saturating_sub(values.len()))
        .map_err(|_| no_memory("a head of the KV cache", bytes))?;
    values.resize(len, T::default());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_gives_back_what_was_stored_within_its_precision() {
        let vector: Vec<f32> = (0..40).map(|i| (i as f32 - 20.0) * 0.37).collect();
        for (ty, tolerance) in [(CacheType::F32, 0.0), (CacheType::F16, 4e-3), (CacheType::Q8, 7.4 / 254.0 + 1e-6)] {
            let mut cache = Cache::new(2, 3, vector.len(), ty);
            cache.reserve(4).unwrap();
            cache.head_mut(1, 2).0.write(3, &vector);
            cache.reserve(9).unwrap();
            let mut out = vec![0.0; vector.len()];
            cache.head(1, 2).0.read(3, &mut out);
            for (a, b) in out.iter().zip(&vector) {
                assert!((a - b).abs() <= tolerance, "{ty:?}: {a} is not {b}");
            }
        }
    }
}
