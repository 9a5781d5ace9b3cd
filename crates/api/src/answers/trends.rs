//! How the forecasts of one asset and timeframe fared.

use ::forecast::score::{Coverage, Rate, TrackRecord as Summary};
use market::{Asset, AssetClass, Bar, Calendar, Direction, Timeframe, Unit};
use serde::Serialize;
use storage::ScoreRow;
use utoipa::ToSchema;

use super::forecast::SkillAnswer;
use crate::time::Time;

/// At most so many rows stand in the history; exports hold them all.
pub const HISTORY_ROWS: usize = 250;
/// Realised volatility is measured over so many bars.
pub const VOLATILITY_BARS: usize = 30;

/// The track record of an asset on a timeframe, one bar ahead.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct TrendsAnswer {
    /// The asset.
    pub symbol: String,
    /// Its name.
    pub name: String,
    /// The timeframe.
    pub timeframe: String,
    /// `1W`, `1M`, `1Y`, `5Y`, or `all`.
    pub window: &'static str,
    /// `live`, `replay` or `simulated`.
    pub origin: &'static str,
    /// Share of right calls, percent; `null` under 30 calls.
    pub overall_accuracy: Option<f64>,
    /// Calls that could be judged: neither `HOLD` nor without a change.
    pub n: usize,
    /// 95 % interval of `overall_accuracy`.
    pub ci: Option<[f64; 2]>,
    /// What two simple rules reached on the same calls, percent.
    pub baseline_accuracy: BaselineAccuracy,
    /// Scored cases, `HOLD` and unchanged prices included.
    pub n_cases: usize,
    /// Share of cases called `HOLD`.
    pub hold_share: Option<f64>,
    /// `better`, `worse`, `no difference` or `not enough evidence` (under 250 cases), by CRPS against the baseline.
    pub verdict: &'static str,
    /// How often the intervals held what happened.
    pub coverage: Vec<CoverageAnswer>,
    /// What CRPS and widths are measured in: `log_return` or `change`.
    pub unit: Option<&'static str>,
    /// Mean continuous ranked probability score.
    pub crps: Option<f64>,
    /// The naive baseline's on the same cases.
    pub crps_baseline: Option<f64>,
    /// `1 - CRPS / baseline's CRPS`.
    pub crps_skill: Option<f64>,
    /// 95 % interval of `crps_skill`.
    pub crps_skill_ci: Option<[f64; 2]>,
    /// Of the Diebold–Mariano test against the baseline, two-sided; `null` under 30 moments.
    pub p_value: Option<f64>,
    /// Mean squared error of the probability of a rise.
    pub brier: Option<f64>,
    /// The naive baseline's.
    pub brier_baseline: Option<f64>,
    /// Stated against observed probability of a rise.
    pub reliability: Vec<ReliabilityAnswer>,
    /// What a chart draws; `null` in the table view.
    pub chart: Option<TrendsChart>,
    /// The newest cases, newest first, at most 250.
    pub accuracy_history: Vec<HistoryRow>,
    /// The confidence of the forecast in force, percent.
    pub prediction_confidence: Option<f64>,
    /// Realised volatility of the last 30 bars, annualised, a fraction.
    pub market_volatility: Option<f64>,
    /// Why something is `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What simple rules reach, percent; `null` under 30 calls.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct BaselineAccuracy {
    /// Always saying UP.
    pub always_up: Option<f64>,
    /// The naive baseline, where it made a call.
    pub naive: Option<f64>,
}

/// How often an interval held what happened.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct CoverageAnswer {
    /// How often it should.
    pub level: f64,
    /// How often it did.
    pub observed: f64,
    /// Of so many cases.
    pub n: usize,
    /// 95 % interval of `observed`.
    pub ci: Option<[f64; 2]>,
    /// Mean width; `null` where it is not kept.
    pub width: Option<f64>,
}

/// One tenth of the stated probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct ReliabilityAnswer {
    /// Lower end.
    pub from: f64,
    /// Upper end.
    pub to: f64,
    /// Cases.
    pub n: usize,
    /// Mean stated probability of a rise.
    pub mean_prob_up: f64,
    /// Share of rises.
    pub up_rate: f64,
}

/// What happened beside what was said, ascending; prices in the terms of today, as bars are.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct TrendsChart {
    /// Prices at the target times.
    pub actual: Vec<f64>,
    /// Medians.
    pub predicted: Vec<f64>,
    /// Lower ends of the 80 % intervals.
    pub lower: Vec<f64>,
    /// Upper ends of the 80 % intervals.
    pub upper: Vec<f64>,
    /// Target times.
    pub timestamps: Vec<Time>,
}

