//! A folder of recorded data as the reels of a simulated market.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use engine::ingest::primary;
use jiff::Timestamp;
use market::{Adjustment, Bar};
use simulator::Reel;
use storage::{BarQuery, SqliteStore, Store};

use crate::cli::{Context, usage};
use crate::commands::import::{BarReading, import_folder, refusals_to_text};
use crate::compose::Opened;
use crate::intake::Summary;
use crate::screen::{self, count};

/// Reads a folder as `auspex import` would, into memory.
///
/// Where a series is there more than once, the least adjusted of those that reach furthest is taken; prices that are
/// adjusted already are told as they are, and the actions behind them are not.
pub(crate) async fn read(folder: &Path, adjustment: Adjustment, context: &Context) -> anyhow::Result<Vec<Reel>> {
    if !folder.is_dir() {
        return usage(format!("{} is no folder", folder.display()));
    }
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open_in_memory().await?);
    let assets = market::universe::default_universe();
    store.put_assets(&assets).await?;
    let mut opened = Opened { store: Arc::clone(&store), assets };
    let summary = import_folder(context, &mut opened, folder, &BarReading::plain(adjustment), &[]).await?;
    screen::note(told(&summary));
    if let Some((_, error)) = summary.failed.first() {
        return usage(error.as_str());
    }
    reels(&*store).await.context("failed to read back what was recorded")
}

/// What was read, for people. Nothing of it is kept in a home.
fn told(summary: &Summary) -> String {
    let kept: Vec<String> = summary.kept.iter().map(|(kind, n)| format!("{} {kind}", count(*n))).collect();
    let what = if kept.is_empty() { "nothing".to_owned() } else { kept.join(", ") };
    format!("read {what} from {} files{}", summary.files, refusals_to_text(summary))
}

async fn reels(store: &dyn Store) -> anyhow::Result<Vec<Reel>> {
    let series = store.series().await?;
    let mut reels = Vec::new();
    for asset in store.assets().await? {
        let mut bars: BTreeMap<market::Timeframe, Vec<Bar>> = BTreeMap::new();
        let mut adjusted = false;
        for timeframe in market::Timeframe::ALL {
            let Some(info) = primary(&series, &asset.symbol, timeframe, Timestamp::MAX) else { continue };
            adjusted |= info.key.adjustment != market::Adjustment::Raw;
            let query = BarQuery { key: &info.key, as_of: Timestamp::MAX, from: None, to: None, last: None };
            bars.insert(timeframe, store.bars(&query).await?);
        }
        let actions = if adjusted { Vec::new() } else { store.actions(&asset.symbol, Timestamp::MAX).await? };
        let mut observations = store.observations(&asset.source_symbol, Timestamp::MAX).await?;
        observations.sort_by_key(|row| row.known_at);
        if !bars.is_empty() || !observations.is_empty() {
            reels.push(Reel { asset, bars, actions, observations });
        }
    }
    Ok(reels)
}
