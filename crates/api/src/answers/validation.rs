//! A check of an asset's calls, computed from the ledger at the moment of asking.

use engine::views::TrackRecord;
use serde::Serialize;
use utoipa::ToSchema;

use crate::time::Time;

/// How many calls were right.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ValidationAnswer {
    /// The asset.
    pub symbol: String,
    /// The timeframe.
    pub timeframe: String,
    /// `live`, `replay` or `simulated`.
    pub origin: &'static str,
    /// The figures.
    pub validation: Validation,
    /// When they were computed.
    pub timestamp: Time,
}

/// The figures, one bar ahead.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Validation {
    /// Share of right calls, percent; `null` under 30 calls.
    pub accuracy: Option<f64>,
    /// 95 % interval of `accuracy`.
    pub ci: Option<[f64; 2]>,
    /// Calls that could be judged: neither `HOLD` nor without a change.
    pub total_predictions: usize,
    /// Right ones.
    pub correct_predictions: usize,
    /// What always saying UP reached on the same calls, percent; `null` under 30 calls.
    pub baseline_accuracy: Option<f64>,
    /// `better`, `worse`, `no difference` or `not enough evidence`.
    pub verdict: &'static str,
    /// Why something is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Validation {
    /// The figures of a record.
    #[must_use]
    pub fn of(record: &TrackRecord) -> Self {
        let summary = &record.summary;
        let percent = |end: f64| 100.0 * end;
        Self {
            accuracy: summary.hit_rate.map(|rate| percent(rate.rate)),
            ci: summary.hit_rate.and_then(|rate| rate.interval).map(|ci| [percent(ci.low), percent(ci.high)]),
            total_predictions: summary.n_calls,
            correct_predictions: record.n_hits,
            baseline_accuracy: summary.always_up.map(|rate| percent(rate.rate)),
            verdict: summary.verdict.as_str(),
            reason: summary.hit_rate.is_none().then(|| {
                let least = ::forecast::score::MIN_CALLS;
                format!("{} calls could be judged: a hit rate is shown from {least} on", summary.n_calls)
            }),
        }
    }
}
