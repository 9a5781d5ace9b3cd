//! `auspex backtest`: what the models would have said, and how it would have fared.

mod scoring;
mod table;
mod writing;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, bail};
use engine::assemble::{Assembled, assemble_in_time};
use forecast::{BacktestSpec, ModelName};
use jiff::SignedDuration;
use jiff::civil::Date;
use market::{Adjustment, Asset, AssetClass, AssetKind, Symbol, Timeframe};

use crate::cli::{Context, Usage, end_of, max_rows, start_of, usage};
use crate::compose::{Opened, system_clock};
use crate::screen::{self, count};

const EXAMPLES: &str = "\
Examples:
  auspex backtest --class stocks --timeframe 1D --from 2018-01-01 --to 2019-12-31
  auspex backtest --symbols BTC,ETH --timeframe 1h --horizons 1,4,24 --from 2022-01-01 --to 2022-12-31 --models har,ensemble
  auspex backtest --class stocks --kind etf --from 2018-01-01 --to 2019-12-31 --csv out --json out.json

Models train on every stored series of the class, whatever is scored, on what was known
before each forecast alone. --csv writes one file a model, with the quantiles of log
returns, as tools/score.py reads them.";

/// What `backtest` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Score these, in either spelling (BTC or BTCUSDT)
    #[arg(long, value_delimiter = ',', value_name = "A,B", required_unless_present = "class")]
    symbols: Vec<String>,
    /// Score all of a class: crypto or stocks
    #[arg(long)]
    class: Option<AssetClass>,
    /// Of the class score this kind alone: coin, equity or etf
    #[arg(long, requires = "class")]
    kind: Option<AssetKind>,
    /// The bars: 1h or 1D
    #[arg(long, default_value = "1D")]
    timeframe: Timeframe,
    /// Bars ahead [default: 1,5,21 for 1D and 1,4,24 for 1h]
    #[arg(long, value_delimiter = ',', value_name = "N,N")]
    horizons: Vec<u32>,
    /// The first day whose bars are forecast from
    #[arg(long, value_name = "DATE")]
    from: Date,
    /// The last day whose bars are forecast from, inclusive
    #[arg(long, value_name = "DATE")]
    to: Date,
    /// How often linear stages and residuals are fitted anew: monthly, quarterly, yearly, or a number of months
    #[arg(long, default_value = "monthly", value_parser = months)]
    refit: Months,
    /// Months between trainings of the boosters
    #[arg(long, default_value_t = 12, value_name = "MONTHS")]
    booster_refit: u32,
    /// Of naive, naive_1000, ewma, har, ridge, boosted_scale, boosted_quantiles, ensemble; or all
    #[arg(long, default_value = "all", value_delimiter = ',', value_name = "A,B")]
    models: Vec<String>,
    /// At most so many sampled rows train one booster [default: engine.max_rows]
    #[arg(long, value_name = "N", value_parser = max_rows)]
    max_rows: Option<usize>,
    /// The view of prices: raw, split or total_return; series that do not have it keep their own
    #[arg(long, default_value = "total_return", value_name = "VIEW")]
    adjustment: Adjustment,
    /// Seed of row samples and boosters [default: engine.seed]
    #[arg(long)]
    seed: Option<u64>,
    /// Write the forecasts into this folder, one file a model
    #[arg(long, value_name = "DIR")]
    csv: Option<PathBuf>,
    /// Write all figures to this file; - for stdout instead of the table
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// A number of months.
#[derive(Debug, Clone, Copy)]
struct Months(u32);

fn months(text: &str) -> Result<Months, String> {
    match text {
        "monthly" => Ok(Months(1)),
        "quarterly" => Ok(Months(3)),
        "yearly" => Ok(Months(12)),
        _ => match text.parse() {
            Ok(months) if months >= 1 => Ok(Months(months)),
            _ => Err("monthly, quarterly, yearly or a number of months is expected".to_owned()),
        },
    }
}

pub(crate) async fn run(args: Args, context: Context) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let opened = context.open_existing().await?;
    let (class, scored) = scored(&args, &opened)?;
    let spec = spec(&args, &context)?;
    let assembled = load(&args, &opened, class).await?;
    opened.store.close().await;

    // What is asked for and not stored is said, not left out in silence.
    let stored = |symbol: &Symbol| assembled.panel.asset(symbol).is_some();
    if let Some(missing) = scored.iter().find(|asset| !args.symbols.is_empty() && !stored(&asset.symbol)) {
        bail!("no {} bars of {} are stored", args.timeframe, missing.symbol);
    }
    let symbols: Vec<Symbol> = scored.into_iter().map(|asset| asset.symbol).filter(|symbol| stored(symbol)).collect();
    if symbols.is_empty() {
        bail!("nothing to score: no {} bars of that class and kind are stored", args.timeframe);
    }
    let spec = BacktestSpec { symbols, ..spec };
    tokio::task::spawn_blocking(move || report(&args, &assembled, &spec, started))
        .await
        .context("the backtest broke off")?
}

