//! The simulated past, stored in bulk.

use std::collections::BTreeMap;

use anyhow::Context as _;
use engine::Engine;
use jiff::Timestamp;
use market::{Action, Adjustment, Asset, Bar, Observation, Timeframe};
use simulator::{Feed, Market, Step};
use storage::{SeriesKey, Store};
use tokio::sync::mpsc;

use super::SOURCE;
use super::plan::Plan;
use crate::screen;

/// The series of an asset's simulated bars.
pub(super) fn series_key(asset: &Asset, timeframe: Timeframe) -> SeriesKey {
    SeriesKey { symbol: asset.symbol.clone(), timeframe, adjustment: Adjustment::Raw, source: SOURCE.to_owned() }
}

/// Rows are stored when so many of a series have come together.
const BATCH: usize = 20_000;

/// Rows of one series.
enum Rows {
    Bars(usize, Timeframe, Vec<Bar>),
    Actions(usize, Vec<Action>),
    Observations(usize, Vec<Observation>),
}

/// Stores everything known where the plan begins, and gives the feed that goes on from there. What is stored already
/// stays: the same again changes nothing.
pub(super) async fn store(engine: &Engine, market: &Market, plan: &Plan) -> anyhow::Result<Feed> {
    let store = engine.store();
    store.put_assets(market.assets()).await.context("failed to store the universe")?;
    let (sender, mut receiver) = mpsc::channel(4);
    let (walked, until) = (market.clone(), plan.begin);
    let walk = tokio::task::spawn_blocking(move || walk(&walked, until, &sender));
    let spinner = screen::spinner("simulating history");
    while let Some(rows) = receiver.recv().await {
        put(&**store, market.assets(), rows).await.context("failed to store the simulated history")?;
    }
    let feed = walk.await.context("the simulator broke off")?;
    spinner.finish_and_clear();
    feed.context("the history was not stored to its end")
}

/// Sends everything known at `until`; `None` when nobody listens any more.
fn walk(market: &Market, until: Timestamp, sender: &mpsc::Sender<Rows>) -> Option<Feed> {
    let mut bars: BTreeMap<(usize, Timeframe), Vec<Bar>> = BTreeMap::new();
    let mut actions: BTreeMap<usize, Vec<Action>> = BTreeMap::new();
    let mut observations: BTreeMap<usize, Vec<Observation>> = BTreeMap::new();
    let mut feed = market.feed();
    while feed.next_at().is_some_and(|at| at <= until) {
        let Step { bars: closed, actions: acted, observations: released, .. } = feed.next()?;
        for step in closed {
            let of = bars.entry((step.asset, step.timeframe)).or_default();
            of.push(step.bar);
            if of.len() >= BATCH {
                sender.blocking_send(Rows::Bars(step.asset, step.timeframe, std::mem::take(of))).ok()?;
            }
        }
        for (asset, action) in acted {
            actions.entry(asset).or_default().push(action);
        }
        for (asset, observation) in released {
            observations.entry(asset).or_default().push(observation);
        }
    }
    let rest = bars.into_iter().map(|((asset, timeframe), bars)| Rows::Bars(asset, timeframe, bars));
    let rest = rest.chain(actions.into_iter().map(|(asset, actions)| Rows::Actions(asset, actions)));
    let rest = rest.chain(observations.into_iter().map(|(asset, rows)| Rows::Observations(asset, rows)));
    for rows in rest {
        sender.blocking_send(rows).ok()?;
    }
    Some(feed)
}

async fn put(store: &dyn Store, assets: &[Asset], rows: Rows) -> anyhow::Result<()> {
    match rows {
        Rows::Bars(asset, timeframe, bars) => {
            store.put_bars(&series_key(&assets[asset], timeframe), &bars).await?;
        }
        Rows::Actions(asset, actions) => {
            store.put_actions(&assets[asset].symbol, &actions).await?;
        }
        Rows::Observations(asset, observations) => {
            store.put_observations(&assets[asset].source_symbol, &observations).await?;
        }
    }
    Ok(())
}
