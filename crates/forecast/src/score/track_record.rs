//! Track records: what the scores of a ledger amount to, and what they allow one to say.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use market::{Score, Symbol, Verdict};

use super::bootstrap::{Bootstrap, Interval};
use super::diebold_mariano::DieboldMariano;
use super::multiplicity::benjamini_hochberg;
use super::panel::{LossPanel, mean};
use super::rate::Rate;
use super::summary::{ReliabilityBin, reliability};

/// Under so many calls no hit rate is shown.
pub const MIN_CALLS: usize = 30;
/// Under so many cases there is no verdict.
pub const MIN_CASES: usize = 250;
/// Under so many moments there is no p-value, however many assets stood at each.
pub const MIN_TIMES: usize = 30;
/// A p-value below this is called significant.
pub const SIGNIFICANCE: f64 = 0.05;

/// One score of a ledger, with the place and time of its forecast.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoredCase<'a> {
    /// The asset.
    pub symbol: &'a Symbol,
    /// The forecast's information cut.
    pub as_of: Timestamp,
    /// How it fared.
    pub score: &'a Score,
}

/// What the scored cases of one timeframe and horizon amount to. Losses and widths are in the forecasts' unit.
///
/// Every share stands beside its n and its interval: Wilson's for one asset one step ahead, else the block bootstrap's,
/// because overlapping returns and assets of one day are not independent.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackRecord {
    /// Steps ahead.
    pub horizon: u32,
    /// Scored cases.
    pub n: usize,
    /// Assets among them.
    pub n_assets: usize,
    /// Different information cuts among them.
    pub n_times: usize,
    /// Calls that could be judged: neither HOLD nor without a change.
    pub n_calls: usize,
    /// Share of right calls; `None` under [`MIN_CALLS`].
    pub hit_rate: Option<Rate>,
    /// Share of rises among the same calls, which always saying UP would have hit; `None` with `hit_rate`.
    pub always_up: Option<Rate>,
    /// The naive baseline's share of right calls where among the same calls it made one too; `None` with `hit_rate`, or
    /// when it made none.
    pub naive_hit_rate: Option<Rate>,
    /// Share of cases called HOLD; `None` without cases.
    pub hold_share: Option<f64>,
    /// The 80 % interval's coverage and mean width; `None` without cases.
    pub coverage_80: Option<Coverage>,
    /// The 95 % interval's coverage; `None` without cases.
    pub coverage_95: Option<Coverage>,
    /// Mean CRPS by case; of one unit only where the assets are.
    pub crps: Option<f64>,
    /// The baseline's on the same cases.
    pub crps_baseline: Option<f64>,
    /// Mean pinball loss by case.
    pub pinball: Option<f64>,
    /// `1 - sum of CRPS / sum of the baseline's` of each asset, averaged; `None` without cases or where no baseline missed.
    pub skill: Option<f64>,
    /// Its interval, from the block bootstrap; `None` when there are too few moments.
    pub skill_interval: Option<Interval>,
    /// The same ratio over all cases at once.
    pub skill_pooled: Option<f64>,
    /// Test of the losses against the baseline's, each asset in terms of its baseline's; `None` under [`MIN_TIMES`].
    pub diebold_mariano: Option<DieboldMariano>,
    /// Mean squared error of the probability of a rise, where something changed.
    pub brier: Option<f64>,
    /// The baseline's on the same cases.
    pub brier_baseline: Option<f64>,
    /// Stated against observed probability of a rise, by tenths; tenths without a case are left out.
    pub reliability: Vec<ReliabilityBin>,
    /// What may be said.
    pub verdict: Verdict,
}

/// How often an interval held what happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coverage {
    /// How often it should, as a fraction.
    pub level: f64,
    /// How often it did.
    pub observed: Rate,
    /// Its mean width, where scores keep it.
    pub width: Option<f64>,
}

