//! The score of each model at each horizon, beside the naive reference on the same cases.

use std::collections::BTreeMap;

use engine::assemble::Assembled;
use forecast::score::{
    Cases, DieboldMariano, Interval, NAIVE_WINDOW, NaiveWindow, Summary, benjamini_hochberg, naive_quantiles, summarise,
};
use forecast::{BacktestRun, BacktestSeries, ModelName};
use jiff::Timestamp;
use market::N_LEVELS;
use rayon::prelude::*;

/// How one model fared at one horizon.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) model: ModelName,
    pub(super) horizon: u32,
    pub(super) summary: Summary,
    /// Of the mean skill.
    pub(super) interval: Option<Interval>,
    /// Against the naive reference.
    pub(super) test: Option<DieboldMariano>,
    /// The test's p-value after Benjamini–Hochberg over all lines but the reference's own.
    pub(super) adjusted_p_value: Option<f64>,
}

/// References of one horizon by (asset, row).
type References = BTreeMap<(u32, u32), Option<[f64; N_LEVELS]>>;

/// Scores every series that has forecasts, in the order of the run.
pub(super) fn score(assembled: &Assembled, run: &BacktestRun) -> anyhow::Result<Vec<Line>> {
    let log_prices = log_prices(assembled, run);
    let mut references: BTreeMap<u32, References> = BTreeMap::new();
    let series: Vec<&BacktestSeries> = run.series.iter().filter(|series| !series.rows.is_empty()).collect();
    for series in &series {
        refer(references.entry(series.horizon_bars).or_default(), &log_prices, series);
    }
    let score =
        |series: &&BacktestSeries| score_series(assembled, series, &references[&series.horizon_bars], &log_prices);
    let mut lines = series.par_iter().map(score).collect::<anyhow::Result<Vec<Line>>>()?;
    adjust(&mut lines);
    Ok(lines)
}

/// Log prices of the scored assets, from their first row; splits removed.
fn log_prices(assembled: &Assembled, run: &BacktestRun) -> BTreeMap<u32, Vec<f64>> {
    let panel = &assembled.panel;
    let mut assets: Vec<u32> = run.series.iter().flat_map(|series| series.rows.asset.iter().copied()).collect();
    assets.sort_unstable();
    assets.dedup();
    let prices = |asset: u32| {
        let at = asset as usize;
        (0..panel.n_rows(at)).map(|row| panel.log_return(at, 0, row)).collect()
    };
    assets.into_iter().map(|asset| (asset, prices(asset))).collect()
}

/// Adds the references of cases not yet known.
fn refer(known: &mut References, log_prices: &BTreeMap<u32, Vec<f64>>, series: &BacktestSeries) {
    let (rows, horizon) = (&series.rows, series.horizon_bars as usize);
    let mut window: Option<(u32, NaiveWindow<'_>)> = None;
    for at in 0..rows.len() {
        let (asset, row) = (rows.asset[at], rows.as_of_row[at]);
        known.entry((asset, row)).or_insert_with(|| {
            let steps = (rows.target_row[at] - row) as usize;
            if steps != horizon {
                return naive_quantiles(&log_prices[&asset], row as usize, steps, NAIVE_WINDOW);
            }
            if window.as_ref().is_none_or(|(of, _)| *of != asset) {
                window = Some((asset, NaiveWindow::new(&log_prices[&asset], horizon, NAIVE_WINDOW)));
            }
            window.as_mut().and_then(|(_, window)| window.at(row as usize))
        });
    }
}

fn score_series(
    assembled: &Assembled,
    series: &BacktestSeries,
    references: &References,
    log_prices: &BTreeMap<u32, Vec<f64>>,
) -> anyhow::Result<Line> {
    let rows = &series.rows;
    let cases = |at: usize| (rows.asset[at], rows.as_of_row[at]);
    let as_of: Vec<Timestamp> = (0..rows.len())
        .map(|at| assembled.panel.open_time(rows.asset[at] as usize, rows.as_of_row[at] as usize))
        .collect();
    let change: Vec<f64> = (0..rows.len())
        .map(|at| {
            let prices = &log_prices[&rows.asset[at]];
            prices[rows.target_row[at] as usize] - prices[rows.as_of_row[at] as usize]
        })
        .collect();
    let naive: Vec<Option<[f64; N_LEVELS]>> = (0..rows.len()).map(|at| references[&cases(at)]).collect();
    let cases = Cases {
        symbol: &rows.asset,
        as_of: &as_of,
        change: &change,
        quantiles: &rows.quantiles,
        prob_up: Some(&rows.prob_up),
        naive: Some(&naive),
    };
    let summary = summarise(&cases)?;
    let (interval, test) = cases.evidence(series.horizon_bars as usize)?;
    let (model, horizon) = (series.model, series.horizon_bars);
    Ok(Line { model, horizon, summary, interval, test, adjusted_p_value: None })
}

fn adjust(lines: &mut [Line]) {
    // The reference against itself is no test.
    let tested = |line: &Line| line.test.filter(|_| line.model != ModelName::Naive).map(|test| test.p_value);
    let p_values: Vec<f64> = lines.iter().filter_map(tested).collect();
    let mut adjusted = benjamini_hochberg(&p_values).into_iter();
    for line in lines {
        if tested(line).is_some() {
            line.adjusted_p_value = adjusted.next();
        }
    }
}