/// Whose forecasts are scored, and of which class.
fn scored(args: &Args, opened: &Opened) -> anyhow::Result<(AssetClass, Vec<Asset>)> {
    let mut scored: Vec<Asset> = match args.symbols.is_empty() {
        true => opened.assets.iter().filter(|asset| asset.kind != AssetKind::Index).cloned().collect(),
        false => opened.assets_named(&args.symbols)?.into_iter().cloned().collect(),
    };
    let class = match (args.class, scored.first()) {
        (Some(class), _) => class,
        (None, Some(first)) => first.class(),
        (None, None) => return usage("--symbols or --class is needed"),
    };
    if class == AssetClass::Macro {
        return usage("macro series are forecast from vintages, not from bars: see `auspex replay`");
    }
    if let Some(other) = scored.iter().find(|asset| !args.symbols.is_empty() && asset.class() != class) {
        return usage(format!("{} is not of class {class}: one backtest is of one class", other.symbol));
    }
    // A stablecoin has no say in the figures of its class.
    let stands = |asset: &Asset| match args.kind {
        Some(kind) => asset.kind == kind,
        None => !args.symbols.is_empty() || asset.kind != AssetKind::Stable,
    };
    scored.retain(|asset| asset.class() == class && stands(asset));
    Ok((class, scored))
}

fn spec(args: &Args, context: &Context) -> anyhow::Result<BacktestSpec> {
    if !matches!(args.timeframe, Timeframe::H1 | Timeframe::D1) {
        return usage(format!("--timeframe is {}: 1h or 1D is expected", args.timeframe));
    }
    if args.from > args.to {
        return usage(format!("--from {} is after --to {}", args.from, args.to));
    }
    let horizons = match (args.horizons.as_slice(), args.timeframe) {
        ([], Timeframe::H1) => vec![1, 4, 24],
        ([], _) => vec![1, 5, 21],
        (given, _) => given.to_vec(),
    };
    if horizons.iter().any(|horizon| !(1..=1000).contains(horizon)) {
        return usage("--horizons are numbers of bars from 1 to 1000");
    }
    let engine = context.settings.engine(market::ChainId::live());
    Ok(BacktestSpec {
        models: models(&args.models)?,
        refit_months: args.refit.0,
        booster_refit_months: args.booster_refit.max(1),
        max_rows: args.max_rows.unwrap_or(engine.max_rows),
        seed: args.seed.unwrap_or(engine.seed),
        ..BacktestSpec::new(horizons, start_of(args.from) + TICK, end_of(args.to) + TICK)
    })
}

/// A day is named by its bars' opens, a forecast's moment by a bar's close: the bar that closes with the end of a day
/// belongs to it.
const TICK: SignedDuration = SignedDuration::from_micros(1);

fn models(names: &[String]) -> anyhow::Result<Vec<ModelName>> {
    let mut models = Vec::new();
    for name in names {
        let more = match name.as_str() {
            "all" => ModelName::ALL.to_vec(),
            name => {
                vec![name.parse().map_err(|error: forecast::model::UnknownModel| Usage(format!("--models: {error}")))?]
            }
        };
        models.extend(more);
    }
    models.sort_unstable();
    models.dedup();
    Ok(models)
}

async fn load(args: &Args, opened: &Opened, class: AssetClass) -> anyhow::Result<Assembled> {
    let spinner = screen::spinner("reading bars");
    let now = system_clock().now();
    let assembled =
        assemble_in_time(&*opened.store, &opened.assets, class, args.timeframe, now, Some(args.adjustment)).await;
    spinner.finish_and_clear();
    assembled.context("see `auspex import bars --help`")
}

/// Runs it and says what came of it.
fn report(args: &Args, assembled: &Assembled, spec: &BacktestSpec, started: Instant) -> anyhow::Result<ExitCode> {
    let bar = screen::count_bar(0, "backtesting");
    let read_s = started.elapsed().as_secs_f64();
    let run = forecast::backtest(&assembled.panel, spec, &mut |progress| {
        bar.set_length(progress.total as u64);
        bar.set_position(progress.done as u64);
        bar.set_message(format!("backtesting {}", crate::cli::date_of(progress.through)));
    });
    bar.finish_and_clear();
    let run = run.context("the backtest failed")?;
    let run_s = started.elapsed().as_secs_f64() - read_s;
    let forecasts: usize = run.series.iter().map(|series| series.rows.len()).sum();
    if forecasts == 0 {
        bail!("there is nothing to score: no bars between {} and {} have an outcome", args.from, args.to);
    }
    if let Some(folder) = &args.csv {
        let spinner = screen::spinner("writing CSV");
        writing::write(folder, assembled, &run, args.timeframe)?;
        spinner.finish_and_clear();
    }
    let spinner = screen::spinner("scoring");
    let lines = scoring::score(assembled, &run)?;
    spinner.finish_and_clear();
    let elapsed = table::Elapsed { read_s, run_s, all_s: started.elapsed().as_secs_f64() };
    let json = || table::to_json(args.timeframe, spec, assembled, &lines, &elapsed);
    match &args.json {
        Some(path) if path.as_os_str() == "-" => screen::say_json(&json())?,
        path => {
            screen::say(table::to_text(args.timeframe, spec, &lines))?;
            if let Some(path) = path {
                let text = serde_json::to_string_pretty(&json())? + "\n";
                std::fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))?;
            }
        }
    }
    screen::note(format!(
        "{} forecasts of {} assets in {:.1} s ({} forecasts/s; reading {read_s:.1} s, all {:.1} s)",
        count(forecasts as u64),
        spec.symbols.len(),
        run_s,
        count((forecasts as f64 / run_s.max(1e-3)) as u64),
        elapsed.all_s,
    ));
    Ok(ExitCode::SUCCESS)
}
