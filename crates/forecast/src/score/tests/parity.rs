//! Our figures against those of an independent scorer in Python (numpy, pandas).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::read::GzDecoder;
use jiff::Timestamp;
use market::{LEVELS, N_LEVELS};
use serde_json::Value;

use super::assert_near;
use crate::score::*;

/// One series: opens and log prices, ascending.
type Series = (Vec<Timestamp>, Vec<f64>);

/// Reads `symbol,timestamp,close[,adj_close]`; the adjusted close where every row has one.
fn read_bars(input: impl std::io::Read) -> BTreeMap<String, Series> {
    let mut reader = csv::Reader::from_reader(input);
    let headers = reader.headers().unwrap().clone();
    let column = |name: &str| headers.iter().position(|header| header == name);
    let [symbol, timestamp, close] = ["symbol", "timestamp", "close"].map(|name| column(name).unwrap());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let price = column("adj_close").filter(|at| rows.iter().all(|row| !row[*at].is_empty())).unwrap_or(close);
    let mut bars: BTreeMap<String, Series> = BTreeMap::new();
    for row in &rows {
        let (times, log_prices) = bars.entry(row[symbol].to_owned()).or_default();
        times.push(row[timestamp].parse().unwrap());
        log_prices.push(row[price].parse::<f64>().unwrap().ln());
    }
    bars
}

/// The forecasts of one horizon, matched with what happened.
#[derive(Default)]
struct Columns {
    symbol: Vec<u32>,
    as_of: Vec<Timestamp>,
    change: Vec<f64>,
    quantiles: Vec<[f64; N_LEVELS]>,
    prob_up: Vec<f64>,
    naive: Vec<Option<[f64; N_LEVELS]>>,
}

impl Columns {
    fn cases(&self) -> Cases<'_> {
        Cases {
            symbol: &self.symbol,
            as_of: &self.as_of,
            change: &self.change,
            quantiles: &self.quantiles,
            prob_up: Some(&self.prob_up),
            naive: Some(&self.naive),
        }
    }

    fn only(&self, symbol: u32) -> Self {
        let mut only = Self::default();
        for row in (0..self.symbol.len()).filter(|row| self.symbol[*row] == symbol) {
            only.symbol.push(symbol);
            only.as_of.push(self.as_of[row]);
            only.change.push(self.change[row]);
            only.quantiles.push(self.quantiles[row]);
            only.prob_up.push(self.prob_up[row]);
            only.naive.push(self.naive[row]);
        }
        only
    }
}

/// Reads forecasts by horizon; symbols are numbered in the order of `bars`.
fn read_forecasts(input: impl std::io::Read, bars: &BTreeMap<String, Series>) -> BTreeMap<String, Columns> {
    let mut horizons: BTreeMap<String, Columns> = BTreeMap::new();
    for row in csv::Reader::from_reader(input).records().map(Result::unwrap) {
        let number = bars.keys().position(|symbol| *symbol == row[0]).unwrap();
        let (times, log_prices) = &bars[&row[0]];
        let [as_of, target]: [Timestamp; 2] = [1, 3].map(|column| row[column].parse().unwrap());
        let [from, to] = [as_of, target].map(|time| times.binary_search(&time).unwrap());
        let columns = horizons.entry(row[2].to_owned()).or_default();
        columns.symbol.push(number as u32);
        columns.as_of.push(as_of);
        columns.change.push(log_prices[to] - log_prices[from]);
        columns.quantiles.push(std::array::from_fn(|level| row[5 + level].parse().unwrap()));
        columns.prob_up.push(row[5 + N_LEVELS].parse().unwrap());
        columns.naive.push(naive_quantiles(log_prices, from, to - from, NAIVE_WINDOW));
    }
    horizons
}

