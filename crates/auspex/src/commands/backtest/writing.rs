//! Forecasts as CSV, one file a model, as `tools/score.py` reads them.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::Context as _;
use engine::assemble::Assembled;
use forecast::{BacktestRun, BacktestSeries, ModelName};
use jiff::Timestamp;
use jiff::civil::Date;
use market::{Calendar, LEVELS, Timeframe};

/// How a horizon is called: `5D`, `24h`.
pub(super) fn horizon_label(timeframe: Timeframe, horizon: u32) -> String {
    let unit = if timeframe == Timeframe::H1 { 'h' } else { 'D' };
    format!("{horizon}{unit}")
}

/// Writes `MODEL.csv` into `folder` for every model of the run.
pub(super) fn write(
    folder: &Path,
    assembled: &Assembled,
    run: &BacktestRun,
    timeframe: Timeframe,
) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("failed to create {}", folder.display()))?;
    let mut models: Vec<ModelName> = run.series.iter().map(|series| series.model).collect();
    models.dedup();
    for model in models {
        let path = folder.join(format!("{model}.csv"));
        let failed = || format!("failed to write {}", path.display());
        let mut file = BufWriter::with_capacity(1 << 18, File::create(&path).with_context(failed)?);
        let mut line = header();
        file.write_all(line.as_bytes()).with_context(failed)?;
        for series in run.series.iter().filter(|series| series.model == model) {
            for at in 0..series.rows.len() {
                line.clear();
                row(&mut line, assembled, series, at, timeframe);
                file.write_all(line.as_bytes()).with_context(failed)?;
            }
        }
        file.flush().with_context(failed)?;
    }
    Ok(())
}

fn header() -> String {
    let mut line = "symbol,as_of,horizon,target_time,current_price".to_owned();
    for level in LEVELS {
        write!(line, ",q{level}").expect("a String takes all");
    }
    line + ",p_up\n"
}

/// Floats are written as the shortest text that reads back the same.
fn row(line: &mut String, assembled: &Assembled, series: &BacktestSeries, at: usize, timeframe: Timeframe) {
    let (rows, panel) = (&series.rows, &assembled.panel);
    let asset = rows.asset[at] as usize;
    let calendar = Calendar::of(panel.class());
    let stamp = |row: u32| Stamp::new(calendar, timeframe, panel.open_time(asset, row as usize));
    let symbol = &assembled.columns[asset].asset.source_symbol;
    let (as_of, target) = (stamp(rows.as_of_row[at]), stamp(rows.target_row[at]));
    let horizon = horizon_label(timeframe, series.horizon_bars);
    write!(line, "{symbol},{as_of},{horizon},{target},{}", rows.current_price[at]).expect("a String takes all");
    for quantile in rows.quantiles[at] {
        write!(line, ",{quantile}").expect("a String takes all");
    }
    writeln!(line, ",{}", rows.prob_up[at]).expect("a String takes all");
}

/// The open stamp of a bar as imported files have it: a session is stamped with its date.
enum Stamp {
    Session(Date),
    Instant(Timestamp),
}

impl Stamp {
    fn new(calendar: Calendar, timeframe: Timeframe, open_time: Timestamp) -> Self {
        match (calendar, timeframe) {
            (Calendar::Nyse, Timeframe::D1) => Self::Session(calendar.trading_date(open_time)),
            _ => Self::Instant(open_time),
        }
    }
}

impl std::fmt::Display for Stamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Session(date) => write!(f, "{date}T00:00:00Z"),
            Self::Instant(instant) => write!(f, "{instant}"),
        }
    }
}
