//! Seeded choices: which rows a booster sees. The same seed chooses the same rows on every machine and thread count.

/// SplitMix64 (Steele, Lea & Flood 2014).
#[derive(Debug, Clone)]
pub(crate) struct SplitMix(u64);

impl SplitMix {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `0..n`; the bias of the multiply-shift is below 2^-32 for the counts used here.
    fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }
}

/// At most `wanted` of the positions `0..n`, ascending.
pub(crate) fn sample(n: usize, wanted: usize, seed: u64) -> Vec<usize> {
    let mut positions: Vec<usize> = (0..n).collect();
    if n <= wanted {
        return positions;
    }
    let mut random = SplitMix::new(seed);
    for at in 0..wanted {
        let other = at + random.below(n - at);
        positions.swap(at, other);
    }
    positions.truncate(wanted);
    positions.sort_unstable();
    positions
}
