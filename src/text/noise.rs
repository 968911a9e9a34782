//! The random numbers of sampling. A draw has no state: a token's noise is a function of seed, position and token.
//!
//! With Gumbel's noise the best of logit / temperature + noise is a draw from the softmax (Gumbel, 1954), so devices that
//! see the same logits draw the same token, however many threads look through them and whatever was drawn before. All of
//! it is whole numbers, which every device computes alike: `shaders/draw.wgsl` is the same, line by line.

/// Scores have so many binary places, and are to the base 2: a score of `ONE` more is twice as likely.
pub const PLACES: u32 = 20;
pub const ONE: i32 = 1 << PLACES;
/// What stands in place of smaller scores. Noise reaches from −6 to 33, so none of them can win.
pub const LEAST: i32 = -(1 << 30);

/// What a logit's distance from the best is multiplied by to become a score.
pub fn scale(temperature: f32) -> f32 {
    // Next to a temperature of 0 only the best logit is left, whose distance is 0: the product must stay a number.
    (std::f64::consts::LOG2_E * f64::from(ONE) / f64::from(temperature)).min(1e30) as f32
}

/// A logit's score before its noise; `best`: the largest of all.
pub fn score(logit: f32, best: f32, scale: f32) -> i32 {
    ((logit - best) * scale).max(LEAST as f32) as i32
}

/// The noise of all tokens at one position.
pub struct Noise([u32; 2]);

impl Noise {
    /// `position`: how many tokens of the sequence stand before the one that is drawn.
    pub fn at(seed: u64, position: u32) -> Self {
        let (low, high) = (seed as u32, (seed >> 32) as u32);
        Self([mix(mix(low, high), position), mix(mix(high ^ 0x9e37_79b9, low), position)])
    }

    pub fn hash(&self, token: u32) -> u32 {
        let [first, second] = self.0;
        mix(second, mix(first, token))
    }
}

/// Mixes two words (PCG's output function, O'Neill 2014, as Jarzynski and Olano use it, 2020).
fn mix(state: u32, word: u32) -> u32 {
    let sum = (state ^ word).wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
    let mixed = ((sum >> ((sum >> 28) + 4)) ^ sum).wrapping_mul(277_803_737);
    (mixed >> 22) ^ mixed
}

/// No noise of this hash is as large: an exponential number with k leading zeros is at least 2^−(k + 1).
pub fn bound(hash: u32) -> i32 {
    (hash.leading_zeros() as i32 + 1) << PLACES
}

/// Gumbel's noise to the base 2: −log₂(−log₂(1 − w)) with w = (hash + ½) / 2³².
pub fn gumbel(hash: u32) -> i32 {
    let zeros = hash.leading_zeros();
    if zeros > 0 {
        // w is below ½ and may be tiny: its leading bits, and apart from them how far they are shifted.
        let leading = ((hash << 1) | 1) << (zeros - 1);
        let exponential = high(leading, quotient((leading >> (zeros - 1)) >> 1));
        ((30 + zeros as i32) << PLACES) - log2(exponential)
    } else {
        // 1 − w is 2^−halvings times a number from ½ to 1.
        let rest = !hash;
        let halvings = rest.leading_zeros();
        let w = (((rest << 1) | 1) << (halvings - 1)).wrapping_neg();
        (26 << PLACES) - log2((halvings << 26) + (high(w, quotient(w)) >> 4))
    }
}

/// log₂ n with [`PLACES`] binary places, n > 0.
fn log2(n: u32) -> i32 {
    let zeros = n.leading_zeros();
    let w = (n << zeros).wrapping_neg();
    ((32 - zeros as i32) << PLACES) - (high(w, quotient(w)) >> (30 - PLACES)) as i32
}

/// −log₂(1 − w) / w for w up to ½, within 5.3 in ten million: w has 32 binary places, the quotient 30. A polynomial
/// without negative coefficients, so that every step of it is a whole number.
fn quotient(w: u32) -> u32 {
    const POLYNOMIAL: [u32; 8] =
        [886_760_462, 0, 52_426_863, 461_019_072, 350_214_985, 520_167_729, 774_402_123, 1_549_082_813];
    POLYNOMIAL.into_iter().fold(0, |sum, coefficient| high(w, sum) + coefficient)
}

/// The upper word of a product.
fn high(a: u32, b: u32) -> u32 {
    ((u64::from(a) * u64::from(b)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_gumbel_s_for_every_kind_of_hash() {
        let hashes = (0..32).flat_map(|bit| [1u32 << bit, (1 << bit) - 1, !(1 << bit), !((1u32 << bit) - 1), 3 << bit]);
        let spread = (0..100_000u32).map(|i| i.wrapping_mul(2_654_435_769));
        for hash in hashes.chain(spread) {
            let w = (f64::from(hash) + 0.5) / 2f64.powi(32);
            let exact = -(-(-w).ln_1p() * std::f64::consts::LOG2_E).log2();
            let found = f64::from(gumbel(hash)) / f64::from(ONE);
            assert!((found - exact).abs() < 4e-6, "{hash:#x}: {found}, exactly {exact}");
            assert!(gumbel(hash) < bound(hash), "{hash:#x}");
            assert!((-6.0..33.0).contains(&found), "{hash:#x}");
        }
    }

    #[test]
    fn hashes_of_neighbours_are_spread_evenly() {
        // Sixteen bins of 4,096 hashes each: χ² of 15 degrees of freedom is above 44 once in ten thousand times.
        let check = |what: &str, hash: &dyn Fn(u32) -> u32| {
            for shift in [0, 7, 28] {
                let mut bins = [0f64; 16];
                (0..65_536).for_each(|i| bins[(hash(i) >> shift) as usize & 15] += 1.0);
                let chi_square: f64 = bins.iter().map(|count| (count - 4096.0).powi(2) / 4096.0).sum();
                assert!(chi_square < 44.0, "{what}, from bit {shift}: {chi_square}");
            }
        };
        check("tokens", &|i| Noise::at(1, 5).hash(i));
        check("positions", &|i| Noise::at(1, i).hash(5));
        check("seeds", &|i| Noise::at(u64::from(i), 5).hash(5));
        check("upper halves of seeds", &|i| Noise::at(u64::from(i) << 32, 5).hash(5));
        check("positions against each other", &|i| Noise::at(1, i).hash(5) ^ Noise::at(1, i + 1).hash(5));
        check("tokens against positions", &|i| Noise::at(1, 6).hash(i) ^ Noise::at(1, 5).hash(i));
        check("positions and tokens together", &|i| Noise::at(1, i).hash(i));
    }
}