/// One scored case; prices in the terms of today.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct HistoryRow {
    /// The day of the target time, UTC.
    pub date: String,
    /// When the forecast was written to the ledger.
    pub issued_at: Time,
    /// Its information cut.
    pub as_of: Time,
    /// When it matured.
    pub target_time: Time,
    /// `UP`, `DOWN` or `HOLD`.
    pub forecast: &'static str,
    /// The price it was judged by.
    pub actual: f64,
    /// The median.
    pub predicted: f64,
    /// `Hit`, `Miss` or `Hold`; `null` when the price did not change, which is neither.
    pub result: Option<&'static str>,
    /// `predicted` against `actual`, percent.
    pub error_pct: Option<f64>,
    /// Whether the 80 % interval held the price.
    pub covered: bool,
    /// The outcome's position in the ledger.
    pub ledger_seq: u64,
}

/// What a trends answer is made from.
#[derive(Debug, Clone, Copy)]
pub struct TrendsParts<'a> {
    /// The asset.
    pub asset: &'a Asset,
    /// The timeframe.
    pub timeframe: Timeframe,
    /// The window's name.
    pub window: &'static str,
    /// The chain's origin.
    pub origin: market::Origin,
    /// What its cases amount to.
    pub summary: &'a Summary,
    /// Its newest cases, ascending, in the terms of today.
    pub rows: &'a [ScoreRow],
    /// What the scores are measured in.
    pub unit: Option<Unit>,
    /// The confidence of the forecast in force.
    pub confidence: Option<f64>,
    /// The last closed bars.
    pub bars: &'a [Bar],
    /// Whether the chart is wanted.
    pub chart: bool,
}

impl TrendsAnswer {
    /// The answer.
    #[must_use]
    pub fn of(parts: &TrendsParts<'_>) -> Self {
        let TrendsParts { asset, summary, rows, .. } = *parts;
        let unit = parts.unit.unwrap_or(Unit::LogReturn);
        let skill = SkillAnswer::of(summary);
        let volatility = realised_volatility(parts.bars, asset.class(), parts.timeframe);
        Self {
            symbol: asset.symbol.to_string(),
            name: asset.name.clone(),
            timeframe: parts.timeframe.to_string(),
            window: parts.window,
            origin: parts.origin.as_str(),
            overall_accuracy: summary.hit_rate.map(|rate| 100.0 * rate.rate),
            n: summary.n_calls,
            ci: summary.hit_rate.and_then(interval_of).map(|ci| ci.map(|end| 100.0 * end)),
            baseline_accuracy: BaselineAccuracy {
                always_up: summary.always_up.map(|rate| 100.0 * rate.rate),
                naive: summary.naive_hit_rate.map(|rate| 100.0 * rate.rate),
            },
            n_cases: summary.n,
            hold_share: summary.hold_share,
            verdict: summary.verdict.as_str(),
            coverage: coverage(summary),
            unit: parts.unit.map(Unit::as_str),
            crps: summary.crps,
            crps_baseline: summary.crps_baseline,
            crps_skill: skill.crps_skill,
            crps_skill_ci: skill.ci,
            p_value: summary.p_value(),
            brier: summary.brier,
            brier_baseline: summary.brier_baseline,
            reliability: reliability(summary),
            chart: parts.chart.then(|| TrendsChart::of(rows, unit)),
            accuracy_history: rows.iter().rev().take(HISTORY_ROWS).map(|row| HistoryRow::of(row, unit)).collect(),
            prediction_confidence: parts.confidence,
            market_volatility: volatility,
            reason: reason(summary, parts.confidence, volatility),
        }
    }
}

impl TrendsChart {
    /// The newest cases, ascending, at most 250.
    #[must_use]
    pub fn of(rows: &[ScoreRow], unit: Unit) -> Self {
        let rows = &rows[rows.len().saturating_sub(HISTORY_ROWS)..];
        let price = |row: &ScoreRow, number| unit.apply(row.score.reference_price, number);
        Self {
            actual: rows.iter().map(|row| row.price).collect(),
            predicted: rows.iter().map(|row| price(row, row.score.median)).collect(),
            lower: rows.iter().map(|row| price(row, row.score.low_80)).collect(),
            upper: rows.iter().map(|row| price(row, row.score.high_80)).collect(),
            timestamps: rows.iter().map(|row| row.target_time.into()).collect(),
        }
    }
}

