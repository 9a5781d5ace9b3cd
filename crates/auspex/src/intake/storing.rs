//! The storing side: batches into the store.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use engine::ingest;
use jiff::{SignedDuration, Timestamp};
use market::{Action, Asset, AssetKind, Bar, Observation, Span, Symbol};
use storage::{BarQuery, PutSummary, SeriesKey, Store, StoreError};

use super::Summary;
use super::reader::{Batch, Reading};
use crate::compose::Opened;
use crate::screen;

/// Stores batches, and remembers which series they touched.
#[derive(Debug)]
pub(super) struct Storing<'a> {
    opened: &'a mut Opened,
    source: String,
    add_series: bool,
    now: Timestamp,
    touched: BTreeMap<SeriesKey, Touched>,
}

/// A series that rows came for.
#[derive(Debug)]
struct Touched {
    asset: Asset,
    /// The bars that came.
    spans: Vec<Span>,
}

impl<'a> Storing<'a> {
    pub(super) fn new(opened: &'a mut Opened, reading: &Reading, now: Timestamp) -> Self {
        let (source, add_series) = (reading.source.clone(), reading.add_series);
        Self { opened, source, add_series, now, touched: BTreeMap::new() }
    }

    pub(super) async fn put(&mut self, batch: Batch, summary: &mut Summary) -> anyhow::Result<()> {
        let store = Arc::clone(&self.opened.store);
        let put = match batch {
            Batch::Bars(batch) => {
                let symbol = batch.asset.symbol.clone();
                self.list(&batch.asset, summary).await?;
                let source = self.source.clone();
                let key = SeriesKey { symbol, timeframe: batch.timeframe, adjustment: batch.adjustment, source };
                let span = |bar: &Bar| Span { open_time: bar.open_time, close_time: bar.close_time };
                let spans: Vec<Span> = batch.bars.iter().map(span).collect();
                let put = put_bars(&*store, &key, batch.bars, self.now).await;
                let put = put.with_context(|| format!("failed to store {} bars of {}", key.timeframe, key.symbol))?;
                let touched = || Touched { asset: batch.asset, spans: Vec::new() };
                self.touched.entry(key).or_insert_with(touched).spans.extend(spans);
                put
            }
            Batch::Observations(batch) => {
                self.list_series(&batch.series_id, summary).await?;
                let put = put_observations(&*store, &batch.series_id, batch.observations, self.now).await;
                put.with_context(|| format!("failed to store observations of {}", batch.series_id))?
            }
            Batch::Actions(batch) => {
                // Terms of assets without bars are kept for when their bars come.
                let symbol = &batch.asset.symbol;
                let put = put_actions(&*store, symbol, batch.actions, self.now).await;
                put.with_context(|| format!("failed to store corporate actions of {symbol}"))?
            }
        };
        summary.put.inserted += put.inserted;
        summary.put.unchanged += put.unchanged;
        summary.put.revised += put.revised;
        Ok(())
    }

