//! Scored cases as files: first the columns of the earlier service, then ours.

use arrow::error::ArrowError;
use market::{Origin, Unit};
use storage::ScoreRow;

use super::bars::{finish, numbers, times, words, write_parquet};
use super::trends::{date_of, result_of};
use crate::time::Time;

/// Which file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Columns {
    /// Date, Forecast, Actual, Result, then ours.
    Forecasts,
    /// The same with the running Accuracy after Result.
    Trends,
}

/// What a file is made from.
#[derive(Debug, Clone, Copy)]
pub struct ExportParts<'a> {
    /// The cases, ascending, in the terms of today.
    pub rows: &'a [ScoreRow],
    /// What the scores are measured in.
    pub unit: Unit,
    /// The chain's origin.
    pub origin: Origin,
    /// Which file.
    pub columns: Columns,
}

struct Line<'a> {
    row: &'a ScoreRow,
    date: String,
    predicted: f64,
    low: f64,
    high: f64,
    accuracy: Option<f64>,
}

impl ExportParts<'_> {
    fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        let (mut calls, mut hits) = (0_usize, 0_usize);
        self.rows.iter().map(move |row| {
            calls += usize::from(row.score.hit.is_some());
            hits += usize::from(row.score.hit == Some(true));
            let price = |number| self.unit.apply(row.score.reference_price, number);
            Line {
                row,
                date: date_of(row),
                predicted: price(row.score.median),
                low: price(row.score.low_80),
                high: price(row.score.high_80),
                // As everywhere: no hit rate under the least number of calls.
                accuracy: (calls >= ::forecast::score::MIN_CALLS).then(|| 100.0 * hits as f64 / calls as f64),
            }
        })
    }

    /// The file as CSV. `Forecast` is the call, `Actual` the price it was judged by; empty where nothing is known.
    ///
    /// # Errors
    /// When a row cannot be written.
    pub fn csv(&self) -> Result<Vec<u8>, csv::Error> {
        let trends = self.columns == Columns::Trends;
        let mut writer = csv::Writer::from_writer(Vec::new());
        let mut header = vec!["Date", "Forecast", "Actual", "Result"];
        header.extend(trends.then_some("Accuracy"));
        header.extend([
            "symbol",
            "timeframe",
            "horizon",
            "as_of",
            "issued_at",
            "target_time",
            "reference_price",
            "predicted_price",
            "low_80",
            "high_80",
            "prob_up",
            "covered_80",
            "covered_95",
            "crps",
            "crps_baseline",
            "origin",
            "ledger_seq",
        ]);
        writer.write_record(header)?;
        for line in self.lines() {
            let (row, score) = (line.row, &line.row.score);
            let mut record = vec![
                line.date,
                score.direction.to_string(),
                row.price.to_string(),
                result_of(row).unwrap_or_default().to_owned(),
            ];
            record.extend(trends.then(|| line.accuracy.map(|a| a.to_string()).unwrap_or_default()));
            record.extend([
                row.symbol.to_string(),
                row.timeframe.to_string(),
                row.horizon.to_string(),
                row.as_of.to_string(),
                row.issued_at.to_string(),
                row.target_time.to_string(),
                score.reference_price.to_string(),
                line.predicted.to_string(),
                line.low.to_string(),
                line.high.to_string(),
                score.prob_up.to_string(),
                score.covered_80.to_string(),
                score.covered_95.to_string(),
                score.crps.to_string(),
                score.crps_baseline.to_string(),
                self.origin.to_string(),
                row.seq.to_string(),
            ]);
            writer.write_record(record)?;
        }
        finish(writer)
    }

    /// The same columns as Parquet.
    ///
    /// # Errors
    /// When a column cannot be written.
    pub fn parquet(&self) -> Result<Vec<u8>, ArrowError> {
        let lines: Vec<Line<'_>> = self.lines().collect();
        let number = |of: fn(&Line<'_>) -> f64| numbers(lines.iter().map(|line| Some(of(line))));
        let flag =
            |of: fn(&Line<'_>) -> bool| words(lines.iter().map(|line| Some(if of(line) { "true" } else { "false" })));
        let mut columns = vec![
            ("Date", words(lines.iter().map(|line| Some(line.date.as_str())))),
            ("Forecast", words(lines.iter().map(|line| Some(line.row.score.direction.as_str())))),
            ("Actual", number(|line| line.row.price)),
            ("Result", words(lines.iter().map(|line| result_of(line.row)))),
        ];
        if self.columns == Columns::Trends {
            columns.push(("Accuracy", numbers(lines.iter().map(|line| line.accuracy))));
        }
        columns.extend([
            ("symbol", words(lines.iter().map(|line| Some(line.row.symbol.as_str())))),
            ("timeframe", words(lines.iter().map(|line| Some(line.row.timeframe.as_str())))),
            ("horizon", number(|line| f64::from(line.row.horizon))),
            ("as_of", times(lines.iter().map(|line| Time(line.row.as_of)))),
            ("issued_at", times(lines.iter().map(|line| Time(line.row.issued_at)))),
            ("target_time", times(lines.iter().map(|line| Time(line.row.target_time)))),
            ("reference_price", number(|line| line.row.score.reference_price)),
            ("predicted_price", number(|line| line.predicted)),
            ("low_80", number(|line| line.low)),
            ("high_80", number(|line| line.high)),
            ("prob_up", number(|line| line.row.score.prob_up)),
            ("covered_80", flag(|line| line.row.score.covered_80)),
            ("covered_95", flag(|line| line.row.score.covered_95)),
            ("crps", number(|line| line.row.score.crps)),
            ("crps_baseline", number(|line| line.row.score.crps_baseline)),
            ("origin", words(lines.iter().map(|_| Some(self.origin.as_str())))),
            ("ledger_seq", number(|line| line.row.seq as f64)),
        ]);
        write_parquet(columns)
    }
}
