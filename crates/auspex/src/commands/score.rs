//! `auspex score`: how the forecasts of a ledger fared.

use std::process::ExitCode;

use engine::track::{Wanted, scoreboard_of};
use engine::views::ScoreboardRow;
use forecast::score::{Coverage, Interval, Rate};
use jiff::civil::Date;
use market::{AssetClass, Origin, Timeframe};
use serde_json::json;

use crate::cli::{Context, start_of};
use crate::screen::{self, Table, count, number};

const EXAMPLES: &str = "\
Examples:
  auspex score
  auspex score --origin replay --class stocks --timeframe 1D
  auspex score --symbol BTC --timeframe 1h
  auspex score --since 2024-01-01 --json

Every line stands beside n, its interval and the naive baseline on the same cases; p-values
are adjusted for the number of lines (Benjamini-Hochberg). With too few cases it says so.";

/// What `score` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// live, replay or simulated [default: live, or the only ledger there is]
    #[arg(long)]
    origin: Option<Origin>,
    /// Which run of that origin [default: the latest]
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Only this asset, in either spelling: its track record one bar ahead is what its trends show
    #[arg(long, value_name = "SYMBOL")]
    symbol: Option<String>,
    /// Only this class: crypto, stocks or macro
    #[arg(long)]
    class: Option<AssetClass>,
    /// Only this timeframe
    #[arg(long)]
    timeframe: Option<Timeframe>,
    /// Only forecasts made on or after this day
    #[arg(long, value_name = "DATE")]
    since: Option<Date>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args, context: Context) -> anyhow::Result<ExitCode> {
    let opened = context.open_existing().await?;
    let info = opened.chain(args.origin, args.run.as_deref()).await?;
    let symbol = args.symbol.map(|text| opened.asset(&text).map(|asset| asset.symbol.clone())).transpose()?;
    let since = args.since.map(start_of);
    let named = symbol.as_ref().map(ToString::to_string);
    let wanted = Wanted { symbol, class: args.class, timeframe: args.timeframe, since };
    let board = scoreboard_of(&*opened.store, &info.chain, &opened.assets, &wanted).await?;
    opened.store.close().await;
    match args.json {
        true => {
            let lines: Vec<_> = board.iter().map(to_json).collect();
            screen::say_json(&json!({ "chain": info.chain.to_string(), "symbol": named, "scoreboard": lines }))?;
        }
        false => screen::say(to_text(&info.chain.to_string(), &board))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn to_text(chain: &str, board: &[ScoreboardRow]) -> String {
    if board.is_empty() {
        return format!("ledger {chain}: nothing has matured and been scored yet");
    }
    let headers = [
        "class",
        "timeframe",
        "ahead",
        "assets",
        "n",
        "crps bp",
        "skill %",
        "95 % interval",
        "p adj.",
        "cov80",
        "cov95",
        "hit %",
        "verdict",
    ];
    let mut table = Table::new(2, &headers);
    for row in board {
        let summary = &row.summary;
        // Macro series have units of their own: their losses have no common mean.
        let crps = summary.crps.filter(|_| row.asset_class != AssetClass::Macro);
        table.row(vec![
            row.asset_class.to_string(),
            row.timeframe.to_string(),
            row.horizon.to_string(),
            row.n_assets.to_string(),
            count(summary.n as u64),
            number(crps.map(|crps| 1e4 * crps), 2),
            number(summary.skill.map(|skill| 100.0 * skill), 2),
            summary.skill_interval.map_or_else(
                || "–".to_owned(),
                |interval| format!("[{:.2}, {:.2}]", 100.0 * interval.low, 100.0 * interval.high),
            ),
            number(row.adjusted_p_value, 4),
            number(observed(summary.coverage_80.as_ref()), 3),
            number(observed(summary.coverage_95.as_ref()), 3),
            number(summary.hit_rate.map(|rate| 100.0 * rate.rate), 1),
            row.verdict.to_string(),
        ]);
    }
    format!("ledger {chain}\n{table}")
}

fn observed(coverage: Option<&Coverage>) -> Option<f64> {
    coverage.map(|coverage| coverage.observed.rate)
}

fn to_json(row: &ScoreboardRow) -> serde_json::Value {
    let ends = |interval: Interval| json!([interval.low, interval.high]);
    let rate = |rate: Rate| json!({ "rate": rate.rate, "n": rate.n, "ci": rate.interval.map(ends) });
    let coverage = |coverage: Coverage| json!({ "level": coverage.level, "observed": rate(coverage.observed), "width": coverage.width });
    let summary = &row.summary;
    json!({
        "asset_class": row.asset_class.as_str(),
        "timeframe": row.timeframe.as_str(),
        "horizon": row.horizon,
        "n_assets": row.n_assets,
        "n": summary.n,
        "n_calls": summary.n_calls,
        "crps": summary.crps,
        "crps_baseline": summary.crps_baseline,
        "pinball": summary.pinball,
        "crps_skill": summary.skill,
        "ci": summary.skill_interval.map(ends),
        "crps_skill_pooled": summary.skill_pooled,
        "p_value": summary.p_value(),
        "adjusted_p_value": row.adjusted_p_value,
        "verdict": row.verdict.as_str(),
        "coverage_80": summary.coverage_80.map(coverage),
        "coverage_95": summary.coverage_95.map(coverage),
        "hit_rate": summary.hit_rate.map(rate),
        "always_up": summary.always_up.map(rate),
        "naive_hit_rate": summary.naive_hit_rate.map(rate),
        "hold_share": summary.hold_share,
        "brier": summary.brier,
        "brier_baseline": summary.brier_baseline,
    })
}