    /// Looks for holes in what was touched.
    pub(super) async fn finish(self, summary: &mut Summary) -> anyhow::Result<()> {
        let store = &self.opened.store;
        let bar = screen::count_bar(self.touched.len() as u64, "looking for gaps");
        let stored = store.series().await?;
        // Only holes inside: nothing is said about what comes after the last bar.
        let through = Timestamp::UNIX_EPOCH;
        for (key, Touched { asset, mut spans }) in self.touched {
            spans.sort_unstable_by_key(|span| span.open_time);
            spans.dedup();
            // Where all that is stored came by just now, it need not be read again.
            let whole = stored.iter().any(|info| info.key == key && info.n_bars == spans.len() as u64);
            let gaps = match whole {
                true => ingest::record_gaps_of(&**store, &key, &asset, &spans, through, self.now).await?,
                false => ingest::record_gaps(&**store, &key, &asset, through, self.now).await?,
            };
            summary.series.push((key, gaps));
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// Adds an asset to the universe when it is new, or said to be something else than before.
    async fn list(&mut self, asset: &Asset, summary: &mut Summary) -> anyhow::Result<()> {
        let listed = self.opened.assets.iter_mut().find(|other| other.symbol == asset.symbol);
        if listed.as_ref().is_some_and(|listed| *listed == asset) {
            return Ok(());
        }
        ingest::list_asset(&*self.opened.store, listed.as_deref(), asset).await.context("failed to list an asset")?;
        match listed {
            Some(listed) => *listed = asset.clone(),
            None => {
                self.opened.assets.push(asset.clone());
                summary.added.push(asset.clone());
            }
        }
        Ok(())
    }

    async fn list_series(&mut self, series_id: &str, summary: &mut Summary) -> anyhow::Result<()> {
        let listed = self.opened.assets.iter().any(|asset| asset.source_symbol == series_id);
        if listed || summary.unlisted.iter().any(|other| other == series_id) {
            return Ok(());
        }
        match series_id.parse::<Symbol>() {
            Ok(symbol) if self.add_series => {
                let (name, source_symbol) = (series_id.to_owned(), series_id.to_owned());
                let asset = Asset { symbol, name, kind: AssetKind::Series, source_symbol, quote: "units".to_owned() };
                self.list(&asset, summary).await
            }
            _ => {
                summary.unlisted.push(series_id.to_owned());
                Ok(())
            }
        }
    }
}

/// Puts bars. Those that say something else than the stored ones have become known only now.
async fn put_bars(
    store: &dyn Store,
    key: &SeriesKey,
    mut bars: Vec<Bar>,
    now: Timestamp,
) -> Result<PutSummary, StoreError> {
    match store.put_bars(key, &bars).await {
        Err(StoreError::NotLater { .. }) => {}
        done => return done,
    }
    let to = bars.last().map(|bar| bar.open_time + SignedDuration::from_micros(1));
    let query = BarQuery { key, as_of: Timestamp::MAX, from: bars.first().map(|bar| bar.open_time), to, last: None };
    let stored = store.bars(&query).await?;
    for bar in &mut bars {
        let Ok(at) = stored.binary_search_by_key(&bar.open_time, |old| old.open_time) else { continue };
        if (Bar { known_at: stored[at].known_at, ..*bar }) != stored[at] {
            bar.known_at = later(now, stored[at].known_at);
        }
    }
    store.put_bars(key, &bars).await
}

/// As [`put_bars`].
async fn put_observations(
    store: &dyn Store,
    series_id: &str,
    mut observations: Vec<Observation>,
    now: Timestamp,
) -> Result<PutSummary, StoreError> {
    match store.put_observations(series_id, &observations).await {
        Err(StoreError::NotLater { .. }) => {}
        done => return done,
    }
    let stored = store.observations(series_id, Timestamp::MAX).await?;
    let newest: BTreeMap<_, _> = stored.iter().map(|old| ((old.ref_period, old.realtime_start), old)).collect();
    for observation in &mut observations {
        let Some(old) = newest.get(&(observation.ref_period, observation.realtime_start)) else { continue };
        if old.value != observation.value {
            observation.known_at = later(now, old.known_at);
        }
    }
    store.put_observations(series_id, &observations).await
}

/// As [`put_bars`].
async fn put_actions(
    store: &dyn Store,
    symbol: &Symbol,
    mut actions: Vec<Action>,
    now: Timestamp,
) -> Result<PutSummary, StoreError> {
    match store.put_actions(symbol, &actions).await {
        Err(StoreError::NotLater { .. }) => {}
        done => return done,
    }
    let stored = store.actions(symbol, Timestamp::MAX).await?;
    for action in &mut actions {
        let same = |old: &&Action| {
            let kind = std::mem::discriminant::<market::ActionKind>;
            old.ex_date == action.ex_date && kind(&old.kind) == kind(&action.kind)
        };
        if let Some(old) = stored.iter().find(same)
            && old.kind != action.kind
        {
            action.known_at = later(now, old.known_at);
        }
    }
    store.put_actions(symbol, &actions).await
}

fn later(now: Timestamp, known_at: Timestamp) -> Timestamp {
    now.max(known_at + SignedDuration::from_micros(1))
}
