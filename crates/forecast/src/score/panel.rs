//! Losses of many assets at many moments.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::bootstrap::{Bootstrap, Interval, RunningSum};
use super::diebold_mariano::DieboldMariano;

/// Losses and the baseline's losses on the same cases, by asset and moment. A case that is missing counts nowhere.
#[derive(Debug, Clone)]
pub struct LossPanel {
    n_times: usize,
    /// The assets present, ascending by their number.
    assets: Vec<Asset>,
}

#[derive(Debug, Clone)]
struct Asset {
    /// Sum of losses by moment; 0 where there is no case.
    loss: Vec<f64>,
    baseline: Vec<f64>,
    /// Cases by moment.
    n: Vec<u32>,
}

impl Asset {
    /// `1 - loss / baseline`; `None` where the baseline's loss is zero, for then nothing can be said in its terms.
    fn skill(loss: f64, baseline: f64) -> Option<f64> {
        (baseline != 0.0).then(|| 1.0 - loss / baseline)
    }

    fn sums(&self) -> (f64, f64) {
        (self.loss.iter().sum(), self.baseline.iter().sum())
    }

    fn n_cases(&self) -> f64 {
        self.n.iter().map(|n| f64::from(*n)).sum()
    }
}

impl LossPanel {
    /// A panel of cases in any order: `(asset, as_of, loss, baseline)`.
    #[must_use]
    pub fn new(cases: &[(u32, Timestamp, f64, f64)]) -> Self {
        let mut times: Vec<Timestamp> = cases.iter().map(|(_, as_of, ..)| *as_of).collect();
        times.sort_unstable();
        times.dedup();
        let mut assets = BTreeMap::new();
        let n_times = times.len();
        for &(asset, as_of, loss, baseline) in cases {
            let at = times.binary_search(&as_of).expect("every case's moment was collected above");
            let asset = assets.entry(asset).or_insert_with(|| Asset {
                loss: vec![0.0; n_times],
                baseline: vec![0.0; n_times],
                n: vec![0; n_times],
            });
            asset.loss[at] += loss;
            asset.baseline[at] += baseline;
            asset.n[at] += 1;
        }
        Self { n_times, assets: assets.into_values().collect() }
    }

    /// How many moments have a case.
    #[must_use]
    pub const fn n_times(&self) -> usize {
        self.n_times
    }

    /// How many assets have a case.
    #[must_use]
    pub const fn n_assets(&self) -> usize {
        self.assets.len()
    }

    /// Each asset's skill, `1 - loss / baseline`, ascending by its number; `None` where its baseline lost nothing.
    #[must_use]
    pub fn skills(&self) -> Vec<Option<f64>> {
        self.assets.iter().map(Asset::sums).map(|(loss, baseline)| Asset::skill(loss, baseline)).collect()
    }

    /// The mean of the assets' skills, each with the same weight.
    #[must_use]
    pub fn skill(&self) -> Option<f64> {
        mean(self.skills().into_iter().flatten())
    }

    /// `1 - sum of losses / sum of the baseline's`, each case with the same weight.
    #[must_use]
    pub fn skill_pooled(&self) -> Option<f64> {
        let sums = self.assets.iter().map(Asset::sums);
        let (loss, baseline) = sums.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        Asset::skill(loss, baseline)
    }

    /// The bootstrap's interval of [`LossPanel::skill`]: whole moments are drawn, with all their assets.
    #[must_use]
    pub fn skill_interval(&self, bootstrap: &Bootstrap) -> Option<Interval> {
        let columns = self.assets.iter().map(|asset| (RunningSum::of(&asset.loss), RunningSum::of(&asset.baseline)));
        let columns: Vec<_> = columns.collect();
        bootstrap.interval(self.n_times, |blocks| {
            mean(columns.iter().filter_map(|(loss, baseline)| Asset::skill(loss.over(blocks), baseline.over(blocks))))
        })
    }

    /// Loss minus the baseline's, averaged over the assets at each moment, in order of time. Only for assets in one unit.
    #[must_use]
    pub fn differences(&self) -> Vec<f64> {
        self.weighted_differences(|_| Some(1.0))
    }

    /// [`LossPanel::differences`] after each asset's losses were divided by its mean baseline loss: quiet and wild assets, and
    /// those in other units, count the same. Assets whose baseline lost nothing are left out.
    #[must_use]
    pub fn relative_differences(&self) -> Vec<f64> {
        self.weighted_differences(|asset| {
            let (_, baseline) = asset.sums();
            (baseline != 0.0).then(|| asset.n_cases() / baseline)
        })
    }

    fn weighted_differences(&self, weight: impl Fn(&Asset) -> Option<f64>) -> Vec<f64> {
        let mut sums = vec![(0.0, 0_u32); self.n_times];
        for (asset, weight) in self.assets.iter().filter_map(|asset| Some((asset, weight(asset)?))) {
            for (at, (sum, n)) in sums.iter_mut().enumerate() {
                *sum += weight * (asset.loss[at] - asset.baseline[at]);
                *n += asset.n[at];
            }
        }
        sums.into_iter().filter(|(_, n)| *n > 0).map(|(sum, n)| sum / f64::from(n)).collect()
    }

    /// The Diebold–Mariano test on [`LossPanel::relative_differences`], of forecasts `horizon` moments ahead. For one asset it
    /// is the test on its plain differences.
    #[must_use]
    pub fn diebold_mariano(&self, horizon: usize) -> Option<DieboldMariano> {
        DieboldMariano::of(&self.relative_differences(), horizon)
    }
}

/// `None` of nothing.
pub(crate) fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, n) = values.fold((0.0, 0_usize), |(sum, n), value| (sum + value, n + 1));
    (n > 0).then(|| sum / n as f64)
}
