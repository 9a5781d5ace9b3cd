//! What one pass over the cases adds up for each asset.

use market::N_LEVELS;

use super::Cases;
use crate::score::case::{covers, crps, crps_and_pinball, interval_score};

/// The intervals that are summarised: nominal coverage in percent and the position of the lower end among the levels.
pub(super) const INTERVALS: [(u32, usize); 3] = [(80, 2), (90, 1), (95, 0)];

/// Sums over the cases of one asset, or of all.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) n: usize,
    pub(super) crps: f64,
    pub(super) pinball: f64,
    /// Outcomes below the quantile of each level.
    below: [usize; N_LEVELS],
    pub(super) intervals: [IntervalTally; 3],
    /// Cases with a naive reference, and sums over them.
    pub(super) n_naive: usize,
    crps_compared: f64,
    pub(super) crps_naive: f64,
    pub(super) intervals_naive: [IntervalTally; 3],
}

/// Sums over the intervals of one kind; the order is that of [`INTERVALS`].
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct IntervalTally {
    pub(super) held: usize,
    pub(super) width: f64,
    pub(super) winkler: f64,
}

impl Tally {
    /// One tally for each asset, ascending by its number.
    pub(super) fn by_symbol(cases: &Cases<'_>) -> Vec<Self> {
        let mut symbols = cases.symbol.to_vec();
        symbols.sort_unstable();
        symbols.dedup();
        let mut tallies = vec![Self::default(); symbols.len()];
        for (row, symbol) in cases.symbol.iter().enumerate() {
            let at = symbols.binary_search(symbol).expect("every symbol was collected above");
            let naive = cases.naive.and_then(|naive| naive[row].as_ref());
            tallies[at].add(&cases.quantiles[row], naive, cases.change[row]);
        }
        tallies
    }

    fn add(&mut self, quantiles: &[f64; N_LEVELS], naive: Option<&[f64; N_LEVELS]>, change: f64) {
        let (loss, pinball) = crps_and_pinball(quantiles, change);
        self.n += 1;
        self.crps += loss;
        self.pinball += pinball;
        for (below, quantile) in self.below.iter_mut().zip(quantiles) {
            *below += usize::from(change < *quantile);
        }
        add_intervals(&mut self.intervals, quantiles, change);
        if let Some(naive) = naive {
            self.n_naive += 1;
            self.crps_compared += loss;
            self.crps_naive += crps(naive, change);
            add_intervals(&mut self.intervals_naive, naive, change);
        }
    }

    /// `1 - CRPS / CRPS of the reference`; `None` where the reference never missed.
    pub(super) fn skill(&self) -> Option<f64> {
        (self.crps_naive != 0.0).then(|| 1.0 - self.crps_compared / self.crps_naive)
    }

    /// All assets in one.
    pub(super) fn sum(tallies: &[Self]) -> Self {
        tallies.iter().fold(Self::default(), |mut sum, tally| {
            sum.n += tally.n;
            sum.crps += tally.crps;
            sum.pinball += tally.pinball;
            sum.below.iter_mut().zip(tally.below).for_each(|(sum, below)| *sum += below);
            add_tallies(&mut sum.intervals, &tally.intervals);
            sum.n_naive += tally.n_naive;
            sum.crps_compared += tally.crps_compared;
            sum.crps_naive += tally.crps_naive;
            add_tallies(&mut sum.intervals_naive, &tally.intervals_naive);
            sum
        })
    }

    /// At each level, how often the outcome was below its quantile.
    pub(super) fn calibration(&self) -> [f64; N_LEVELS] {
        self.below.map(|below| below as f64 / self.n as f64)
    }
}

fn add_intervals(tallies: &mut [IntervalTally; 3], quantiles: &[f64; N_LEVELS], change: f64) {
    for (tally, (percent, lower)) in tallies.iter_mut().zip(INTERVALS) {
        let ends = (quantiles[lower], quantiles[N_LEVELS - 1 - lower]);
        tally.held += usize::from(covers(ends, change));
        tally.width += ends.1 - ends.0;
        tally.winkler += interval_score(ends, f64::from(percent) / 100.0, change);
    }
}

fn add_tallies(sums: &mut [IntervalTally; 3], tallies: &[IntervalTally; 3]) {
    for (sum, tally) in sums.iter_mut().zip(tallies) {
        sum.held += tally.held;
        sum.width += tally.width;
        sum.winkler += tally.winkler;
    }
}
