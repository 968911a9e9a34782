//! What a block of a quantised format decodes to.

/// 32 elements of a quantised row: x = scale · level + min, with scale and min for each half of 16.
///
/// Levels are −128 to 127; of the 4-bit formats with even steps (Q4_0, Q4_1, Q4_K) they are 0 to 15.
#[derive(Clone, Copy, Default)]
pub struct Levels {
    pub levels: [i8; Self::LEN],
    pub scales: [f32; 2],
    pub mins: [f32; 2],
}

impl Levels {
    pub const LEN: usize = 32;

    pub(super) fn new(scale: f32, min: f32, level: impl Fn(usize) -> i8) -> Self {
        Self { levels: std::array::from_fn(level), scales: [scale; 2], mins: [min; 2] }
    }

    pub(super) fn set_half(&mut self, half: usize, scale: f32, min: f32, level: impl Fn(usize) -> i8) {
        (self.scales[half], self.mins[half]) = (scale, min);
        self.levels[half * 16..][..16].iter_mut().enumerate().for_each(|(i, out)| *out = level(i));
    }

    /// The elements' values, in f32 and in the order of ggml's reference code.
    pub fn to_floats(&self, out: &mut [f32; Self::LEN]) {
        for (i, (x, level)) in out.iter_mut().zip(self.levels).enumerate() {
            *x = self.scales[i / 16] * f32::from(level) + self.mins[i / 16];
        }
    }
}
