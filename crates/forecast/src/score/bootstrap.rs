//! Uncertainty by resampling blocks of time.

use super::naive::quantile_of_sorted;

/// A 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// A moving-block bootstrap over moments in order of time: blocks of neighbours are drawn with replacement until the sample
/// is as long as the original, so that what overlaps or clusters in time stays together.
///
/// Source: Künsch (1989). Same `replicates` and `seed`, same interval, on any machine and thread count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bootstrap {
    /// How many samples are drawn.
    pub replicates: usize,
    /// Which ones.
    pub seed: u64,
    /// Steps a forecast looks ahead; no block is shorter.
    pub horizon: usize,
}

impl Bootstrap {
    /// Samples drawn where nothing else is asked for.
    pub const REPLICATES: usize = 1000;
    /// The seed of every figure the product shows.
    pub const SEED: u64 = 20_251_122;
    /// Under so many moments, or at exactly so many, there is no interval.
    pub const MIN_TIMES: usize = 40;

    /// The product's bootstrap for forecasts `horizon` steps ahead.
    #[must_use]
    pub const fn for_horizon(horizon: usize) -> Self {
        Self { replicates: Self::REPLICATES, seed: Self::SEED, horizon }
    }

    /// The length of a block among `n_times` moments: an eighth of them, at least 5 and at most 21, and never under the
    /// horizon. `None` at [`Bootstrap::MIN_TIMES`] moments or fewer, and where not even two blocks fit.
    #[must_use]
    pub fn block_length(&self, n_times: usize) -> Option<usize> {
        let length = (n_times / 8).clamp(5, 21).max(self.horizon);
        (n_times > Self::MIN_TIMES && n_times >= 2 * length).then_some(length)
    }

    /// The central 95 % of `statistic` over the samples; each is given as half-open ranges of moments. Samples without a
    /// statistic do not count. `None` without blocks, or when no sample has a statistic.
    pub(crate) fn interval(
        &self,
        n_times: usize,
        mut statistic: impl FnMut(&[(usize, usize)]) -> Option<f64>,
    ) -> Option<Interval> {
        let length = self.block_length(n_times)?;
        let mut generator = Counter::new(self.seed);
        let mut blocks = Vec::with_capacity(n_times.div_ceil(length));
        let mut values = Vec::with_capacity(self.replicates);
        for _ in 0..self.replicates {
            blocks.clear();
            let mut missing = n_times;
            while missing > 0 {
                let start = generator.below(n_times - length + 1);
                let taken = length.min(missing);
                blocks.push((start, start + taken));
                missing -= taken;
            }
            values.extend(statistic(&blocks));
        }
        values.sort_unstable_by(f64::total_cmp);
        (!values.is_empty())
            .then(|| Interval { low: quantile_of_sorted(&values, 0.025), high: quantile_of_sorted(&values, 0.975) })
    }

    /// The interval of `sum(numerator) / sum(denominator)`, each one number per moment in order of time: a hit rate with hits
    /// and calls, a coverage with held outcomes and cases. `None` when there are too few moments.
    ///
    /// # Panics
    /// When the lengths differ.
    #[must_use]
    pub fn ratio_interval(&self, numerator: &[f64], denominator: &[f64]) -> Option<Interval> {
        assert_eq!(numerator.len(), denominator.len(), "one of each per moment");
        let (above, below) = (RunningSum::of(numerator), RunningSum::of(denominator));
        self.interval(numerator.len(), |blocks| {
            let parts = below.over(blocks);
            (parts != 0.0).then(|| above.over(blocks) / parts)
        })
    }
}

/// Sums of stretches of a column in constant time.
pub(crate) struct RunningSum(Vec<f64>);

impl RunningSum {
    pub(crate) fn of(values: &[f64]) -> Self {
        let mut sums = Vec::with_capacity(values.len() + 1);
        sums.push(0.0);
        sums.extend(values.iter().scan(0.0, |sum, value| {
            *sum += value;
            Some(*sum)
        }));
        Self(sums)
    }

    pub(crate) fn over(&self, ranges: &[(usize, usize)]) -> f64 {
        ranges.iter().map(|(from, to)| self.0[*to] - self.0[*from]).sum()
    }
}

/// SplitMix64 (Steele, Lea & Flood 2014) read as a counter: number `n` is a fixed mix of `seed + n * odd constant`.
pub(super) struct Counter {
    seed: u64,
    count: u64,
}

impl Counter {
    pub(super) const fn new(seed: u64) -> Self {
        Self { seed, count: 0 }
    }

    pub(super) fn next(&mut self) -> u64 {
        self.count += 1;
        let z = self.seed.wrapping_add(self.count.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A position under `bound`: the high half of a product, whose bias is `bound / 2^64`.
    fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }
}
