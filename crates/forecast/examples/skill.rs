//! Walk-forward backtests on a folder of recorded bars: prints skill, and writes the CSV an outside scorer reads.
//!
//! `AUSPEX_DATA=DIR cargo run --release -p forecast --example skill -- stocks|etf|coins|hours [CSV_DIR] [MODEL,…]`
//!
//! Only development windows are read: US data before 2020, coins before April 2023.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use flate2::read::GzDecoder;
use forecast::{BacktestRun, BacktestSpec, ForecastColumns, ModelName, Panel, PanelBar, backtest};
use jiff::Timestamp;
use jiff::civil::Date;
use market::{AssetClass, AssetKind, Bar, Calendar, LEVELS, Timeframe};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

struct Task {
    class: AssetClass,
    kind: AssetKind,
    base: Timeframe,
    folder: &'static str,
    cut: &'static str,
    from: &'static str,
    horizons: &'static [u32],
}

const TASKS: [(&str, Task); 4] = {
    use AssetClass::{Crypto, Stocks};
    let daily = Task {
        class: Stocks,
        kind: AssetKind::Equity,
        base: Timeframe::D1,
        folder: "stocks_daily",
        cut: "2020-01-01T00:00:00Z",
        from: "2016-01-01T00:00:00Z",
        horizons: &[1, 5, 21],
    };
    let coins = Task {
        class: Crypto,
        kind: AssetKind::Coin,
        base: Timeframe::D1,
        folder: "crypto_1d",
        cut: "2023-04-01T00:00:01Z",
        from: "2022-04-01T00:00:00Z",
        horizons: &[1, 5, 21],
    };
    [
        ("etf", Task { kind: AssetKind::Etf, folder: "etf_daily", ..daily }),
        ("stocks", daily),
        ("hours", Task { base: Timeframe::H1, folder: "crypto_1h", horizons: &[1, 4, 24], ..coins }),
        ("coins", coins),
    ]
};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().ok_or("which of stocks, etf, coins, hours?")?;
    let csv_dir = arguments.next().filter(|a| a != "-").map(PathBuf::from);
    let models = arguments.next().map_or_else(
        || Ok(ModelName::ALL.to_vec()),
        |list| list.split(',').map(str::parse).collect::<std::result::Result<Vec<ModelName>, _>>(),
    )?;
    let task = TASKS.iter().find(|(n, _)| *n == name).map(|(_, t)| t).ok_or("unknown task")?;
    let data = PathBuf::from(std::env::var("AUSPEX_DATA").map_err(|_| "AUSPEX_DATA is not set")?);
    let started = Instant::now();
    let panel = load(&data, task)?;
    say(&format!("{} assets, {} steps in {:.1?}", panel.n_assets(), panel.n_steps(), started.elapsed()));
    let (from, to) = (task.from.parse()?, task.cut.parse()?);
    let mut spec = BacktestSpec { models, ..BacktestSpec::new(task.horizons.to_vec(), from, to) };
    if let Ok(months) = std::env::var("BOOSTER_REFIT") {
        spec.booster_refit_months = months.parse()?;
    }
    if let Ok(from) = std::env::var("FROM") {
        spec.from = from.parse()?;
    }
    if let Ok(horizons) = std::env::var("HORIZONS") {
        spec.horizons = horizons.split(',').map(str::parse).collect::<std::result::Result<_, _>>()?;
    }
    let started = Instant::now();
    let run = backtest(&panel, &spec, &mut |_| ())?;
    say(&format!("backtest in {:.1?}", started.elapsed()));
    print_skill(&panel, &run);
    if let Some(dir) = csv_dir {
        write_csv(&panel, &run, &dir, task)?;
    }
    Ok(())
}

fn say(line: &str) {
    writeln!(std::io::stdout(), "{line}").expect("standard output is open");
}

fn read(path: &Path, cut: Timestamp, span: &dyn Fn(Timestamp) -> Option<market::Span>) -> Result<Vec<Bar>> {
    let mut reader = csv::Reader::from_reader(GzDecoder::new(fs::File::open(path)?));
    let mut bars = Vec::new();
    for record in reader.records() {
        let record = record?;
        let stamp: Timestamp = record[1].parse()?;
        // Nothing at or after the cut is looked at.
        if stamp >= cut {
            break;
        }
        let number = |at: usize| record[at].parse::<f64>();
        let Some(span) = span(stamp) else { continue };
        bars.push(Bar {
            open_time: span.open_time,
            close_time: span.close_time,
            open: number(2)?,
            high: number(3)?,
            low: number(4)?,
            close: number(5)?,
            volume: number(7)?,
            adj_close: None,
            known_at: span.close_time,
        });
    }
    Ok(bars)
}

