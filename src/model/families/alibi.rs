//! ALiBi's slopes.

use crate::model::spec::ScoreBias;

/// A slope for each head, 2^(−8 / heads) to 2^−8 in equal ratios; `scale` multiplies them. Where the heads are no power of
/// two, the next smaller one has its own, and the others take every second of twice as many. See
/// <https://arxiv.org/abs/2108.12409>.
pub fn slopes(heads: usize, scale: f32) -> ScoreBias {
    let power = 1 << heads.max(1).ilog2();
    let exponent = |head: usize| match head < power {
        true => 8.0 * (head + 1) as f32 / power as f32,
        false => 4.0 * (2 * (head - power) + 1) as f32 / power as f32,
    };
    ScoreBias::Linear { slopes: (0..heads).map(|head| scale * (-exponent(head)).exp2()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_beyond_a_power_of_two_take_every_second_slope_of_twice_as_many() {
        let ScoreBias::Linear { slopes } = slopes(6, 2.0) else { panic!("no slopes") };
        assert_eq!(slopes, [0.5, 0.125, 0.03125, 0.0078125, 1.0, 0.25]);
    }
}
