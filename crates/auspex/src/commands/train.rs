//! `auspex train`: models are fitted, judged, and served where they beat the baseline.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use engine::train::Trained;
use market::{AssetClass, ChainId, Timeframe};
use serde_json::json;
use tracing::info;

use crate::cli::Context;
use crate::compose::system_clock;
use crate::screen::{self, Table, count, number};
use crate::upkeep::{self, Outcome};

const EXAMPLES: &str = "\
Examples:
  auspex train
  auspex train --class stocks --timeframe 1D
  auspex train --json

One model is trained for each class and bar length that has bars. It is walked forward over
the last months and must beat the naive baseline, keep its intervals honest and pass the
leak gate; otherwise the baseline stays in service. Both are written to the live ledger.";

/// What `train` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Only this class: crypto or stocks
    #[arg(long)]
    class: Option<AssetClass>,
    /// Only models of these bars: 1h or 1D; 4h is made from 1h, 1W and 1M from 1D
    #[arg(long)]
    timeframe: Option<Timeframe>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args, context: Context) -> anyhow::Result<ExitCode> {
    let _lock = context.home.lock()?;
    let opened = context.open_existing().await?;
    let engine = context.engine(&opened, ChainId::live(), system_clock(), |_| ()).await?;
    let mut wanted = engine.trainable();
    wanted.retain(|(class, base)| {
        args.class.is_none_or(|only| only == *class) && args.timeframe.is_none_or(|only| only.base() == *base)
    });
    if wanted.is_empty() {
        bail!("nothing to train on: no bars of that class and length are stored; see `auspex import bars --help`");
    }
    let mut outcomes = Vec::new();
    for (class, base) in wanted {
        info!("training {class} {base}");
        let spinner = screen::spinner(format!("training {class} {base}"));
        let outcome = upkeep::train(&engine, class, base).await;
        spinner.finish_and_clear();
        outcomes.push((class, base, outcome.with_context(|| format!("failed to train {class} {base}"))?));
    }
    opened.store.close().await;
    match args.json {
        true => screen::say_json(&outcomes.iter().map(to_json).collect::<Vec<_>>())?,
        false => screen::say(outcomes.iter().map(to_text).collect::<Vec<_>>().join("\n\n"))?,
    }
    let any = outcomes.iter().any(|(_, _, outcome)| matches!(outcome, Outcome::Trained(_)));
    Ok(if any { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

type Told = (AssetClass, Timeframe, Outcome);

fn to_text((class, base, outcome): &Told) -> String {
    let trained = match outcome {
        Outcome::NotEnough(reason) => return format!("{class} {base}: no model, the baseline is served: {reason}"),
        Outcome::Trained(trained) => trained,
    };
    let Trained { model_id, trained_through, promoted, reason, gates, .. } = trained;
    let verdict = if *promoted { "promoted" } else { "not promoted" };
    let mut text = format!("{class} {base}: model {model_id}, through {trained_through}: {verdict}\n  {reason}");
    if !gates.is_empty() {
        let mut table = Table::new(1, &["  bars ahead", "n", "skill %", "DM p", "cov80", "cov95"]);
        for gate in gates {
            table.row(vec![
                format!("  {}", gate.horizon),
                count(gate.n as u64),
                number(Some(100.0 * gate.skill), 2),
                number(gate.p_value, 4),
                number(Some(gate.coverage_80), 3),
                number(Some(gate.coverage_95), 3),
            ]);
        }
        text += &format!("\n{table}");
    }
    text
}

fn to_json((class, base, outcome): &Told) -> serde_json::Value {
    let (asset_class, timeframe) = (class.as_str(), base.as_str());
    match outcome {
        Outcome::NotEnough(reason) => json!({
            "asset_class": asset_class, "timeframe": timeframe, "model_id": null, "promoted": false, "reason": reason,
        }),
        Outcome::Trained(trained) => {
            let gates = trained.gates.iter().map(|gate| {
                json!({
                    "horizon": gate.horizon, "n": gate.n, "skill": gate.skill, "p_value": gate.p_value,
                    "coverage_80": gate.coverage_80, "coverage_95": gate.coverage_95,
                })
            });
            json!({
                "asset_class": asset_class, "timeframe": timeframe, "model_id": trained.model_id,
                "sha256": trained.sha256.to_string(), "trained_through": trained.trained_through,
                "promoted": trained.promoted, "reason": trained.reason, "gates": gates.collect::<Vec<_>>(),
            })
        }
    }
}
