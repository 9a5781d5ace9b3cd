//! A backtest's figures, on screen and as JSON.

use engine::assemble::Assembled;
use forecast::score::{DirectionSummary, IntervalSummary};
use forecast::{BacktestSpec, ModelName};
use market::{LEVELS, Timeframe};
use serde_json::{Map, Value, json};

use super::scoring::Line;
use super::writing::horizon_label;
use crate::screen::{Table, count, number};

/// How long it took.
#[derive(Debug)]
pub(super) struct Elapsed {
    pub(super) read_s: f64,
    pub(super) run_s: f64,
    pub(super) all_s: f64,
}

/// The table on screen. A star marks what beats the naive reference, a dagger what is worse, after adjustment.
pub(super) fn to_text(timeframe: Timeframe, spec: &BacktestSpec, lines: &[Line]) -> String {
    let headers = [
        "ahead",
        "model",
        "n",
        "crps bp",
        "skill %",
        "95 % interval",
        "p adj.",
        "cov80",
        "cov95",
        "hit %",
        "up %",
        "brier",
    ];
    let mut table = Table::new(2, &headers);
    for horizon in &spec.horizons {
        for line in lines.iter().filter(|line| line.horizon == *horizon) {
            table.row(row(timeframe, line));
        }
    }
    format!(
        "{table}\nskill is against the last 250 returns, each asset counted the same; * better, † worse, at 5 % after \
         Benjamini-Hochberg"
    )
}

fn row(timeframe: Timeframe, line: &Line) -> Vec<String> {
    let summary = &line.summary;
    let skill = summary.skill.and_then(|skill| skill.skill);
    let direction = summary.direction.as_ref();
    let of = |percent: u32| Some(interval(line, percent).coverage);
    let percent = |value: Option<f64>| value.map(|value| 100.0 * value);
    let mark = match (line.adjusted_p_value, line.test) {
        (Some(p), Some(test)) if p < 0.05 && test.mean_difference < 0.0 => "*",
        (Some(p), Some(test)) if p < 0.05 && test.mean_difference > 0.0 => "†",
        _ => " ",
    };
    vec![
        horizon_label(timeframe, line.horizon),
        line.model.to_string(),
        count(summary.n as u64),
        number(Some(1e4 * summary.crps), 2),
        number(percent(skill), 2) + mark,
        line.interval.map_or_else(
            || "–".to_owned(),
            |interval| format!("[{:.2}, {:.2}]", 100.0 * interval.low, 100.0 * interval.high),
        ),
        number(line.adjusted_p_value, 4),
        number(of(80), 4),
        number(of(95), 4),
        number(percent(direction.map(|direction| direction.hit)), 2),
        number(percent(direction.map(|direction| direction.up_rate)), 2),
        number(direction.map(|direction| direction.brier), 4),
    ]
}

fn interval(line: &Line, percent: u32) -> &IntervalSummary {
    let found = line.summary.intervals.iter().find(|interval| interval.percent == percent);
    found.expect("80, 90 and 95 percent are always summarised")
}

/// All figures, under the names `tools/score.py` gives them.
pub(super) fn to_json(
    timeframe: Timeframe,
    spec: &BacktestSpec,
    assembled: &Assembled,
    lines: &[Line],
    elapsed: &Elapsed,
) -> Value {
    let panel = &assembled.panel;
    let mut models: Map<String, Value> = Map::new();
    for line in lines {
        let model = models.entry(line.model.as_str()).or_insert_with(|| json!({}));
        if let Some(horizons) = model.as_object_mut() {
            horizons.insert(horizon_label(timeframe, line.horizon), figures(line));
        }
    }
    json!({
        "asset_class": panel.class().as_str(),
        "timeframe": timeframe.as_str(),
        "symbols": spec.symbols.iter().map(market::Symbol::as_str).collect::<Vec<_>>(),
        "from": spec.from,
        "to": spec.to,
        "refit_months": spec.refit_months,
        "booster_refit_months": spec.booster_refit_months,
        "max_rows": spec.max_rows,
        "seed": spec.seed,
        "data_hash": panel.data_hash().to_string(),
        "feature_set": forecast::FEATURE_SET,
        "levels": LEVELS,
        "elapsed_s": { "read": elapsed.read_s, "backtest": elapsed.run_s, "all": elapsed.all_s },
        "models": models,
    })
}

fn figures(line: &Line) -> Value {
    let summary = &line.summary;
    let mut figures = json!({
        "n": summary.n,
        "n_symbols": summary.n_symbols,
        "n_naive": summary.n_naive,
        "first_as_of": summary.first_as_of,
        "last_as_of": summary.last_as_of,
        "crps": summary.crps,
        "pinball": summary.pinball,
        "level_error": summary.level_error,
        "level_error_mean": summary.level_error_mean,
        "level_error_symbol_mean": summary.level_error_symbol_mean,
        "calibration": LEVELS.iter().zip(summary.calibration).map(|(level, share)| (level.to_string(), json!(share))).collect::<Map<_, _>>(),
        "skill_ci95": line.interval.map(|interval| [interval.low, interval.high]),
    });
    let Some(into) = figures.as_object_mut() else { return figures };
    if let Some(skill) = &summary.skill {
        into.insert("crps_naive".into(), json!(skill.crps_naive));
        into.insert("skill".into(), json!(skill.skill));
        into.insert("skill_median".into(), json!(skill.skill_median));
        into.insert("skill_pooled".into(), json!(skill.skill_pooled));
        into.insert("share_symbols_better".into(), json!(skill.share_symbols_better));
    }
    if let Some(test) = line.test.filter(|_| line.model != ModelName::Naive) {
        let test = json!({
            "n_times": test.n_times, "lag": test.lag, "statistic": test.statistic, "p_value": test.p_value,
            "adjusted_p_value": line.adjusted_p_value,
        });
        into.insert("diebold_mariano".into(), test);
    }
    for interval in &summary.intervals {
        let k = interval.percent;
        into.insert(format!("cov{k}"), json!(interval.coverage));
        into.insert(format!("width{k}"), json!(interval.width));
        into.insert(format!("winkler{k}"), json!(interval.winkler));
        into.insert(format!("cov{k}_symbol_mean"), json!(interval.coverage_symbol_mean));
        into.insert(format!("cov{k}_symbol_min"), json!(interval.coverage_symbol_min));
        into.insert(format!("cov{k}_symbol_max"), json!(interval.coverage_symbol_max));
        into.insert(format!("width{k}_symbol_mean"), json!(interval.width_symbol_mean));
        if let Some(naive) = &interval.naive {
            into.insert(format!("cov{k}_naive"), json!(naive.coverage));
            into.insert(format!("width{k}_naive"), json!(naive.width));
        }
    }
    if let Some(DirectionSummary { n, hit, up_rate, brier, brier_skill, log_loss, .. }) = &summary.direction {
        let direction = [
            ("n_moved", json!(n)),
            ("hit", json!(hit)),
            ("up_rate", json!(up_rate)),
            ("brier", json!(brier)),
            ("brier_skill", json!(brier_skill)),
            ("logloss", json!(log_loss)),
        ];
        into.extend(direction.map(|(name, value)| (name.to_owned(), value)));
    }
    figures
}
