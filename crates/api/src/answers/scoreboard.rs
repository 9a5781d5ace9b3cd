//! The scoreboard: every class, timeframe and horizon, pooled over its assets.

use engine::views::ScoreboardRow;
use market::AssetClass;
use serde::Serialize;
use utoipa::ToSchema;

use super::trends::{BaselineAccuracy, CoverageAnswer, coverage};
use crate::time::Time;

/// All lines; the verdicts are adjusted for their number (Benjamini–Hochberg).
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ScoreboardAnswer {
    /// `live`, `replay` or `simulated`.
    pub origin: &'static str,
    /// The chain.
    pub chain: String,
    /// `1W`, `1M`, `1Y`, `5Y`, or `all`.
    pub window: &'static str,
    /// When this was put together.
    pub timestamp: Time,
    /// Ascending by class, timeframe and horizon.
    pub lines: Vec<ScoreboardLineAnswer>,
}

/// One class, timeframe and horizon. Stablecoins stand outside.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ScoreboardLineAnswer {
    /// `crypto`, `stocks` or `macro`.
    pub asset_class: &'static str,
    /// The timeframe.
    pub timeframe: &'static str,
    /// Bars of the timeframe ahead.
    pub horizon: u32,
    /// How many assets.
    pub n_assets: usize,
    /// Scored cases.
    pub n: usize,
    /// Different information cuts among them.
    pub n_times: usize,
    /// Calls that could be judged.
    pub n_calls: usize,
    /// Share of right calls, percent; `null` under 30 calls.
    pub accuracy: Option<f64>,
    /// 95 % interval of `accuracy`.
    pub accuracy_ci: Option<[f64; 2]>,
    /// What two simple rules reached on the same calls, percent.
    pub baseline_accuracy: BaselineAccuracy,
    /// How often the intervals held what happened; without widths for macro series, which have units of their own.
    pub coverage: Vec<CoverageAnswer>,
    /// `1 - CRPS / baseline's CRPS`, averaged over assets.
    pub crps_skill: Option<f64>,
    /// 95 % interval of `crps_skill`.
    pub ci: Option<[f64; 2]>,
    /// Of this line alone.
    pub p_value: Option<f64>,
    /// Adjusted for the number of lines.
    pub adjusted_p_value: Option<f64>,
    /// Mean squared error of the probability of a rise.
    pub brier: Option<f64>,
    /// The naive baseline's.
    pub brier_baseline: Option<f64>,
    /// By the adjusted p-value: `better`, `worse`, `no difference` or `not enough evidence`.
    pub verdict: &'static str,
}

impl ScoreboardLineAnswer {
    /// One line.
    #[must_use]
    pub fn of(row: &ScoreboardRow) -> Self {
        let summary = &row.summary;
        let percent = |end: f64| 100.0 * end;
        let mut coverage = coverage(summary);
        // Macro series have units of their own: their widths have no common mean.
        if row.asset_class == AssetClass::Macro {
            coverage.iter_mut().for_each(|coverage| coverage.width = None);
        }
        Self {
            asset_class: row.asset_class.as_str(),
            timeframe: row.timeframe.as_str(),
            horizon: row.horizon,
            n_assets: row.n_assets,
            n: summary.n,
            n_times: summary.n_times,
            n_calls: summary.n_calls,
            accuracy: summary.hit_rate.map(|rate| percent(rate.rate)),
            accuracy_ci: summary.hit_rate.and_then(|r| r.interval).map(|ci| [percent(ci.low), percent(ci.high)]),
            baseline_accuracy: BaselineAccuracy {
                always_up: summary.always_up.map(|rate| percent(rate.rate)),
                naive: summary.naive_hit_rate.map(|rate| percent(rate.rate)),
            },
            coverage,
            crps_skill: summary.skill,
            ci: summary.skill_interval.map(|interval| [interval.low, interval.high]),
            p_value: summary.p_value(),
            adjusted_p_value: row.adjusted_p_value,
            brier: summary.brier,
            brier_baseline: summary.brier_baseline,
            verdict: row.verdict.as_str(),
        }
    }
}
