//! A number that is another one where bytes are: of weights, and of what is saved.
//!
//! It tells files apart and finds what a disk or a download broke; whoever wants to forge one can.

/// Words that are taken at a time, each by a sum of its own: a multiplication takes longer than it keeps busy.
const LANES: usize = 4;
const WORD: usize = 8;

/// Of bytes that come in pieces: as in FNV-1a a word goes in, and is spread by a product.
pub struct Checksum {
    lanes: [u64; LANES],
    /// What does not fill all lanes yet.
    rest: Vec<u8>,
    len: u64,
}

impl Default for Checksum {
    fn default() -> Self {
        Self { lanes: [1, 2, 3, 4], rest: Vec::new(), len: 0 }
    }
}

impl Checksum {
    pub fn of(bytes: &[u8]) -> u64 {
        Self::default().with(bytes).finish()
    }

    pub fn with(mut self, bytes: &[u8]) -> Self {
        self.push(bytes);
        self
    }

    #[inline(never)]
    pub fn push(&mut self, mut bytes: &[u8]) {
        self.len += bytes.len() as u64;
        if !self.rest.is_empty() {
            let missing = (LANES * WORD - self.rest.len()).min(bytes.len());
            self.rest.extend_from_slice(&bytes[..missing]);
            bytes = &bytes[missing..];
            if self.rest.len() < LANES * WORD {
                return;
            }
            let rest = std::mem::take(&mut self.rest);
            self.take(&rest);
        }
        let whole = bytes.len() / (LANES * WORD) * (LANES * WORD);
        self.take(&bytes[..whole]);
        self.rest.extend_from_slice(&bytes[whole..]);
    }

    /// Bytes that fill all lanes.
    fn take(&mut self, bytes: &[u8]) {
        for words in bytes.as_chunks::<WORD>().0.as_chunks::<LANES>().0 {
            for (lane, word) in self.lanes.iter_mut().zip(words) {
                *lane = mixed(*lane, u64::from_le_bytes(*word));
            }
        }
    }

    pub fn finish(mut self) -> u64 {
        let mut rest = std::mem::take(&mut self.rest);
        rest.resize(LANES * WORD, 0);
        self.take(&rest);
        self.lanes.iter().fold(self.len, |all, lane| mixed(all, *lane))
    }
}

fn mixed(sum: u64, word: u64) -> u64 {
    let spread = (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // A product's upper bits go no further up, and the uppermost nowhere: they come round to others.
    spread ^ spread.rotate_left(29) ^ spread.rotate_left(47)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_make_no_difference_and_every_bit_makes_one() {
        let bytes: Vec<u8> = (0..200u32).map(|at| (at * 37 % 251) as u8).collect();
        for len in [0, 1, 31, 32, 33, 64, 200] {
            let whole = Checksum::of(&bytes[..len]);
            for size in [1, 5, 32, 50] {
                let mut pieces = Checksum::default();
                bytes[..len].chunks(size).for_each(|piece| pieces.push(piece));
                assert_eq!(pieces.finish(), whole, "{len} bytes by {size}");
            }
        }
        let mut seen = std::collections::HashSet::from([Checksum::of(&bytes)]);
        for bit in 0..8 * bytes.len() {
            let mut other = bytes.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(seen.insert(Checksum::of(&other)), "bit {bit}");
            // The signs of two numbers, one behind the other.
            other[(bit / 8 + 32) % 200] ^= 1 << (bit % 8);
            assert!(seen.insert(Checksum::of(&other)), "bits {bit}");
        }
        // Zeros at the end count.
        assert_ne!(Checksum::of(&[0; 3]), Checksum::of(&[0; 4]));
    }
}
