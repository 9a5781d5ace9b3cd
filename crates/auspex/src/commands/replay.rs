//! `auspex replay`: the live pipeline on recorded history, point in time.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, bail};
use engine::replay::{Replay, Summary, Told};
use engine::{Engine, EngineError};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use market::{Adjustment, AssetClass, ChainId, Clock, ManualClock, Origin, Timeframe};
use serde_json::json;
use storage::ChainInfo;
use tokio_util::sync::CancellationToken;

use super::import::{self, BarReading};
use crate::cli::{Context, Usage, end_of, max_rows, start_of, usage};
use crate::compose::system_clock;
use crate::lifecycle::cancel_on_signal;
use crate::screen::{self, count};

const EXAMPLES: &str = "\
Examples:
  auspex replay --data ~/stocks_daily --adjustment total_return --from 2018-01-01 --to 2019-12-31 --timeframe 1D
  auspex replay --symbols BTC,ETH --timeframe 1h,4h --from 2023-01-01 --to 2023-03-31 --run-id spring
  auspex replay --from 2023-01-01 --to 2023-01-07 --speed 60

Every row is handed to the engine when its time has come and not before; models are trained
on what was known then and refitted with each month. The forecasts go to a ledger of their
own, replay/RUN, never to the live one. The same run again goes on where it ended.";

/// What `replay` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// First bring these files into the home; bars, observations and actions are told apart by their headers
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// How the prices of --data are adjusted: raw, split or total_return
    #[arg(long, default_value = "raw", value_name = "VIEW", requires = "data")]
    adjustment: Adjustment,
    /// Only these assets are forecast, in either spelling; models still train on all that is stored
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    symbols: Vec<String>,
    /// Only these timeframes are forecast: 1h, 4h, 1D, 1W, 1M, 1Q
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    timeframe: Vec<Timeframe>,
    /// The first day; all that was known when it began is history
    #[arg(long, value_name = "DATE")]
    from: Date,
    /// The last day, inclusive
    #[arg(long, value_name = "DATE")]
    to: Date,
    /// Seconds of history a second, or max
    #[arg(long, default_value = "max", value_name = "N", value_parser = speed)]
    speed: Speed,
    /// The name of the run [default: the present moment]
    #[arg(long, value_name = "NAME")]
    run_id: Option<String>,
    /// Seed of training [default: engine.seed]
    #[arg(long)]
    seed: Option<u64>,
    /// At most so many sampled rows train one booster [default: engine.max_rows]
    #[arg(long, value_name = "N", value_parser = max_rows)]
    max_rows: Option<usize>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Seconds of history a second; `None` for as fast as it goes.
#[derive(Debug, Clone, Copy)]
struct Speed(Option<f64>);

fn speed(text: &str) -> Result<Speed, String> {
    if text == "max" {
        return Ok(Speed(None));
    }
    match text.parse::<f64>() {
        Ok(speed) if speed.is_finite() && speed > 0.0 => Ok(Speed(Some(speed))),
        _ => Err("a positive number, or max, is expected".to_owned()),
    }
}

