//! `auspex universe`: which assets are followed, and how to add more.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use engine::ingest::list_asset;
use engine::live::Roster;
use jiff::SignedDuration;
use market::universe::asset_for_source_symbol;
use market::{Asset, AssetClass, AssetKind, Timeframe};
use serde_json::json;
use sources::constituents::{self, List, Members};
use sources::http::{Http, HttpSettings};
use sources::pace::Budget;
use sources::{Failure, Request};
use tracing::warn;

use crate::cli::{Context, usage};
use crate::compose::Opened;
use crate::feeds::Feeds;
use crate::screen::{self, count};
use crate::settings::SourceSettings;

const EXAMPLES: &str = "\
Examples:
  auspex universe
  auspex universe add LTCUSDT KO
  auspex universe add nasdaq100
  auspex universe add QQQ --kind etf

What is added is asked of its source first; the members of an index are taken from the page
that is set in [sources.lists]. A running `auspex serve` takes new assets up by itself.";

/// What `universe` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the assets
    List,
    /// Add assets by symbol, or the members of an index: sp500, nasdaq100
    Add {
        /// Symbols as the vendor spells them (LTCUSDT, KO, BRK-B), or sp500, nasdaq100
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// What they are, where the spelling does not tell: coin, stable, equity, etf, index
        #[arg(long)]
        kind: Option<AssetKind>,
        /// Do not ask the source whether it knows them
        #[arg(long)]
        unchecked: bool,
    },
}

pub(crate) async fn run(args: Args, context: Context) -> anyhow::Result<ExitCode> {
    let opened = context.open().await?;
    let outcome = match args.what {
        None | Some(What::List) => list(&opened, args.json).await,
        Some(What::Add { names, kind, unchecked }) => add(&opened, &context, &names, kind, unchecked, args.json).await,
    };
    opened.store.close().await;
    outcome
}

async fn list(opened: &Opened, as_json: bool) -> anyhow::Result<ExitCode> {
    let series = opened.store.series().await?;
    let n_bars = |asset: &Asset| -> u64 {
        series.iter().filter(|info| info.key.symbol == asset.symbol).map(|info| info.n_bars).sum()
    };
    if as_json {
        let row = |asset: &Asset| {
            json!({
                "symbol": asset.symbol.as_str(), "name": asset.name, "class": asset.class().as_str(),
                "kind": asset.kind.as_str(), "source_symbol": asset.source_symbol, "quote": asset.quote,
                "n_bars": n_bars(asset),
            })
        };
        screen::say_json(&json!(opened.assets.iter().map(row).collect::<Vec<_>>()))?;
    } else {
        for asset in &opened.assets {
            let (class, bars) = (asset.class(), count(n_bars(asset)));
            let Asset { symbol, name, kind, .. } = asset;
            screen::say(format!("{symbol:<20} {class:<7} {kind:<7} {bars:>12} bars  {name}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn add(
    opened: &Opened,
    context: &Context,
    names: &[String],
    kind: Option<AssetKind>,
    unchecked: bool,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let settings = &context.settings.sources;
    let feeds = Feeds::find(settings).await?;
    let roster = feeds.roster(settings)?;
    let (mut added, mut known): (Vec<Asset>, usize) = (Vec::new(), 0);
    for name in names {
        let wanted: Vec<Asset> = match index(name, settings)? {
            Some(list) => members(&list, &feeds, settings).await?,
            None => {
                let asset = asset(name, kind, &opened.assets)?;
                if !unchecked && !opened.assets.contains(&asset) {
                    check(&asset, &roster, &feeds).await?;
                }
                vec![asset]
            }
        };
        for asset in wanted {
            let listed = opened.assets.iter().find(|other| other.symbol == asset.symbol);
            if listed.is_some() && (listed == Some(&asset) || index(name, settings)?.is_some()) {
                known += 1;
                continue;
            }
            list_asset(&*opened.store, listed, &asset).await.context("failed to add to the universe")?;
            added.push(asset);
        }
    }
    let symbols: Vec<&str> = added.iter().map(|asset| asset.symbol.as_str()).collect();
    match as_json {
        true => screen::say_json(&json!({ "added": symbols, "already_there": known }))?,
        false => screen::say(format!("{} added, {known} already there: {}", symbols.len(), symbols.join(" ")))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The index a name stands for.
fn index(name: &str, settings: &SourceSettings) -> anyhow::Result<Option<List>> {
    let (mut list, page) = match name.to_ascii_lowercase().as_str() {
        "sp500" => (List::sp500(), &settings.lists.sp500),
        "nasdaq100" => (List::nasdaq100(), &settings.lists.nasdaq100),
        _ => return Ok(None),
    };
    if !page.is_empty() {
        list.url = page.parse().context("the address of the page is none")?;
    }
    Ok(Some(list))
}

async fn members(list: &List, feeds: &Feeds, settings: &SourceSettings) -> anyhow::Result<Vec<Asset>> {
    let period = std::time::Duration::from_secs(1);
    let budget = Budget::new(std::sync::Arc::clone(&feeds.clock), period, std::num::NonZeroU32::MIN);
    let http = Http::new(feeds.http(settings, HttpSettings::default()), budget);
    let Members { members, refused, .. } = match constituents::fetch(list, &http).await {
        Ok(members) => members,
        Err(failure) => bail!("the members of {} could not be read: {}", list.name, failure.in_words()),
    };
    for row in refused {
        warn!("{}: {row}", list.name);
    }
    let asset = |member: constituents::Member| Asset {
        source_symbol: member.symbol.to_string(),
        symbol: member.symbol,
        name: member.name,
        kind: AssetKind::Equity,
        quote: "USD".to_owned(),
    };
    Ok(members.into_iter().map(asset).collect())
}

fn asset(name: &str, kind: Option<AssetKind>, known: &[Asset]) -> anyhow::Result<Asset> {
    let mut asset = match asset_for_source_symbol(name, known) {
        Ok(asset) => asset,
        Err(error) => return usage(error.to_string()),
    };
    if let Some(kind) = kind {
        asset.kind = kind;
    }
    if asset.class() == AssetClass::Macro && !known.contains(&asset) {
        return usage("macro series are added by `auspex import observations --add`");
    }
    Ok(asset)
}

/// Asks the source that would come first whether it knows the asset.
async fn check(asset: &Asset, roster: &Roster, feeds: &Feeds) -> anyhow::Result<()> {
    let Some(source) = roster.first_for(asset, Timeframe::D1) else {
        return usage(format!("no source that is enabled has {} bars of {}", Timeframe::D1, asset.symbol));
    };
    let to = feeds.clock.now();
    let request = Request { asset, timeframe: Timeframe::D1, from: to - SignedDuration::from_hours(24 * 14), to };
    match source.fetch(&request).await {
        Ok(fetched) if fetched.bars.is_empty() => usage(format!("{} has no bars of {}", source.name(), asset.symbol)),
        Ok(_) => Ok(()),
        Err(failure @ Failure::Unknown { .. }) => usage(failure.in_words()),
        Err(failure) => bail!("{}; --unchecked adds it without asking", failure.in_words()),
    }
}
