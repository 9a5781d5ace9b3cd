//! Random numbers that are functions of where they are used.
//!
//! A generator that is drawn from in turn would make every number depend on who asked before. Here a number depends only
//! on the seed, the stream's name, an index (usually time) and a lane: streams can be read in any order, again, or not
//! at all. The mixing is SplitMix64's finaliser: Steele, Lea and Flood (2014), "Fast splittable pseudorandom number
//! generators".

use std::f64::consts::TAU;

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// One stream of random numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stream(u64);

impl Stream {
    /// The stream of a seed and a name.
    pub(crate) fn new(seed: u64, name: &str) -> Self {
        let named = name.bytes().fold(mix(seed), |state, byte| mix(state ^ u64::from(byte)));
        Self(named)
    }

    /// 64 random bits.
    pub(crate) fn bits(self, index: u64, lane: u64) -> u64 {
        mix(mix(self.0 ^ index.wrapping_mul(GOLDEN)).wrapping_add(lane))
    }

    /// Uniform in the open interval (0, 1).
    pub(crate) fn uniform(self, index: u64, lane: u64) -> f64 {
        ((self.bits(index, lane) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Two independent standard normals, by the method of Box and Muller (1958).
    pub(crate) fn normals(self, index: u64, lane: u64) -> (f64, f64) {
        let radius = (-2.0 * self.uniform(index, 2 * lane).ln()).sqrt();
        let (sin, cos) = (TAU * self.uniform(index, 2 * lane + 1)).sin_cos();
        (radius * cos, radius * sin)
    }

    /// One standard normal.
    pub(crate) fn normal(self, index: u64, lane: u64) -> f64 {
        self.normals(index, lane).0
    }
}

fn mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(GOLDEN);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normals_have_the_moments_of_normals() {
        let stream = Stream::new(7, "moments");
        let draws: Vec<f64> = (0..50_000).flat_map(|i| <[f64; 2]>::from(stream.normals(i, 3))).collect();
        let moment = |power| draws.iter().map(|z| z.powi(power)).sum::<f64>() / draws.len() as f64;
        // Standard errors are 0.003, 0.0045, 0.012 and 0.03.
        for (power, expected, within) in [(1, 0.0, 0.013), (2, 1.0, 0.018), (3, 0.0, 0.05), (4, 3.0, 0.13)] {
            assert!((moment(power) - expected).abs() < within, "moment {power} is {}", moment(power));
        }
        let lagged: f64 = draws.windows(2).map(|w| w[0] * w[1]).sum::<f64>() / draws.len() as f64;
        assert!(lagged.abs() < 0.013, "{lagged}");
    }

    #[test]
    fn streams_indices_and_lanes_differ() {
        let (a, b) = (Stream::new(1, "a"), Stream::new(1, "b"));
        let all = [a.bits(0, 0), a.bits(0, 1), a.bits(1, 0), b.bits(0, 0), Stream::new(2, "a").bits(0, 0)];
        assert_eq!(all.iter().collect::<std::collections::HashSet<_>>().len(), all.len());
    }
}