fn load(data: &Path, task: &Task) -> Result<Panel> {
    let cut: Timestamp = task.cut.parse()?;
    let calendar = Calendar::of(task.class);
    let span = |timeframe: Timeframe| {
        move |stamp: Timestamp| match calendar {
            Calendar::Nyse => calendar.day(jiff::tz::TimeZone::UTC.to_datetime(stamp).date()),
            Calendar::Continuous => calendar.bar_opening_at(timeframe, stamp),
        }
    };
    let mut panel = Panel::new(task.class, task.base)?;
    let mut steps: BTreeMap<Timestamp, Vec<(usize, Bar)>> = BTreeMap::new();
    let mut files: Vec<PathBuf> =
        fs::read_dir(data.join(task.folder))?.map(|e| e.map(|e| e.path())).collect::<std::io::Result<_>>()?;
    files.sort();
    for file in files {
        let name = file.file_name().and_then(|n| n.to_str()).ok_or("file name")?;
        let symbol = name.trim_end_matches(".csv.gz").trim_end_matches("USDT").parse()?;
        let asset = panel.add_asset(symbol, task.kind)?;
        for bar in read(&file, cut, &span(task.base))? {
            steps.entry(bar.close_time).or_default().push((asset, bar));
        }
        if task.class == AssetClass::Crypto && task.base == Timeframe::D1 {
            for hour in read(&data.join("crypto_1h").join(name), cut, &span(Timeframe::H1))? {
                panel.push_hour(asset, &hour)?;
            }
        }
    }
    if task.class == AssetClass::Stocks {
        for mut bar in read(&data.join("macro/VIX_daily.csv.gz"), cut, &span(Timeframe::D1))? {
            // The index is printed until 16:15 New York, after the session's close.
            if std::env::var_os("LATE_INDEX").is_some() {
                bar.known_at += jiff::SignedDuration::from_mins(15);
            }
            panel.push_volatility_index(&bar)?;
        }
    }
    for (close_time, bars) in &steps {
        let bars: Vec<PanelBar<'_>> =
            bars.iter().map(|(asset, bar)| PanelBar { asset: *asset, bar, split_ratio: 1.0 }).collect();
        panel.push_step(*close_time, &bars)?;
    }
    Ok(panel)
}

/// Mean CRPS of each asset; trapezoid weights of the levels.
fn crps(panel: &Panel, rows: &ForecastColumns) -> (BTreeMap<u32, (f64, usize)>, f64, f64) {
    let middle = |k: usize| (LEVELS[k] + LEVELS[k + 1]) / 2.0;
    let weight = |k: usize| {
        let low = if k == 0 { 0.0 } else { middle(k - 1) };
        let high = if k + 1 == LEVELS.len() { 1.0 } else { middle(k) };
        high - low
    };
    let mut sums: BTreeMap<u32, (f64, usize)> = BTreeMap::new();
    let (mut in_80, mut in_95) = (0, 0);
    for at in 0..rows.len() {
        let y = panel.log_return(rows.asset[at] as usize, rows.as_of_row[at] as usize, rows.target_row[at] as usize);
        let q = &rows.quantiles[at];
        let loss: f64 = (0..LEVELS.len())
            .map(|k| {
                let e = y - q[k];
                weight(k) * (LEVELS[k] * e).max((LEVELS[k] - 1.0) * e)
            })
            .sum();
        let sum = sums.entry(rows.asset[at]).or_default();
        *sum = (sum.0 + 2.0 * loss, sum.1 + 1);
        in_80 += usize::from(q[2] <= y && y <= q[10]);
        in_95 += usize::from(q[0] <= y && y <= q[12]);
    }
    let n = rows.len() as f64;
    (sums, in_80 as f64 / n, in_95 as f64 / n)
}

fn print_skill(panel: &Panel, run: &BacktestRun) {
    let mut base = BTreeMap::new();
    for series in &run.series {
        let scored = crps(panel, &series.rows);
        if series.model == ModelName::Naive {
            base.insert(series.horizon_bars, scored.0.clone());
        }
        let skill = base.get(&series.horizon_bars).map_or(f64::NAN, |base| {
            let ratio = |(asset, (sum, n)): (&u32, &(f64, usize))| {
                let (base_sum, base_n) = base[asset];
                1.0 - (sum / *n as f64) / (base_sum / base_n as f64)
            };
            scored.0.iter().map(ratio).sum::<f64>() / scored.0.len() as f64
        });
        say(&format!(
            "{:18} h={:3} n={:7} skill {:6.2}%  cover80 {:.3} cover95 {:.3}",
            series.model.as_str(),
            series.horizon_bars,
            series.rows.len(),
            100.0 * skill,
            scored.1,
            scored.2
        ));
    }
}

fn write_csv(panel: &Panel, run: &BacktestRun, dir: &Path, task: &Task) -> Result<()> {
    fs::create_dir_all(dir)?;
    let label = |asset: u32, row: u32| {
        let open = panel.open_time(asset as usize, row as usize);
        if task.class == AssetClass::Stocks {
            let date: Date = Calendar::Nyse.trading_date(open);
            return format!("{date}T00:00:00Z");
        }
        open.to_string()
    };
    for model in run.series.iter().map(|s| s.model).collect::<std::collections::BTreeSet<_>>() {
        let mut out = std::io::BufWriter::new(fs::File::create(dir.join(format!("{model}.csv")))?);
        let mut header = "symbol,as_of,horizon,target_time,current_price".to_owned();
        LEVELS.iter().try_for_each(|level| write!(header, ",q{level}"))?;
        writeln!(out, "{header},p_up")?;
        for series in run.series.iter().filter(|s| s.model == model) {
            let rows = &series.rows;
            for at in 0..rows.len() {
                let asset = rows.asset[at];
                let suffix = if task.class == AssetClass::Crypto { "USDT" } else { "" };
                let symbol = panel.symbol(asset as usize);
                write!(out, "{symbol}{suffix},{}", label(asset, rows.as_of_row[at]))?;
                write!(out, ",{},{}", series.horizon_bars, label(asset, rows.target_row[at]))?;
                write!(out, ",{}", rows.current_price[at])?;
                rows.quantiles[at].iter().try_for_each(|q| write!(out, ",{q}"))?;
                writeln!(out, ",{}", rows.prob_up[at])?;
            }
        }
    }
    Ok(())
}