/// Compares every figure both have; `expected` is what the other scorer printed.
fn compare(horizons: &BTreeMap<String, Columns>, bars: &BTreeMap<String, Series>, expected: &Value) {
    let expected = expected["horizons"].as_object().unwrap();
    assert_eq!(horizons.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (horizon, columns) in horizons {
        compare_one(&summarise(&columns.cases()).unwrap(), &expected[horizon], horizon);
        for (symbol, one) in expected[horizon]["symbols"].as_object().unwrap() {
            let number = bars.keys().position(|name| name == symbol).unwrap() as u32;
            compare_one(&summarise(&columns.only(number).cases()).unwrap(), one, &format!("{horizon} {symbol}"));
        }
    }
}

fn compare_one(summary: &Summary, expected: &Value, what: &str) {
    let near = |found: f64, key: &str| {
        let expected = expected[key].as_f64().unwrap_or_else(|| panic!("{what} {key}: no number"));
        assert_near(found, expected, &format!("{what} {key}"));
    };
    for (found, key) in [(summary.n, "n"), (summary.n_symbols, "n_symbols"), (summary.n_naive, "n_naive")] {
        assert_eq!(Some(found as u64), expected[key].as_u64(), "{what} {key}");
    }
    near(summary.crps, "crps");
    near(summary.pinball, "pinball");
    near(summary.level_error, "level_error");
    near(summary.level_error_mean, "level_error_mean");
    let skill = summary.skill.unwrap();
    near(skill.crps_naive, "crps_naive");
    near(skill.skill.unwrap(), "skill");
    near(skill.skill_median.unwrap(), "skill_median");
    near(skill.skill_pooled.unwrap(), "skill_pooled");
    near(skill.share_symbols_better, "share_symbols_better");
    for interval in &summary.intervals {
        let percent = interval.percent;
        let naive = interval.naive.unwrap();
        near(interval.coverage, &format!("cov{percent}"));
        near(interval.width, &format!("width{percent}"));
        near(interval.winkler, &format!("winkler{percent}"));
        near(interval.coverage_symbol_min, &format!("cov{percent}_symbol_min"));
        near(interval.coverage_symbol_max, &format!("cov{percent}_symbol_max"));
        near(naive.coverage, &format!("cov{percent}_naive"));
        near(naive.width, &format!("width{percent}_naive"));
    }
    for (level, found) in LEVELS.iter().zip(summary.calibration) {
        let rounded = expected["calibration"][level.to_string()].as_f64().unwrap();
        assert!((found - rounded).abs() <= 5.001e-5, "{what} below {level}: {found} against {rounded}");
    }
    let direction = summary.direction.as_ref().unwrap();
    near(direction.hit, "hit");
    near(direction.up_rate, "up_rate");
    near(direction.brier, "brier");
    near(direction.brier_skill, "brier_skill");
    near(direction.log_loss, "logloss");
    let bins = expected["reliability"].as_array().unwrap();
    assert_eq!(direction.reliability.len(), bins.len(), "{what} reliability");
    for (found, expected) in direction.reliability.iter().zip(bins) {
        assert_eq!(format!("{:.1}-{:.1}", found.from, found.to), expected["bin"].as_str().unwrap());
        assert_eq!(Some(found.n as u64), expected["n"].as_u64(), "{what} reliability");
        assert_near(found.mean_prob_up, expected["mean_p"].as_f64().unwrap(), what);
        assert_near(found.up_rate, expected["up_rate"].as_f64().unwrap(), what);
    }
}

fn generated() -> (BTreeMap<String, Series>, BTreeMap<String, Columns>) {
    let bars = read_bars(include_bytes!("../../../test_data/score/bars.csv").as_slice());
    let forecasts = read_forecasts(include_bytes!("../../../test_data/score/forecasts.csv").as_slice(), &bars);
    (bars, forecasts)
}

#[test]
fn an_independent_scorer_agrees_on_generated_cases() {
    let (bars, forecasts) = generated();
    let expected = serde_json::from_str(include_str!("../../../test_data/score/expected.json")).unwrap();
    // What the fixture is meant to hold: three series of 400 bars, gaps, ties and undecided probabilities.
    assert!(bars.len() >= 3 && bars.values().all(|(times, _)| times.len() >= 400));
    let gap = |pair: &[Timestamp]| pair[1].duration_since(pair[0]).as_hours() > 24;
    assert!(bars.values().all(|(times, _)| times.windows(2).any(gap)));
    for columns in forecasts.values() {
        assert!(columns.change.contains(&0.0) && columns.prob_up.contains(&0.5) && columns.naive.contains(&None));
    }
    compare(&forecasts, &bars, &expected);
}

#[test]
fn its_bootstrap_gives_about_the_same_interval() {
    // Other draws, so not the same digits: the ends may differ by a sixth of the width.
    let (_, forecasts) = generated();
    let text = include_str!("../../../test_data/score/expected_interval.json");
    let expected: BTreeMap<String, [f64; 2]> = serde_json::from_str(text).unwrap();
    assert_eq!(forecasts.len(), expected.len());
    for (horizon, [low, high]) in expected {
        let found = forecasts[&horizon].cases().panel().unwrap().skill_interval(&Bootstrap::for_horizon(1)).unwrap();
        let tolerance = (high - low) / 6.0;
        assert!((found.low - low).abs() < tolerance, "{horizon} low: {found:?}, expected {low}");
        assert!((found.high - high).abs() < tolerance, "{horizon} high: {found:?}, expected {high}");
    }
}

#[test]
fn evidence_is_what_the_panel_says() {
    let (_, forecasts) = generated();
    for columns in forecasts.values() {
        let panel = columns.cases().panel().unwrap();
        let (interval, test) = columns.cases().evidence(1).unwrap();
        assert_eq!(interval, panel.skill_interval(&Bootstrap::for_horizon(1)));
        assert_eq!(test, panel.diebold_mariano(1));
        assert_eq!(test.unwrap().n_times, panel.n_times());
    }
}

/// Files of real bars within the data folder, their first and last information cut, and horizons: label and bars.
type RealCase<'a> = (&'a [&'a str], &'a str, &'a str, &'a [(&'a str, usize)]);

const REAL: [RealCase<'_>; 2] = [
    (
        &["stocks_daily/AAPL.csv.gz", "stocks_daily/JPM.csv.gz", "stocks_daily/NVDA.csv.gz"],
        "2017-01-01T00:00:00Z",
        "2018-06-30T00:00:00Z",
        &[("1D", 1), ("21D", 21)],
    ),
    (
        &["crypto_1h/BTCUSDT.csv.gz", "crypto_1h/SOLUSDT.csv.gz"],
        "2022-04-01T00:00:00Z",
        "2022-05-15T00:00:00Z",
        &[("1h", 1), ("24h", 24)],
    ),
];

#[test]
fn an_independent_scorer_agrees_on_real_rows() {
    let (Some(data), Some(scorer)) = (std::env::var_os("AUSPEX_DATA"), std::env::var_os("AUSPEX_SCORE")) else {
        println!("skipped: AUSPEX_DATA and AUSPEX_SCORE do not name a data folder and an independent scorer");
        return;
    };
    if !Command::new("python3").args(["-c", "import numpy, pandas"]).status().is_ok_and(|status| status.success()) {
        println!("skipped: there is no python3 with numpy and pandas");
        return;
    }
    for case in REAL {
        check_real(&PathBuf::from(&data), Path::new(&scorer), case);
    }
}

fn check_real(data: &Path, scorer: &Path, (files, first, last, horizons): RealCase<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let mut bars = BTreeMap::new();
    for file in files {
        let path = data.join(file);
        let input = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        bars.extend(read_bars(GzDecoder::new(input)));
    }
    let [first, last] = [first, last].map(|time| time.parse::<Timestamp>().unwrap());
    let forecasts = folder.path().join("forecasts.csv");
    let mut out = csv::Writer::from_path(&forecasts).unwrap();
    let head = ["symbol", "as_of", "horizon", "target_time", "current_price"].map(str::to_owned);
    let levels = LEVELS.iter().map(|level| format!("q{level}"));
    out.write_record(head.into_iter().chain(levels).chain(["p_up".to_owned()])).unwrap();
    for (symbol, (times, log_prices)) in &bars {
        for (label, ahead) in horizons {
            // A longer memory than the reference's: another forecast, made of the same bars.
            let mut window = NaiveWindow::new(log_prices, *ahead, 1000);
            for row in (0..times.len() - ahead).filter(|row| (first..=last).contains(&times[*row])) {
                let Some(quantiles) = window.at(row) else { continue };
                let prob_up = market::Quantiles::new(quantiles).unwrap().prob_above_zero();
                let place =
                    [symbol.clone(), times[row].to_string(), (*label).to_owned(), times[row + ahead].to_string()];
                let numbers = std::iter::once(log_prices[row].exp()).chain(quantiles).chain([prob_up]);
                out.write_record(place.into_iter().chain(numbers.map(|number| number.to_string()))).unwrap();
            }
        }
    }
    out.flush().unwrap();
    let expected = folder.path().join("expected.json");
    let mut command = Command::new("python3");
    command.arg(scorer).arg(&forecasts).args(files.iter().map(|file| data.join(file)));
    command.args(["--by-symbol", "--boot", "0", "--out"]).arg(&expected);
    assert!(command.status().unwrap().success(), "{}", scorer.display());
    let expected = serde_json::from_slice(&std::fs::read(&expected).unwrap()).unwrap();
    compare(&read_forecasts(std::fs::File::open(&forecasts).unwrap(), &bars), &bars, &expected);
}