pub(crate) async fn run(args: Args, context: Context) -> anyhow::Result<ExitCode> {
    if args.from > args.to {
        return usage(format!("--from {} is after --to {}", args.from, args.to));
    }
    let ever = |timeframe: &Timeframe| {
        [AssetClass::Crypto, AssetClass::Stocks, AssetClass::Macro]
            .iter()
            .any(|class| Timeframe::forecast_for(*class).contains(timeframe))
    };
    if let Some(never) = args.timeframe.iter().find(|timeframe| !ever(timeframe)) {
        return usage(format!("--timeframe {never}: nothing is forecast on it"));
    }
    // A day's last bar closes with the beginning of the next.
    let (from, to) = (start_of(args.from), end_of(args.to) + SignedDuration::from_micros(1));
    let _lock = context.home.lock()?;
    let mut opened = match &args.data {
        Some(_) => context.open().await?,
        None => context.open_existing().await?,
    };
    if let Some(data) = &args.data {
        let bars = BarReading::plain(args.adjustment);
        let summary = import::import_folder(&context, &mut opened, data, &bars, &[]).await?;
        screen::note(import::to_text(&summary));
        if !summary.went_well() {
            let (_, error) = summary.failed.first().context("nothing in the folder could be kept")?;
            bail!("{error}");
        }
    }
    let run_id = args.run_id.clone().unwrap_or_else(|| system_clock().now().strftime("%Y%m%dT%H%M%S%3fZ").to_string());
    let chain = ChainId::new(Origin::Replay, Some(&run_id)).map_err(|error| Usage(format!("--run-id: {error}")))?;
    let assets = opened.assets_named(&args.symbols)?;
    let (symbols, classes): (Vec<_>, Vec<_>) =
        assets.into_iter().map(|asset| (asset.symbol.clone(), asset.class())).unzip();

    // A run that was broken off goes on where its ledger ends.
    let head = opened.store.head(&chain).await?;
    let begin = head.as_ref().map_or(from, |head| head.recorded_at.max(from));
    let clock = Arc::new(ManualClock::new(begin));
    let engine = context.engine(&opened, chain.clone(), Arc::clone(&clock) as Arc<dyn Clock>, |settings| {
        if !symbols.is_empty() {
            (settings.symbols, settings.classes) = (symbols, classes);
        }
        if !args.timeframe.is_empty() {
            settings.timeframes.clone_from(&args.timeframe);
        }
        settings.seed = args.seed.unwrap_or(settings.seed);
        settings.max_rows = args.max_rows.unwrap_or(settings.max_rows);
    });
    let engine = engine.await?;
    if let Some(head) = &head {
        screen::note(format!("{chain} goes on after entry {}, recorded at {}", head.seq, head.recorded_at));
    }
    let started = Instant::now();
    let replay = Replay { from: begin, to, speed: args.speed.0 };
    let summary = match begin >= to {
        true => Summary::default(),
        false => drive(&replay, &engine, &clock, head.is_some()).await?,
    };
    let head = opened.store.head(&chain).await?;
    opened.store.close().await;
    let Some(head) = head else { bail!("nothing was written") };
    let seconds = started.elapsed().as_secs_f64();
    match args.json {
        true => screen::say_json(&to_json(&head, &summary, clock.now(), seconds))?,
        false => screen::say(to_text(&head, &summary, clock.now(), seconds))?,
    }
    if head.seq == 0 {
        bail!("no asset was forecast: none that was asked for had enough bars from {} to {}", args.from, args.to);
    }
    Ok(ExitCode::SUCCESS)
}

async fn drive(replay: &Replay, engine: &Engine, clock: &Arc<ManualClock>, goes_on: bool) -> anyhow::Result<Summary> {
    let token = CancellationToken::new();
    cancel_on_signal(token.clone())?;
    let bar = screen::count_bar(0, "replaying");
    let mut tell = |told: Told| match told {
        // A refit keeps the verdict of the training before.
        Told::Trained(trained) if trained.gates.is_empty() && trained.promoted => {}
        Told::Trained(trained) => screen::note(format!(
            "{} {} trained through {}: {}",
            trained.asset_class, trained.timeframe, trained.trained_through, trained.reason
        )),
        Told::Untrained { asset_class, timeframe, reason } => {
            screen::note(format!("{asset_class} {timeframe}: no model yet, the baseline is served: {reason}"));
        }
        Told::Stepped { now, done, total, .. } => {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
            bar.set_message(format!("replaying {}", crate::cli::date_of(now)));
        }
    };
    let summary = replay.run(engine, clock, &token, &mut tell).await;
    bar.finish_and_clear();
    if goes_on && matches!(summary, Err(EngineError::NothingToReplay { .. })) {
        return Ok(Summary::default());
    }
    match summary {
        Err(error @ EngineError::NothingToReplay { .. }) => Err(error.into()),
        summary => summary.context("the replay broke off; what was written stands, and the same --run-id goes on"),
    }
}

fn to_text(head: &ChainInfo, summary: &Summary, now: Timestamp, seconds: f64) -> String {
    format!(
        "{}: {} steps through {now} in {seconds:.1} s\n  {} forecasts issued, {} horizons scored, {} void, {} slots \
         missed\n  head {} {}\n  see `auspex score --origin replay --run {}`",
        head.chain,
        count(summary.steps as u64),
        count(summary.issued as u64),
        count(summary.resolved as u64),
        count(summary.voided as u64),
        count(summary.missed),
        head.seq,
        head.hash,
        head.chain.run_id().unwrap_or_default(),
    )
}

fn to_json(head: &ChainInfo, summary: &Summary, now: Timestamp, seconds: f64) -> serde_json::Value {
    json!({
        "chain": head.chain.to_string(),
        "run_id": head.chain.run_id(),
        "through": now,
        "steps": summary.steps,
        "issued": summary.issued,
        "resolved": summary.resolved,
        "voided": summary.voided,
        "missed": summary.missed,
        "head": { "seq": head.seq, "hash": head.hash.to_string() },
        "elapsed_s": seconds,
    })
}