impl TrackRecord {
    /// Summarises cases of forecasts `horizon` steps ahead, in any order; each asset has at most one at each `as_of`.
    ///
    /// Stablecoins stand outside pooled figures: leave them out of a group of several assets.
    #[must_use]
    pub fn of(cases: &[ScoredCase<'_>], horizon: u32) -> Self {
        let numbers = symbol_numbers(cases);
        let losses =
            cases.iter().map(|case| (numbers[case.symbol], case.as_of, case.score.crps, case.score.crps_baseline));
        let panel = LossPanel::new(&losses.collect::<Vec<_>>());
        let shares = Shares { independent: horizon == 1 && numbers.len() <= 1, horizon };
        let calls: Vec<&ScoredCase<'_>> = cases.iter().filter(|case| case.score.hit.is_some()).collect();
        let shown = calls.len() >= MIN_CALLS;
        let of_calls = |right: &dyn Fn(&Score) -> Option<bool>| {
            shown.then(|| shares.rate(calls.iter().filter_map(|case| Some((case.as_of, right(case.score)?)))))?
        };
        let coverage = |level: f64, held: &dyn Fn(&Score) -> bool, width: Option<f64>| {
            let observed = shares.rate(cases.iter().map(|case| (case.as_of, held(case.score))))?;
            Some(Coverage { level, observed, width })
        };
        let mean_of = |of: &dyn Fn(&Score) -> Option<f64>| mean(cases.iter().filter_map(|case| of(case.score)));
        let holds = cases.iter().filter(|case| case.score.direction == market::Direction::Hold);
        let diebold_mariano = panel.diebold_mariano(horizon as usize).filter(|test| test.n_times >= MIN_TIMES);
        let moved =
            cases.iter().map(|case| (case.score.prob_up, case.score.change)).filter(|(_, change)| *change != 0.0);
        Self {
            horizon,
            n: cases.len(),
            n_assets: numbers.len(),
            n_times: panel.n_times(),
            n_calls: calls.len(),
            hit_rate: of_calls(&|score| score.hit),
            always_up: of_calls(&|score| Some(score.change > 0.0)),
            naive_hit_rate: of_calls(&|score| score.baseline_hit),
            hold_share: (!cases.is_empty()).then(|| holds.count() as f64 / cases.len() as f64),
            coverage_80: coverage(0.8, &|score| score.covered_80, mean_of(&|score| Some(score.high_80 - score.low_80))),
            coverage_95: coverage(0.95, &|score| score.covered_95, None),
            crps: mean_of(&|score| Some(score.crps)),
            crps_baseline: mean_of(&|score| Some(score.crps_baseline)),
            pinball: mean_of(&|score| Some(score.pinball)),
            skill: panel.skill(),
            skill_interval: panel.skill_interval(&Bootstrap::for_horizon(horizon as usize)),
            skill_pooled: panel.skill_pooled(),
            diebold_mariano,
            brier: mean_of(&|score| score.brier),
            brier_baseline: mean_of(&|score| score.brier_baseline),
            reliability: reliability(moved),
            verdict: verdict(cases.len(), diebold_mariano.as_ref(), diebold_mariano.map(|test| test.p_value)),
        }
    }

    /// The p-value of the test, if there is one.
    #[must_use]
    pub fn p_value(&self) -> Option<f64> {
        self.diebold_mariano.map(|test| test.p_value)
    }
}

/// What `n` cases, their test and its p-value (adjusted, where it is one of many) allow one to say.
#[must_use]
pub fn verdict(n: usize, test: Option<&DieboldMariano>, p_value: Option<f64>) -> Verdict {
    match (test, p_value) {
        (Some(test), Some(p_value)) if n >= MIN_CASES => match test.mean_difference {
            difference if p_value < SIGNIFICANCE && difference < 0.0 => Verdict::Better,
            difference if p_value < SIGNIFICANCE && difference > 0.0 => Verdict::Worse,
            _ => Verdict::NoDifference,
        },
        _ => Verdict::NotEnoughEvidence,
    }
}

/// The p-values of records that stand side by side, after Benjamini–Hochberg over those that have one, and the verdicts a
/// reader of all of them may rely on; in their order.
#[must_use]
pub fn adjusted_verdicts(records: &[&TrackRecord]) -> Vec<(Option<f64>, Verdict)> {
    let p_values: Vec<f64> = records.iter().filter_map(|record| record.p_value()).collect();
    let mut adjusted = benjamini_hochberg(&p_values).into_iter();
    let of = |record: &&TrackRecord| {
        let adjusted_p_value = record.p_value().and_then(|_| adjusted.next());
        (adjusted_p_value, verdict(record.n, record.diebold_mariano.as_ref(), adjusted_p_value))
    };
    records.iter().map(of).collect()
}

/// Numbers by the order of the symbols, so that the order of the cases changes nothing.
fn symbol_numbers<'a>(cases: &[ScoredCase<'a>]) -> BTreeMap<&'a Symbol, u32> {
    let symbols: BTreeSet<&Symbol> = cases.iter().map(|case| case.symbol).collect();
    symbols.into_iter().zip(0..).collect()
}

/// How shares get their intervals.
struct Shares {
    independent: bool,
    horizon: u32,
}

impl Shares {
    /// The share of `true`; `None` without cases.
    fn rate(&self, cases: impl Iterator<Item = (Timestamp, bool)>) -> Option<Rate> {
        let mut at: BTreeMap<Timestamp, (u32, u32)> = BTreeMap::new();
        for (as_of, success) in cases {
            let (successes, n) = at.entry(as_of).or_default();
            *successes += u32::from(success);
            *n += 1;
        }
        let successes: usize = at.values().map(|(successes, _)| *successes as usize).sum();
        let n = at.values().map(|(_, n)| *n as usize).sum();
        let rate = Rate::wilson(successes, n)?;
        if self.independent {
            return Some(rate);
        }
        let (successes, cases): (Vec<f64>, Vec<f64>) =
            at.into_values().map(|(s, n)| (f64::from(s), f64::from(n))).unzip();
        let interval = Bootstrap::for_horizon(self.horizon as usize).ratio_interval(&successes, &cases);
        Some(Rate { interval, ..rate })
    }
}
