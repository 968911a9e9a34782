//! Learned positions for images of another size: their grid is resized as a picture is.
//!
//! As PyTorch's `interpolate` does it (bicubic, `align_corners=False`), since that is what transformers calls; with
//! `antialias` a smaller grid averages over what it leaves out.

/// What a place of the new grid takes from the old one.
type CubicTaps = Vec<(usize, f32)>;

/// Keys' cubic convolution, of half-width 2.
fn cubic(x: f64, a: f64) -> f64 {
    let x = x.abs();
    match x {
        x if x < 1.0 => ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0,
        x if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * a,
        _ => 0.0,
    }
}

fn taps(from: usize, to: usize, antialias: bool) -> Vec<CubicTaps> {
    let scale = from as f64 / to as f64;
    let wider = scale.max(1.0);
    let of = |place: usize| -> CubicTaps {
        let centre = (place as f64 + 0.5) * scale;
        if antialias {
            let first = (centre - 2.0 * wider + 0.5).max(0.0) as usize;
            let after = ((centre + 2.0 * wider + 0.5) as usize).min(from);
            let weights: Vec<f64> = (first..after).map(|i| cubic((i as f64 - centre + 0.5) / wider, -0.5)).collect();
            let total: f64 = weights.iter().sum();
            return (first..after).zip(weights).map(|(i, weight)| (i, (weight / total) as f32)).collect();
        }
        let below = (centre - 0.5).floor();
        let tap = |step: i32| {
            let at = below + f64::from(step);
            // Beyond the edge stands what is on it.
            (at.clamp(0.0, from as f64 - 1.0) as usize, cubic(centre - 0.5 - at, -0.75) as f32)
        };
        (-1..=2).map(tap).collect()
    };
    (0..to).map(of).collect()
}

/// A grid [from[0], from[1], width] as [to[0], to[1], width].
pub fn resize(grid: &[f32], from: [usize; 2], to: [usize; 2], width: usize, antialias: bool) -> Vec<f32> {
    let [down, across] = [taps(from[0], to[0], antialias), taps(from[1], to[1], antialias)];
    let mut out = vec![0.0; to[0] * to[1] * width];
    for (place, out) in out.chunks_exact_mut(width).enumerate() {
        for (y, vertical) in &down[place / to[1]] {
            for (x, horizontal) in &across[place % to[1]] {
                let position = &grid[(y * from[1] + x) * width..][..width];
                let weight = vertical * horizontal;
                out.iter_mut().zip(position).for_each(|(out, value)| *out += weight * value);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From PyTorch: torch.nn.functional.interpolate(x, size=…, mode="bicubic", align_corners=False, antialias=…).
    #[test]
    fn grids_are_resized_as_pytorch_does() {
        let grid: Vec<f32> = (0..12).map(|i| ((i * i * 7) % 11) as f32).collect();
        let (found, expected) = (resize(&grid, [3, 4], [2, 5], 1, false), PLAIN);
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-4, "{found}, expected {expected}");
        }
        let (found, expected) = (resize(&grid, [3, 4], [2, 3], 1, true), ANTIALIASED);
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-4, "{found}, expected {expected}");
        }
    }

    const PLAIN: [f32; 10] =
        [-0.218184, 5.795166, 8.154663, 6.838654, 6.692665, 6.692667, 6.838654, 8.154663, 5.795165, -0.218184];
    const ANTIALIASED: [f32; 6] = [2.414184, 8.192205, 6.321682, 6.321681, 8.192205, 2.414184];
}
