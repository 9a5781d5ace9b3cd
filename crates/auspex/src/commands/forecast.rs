//! `auspex forecast`: one asset, from its newest closed bars, without a word to the ledger.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use engine::EngineError;
use engine::body::{Body, ForecastBody};
use market::forecast::ModelKind;
use market::{AssetClass, ChainId, Direction, Forecast, HorizonForecast, LEVELS, Origin, Timeframe, Unit};
use serde_json::json;

use crate::cli::{Context, usage};
use crate::compose::{Opened, system_clock};
use crate::screen::{self, Table, number, price};

const EXAMPLES: &str = "\
Examples:
  auspex forecast BTC
  auspex forecast AAPL --timeframe 1W
  auspex forecast ETH --timeframe 1h --json

The forecast is computed from the newest closed bars that are stored, printed, and written
to no ledger: those are written by `serve` on schedule alone.";

/// What `forecast` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// What to forecast, such as BTC or AAPL
    symbol: String,
    /// 1h, 4h, 1D, 1W or 1M; a macro series has its release period alone [default: 1D, or that]
    #[arg(long)]
    timeframe: Option<Timeframe>,
    /// Whose models to use: live, replay or simulated [default: live, or the only ledger there is]
    #[arg(long)]
    origin: Option<Origin>,
    /// Which run of that origin [default: the latest]
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args, context: Context) -> anyhow::Result<ExitCode> {
    let opened = context.open_existing().await?;
    let asset = opened.asset(&args.symbol)?.clone();
    let chain = chain(&args, &opened).await?;
    let engine = context.engine(&opened, chain, system_clock(), |settings| {
        // Nothing is written here: what is not asked for need not be read.
        settings.classes = vec![asset.class()];
    });
    let engine = engine.await?;
    let timeframe = args.timeframe.unwrap_or_else(|| engine.default_timeframe(&asset.symbol));
    let known = engine.forecast_timeframes(&asset.symbol);
    if !known.is_empty() && !known.contains(&timeframe) {
        let known: Vec<&str> = known.iter().map(|timeframe| timeframe.as_str()).collect();
        return usage(format!("{} is forecast on {}, not on {timeframe}", asset.symbol, known.join(", ")));
    }
    if known.is_empty() && asset.class() == AssetClass::Macro {
        bail!("no values of {} are stored; see `auspex import observations --help`", asset.symbol);
    }
    let body = match engine.recompute(&asset.symbol, timeframe).await {
        Err(error @ EngineError::NoBars { .. }) => {
            return Err(error).context("there is nothing to forecast from; see `auspex import --help`");
        }
        body => body.with_context(|| format!("failed to forecast {} {timeframe}", asset.symbol))?,
    };
    let Body::Forecast(body) = Body::parse(&body)? else { unreachable!("a forecast was asked for") };
    let forecast = Forecast::try_from(&*body)?;
    opened.store.close().await;
    let stale = engine.is_stale(&forecast);
    let direction = forecast.horizons.first().map(|h| Direction::call(h.prob_up, asset.kind));
    match args.json {
        true => screen::say_json(&to_json(&body, direction, stale)?)?,
        false => screen::say(to_text(&asset.name, &forecast, direction, stale))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The chain whose models are used. A home without any ledger has no models, and serves baselines.
async fn chain(args: &Args, opened: &Opened) -> anyhow::Result<ChainId> {
    let nothing_yet = opened.store.chains().await?.is_empty() && args.origin.is_none();
    match nothing_yet {
        true => Ok(ChainId::live()),
        false => Ok(opened.chain(args.origin, args.run.as_deref()).await?.chain),
    }
}

fn to_json(body: &ForecastBody, direction: Option<Direction>, stale: bool) -> anyhow::Result<serde_json::Value> {
    let mut value = serde_json::to_value(body)?;
    if let Some(object) = value.as_object_mut() {
        let issued_at = object.remove("recorded_at");
        object.insert("computed_at".to_owned(), issued_at.unwrap_or_default());
        object.insert("direction".to_owned(), json!(direction.map(Direction::as_str)));
        object.insert("stale".to_owned(), json!(stale));
    }
    Ok(value)
}

fn to_text(name: &str, forecast: &Forecast, direction: Option<Direction>, stale: bool) -> String {
    let Forecast { symbol, timeframe, as_of, reference_price, data_source, model, .. } = forecast;
    let kind = match model.kind {
        ModelKind::Boosted => format!("model {} ({})", model.name, model.id),
        ModelKind::Baseline => "the naive baseline: no model has earned its place".to_owned(),
    };
    let age = if stale { ", out of date: newer bars should be there" } else { "" };
    let mut text = format!(
        "{symbol} {timeframe} ({name})\n  as of {as_of}{age}\n  from {} at that close, {} prices of {data_source}\n  by {kind}",
        price(*reference_price),
        forecast.adjustment,
    );
    if let (Some(direction), Some(first)) = (direction, forecast.horizons.first()) {
        let confidence = direction.confidence(first.prob_up);
        text += &format!("\n  next bar: {direction} with {confidence:.1} % probability");
    }
    let shown = [0, 2, 4, 6, 8, 10, 12];
    let levels: Vec<String> = shown.iter().map(|at| format!("{}%", 100.0 * LEVELS[*at])).collect();
    let mut headers = vec!["ahead", "target"];
    headers.extend(levels.iter().map(String::as_str));
    headers.extend(["P(up)", "naive 10%", "naive 90%"]);
    let mut table = Table::new(2, &headers);
    for at in &forecast.horizons {
        table.row(row(forecast, at, &shown));
    }
    let unit = match forecast.unit {
        Unit::LogReturn => "prices",
        Unit::Change => "values",
    };
    text + &format!("\n\nQuantiles of {unit}; 10% to 90% is the 80 % interval\n{table}")
}

fn row(forecast: &Forecast, at: &HorizonForecast, shown: &[usize]) -> Vec<String> {
    let level = |number: f64| price(forecast.unit.apply(forecast.reference_price, number));
    let mut cells = vec![at.horizon.to_string(), at.target_time.to_string()];
    cells.extend(shown.iter().map(|index| level(at.quantiles.values()[*index])));
    cells.push(number(Some(at.prob_up), 3));
    let (low, high) = (at.baseline.values()[2], at.baseline.values()[10]);
    cells.extend([level(low), level(high)]);
    cells
}