impl HistoryRow {
    /// One case.
    #[must_use]
    pub fn of(row: &ScoreRow, unit: Unit) -> Self {
        let predicted = unit.apply(row.score.reference_price, row.score.median);
        Self {
            date: date_of(row),
            issued_at: row.issued_at.into(),
            as_of: row.as_of.into(),
            target_time: row.target_time.into(),
            forecast: row.score.direction.as_str(),
            actual: row.price,
            predicted,
            result: result_of(row),
            error_pct: (row.price != 0.0).then(|| 100.0 * (predicted / row.price - 1.0)),
            covered: row.score.covered_80,
            ledger_seq: row.seq,
        }
    }
}

/// The day a case matured, UTC.
#[must_use]
pub fn date_of(row: &ScoreRow) -> String {
    jiff::tz::TimeZone::UTC.to_datetime(row.target_time).date().to_string()
}

/// `Hit`, `Miss`, `Hold`; `None` for a price that did not change.
#[must_use]
pub fn result_of(row: &ScoreRow) -> Option<&'static str> {
    match (row.score.direction, row.score.hit) {
        (Direction::Hold, _) => Some("Hold"),
        (_, Some(true)) => Some("Hit"),
        (_, Some(false)) => Some("Miss"),
        (_, None) => None,
    }
}

/// Root mean square of the log returns of the last 30 bars, annualised by the number of bars in a year; `None` with
/// fewer bars, and for macro series.
#[must_use]
pub fn realised_volatility(bars: &[Bar], class: AssetClass, timeframe: Timeframe) -> Option<f64> {
    let last = bars.len().checked_sub(VOLATILITY_BARS + 1)?;
    let squares = bars[last..].windows(2).map(|pair| (pair[1].close / pair[0].close).ln().powi(2));
    let variance = squares.sum::<f64>() / VOLATILITY_BARS as f64;
    Some((variance * bars_per_year(class, timeframe)?).sqrt())
}

/// How many bars a year has: of 365.25 days, or 252 sessions.
fn bars_per_year(class: AssetClass, timeframe: Timeframe) -> Option<f64> {
    const DAYS: f64 = 365.25;
    Some(match (Calendar::of(class), timeframe) {
        _ if class == AssetClass::Macro => return None,
        (_, Timeframe::W1) => DAYS / 7.0,
        (_, Timeframe::Mo1) => 12.0,
        (_, Timeframe::Q1) => 4.0,
        (Calendar::Continuous, Timeframe::D1) => DAYS,
        (Calendar::Continuous, intraday) => DAYS * 86_400.0 / intraday.nominal().as_secs_f64(),
        (Calendar::Nyse, Timeframe::D1) => 252.0,
        // The session has six and a half hours.
        (Calendar::Nyse, intraday) => 252.0 * (23_400.0 / intraday.nominal().as_secs_f64()).ceil(),
    })
}

/// Both intervals' coverage.
#[must_use]
pub fn coverage(summary: &Summary) -> Vec<CoverageAnswer> {
    let answer = |coverage: Coverage| CoverageAnswer {
        level: coverage.level,
        observed: coverage.observed.rate,
        n: coverage.observed.n,
        ci: interval_of(coverage.observed),
        width: coverage.width,
    };
    [summary.coverage_80, summary.coverage_95].into_iter().flatten().map(answer).collect()
}

fn interval_of(rate: Rate) -> Option<[f64; 2]> {
    rate.interval.map(|interval| [interval.low, interval.high])
}

fn reliability(summary: &Summary) -> Vec<ReliabilityAnswer> {
    let bins = summary.reliability.iter().map(|bin| ReliabilityAnswer {
        from: bin.from,
        to: bin.to,
        n: bin.n,
        mean_prob_up: bin.mean_prob_up,
        up_rate: bin.up_rate,
    });
    bins.collect()
}

fn reason(summary: &Summary, confidence: Option<f64>, volatility: Option<f64>) -> Option<String> {
    let mut missing = Vec::new();
    if summary.n == 0 {
        missing.push("no forecast of this asset and timeframe has been scored in the window yet".to_owned());
    } else if summary.hit_rate.is_none() {
        missing.push(format!(
            "{} calls could be judged: a hit rate is shown from {} on",
            summary.n_calls,
            ::forecast::score::MIN_CALLS
        ));
    }
    if confidence.is_none() {
        missing.push("no forecast is in force".to_owned());
    }
    if volatility.is_none() {
        missing.push(format!("fewer than {} bars, or a series without a price", VOLATILITY_BARS + 1));
    }
    (!missing.is_empty()).then(|| missing.join("; "))
}
